/* SPDX-License-Identifier: MIT */
/* A head in all the ways of splitting it. Each call sees a copy that ends where its memory ends, so
 * that a sanitizer sees one byte too far, and that stands elsewhere than the one before. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/head.h"

typedef enum http_verdict (*head_fn)(struct http_head *ret,
                                     struct http_scan *s,
                                     const char *buf,
                                     size_t n);

static inline enum http_verdict feed_copy(head_fn read,
                                          struct http_head *h,
                                          struct http_scan *s,
                                          const char *text,
                                          size_t n) {
        char *copy = malloc(n > 0 ? n : 1);
        enum http_verdict v;

        assert_non_null(copy);
        memcpy(copy, text, n);
        v = read(h, s, copy, n);
        free(copy);
        return v;
}

static inline void feed_assert(enum http_verdict is,
                               enum http_verdict want,
                               const char *why,
                               size_t at) {
        if (is != want)
                fail_msg("%s, at %zu: %s, and not %s", why, at, http_verdict_word(is),
                         http_verdict_word(want));
}

/* Byte by byte: MORE until the verdict that the whole has. */
static inline void feed_growing(head_fn read,
                                const char *text,
                                size_t n,
                                enum http_verdict want,
                                const char *why) {
        struct http_head h;
        struct http_scan s = { 0 };

        for (size_t i = 0; i <= n; i++) {
                enum http_verdict v = feed_copy(read, &h, &s, text, i);

                if (v == HTTP_MORE && i < n)
                        continue;
                feed_assert(v, want, why, i);
                return;
        }
}

/* In two pieces, cut at each place. */
static inline void feed_halves(head_fn read,
                               const char *text,
                               size_t n,
                               enum http_verdict want,
                               const char *why) {
        for (size_t i = 0; i <= n; i++) {
                struct http_head h;
                struct http_scan s = { 0 };
                enum http_verdict v = feed_copy(read, &h, &s, text, i);

                if (v == HTTP_MORE)
                        v = feed_copy(read, &h, &s, text, n);
                feed_assert(v, want, why, i);
        }
}

static inline void feed_all(head_fn read,
                            const char *text,
                            size_t n,
                            enum http_verdict want,
                            const char *why) {
        feed_growing(read, text, n, want, why);
        feed_halves(read, text, n, want, why);
}

#define assert_span(s, text)                                                                       \
        do {                                                                                       \
                assert_int_equal((s).n, strlen(text));                                             \
                assert_memory_equal((s).p, text, strlen(text));                                    \
        } while (0)
