/* SPDX-License-Identifier: MIT */

#include "control/jsontext.h"

#include <string.h>

#include "core/clock.h"

void jsontext_init(struct jsontext *t, size_t max) {
        *t = (struct jsontext){ .first = true };
        textout_init(&t->out, max);
}

void jsontext_done(struct jsontext *t) {
        textout_done(&t->out);
}

static void put(struct jsontext *t, const char *bytes, size_t n) {
        textout_bytes(&t->out, bytes, n);
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

void jsontext_string(struct jsontext *t, const char *key, const char *value) {
        if (!value) {
                jsontext_null(t, key);
                return;
        }
        begin(t, key);
        textout_quoted(&t->out, value);
}

void jsontext_number(struct jsontext *t, const char *key, uint64_t value) {
        begin(t, key);
        textout_number(&t->out, value);
}

void jsontext_real(struct jsontext *t, const char *key, double value) {
        uint64_t thousandths = (uint64_t)(value * 1000.0 + 0.5);
        char buf[24], *end = buf + sizeof(buf), *from;

        for (from = end; from > end - 3; thousandths /= 10)
                *--from = (char)('0' + thousandths % 10);
        *--from = '.';
        from = textout_digits(from, thousandths);
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
        put(t, part->out.bytes, part->out.n);
        if (t->out.error == 0)
                t->out.error = part->out.error;
}

void jsontext_time(struct jsontext *t, const char *key, uint64_t real_us) {
        char text[CLOCK_TEXT_MAX];

        jsontext_string(t, key, real_us > 0 ? clock_text(real_us, text) : NULL);
}

void jsontext_time_mono(struct jsontext *t, const char *key, uint64_t mono_ms) {
        uint64_t now_ms = clock_mono_ms(), ago_ms = now_ms > mono_ms ? now_ms - mono_ms : 0;

        jsontext_time(t, key, mono_ms > 0 ? clock_real_us() - ago_ms * 1000 : 0);
}
