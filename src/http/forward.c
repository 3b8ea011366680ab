/* SPDX-License-Identifier: MIT */
/*
 * The headers that came are walked through once and copied as they are; what bal writes on its own
 * follows. No allocation, no printf: this runs twice for each request.
 */

#include "http/forward.h"

#include <string.h>

#include "http/target.h"

#define TEXT(literal) ((struct span){ (literal), sizeof(literal) - 1 })

/* Headers that were met, so that bal does not write them as well. */
enum {
        SEEN_FOR = 1 << 0,
        SEEN_PROTO = 1 << 1,
        SEEN_HOST = 1 << 2,
        SEEN_REAL_IP = 1 << 3,
        SEEN_FORWARDED = 1 << 4,
        SEEN_VIA = 1 << 5,
        SEEN_DATE = 1 << 6,
};

struct pass {
        struct http_out *o;
        const struct http_forward *f;
        unsigned seen;
};

/* A header that each one on the way adds an element to. */
struct list {
        struct span name;
        unsigned seen;
        void (*write)(struct http_out *o, const struct http_forward *f);
};

static void via_write(struct http_out *o, const struct http_forward *f) {
        http_out_span(o, f->head->minor > 0 ? TEXT("1.1 bal") : TEXT("1.0 bal"));
}

static void for_write(struct http_out *o, const struct http_forward *f) {
        http_out_value(o, f->peer_ip);
}

/* RFC 7239 4: what is no token stands in quotes, and that is every IPv6 address and port. */
static void forwarded_write(struct http_out *o, const struct http_forward *f) {
        bool v6 = f->peer_ip.n > 0 && memchr(f->peer_ip.p, ':', f->peer_ip.n);

        http_out_span(o, v6 ? TEXT("for=\"[") : TEXT("for="));
        http_out_value(o, f->peer_ip.n > 0 ? f->peer_ip : TEXT("unknown"));
        http_out_span(o, v6 ? TEXT("]\"") : TEXT(""));
        if (f->head->authority.text.n > 0) {
                http_out_span(o, TEXT(";host=\""));
                http_out_span(o, f->head->authority.text);
                http_out_span(o, TEXT("\""));
        }
        http_out_span(o, TEXT(";proto="));
        http_out_value(o, f->scheme);
}

static const struct list list_via = { TEXT("Via"), SEEN_VIA, via_write };
static const struct list list_for = { TEXT("X-Forwarded-For"), SEEN_FOR, for_write };
static const struct list list_forwarded = { TEXT("Forwarded"), SEEN_FORWARDED, forwarded_write };

/* All that came of it, from the first one on, and bal's element in one line: there are readers that
 * look at one line only. */
static void list_write(struct pass *p, const struct list *l, size_t from) {
        const struct http_head *h = p->f->head;

        if ((p->seen & l->seen) || http_rules_replace(p->f->rules, l->name))
                return;
        p->seen |= l->seen;
        http_out_span(p->o, l->name);
        http_out_span(p->o, TEXT(": "));
        for (size_t i = from; i < h->n_headers; i++) {
                const struct http_header *came = &h->headers[i];

                if (came->drop || came->value.n == 0 || !span_equal_nocase(came->name, l->name))
                        continue;
                http_out_span(p->o, came->value);
                http_out_span(p->o, TEXT(", "));
        }
        l->write(p->o, p->f);
        http_out_span(p->o, TEXT("\r\n"));
}

static void list_end(struct pass *p, const struct list *l) {
        list_write(p, l, p->f->head->n_headers);
}

static void header_copy(struct pass *p, const struct http_header *h) {
        http_out_field(p->o, h->name, h->value);
}

/* Without zeros in front: a length like 010 has been read as an octal number. */
static void length_copy(struct pass *p, const struct http_header *h) {
        struct span digits = h->value;

        while (digits.n > 1 && digits.p[0] == '0') {
                digits.p++;
                digits.n--;
        }
        http_out_field(p->o, h->name, digits);
}

static void hops_write(struct http_out *o, struct span name, uint32_t hops) {
        http_out_span(o, name);
        http_out_span(o, TEXT(": "));
        http_out_number(o, hops > 0 ? hops - 1 : 0);
        http_out_span(o, TEXT("\r\n"));
}

/* One of X-Forwarded-, which only a trusted peer may send. */
static void x_forwarded_copy(struct pass *p, size_t at) {
        const struct http_header *h = &p->f->head->headers[at];

        if (!p->f->trusted)
                return;
        if (span_is(h->name, "X-Forwarded-For") && p->f->peer_ip.n > 0) {
                list_write(p, &list_for, at);
                return;
        }
        if (span_is(h->name, "X-Forwarded-Proto"))
                p->seen |= SEEN_PROTO;
        else if (span_is(h->name, "X-Forwarded-Host"))
                p->seen |= SEEN_HOST;
        header_copy(p, h);
}

