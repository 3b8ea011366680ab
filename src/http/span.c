/* SPDX-License-Identifier: MIT */

#include "http/span.h"

#include <endian.h>
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

bool http_bytes_equal_nocase(const char *a, const char *b, size_t n) {
        if (n == 0 || memcmp(a, b, n) == 0) /* names mostly come as the standard writes them */
                return true;
        for (size_t i = 0; i < n; i++)
                if (lower(a[i]) != lower(b[i]))
                        return false;
        return true;
}

bool span_starts(struct span s, const char *text) {
        size_t n = strlen(text);

        return s.n >= n && span_equal_nocase((struct span){ s.p, n }, (struct span){ text, n });
}

bool span_contains(struct span s, const char *text) {
        for (; s.n > 0; s.p++, s.n--)
                if (span_starts(s, text))
                        return true;
        return false;
}

bool span_is_token(struct span s) {
        for (size_t i = 0; i < s.n; i++)
                if (!http_is_token_byte(s.p[i]))
                        return false;
        return s.n > 0;
}

#define EACH(byte) (0x0101010101010101U * (byte))

/* Eight bytes at once, which is most of what a head costs: how many come before the first one that
 * is below ' ' or DEL. In both halves a byte whose difference wraps, and which has no high bit of
 * its own, sets it; what that borrows goes upwards only, so the lowest one is true. */
static size_t plain_bytes(const char *p) {
        uint64_t w, del, odd;

        memcpy(&w, p, sizeof(w));
        w = le64toh(w); /* the first byte is the lowest */
        del = w ^ EACH(0x7f);
        odd = (((w - EACH(' ')) & ~w) | ((del - EACH(1)) & ~del)) & EACH(0x80);
        return odd ? (size_t)__builtin_ctzll(odd) / 8 : sizeof(w);
}

size_t span_text(struct span s) {
        const size_t word = sizeof(uint64_t);
        size_t i = 0;

        while (i < s.n) {
                if (s.n - i >= word) {
                        size_t n = plain_bytes(s.p + i);

                        i += n;
                        if (n == word)
                                continue;
                } else if (s.n >= word && plain_bytes(s.p + s.n - word) == word) {
                        return s.n; /* the last word once more from where it is whole */
                }
                if (!http_is_text_byte(s.p[i])) /* HTAB is one */
                        break;
                i++;
        }
        return i;
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
