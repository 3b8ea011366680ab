/* SPDX-License-Identifier: MIT */

#include "http/fields.h"

#include <string.h>

static const unsigned flags[HTTP_FIELDS_COUNT] = {
#define X(id, text, f) [HTTP_FIELD_##id] = (f),
        HTTP_FIELDS(X)
#undef X
};

/* Inline, so that length and first letter of all the names are numbers in the code: nearly every
 * header is none of them, and they are looked for in each. */
static inline __attribute__((__always_inline__)) bool name_is(struct span name,
                                                              const char *text,
                                                              size_t n) {
        bool prefix = text[n - 1] == '-';

        if ((name.p[0] | 0x20) != (text[0] | 0x20) || (prefix ? name.n < n : name.n != n))
                return false;
        return span_equal_nocase((struct span){ name.p, n }, (struct span){ text, n });
}

enum http_field http_field_find(struct span name) {
        if (name.n == 0)
                return HTTP_FIELD_OTHER;
#define X(id, text, f)                                                                             \
        if (name_is(name, text, sizeof(text) - 1))                                                 \
                return HTTP_FIELD_##id;
        HTTP_FIELDS(X)
#undef X
        return HTTP_FIELD_OTHER;
}

unsigned http_field_flags(enum http_field id) {
        return flags[id];
}

bool http_field_resembles(struct span name) {
        char copy[32]; /* longer than all names but for prefixes, which end in it */
        struct span s = { copy, name.n < sizeof(copy) ? name.n : sizeof(copy) };
        enum http_field id;

        if (name.n == 0 || !memchr(name.p, '_', name.n))
                return false;
        for (size_t i = 0; i < s.n; i++)
                copy[i] = name.p[i] == '_' ? '-' : name.p[i];
        id = http_field_find(s);
        return id == HTTP_FIELD_X_REQUEST_ID || (http_field_flags(id) & FIELD_PASSES);
}

/* RFC 9112 5.1: no blank may stand before the colon; that one is a byte outside the token, as all
 * else that is wrong with a name. */
enum http_verdict http_header_read(struct http_header *ret, struct span line) {
        struct span name = { line.p, 0 };

        while (name.n < line.n && http_is_token_byte(line.p[name.n]))
                name.n++;
        if (name.n == 0 || name.n == line.n || line.p[name.n] != ':')
                return HTTP_HEADER_NAME;

        *ret = (struct http_header){ .name = name, .id = http_field_find(name) };
        ret->value = span_trim((struct span){ line.p + name.n + 1, line.n - name.n - 1 });
        ret->drop = http_field_flags(ret->id) & FIELD_HOP;
        return HTTP_OK;
}
