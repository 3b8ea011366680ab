/* SPDX-License-Identifier: MIT */

#include "control/jsontext.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/str.h"

#define FIRST_SIZE ((size_t)16 * 1024)

void jsontext_init(struct jsontext *t, size_t max) {
        *t = (struct jsontext){ .max = max, .first = true };
}

void jsontext_done(struct jsontext *t) {
        free(t->bytes);
        *t = (struct jsontext){ 0 };
}

static bool grow(struct jsontext *t, size_t need) {
        size_t size = t->size > 0 ? t->size : FIRST_SIZE;
        char *bytes;

        while (size < need)
                size *= 2;
        bytes = realloc(t->bytes, size);
        if (!bytes) {
                t->error = -ENOMEM;
                return false;
        }
        t->bytes = bytes;
        t->size = size;
        return true;
}

static void put(struct jsontext *t, const char *bytes, size_t n) {
        if (t->error == 0 && n > t->max - t->n)
                t->error = -EMSGSIZE;
        if (t->error < 0 || (t->n + n > t->size && !grow(t, t->n + n)))
                return;
        memcpy(t->bytes + t->n, bytes, n);
        t->n += n;
}

/* Keys are ours, and need no escaping. */
static void begin(struct jsontext *t, const char *key) {
        if (!t->first)
                put(t, ",", 1);
        t->first = false;
        if (!key)
                return;
        put(t, "\"", 1);
        put(t, key, strlen(key));
        put(t, "\":", 2);
}

void jsontext_open(struct jsontext *t, const char *key, char bracket) {
        begin(t, key);
        put(t, &bracket, 1);
        t->first = true;
}

void jsontext_close(struct jsontext *t, char bracket) {
        put(t, &bracket, 1);
        t->first = false;
}

static bool is_plain(const char *s) {
        for (; *s; s++)
                if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f || *s == '"' || *s == '\\')
                        return false;
        return true;
}

/* Neither control characters nor invalid UTF-8 are left; two characters need a backslash. */
static void put_cleaned(struct jsontext *t, const char *value) {
        _cleanup_(str_freep) char *clean = str_clean(value);

        if (!clean) {
                t->error = -ENOMEM;
                return;
        }
        for (const char *s = clean; *s; s++) {
                if (*s == '"' || *s == '\\')
                        put(t, "\\", 1);
                put(t, s, 1);
        }
}

void jsontext_string(struct jsontext *t, const char *key, const char *value) {
        if (!value) {
                jsontext_null(t, key);
                return;
        }
        begin(t, key);
        put(t, "\"", 1);
        if (is_plain(value))
                put(t, value, strlen(value));
        else
                put_cleaned(t, value);
        put(t, "\"", 1);
}

/* Returns where the digits begin; they end at end. */
static char *digits(char *end, uint64_t value) {
        do
                *--end = (char)('0' + value % 10);
        while ((value /= 10) > 0);
        return end;
}

void jsontext_number(struct jsontext *t, const char *key, uint64_t value) {
        char buf[20], *from = digits(buf + sizeof(buf), value);

        begin(t, key);
        put(t, from, (size_t)(buf + sizeof(buf) - from));
}

void jsontext_real(struct jsontext *t, const char *key, double value) {
        uint64_t thousandths = (uint64_t)(value * 1000.0 + 0.5);
        char buf[24], *end = buf + sizeof(buf), *from;

        for (from = end; from > end - 3; thousandths /= 10)
                *--from = (char)('0' + thousandths % 10);
        *--from = '.';
        from = digits(from, thousandths);
        while (end[-1] == '0' && end[-2] != '.') /* what stays says that it is a float */
                end--;
        begin(t, key);
        put(t, from, (size_t)(end - from));
}

void jsontext_bool(struct jsontext *t, const char *key, bool value) {
        begin(t, key);
        put(t, value ? "true" : "false", value ? 4 : 5);
}

void jsontext_null(struct jsontext *t, const char *key) {
        begin(t, key);
        put(t, "null", 4);
}

void jsontext_part(struct jsontext *t, const char *key, const struct jsontext *part) {
        begin(t, key);
        put(t, part->bytes, part->n);
        if (t->error == 0)
                t->error = part->error;
}

void jsontext_time(struct jsontext *t, const char *key, uint64_t real_us) {
        char text[CLOCK_TEXT_MAX];

        jsontext_string(t, key, real_us > 0 ? clock_text(real_us, text) : NULL);
}

void jsontext_time_mono(struct jsontext *t, const char *key, uint64_t mono_ms) {
        uint64_t now_ms = clock_mono_ms(), ago_ms = now_ms > mono_ms ? now_ms - mono_ms : 0;

        jsontext_time(t, key, mono_ms > 0 ? clock_real_us() - ago_ms * 1000 : 0);
}
