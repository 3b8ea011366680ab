/* SPDX-License-Identifier: MIT */
/* http/span.h - a piece of somebody's buffer, and what HTTP calls a blank, a token and a list. */
#pragma once

#include <string.h>

#include "core/base.h"

struct span {
        const char *p; /* borrowed, not NUL-terminated; may be NULL when n is 0 */
        size_t n;
};

extern const bool http_token_bytes[256]; /* RFC 9110 5.6.2: tchar */
extern const bool http_text_bytes[256];  /* 5.5: HTAB, blank, visible, and bytes above 0x7f */

static inline bool http_is_token_byte(char c) {
        return http_token_bytes[(unsigned char)c];
}

static inline bool http_is_text_byte(char c) {
        return http_text_bytes[(unsigned char)c];
}

static inline bool http_is_blank(char c) {
        return c == ' ' || c == '\t';
}

static inline bool http_is_digit(char c) {
        return c >= '0' && c <= '9';
}

static inline int http_hex_value(char c) { /* -1: no hexadecimal digit */
        if (http_is_digit(c))
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static inline struct span span_of(const char *text) {
        return (struct span){ text, strlen(text) };
}

static inline bool span_equal(struct span a, struct span b) { /* byte for byte */
        return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is_exact(struct span s, const char *text) { /* likewise */
        return span_equal(s, span_of(text));
}

bool http_bytes_equal_nocase(const char *a, const char *b, size_t n);

/* Equal but for the case of ASCII letters. Most that are compared differ in length. */
static inline bool span_equal_nocase(struct span a, struct span b) {
        return a.n == b.n && http_bytes_equal_nocase(a.p, b.p, a.n);
}

static inline bool span_is(struct span s, const char *text) { /* likewise */
        return span_equal_nocase(s, span_of(text));
}

bool span_starts(struct span s, const char *text);   /* likewise, s may go on */
bool span_contains(struct span s, const char *text); /* likewise, anywhere in s */
bool span_is_token(struct span s);                   /* one byte or more, all token bytes */
size_t span_text(struct span s);                     /* text bytes at its start */

static inline struct span span_trim(struct span s) { /* without blanks and HTABs at the ends */
        while (s.n > 0 && http_is_blank(s.p[0])) {
                s.p++;
                s.n--;
        }
        while (s.n > 0 && http_is_blank(s.p[s.n - 1]))
                s.n--;
        return s;
}

/* Splits rest at its commas: true, and *ret is the next element, trimmed, perhaps empty; "" has
 * one empty element, "a," has two. *rest is used up. Knows no quotes: no list here needs any. */
bool span_element(struct span *rest, struct span *ret);
