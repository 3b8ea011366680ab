/* SPDX-License-Identifier: MIT */

#include "http/span.h"

#include <string.h>

/* Tables and not <ctype.h>: what a byte means on the wire does not depend on the locale. */
const bool http_token_bytes[256] = {
        ['!'] = true,         ['#'] = true,         ['$'] = true, ['%'] = true,
        ['&'] = true,         ['\''] = true,        ['*'] = true, ['+'] = true,
        ['-'] = true,         ['.'] = true,         ['^'] = true, ['_'] = true,
        ['`'] = true,         ['|'] = true,         ['~'] = true, ['0' ... '9'] = true,
        ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

const bool http_text_bytes[256] = {
        ['\t'] = true,
        [' ' ... '~'] = true,
        [0x80 ... 0xff] = true,
};

static char lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool span_equal_nocase(struct span a, struct span b) {
        if (a.n != b.n)
                return false;
        for (size_t i = 0; i < a.n; i++)
                if (lower(a.p[i]) != lower(b.p[i]))
                        return false;
        return true;
}

bool span_equal(struct span a, struct span b) {
        return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_is(struct span s, const char *text) {
        return span_equal_nocase(s, span_of(text));
}

bool span_starts(struct span s, const char *text) {
        size_t n = strlen(text);

        return s.n >= n && span_is((struct span){ s.p, n }, text);
}

bool span_contains(struct span s, const char *text) {
        for (; s.n > 0; s.p++, s.n--)
                if (span_starts(s, text))
                        return true;
        return false;
}

bool span_is_exact(struct span s, const char *text) {
        return s.n == strlen(text) && (s.n == 0 || memcmp(s.p, text, s.n) == 0);
}

bool span_is_token(struct span s) {
        for (size_t i = 0; i < s.n; i++)
                if (!http_is_token_byte(s.p[i]))
                        return false;
        return s.n > 0;
}

struct span span_trim(struct span s) {
        while (s.n > 0 && http_is_blank(s.p[0])) {
                s.p++;
                s.n--;
        }
        while (s.n > 0 && http_is_blank(s.p[s.n - 1]))
                s.n--;
        return s;
}

bool span_element(struct span *rest, struct span *ret) {
        const char *comma;

        if (!rest->p)
                return false;
        comma = memchr(rest->p, ',', rest->n);
        if (comma) {
                size_t n = (size_t)(comma - rest->p);

                *ret = span_trim((struct span){ rest->p, n });
                *rest = (struct span){ comma + 1, rest->n - n - 1 };
        } else {
                *ret = span_trim(*rest);
                *rest = (struct span){ NULL, 0 };
        }
        return true;
}
