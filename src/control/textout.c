/* SPDX-License-Identifier: MIT */

#include "control/textout.h"

#include <stdlib.h>
#include <string.h>

#include "core/str.h"

#define FIRST_SIZE ((size_t)16 * 1024)

void textout_init(struct textout *o, size_t max) {
        *o = (struct textout){ .max = max };
}

void textout_done(struct textout *o) {
        free(o->bytes);
        *o = (struct textout){ 0 };
}

static bool grow(struct textout *o, size_t need) {
        size_t size = o->size > 0 ? o->size : FIRST_SIZE;
        char *bytes;

        while (size < need)
                size *= 2;
        bytes = realloc(o->bytes, size);
        if (!bytes) {
                o->error = -ENOMEM;
                return false;
        }
        o->bytes = bytes;
        o->size = size;
        return true;
}

void textout_bytes(struct textout *o, const char *bytes, size_t n) {
        if (o->error == 0 && n > o->max - o->n)
                o->error = -EMSGSIZE;
        if (o->error < 0 || (o->n + n > o->size && !grow(o, o->n + n)))
                return;
        memcpy(o->bytes + o->n, bytes, n);
        o->n += n;
}

void textout_text(struct textout *o, const char *text) {
        textout_bytes(o, text, strlen(text));
}

char *textout_digits(char *end, uint64_t value) {
        do
                *--end = (char)('0' + value % 10);
        while ((value /= 10) > 0);
        return end;
}

void textout_number(struct textout *o, uint64_t value) {
        char buf[TEXTOUT_DIGITS_MAX], *end = buf + sizeof(buf), *from = textout_digits(end, value);

        textout_bytes(o, from, (size_t)(end - from));
}

static bool is_plain(const char *s) {
        for (; *s; s++)
                if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f || *s == '"' || *s == '\\')
                        return false;
        return true;
}

/* Neither control characters nor invalid UTF-8 are left; two characters need a backslash. */
static void put_cleaned(struct textout *o, const char *value) {
        _cleanup_(str_freep) char *clean = str_clean(value);

        if (!clean) {
                o->error = -ENOMEM;
                return;
        }
        for (const char *s = clean; *s; s++) {
                if (*s == '"' || *s == '\\')
                        textout_bytes(o, "\\", 1);
                textout_bytes(o, s, 1);
        }
}

void textout_quoted(struct textout *o, const char *value) {
        textout_bytes(o, "\"", 1);
        if (is_plain(value))
                textout_text(o, value);
        else
                put_cleaned(o, value);
        textout_bytes(o, "\"", 1);
}
