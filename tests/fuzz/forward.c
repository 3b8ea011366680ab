/* SPDX-License-Identifier: MIT */
/*
 * A head is read, forwarded and read again, and must mean the same. The first two bytes choose the
 * side and the options; the rules put raw bytes of the input where an operator would put variables.
 */

#include "../unit/http/again.h"
#include "http.h"
#include "http/answer.h"
#include "http/request_id.h"

enum {
        RESPONSE = 1 << 0,
        VIA = 1 << 1,
        DROP = 1 << 2,
        ID = 1 << 3,
        TRUSTED = 1 << 4,
        FORWARDED = 1 << 5,
        OLD = 1 << 6,
        CLOSE = 1 << 7,
};

enum {
        HEAD = 1 << 0,
        CONNECT = 1 << 1,
        UPGRADE = 1 << 2,
        RULES = 1 << 3,
        HOST_RULE = 1 << 4,
        UNIX = 1 << 5,
        DATE = 1 << 6,
        V6 = 1 << 7,
};

/* $uri, $host and a text; the last rule is for requests only. */
static struct http_piece pieces[] = {
        { HTTP_VAR_URI, { "uri", 3 } },
        { -1, { "a\r\nb: c\n\n", 9 } },
        { HTTP_VAR_HOST, { "host", 4 } },
};

static struct http_rule rule_list[5];
static struct http_rules rules = { rule_list, 0 };

static void rules_choose(enum http_side side, uint8_t how) {
        static const char *const keys[] = { "X-Rule", "+X-Rule-Added", "-Cookie", "Forwarded",
                                            "Host" };

        rules.n = !(how & RULES) ? 0 : side == HTTP_REQUEST && (how & HOST_RULE) ? 5 : 4;
        for (size_t i = 0; i < rules.n; i++) {
                MUST(http_rule_read(&rule_list[i], side, span_of(keys[i])) == 0);
                rule_list[i].value = (struct http_template){ pieces, ELEMENTS(pieces) };
        }
}

/* Any address with an even first byte. */
static bool trusts(struct span address, void *arg) {
        ++*(size_t *)arg;
        return address.n > 0 && address.p[0] % 2 == 0;
}

static void values_fill(struct http_values *v, const struct http_forward *f, struct span raw) {
        size_t asked = 0;

        v->of[HTTP_VAR_URI] = raw;
        v->of[HTTP_VAR_HOST] = f->head->authority.text;
        v->of[HTTP_VAR_CLIENT_IP] = f->peer_ip;
        v->of[HTTP_VAR_BACKEND_NAME] = f->trusted ? span_of("unix:/a b") : span_of("b:80");
        if (f->head->status > 0)
                return;
        fuzz_span(http_forwarded_client(f->head, trusts, &asked), raw.p, raw.n);
        MUST(asked <= f->head->size);
}

static void options_fill(struct http_forward *f, const uint8_t *how) {
        f->rules = &rules;
        f->via = how[0] & VIA;
        f->drop_underscore = how[0] & DROP;
        f->request_id = how[0] & ID ? span_of("id-1") : (struct span){ NULL, 0 };
        f->trusted = how[0] & TRUSTED;
        f->forwarded = how[0] & FORWARDED;
        f->peer_ip = how[1] & UNIX ? (struct span){ NULL, 0 }
                     : how[1] & V6 ? span_of("2001:db8::1")
                                   : span_of("192.0.2.1");
        f->scheme = span_of("http");
        f->client_minor = how[0] & OLD ? 0 : 1;
        f->close = how[0] & CLOSE;
        f->now_s = how[1] & DATE ? 784111777 : 0;
}

/* The same bytes as a redirect's address and in its headers. */
static void check_answer(const struct http_values *v, struct span raw, uint8_t how) {
        struct http_answer a = {
                .status = how & HEAD ? 503 : 308,
                .location = raw,
                .request_id = raw,
                .rules = &rules,
                .values = v,
                .head = how & CONNECT,
                .close = how & UPGRADE,
                .client_minor = how & DATE ? 1 : 0,
        };
        struct http_out o = { .p = malloc(AGAIN_ROOM), .room = AGAIN_ROOM };
        struct http_asked asked = { .head = a.head };
        struct http_scan s = { 0 };
        struct http_head h;

        MUST(o.p);
        if (raw.n > 0 && raw.n <= HTTP_REQUEST_ID_MAX) {
                MUST(http_answer_write(&o, &a));
                MUST(http_read_response(&h, &s, o.p, o.n, &again_limits, asked) == HTTP_OK);
                MUST(h.n_headers == 5 + rules.n - (rules.n > 0) + (a.close || a.client_minor == 0));
                MUST(h.keep_alive == !a.close && h.size + h.length == o.n);
        }
        free(o.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct http_asked asked = { 0 };
        struct http_values values = { 0 };
        struct http_forward f = { .values = &values };
        struct http_scan s = { 0 };
        struct http_head h;
        struct span raw;
        enum http_verdict v;

        if (size < 2)
                return 0;
        raw = (struct span){ (const char *)data + 2, size - 2 };
        asked = (struct http_asked){ data[1] & HEAD, data[1] & CONNECT, data[1] & UPGRADE };
        rules_choose(data[0] & RESPONSE ? HTTP_RESPONSE : HTTP_REQUEST, data[1]);
        v = data[0] & RESPONSE
                    ? http_read_response(&h, &s, raw.p, raw.n, &http_response_limits, asked)
                    : http_read_request(&h, &s, raw.p, raw.n, &http_request_limits);
        if (v == HTTP_OK) {
                f.head = &h;
                options_fill(&f, data);
                values_fill(&values, &f, raw);
                MUST(!again(&f, asked));
        }
        rules_choose(HTTP_RESPONSE, data[1]);
        values.of[HTTP_VAR_URI] = raw;
        check_answer(&values, raw, data[1]);
        return 0;
}
