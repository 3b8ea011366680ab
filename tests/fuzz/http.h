/* SPDX-License-Identifier: MIT */
/* What the three targets of src/http have in common. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(), which a release build leaves out. */
#define MUST(condition)                                                                            \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        abort();                                                                   \
        } while (0)

/* Small, so that a fuzzer reaches them. */
static const struct http_limits fuzz_limits = {
        .line_max = 128,
        .header_max = 96,
        .headers_max = 512,
        .n_headers = 12,
};

typedef enum http_verdict (*fuzz_head_fn)(struct http_head *ret,
                                          struct http_scan *s,
                                          const char *buf,
                                          size_t n,
                                          uint8_t how);

static inline void fuzz_span(struct span s, const char *buf, size_t n) {
        MUST(s.n == 0 || (s.p >= buf && s.p + s.n <= buf + n));
}

static inline void fuzz_spans(const struct http_head *h, const char *buf, size_t n) {
        fuzz_span(h->method, buf, n);
        fuzz_span(h->target, buf, n);
        fuzz_span(h->path, buf, n);
        fuzz_span(h->query, buf, n);
        fuzz_span(h->authority.text, buf, n);
        fuzz_span(h->authority.host, buf, n);
        fuzz_span(h->reason, buf, n);
        for (size_t i = 0; i < h->n_headers; i++) {
                fuzz_span(h->headers[i].name, buf, n);
                fuzz_span(h->headers[i].value, buf, n);
        }
}

static inline void fuzz_same(const struct http_head *a, const struct http_head *b) {
        MUST(a->status == b->status && a->minor == b->minor && a->form == b->form);
        MUST(a->framing == b->framing && a->length == b->length);
        MUST(a->keep_alive == b->keep_alive && a->upgrade == b->upgrade && a->h2c == b->h2c);
        MUST(a->n_headers == b->n_headers && a->authority.port == b->authority.port);
        for (size_t i = 0; i < a->n_headers; i++) {
                MUST(a->headers[i].name.n == b->headers[i].name.n);
                MUST(a->headers[i].value.n == b->headers[i].value.n);
                MUST(a->headers[i].drop == b->headers[i].drop);
        }
}

/* In pieces: the same verdict, whatever else stands in the buffer behind the head. */
static inline void fuzz_pieces(fuzz_head_fn read,
                               const struct http_head *whole,
                               enum http_verdict verdict,
                               const char *buf,
                               size_t n,
                               uint8_t how) {
        struct http_head h;
        struct http_scan s = { 0 };
        enum http_verdict v = HTTP_MORE;
        size_t piece = (size_t)(how >> 3) + 1;

        for (size_t at = 0; at < n && v == HTTP_MORE;) {
                at += at + piece < n ? piece : n - at;
                v = read(&h, &s, buf, at, how);
        }
        MUST(n == 0 || v == verdict);
        if (n > 0 && v == HTTP_OK) {
                MUST(h.size == whole->size);
                fuzz_same(&h, whole);
        }
}

static inline char *fuzz_put(char *p, struct span s, const char *after) {
        if (s.n > 0)
                memcpy(p, s.p, s.n);
        return stpcpy(p + s.n, after);
}

/* A first line is at text; the headers are put at end, as they were understood. It must read the
 * same. */
static inline void fuzz_again(fuzz_head_fn read,
                              const struct http_head *h,
                              char *text,
                              char *end,
                              uint8_t how) {
        struct http_head again;
        struct http_scan s = { 0 };

        for (size_t i = 0; i < h->n_headers; i++) {
                end = fuzz_put(end, h->headers[i].name, ":");
                end = fuzz_put(end, h->headers[i].value, "\r\n");
        }
        end = stpcpy(end, "\r\n");
        MUST(read(&again, &s, text, (size_t)(end - text), how) == HTTP_OK);
        MUST(again.size == (size_t)(end - text));
        fuzz_same(h, &again);
}
