/* SPDX-License-Identifier: MIT */

#include "http/fields.h"

#include <string.h>

static const struct field {
        const char *name;
        size_t n;
        unsigned flags;
} fields[HTTP_FIELDS_COUNT] = {
#define X(id, text, f) [HTTP_FIELD_##id] = { .name = (text), .n = sizeof(text) - 1, .flags = (f) },
        HTTP_FIELDS(X)
#undef X
};

static bool field_has(const struct field *f, struct span name) {
        if (f->name[f->n - 1] == '-')
                return span_starts(name, f->name);
        return f->n == name.n && span_is(name, f->name);
}

enum http_field http_field_find(struct span name) {
        for (int i = HTTP_FIELD_OTHER + 1; i < HTTP_FIELDS_COUNT; i++)
                if (field_has(&fields[i], name))
                        return (enum http_field)i;
        return HTTP_FIELD_OTHER;
}

unsigned http_field_flags(enum http_field id) {
        return fields[id].flags;
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
        const char *colon = memchr(line.p, ':', line.n);
        struct span name;

        if (!colon)
                return HTTP_HEADER_NAME;
        name = (struct span){ line.p, (size_t)(colon - line.p) };
        if (!span_is_token(name))
                return HTTP_HEADER_NAME;

        *ret = (struct http_header){ .name = name, .id = http_field_find(name) };
        ret->value = span_trim((struct span){ colon + 1, line.n - name.n - 1 });
        ret->drop = http_field_flags(ret->id) & FIELD_HOP;
        return HTTP_OK;
}