static void forwarded_copy(struct pass *p, size_t at) {
        if (p->f->trusted && p->f->forwarded)
                list_write(p, &list_forwarded, at);
        else if (p->f->trusted)
                header_copy(p, &p->f->head->headers[at]);
}

static void via_copy(struct pass *p, size_t at) {
        if (p->f->via && !p->f->head->interim)
                list_write(p, &list_via, at);
        else
                header_copy(p, &p->f->head->headers[at]);
}

static bool has_underscore(struct span name) {
        return memchr(name.p, '_', name.n);
}

/* A header that requests and responses treat the same. */
static void header_pass(struct pass *p, size_t at) {
        const struct http_header *h = &p->f->head->headers[at];

        if (h->id == HTTP_FIELD_CONTENT_LENGTH)
                length_copy(p, h);
        else if (h->id == HTTP_FIELD_VIA)
                via_copy(p, at);
        else if (h->id != HTTP_FIELD_X_REQUEST_ID || p->f->request_id.n == 0)
                header_copy(p, h);
}

static void request_header(struct pass *p, size_t at) {
        const struct http_header *h = &p->f->head->headers[at];

        if (h->drop || h->id == HTTP_FIELD_HOST || http_rules_replace(p->f->rules, h->name))
                return;
        if (h->id == HTTP_FIELD_X_FORWARDED) {
                x_forwarded_copy(p, at);
        } else if (h->id == HTTP_FIELD_FORWARDED) {
                forwarded_copy(p, at);
        } else if (h->id == HTTP_FIELD_X_REAL_IP) {
                if (!p->f->trusted)
                        return;
                p->seen |= SEEN_REAL_IP;
                header_copy(p, h);
        } else if (h->id == HTTP_FIELD_MAX_FORWARDS && p->f->head->counts_hops) {
                hops_write(p->o, h->name, p->f->head->hops);
        } else if (h->id != HTTP_FIELD_OTHER || !has_underscore(h->name)) {
                header_pass(p, at);
        } else if (!p->f->drop_underscore && !http_field_resembles(h->name)) {
                header_copy(p, h);
        }
}

static bool host_good(struct span host) {
        struct http_authority a;

        return http_authority_read(&a, host) == HTTP_OK;
}

/* A rule's value is a valid host, or it does not count: it may have come out of variables. */
static bool host_by_rule(struct http_out *o, const struct http_forward *f) {
        size_t before = o->n;

        for (size_t i = 0; f->rules && i < f->rules->n; i++) {
                if (f->rules->rules[i].id != HTTP_FIELD_HOST)
                        continue;
                http_out_template(o, &f->rules->rules[i].value, f->values);
                if (o->full || host_good((struct span){ o->p + before, o->n - before }))
                        return true;
                o->n = before;
        }
        return false;
}

/* RFC 9112 3.2: the first of all headers. What HTTP/1.0 left open is asked of the backend by its
 * own name, as every client does that has nothing but an address. */
static void host_write(struct http_out *o, const struct http_forward *f) {
        struct span name = f->values->of[HTTP_VAR_BACKEND_NAME];

        http_out_span(o, TEXT("Host: "));
        if (!host_by_rule(o, f)) {
                if (f->head->authority.text.n > 0)
                        http_out_span(o, f->head->authority.text);
                else
                        http_out_span(o, host_good(name) ? name : TEXT("localhost"));
        }
        http_out_span(o, TEXT("\r\n"));
}

/* What says where the request came from. */
static void origin_write(struct pass *p) {
        const struct http_forward *f = p->f;
        struct span client = f->values->of[HTTP_VAR_CLIENT_IP];

        if (f->peer_ip.n > 0)
                list_end(p, &list_for);
        if (!(p->seen & SEEN_PROTO))
                http_out_own(p->o, f->rules, TEXT("X-Forwarded-Proto"), f->scheme);
        if (!(p->seen & SEEN_HOST) && f->head->authority.text.n > 0)
                http_out_own(p->o, f->rules, TEXT("X-Forwarded-Host"), f->head->authority.text);
        if (client.n == 0)
                client = f->peer_ip;
        if (!(p->seen & SEEN_REAL_IP) && client.n > 0)
                http_out_own(p->o, f->rules, TEXT("X-Real-IP"), client);
        if (f->forwarded)
                list_end(p, &list_forwarded);
}

