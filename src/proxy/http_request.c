/* SPDX-License-Identifier: MIT */
/* From a head to a backend: what is refused, where it goes, and the head that goes on. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "http/forward.h"
#include "proxy/http_parts.h"

/* ---- the exchange ---- */

/* A request that has come whole, and is small, is kept so: it can be sent once more. */
static size_t whole_size(const struct http_head *h, const struct inflow *in) {
        if (h->framing != HTTP_FRAMING_LENGTH || h->length > HTTP_WHOLE_MAX ||
            h->size + h->length > in->n)
                return h->size;
        return h->size + (size_t)h->length;
}

static struct piece piece_at(const char *raw, size_t n, struct span s) {
        if (s.n == 0 || s.p < raw || s.p + s.n > raw + n)
                return (struct piece){ .n = 0 };
        return (struct piece){ .at = (uint32_t)(s.p - raw), .n = (uint32_t)s.n };
}

/* RFC 9110 9.2.2 */
static bool is_idempotent(struct span method) {
        static const char *const methods[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" };

        for (size_t i = 0; i < ELEMENTS(methods); i++)
                if (span_is_exact(method, methods[i]))
                        return true;
        return false;
}

/* Of the first n bytes that have come; h may be as far as it was understood. */
static struct exchange *exchange_new(struct session *s, struct http_head *h, size_t n) {
        const struct http *http = s->http;
        struct exchange *x = malloc(sizeof(*x) + n);
        const char *from;

        if (!x)
                return NULL;
        *x = (struct exchange){ .first_ms = http->first_ms,
                                .head_ms = session_now_ms(s),
                                .idle_ms = http->first_ms - s->active_ms,
                                .up_base = s->up.bytes,
                                .down_base = s->down.bytes,
                                .raw_n = (uint32_t)n,
                                .minor = (uint8_t)h->minor };
        if (n == 0)
                return x;
        from = inflow_bytes(&http->in);
        memcpy(x->raw, from, n);
        x->method = piece_at(from, n, h->method);
        x->target = piece_at(from, n, h->target);
        x->host = piece_at(from, n, h->authority.text);
        x->traffic_method = (uint8_t)traffic_method_find(x->raw + x->method.at, x->method.n);
        return x;
}

static bool request_id_keep(struct exchange *x, const struct http_head *h) {
        HTTP_HEADERS_OF(h, HTTP_FIELD_X_REQUEST_ID, i) {
                struct span id = h->headers[i].value;

                if (!http_request_id_ok(id))
                        continue;
                memcpy(x->id, id.p, id.n);
                x->id_n = (uint8_t)id.n;
                return true;
        }
        return false;
}

void http_name(struct session *s, struct exchange *x, const struct http_head *h) {
        uint64_t random[2];

        if (h && request_id_keep(x, h))
                return;
        random[0] = worker_random(s->worker);
        random[1] = worker_random(s->worker);
        http_uuid7(x->id, clock_real_us() / 1000, random);
        x->id_n = HTTP_UUID_SIZE;
}

/* It was judged when it came; the limits may have been lowered since. */
const struct http_head *http_head_again(struct session *s) {
        static const struct http_limits any = { .line_max = UINT32_MAX / 2,
                                                .header_max = UINT32_MAX / 2,
                                                .headers_max = UINT32_MAX / 2,
                                                .n_headers = HTTP_HEADERS_MAX };
        struct http_desk *desk = s->worker->desk;
        struct exchange *x = s->http->x;
        struct http_scan scan = { .line = 0 };

        if (desk->head_of != x) {
                http_read_request(&desk->head, &scan, x->raw, x->head_n, &any);
                desk->head_of = x;
        }
        return &desk->head;
}

/* ---- the client behind proxies ---- */

static bool is_trusted(const struct config_http *config, const struct sockaddr *sa) {
        for (size_t i = 0; i < config->n_trusted; i++)
                if (addr_net_has(&config->trusted[i], sa))
                        return true;
        return false;
}

/* An IP address without a port. */
static bool ip_read(struct addr *ret, struct span text) {
        char copy[INET6_ADDRSTRLEN + 1];

        if (text.n >= sizeof(copy))
                return false;
        memcpy(copy, text.p, text.n);
        copy[text.n] = '\0';
        return addr_parse_host(ret, copy, 0) == 0 && ret->sa.sa_family != AF_UNIX;
}

static bool text_is_trusted(struct span text, void *arg) {
        struct addr a;

        return ip_read(&a, text) && is_trusted(arg, &a.sa);
}

static void exchange_find_client(struct session *s, struct exchange *x, const struct http_head *h) {
        const struct config_http *config = http_config(s);

        x->trusted = is_trusted(config, &s->peer.sa);
        if (x->trusted)
                x->client = piece_at(x->raw, x->raw_n,
                                     http_forwarded_client(h, text_is_trusted, (void *)config));
}

static struct span peer_text(const struct session *s, char text[static ADDR_TEXT_MAX]) {
        struct addr peer = session_peer_addr(&s->peer);

        return span_of(addr_text_host(&peer, text));
}

uint64_t http_client_hash(const struct session *s) {
        const struct exchange *x = s->http->x;
        struct addr a;

        if (x->client.n > 0 && ip_read(&a, piece_of(x, x->client)))
                return addr_hash_host(&a.sa);
        return addr_hash_host(&s->peer.sa);
}

static struct span uri_of(const struct http_head *h) {
        if (h->form == HTTP_FORM_ABSOLUTE) /* its path, with the query behind */
                return (struct span){ h->path.p, (size_t)(h->target.p + h->target.n - h->path.p) };
        return h->target;
}

struct span http_client_text(const struct session *s, char text[static ADDR_TEXT_MAX]) {
        const struct exchange *x = s->http->x;

        return x->client.n > 0 ? piece_of(x, x->client) : peer_text(s, text);
}

void http_values_fill(const struct session *s, struct http_values *v, struct http_texts *t) {
        const struct exchange *x = s->http->x;
        const struct http_desk *desk = s->worker->desk;

        *v = (struct http_values){ 0 };
        v->of[HTTP_VAR_CLIENT_IP] = http_client_text(s, t->client);
        if (s->peer.sa.sa_family == AF_INET || s->peer.sa.sa_family == AF_INET6) {
                snprintf(t->port, sizeof(t->port), "%u", ntohs(s->peer.in4.sin_port));
                v->of[HTTP_VAR_CLIENT_PORT] = span_of(t->port);
        }
        if (x->served_by) {
                v->of[HTTP_VAR_BACKEND_NAME] = span_of(x->served_by->config->name);
                if (s->addrs && s->addrs->endpoint_id == x->served_by->endpoint->id)
                        v->of[HTTP_VAR_BACKEND_ADDR] =
                                span_of(addr_text(&s->addrs->at[s->addr], t->backend));
        }
        v->of[HTTP_VAR_REQUEST_ID] = (struct span){ x->id, x->id_n };
        v->of[HTTP_VAR_HOST] = piece_of(x, x->host);
        v->of[HTTP_VAR_URI] =
                desk && desk->head_of == x ? uri_of(&desk->head) : piece_of(x, x->target);
}

/* ---- where it goes ---- */

/* A session of an old generation asks by the rules of the newest one, as long as its frontend is
 * still there; else this is its last request. */
static void http_renew(struct session *s) {
        if (s->view != s->worker->view && !session_renew(s, NULL))
                s->http->last = true;
}

/* What the log is to say of the backend that had the request last. */
void http_renewed(struct session *s) {
        const struct upstream_pool *pool = s->target->pool;
        struct exchange *x = s->http->x;
        const struct endpoint *e;

        if (!x || !x->served_by)
                return;
        e = x->served_by->endpoint;
        x->served_by = NULL;
        for (size_t i = 0; i < pool->n_endpoints; i++)
                if (pool->endpoints[i].endpoint == e)
                        x->served_by = &pool->endpoints[i];
}

static const struct config_route *route_find(struct session *s, const struct http_head *h) {
        const struct config_http *config = http_config(s);
        struct span path;

        if (config->n_routes == 0)
                return NULL;
        path = http_path_normalise(s->worker->desk->path, h->path);
        for (size_t i = 0; i < config->n_routes; i++)
                if (http_route_matches(&config->routes[i].match, h, path))
                        return &config->routes[i];
        return NULL;
}

static enum session_step http_go(struct session *s, const struct http_head *h) {
        const struct config_route *r = route_find(s, h);

        if (r && r->action != CONFIG_TO_POOL)
                return http_answer_route(s, r);
        if (h->counts_hops && h->hops == 0) /* it ends here; a TRACE would show its cookies */
                return http_answer(s, span_is_exact(h->method, "TRACE") ? 405 : 200);
        s->target = &s->frontend->targets[0];
        if (r)
                s->target =
                        &s->frontend
                                 ->targets[s->frontend->route_targets[r - http_config(s)->routes]];
        s->http->x->asked_pool = true;
        s->asked_ms = s->wanted_ms = session_now_ms(s);
        s->short_here = s->no_port = s->insisted = false;
        s->reason = CLOSE_NO_BACKEND;
        s->phase = SESSION_PICK;
        return STEP_AGAIN;
}

static enum http_verdict request_check(const struct session *s, const struct http_head *h) {
        const struct config_http *config = http_config(s);

        if (h->form == HTTP_FORM_AUTHORITY && !config->allow_connect)
                return HTTP_CONNECT_REFUSED;
        if (config->max_body_bytes > 0 && h->framing == HTTP_FRAMING_LENGTH &&
            h->length > config->max_body_bytes)
                return HTTP_BODY_LONG;
        if (config->n_routes > 0 && http_path_ambiguous(h->path))
                return HTTP_PATH_AMBIGUOUS;
        return HTTP_OK;
}

/* The head's spans follow its bytes into the exchange. */
static void desk_follow(struct http_desk *desk, const char *from, const struct exchange *x) {
        http_head_move(&desk->head, from, x->raw);
        desk->head_of = x;
}

enum session_step http_request(struct session *s) {
        struct http_head *h = &s->worker->desk->head;
        struct http *http = s->http;
        size_t n = whole_size(h, &http->in);
        struct exchange *x = exchange_new(s, h, n);
        enum http_verdict v;

        if (!x)
                return session_end(s, CLOSE_RESOURCES);
        http->x = x;
        x->head_n = (uint32_t)h->size;
        desk_follow(s->worker->desk, inflow_bytes(&http->in), x);
        inflow_use(&http->in, &s->worker->stock, n);
        io_unwant(&s->client.io, EPOLLIN);

        http_body_init(&x->up, h->framing, h->length);
        http_body_passed(&x->up, n - h->size);
        x->asked = http_asked_by(h);
        x->idempotent = is_idempotent(h->method);
        x->keep = h->keep_alive;
        http_name(s, x, h);
        http_renew(s);
        http_watch_client(s);
        exchange_find_client(s, x, h);

        v = request_check(s, h);
        if (v != HTTP_OK) {
                x->verdict = v;
                http->last = true; /* what follows CONNECT is meant for somebody else */
                http_log_refused(s);
                return http_answer(s, http_verdict_status(v, false));
        }
        return http_go(s, h);
}

enum session_step http_refuse(struct session *s, enum http_verdict v) {
        struct http_head *h = &s->worker->desk->head;
        struct http *http = s->http;
        struct http_scan again = { .line = 0 };
        struct exchange *x;

        if (v == HTTP_LATE) { /* somebody else's head lies on the desk: this one's first line */
                s->worker->desk->head_of = NULL;
                http_read_request(h, &again, inflow_bytes(&http->in), http->in.n,
                                  &http_config(s)->limits);
        }
        x = exchange_new(s, h, http->in.n);

        if (!x)
                return session_end(s, CLOSE_RESOURCES);
        http->x = x;
        http->last = true;
        x->verdict = v;
        http_name(s, x, NULL);
        io_unwant(&s->client.io, EPOLLIN);
        http_log_refused(s);
        return http_answer(s, http_verdict_status(v, false));
}

/* ---- the head that goes on ---- */

int http_request_put(struct session *s) {
        const struct config_http *config = http_config(s);
        struct exchange *x = s->http->x;
        struct http_values values;
        struct http_texts texts;
        char peer[ADDR_TEXT_MAX];
        struct http_forward f = {
                .head = http_head_again(s),
                .values = &values,
                .rules = &config->request_headers,
                .request_id = { x->id, x->id_n },
                .via = config->via,
                .drop_underscore = config->drop_underscore,
                .scheme = { "http", 4 },
                .trusted = x->trusted,
                .forwarded = config->forwarded,
        };
        struct http_out o = { .n = 0 };
        struct buffer *b = stock_take_buffer(&s->worker->stock);

        if (!b)
                return -ENOBUFS;
        if (config->request_headers.n > 0)
                http_values_fill(s, &values, &texts);
        else
                values = (struct http_values){
                        .of = { [HTTP_VAR_CLIENT_IP] = http_client_text(s, texts.client),
                                [HTTP_VAR_BACKEND_NAME] = span_of(s->endpoint->config->name) }
                };
        if (s->peer.sa.sa_family != AF_UNIX) /* mostly the client is the peer */
                f.peer_ip = x->client.n > 0 ? peer_text(s, peer) : values.of[HTTP_VAR_CLIENT_IP];
        o.p = b->data;
        o.room = sizeof(b->data);
        if (http_forward_request(&o, &f))
                http_out_bytes(&o, x->raw + x->head_n, x->raw_n - x->head_n);
        if (o.full) {
                stock_put_buffer(&s->worker->stock, b);
                return -EMSGSIZE;
        }
        b->start = 0;
        s->up.buffer = b;
        s->up.held = o.n;
        return 0;
}