static void request_id_write(struct http_out *o, const struct http_forward *f) {
        if (f->request_id.n > 0)
                http_out_own(o, f->rules, TEXT("X-Request-ID"), f->request_id);
}

static void option_write(struct http_out *o, bool *any, struct span option) {
        http_out_span(o, *any ? TEXT(", ") : TEXT("Connection: "));
        http_out_span(o, option);
        *any = true;
}

/* RFC 9110 10.1.4: TE is nominated. */
static void request_connection(struct http_out *o, const struct http_head *h) {
        bool te = h->te_trailers && h->minor > 0, any = false;

        if (h->upgrade)
                option_write(o, &any, TEXT("upgrade"));
        if (te)
                option_write(o, &any, TEXT("TE"));
        if (any)
                http_out_span(o, TEXT("\r\n"));
        if (te)
                http_out_span(o, TEXT("TE: trailers\r\n"));
}

bool http_forward_request(struct http_out *o, const struct http_forward *f) {
        const struct http_head *h = f->head;
        struct pass p = { .o = o, .f = f };

        http_out_span(o, h->method);
        http_out_span(o, TEXT(" "));
        http_out_span(o, h->target);
        http_out_span(o, TEXT(" HTTP/1.1\r\n"));
        host_write(o, f);
        for (size_t i = 0; i < h->n_headers; i++)
                request_header(&p, i);

        origin_write(&p);
        if (f->via)
                list_end(&p, &list_via);
        request_id_write(o, f);
        http_out_rules(o, f->rules, f->values);
        if (h->framing == HTTP_FRAMING_CHUNKED)
                http_out_span(o, TEXT("Transfer-Encoding: chunked\r\n"));
        request_connection(o, h);
        http_out_span(o, TEXT("\r\n"));
        return !o->full;
}

bool http_forward_unchunks(const struct http_head *response, int client_minor) {
        return response->framing == HTTP_FRAMING_CHUNKED && client_minor == 0;
}

static void response_header(struct pass *p, size_t at) {
        const struct http_forward *f = p->f;
        const struct http_header *h = &f->head->headers[at];

        if (h->drop || http_rules_replace(f->rules, h->name))
                return;
        if (f->drop_underscore && h->id == HTTP_FIELD_OTHER && has_underscore(h->name))
                return;
        if (h->id == HTTP_FIELD_UPGRADE && f->head->interim)
                return; /* its Connection is not written either */
        if (h->id == HTTP_FIELD_TRAILER && http_forward_unchunks(f->head, f->client_minor))
                return;
        if (h->id == HTTP_FIELD_DATE)
                p->seen |= SEEN_DATE;
        header_pass(p, at);
}

static void response_own(struct pass *p) {
        const struct http_forward *f = p->f;

        if (f->now_s > 0 && !(p->seen & SEEN_DATE))
                http_out_date(p->o, f->rules, f->now_s);
        if (f->via)
                list_end(p, &list_via);
        request_id_write(p->o, f);
        http_out_rules(p->o, f->rules, f->values);
}

static void response_connection(struct http_out *o, const struct http_forward *f) {
        const struct http_head *h = f->head;
        bool tunnel = h->framing == HTTP_FRAMING_TUNNEL, any = false;
        bool close = f->close || h->framing == HTTP_FRAMING_UNTIL_CLOSE ||
                     http_forward_unchunks(h, f->client_minor);

        if (h->upgrade)
                option_write(o, &any, TEXT("upgrade"));
        if (close && !tunnel)
                option_write(o, &any, TEXT("close"));
        else if (f->client_minor == 0 && !tunnel)
                option_write(o, &any, TEXT("keep-alive"));
        if (any)
                http_out_span(o, TEXT("\r\n"));
}

bool http_forward_response(struct http_out *o, const struct http_forward *f) {
        const struct http_head *h = f->head;
        struct pass p = { .o = o, .f = f };

        http_out_span(o, TEXT("HTTP/1.1 "));
        http_out_number(o, (uint64_t)h->status); /* of three digits */
        http_out_span(o, TEXT(" "));
        http_out_span(o, h->reason);
        http_out_span(o, TEXT("\r\n"));
        for (size_t i = 0; i < h->n_headers; i++)
                response_header(&p, i);

        if (!h->interim) {
                response_own(&p);
                if (h->framing == HTTP_FRAMING_CHUNKED && f->client_minor > 0)
                        http_out_span(o, TEXT("Transfer-Encoding: chunked\r\n"));
                response_connection(o, f);
        }
        http_out_span(o, TEXT("\r\n"));
        return !o->full;
}
