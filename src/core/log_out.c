/* SPDX-License-Identifier: MIT */

#include "core/log_out.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void log_out_bytes(struct log_out *o, const char *bytes, size_t n) {
        if (o->full || n > o->size - o->n) {
                o->full = true;
                return;
        }
        memcpy(o->buf + o->n, bytes, n);
        o->n += n;
}

void log_out_str(struct log_out *o, const char *s) {
        log_out_bytes(o, s, strlen(s));
}

void log_out_fmt(struct log_out *o, const char *fmt, ...) {
        char text[64];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        log_out_str(o, text);
}

/* Length of the well-formed UTF-8 sequence at s (RFC 3629), 0 if there is none. */
static size_t utf8_length(const unsigned char *s) {
        unsigned min = s[1] & 0xc0;

        if (s[0] < 0x80)
                return 1;
        if (s[0] >= 0xc2 && s[0] <= 0xdf)
                return min == 0x80 ? 2 : 0;
        if (s[0] >= 0xe0 && s[0] <= 0xef) {
                if (min != 0x80 || (s[2] & 0xc0) != 0x80)
                        return 0;
                if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
                        return 0;
                return 3;
        }
        if (s[0] >= 0xf0 && s[0] <= 0xf4) {
                if (min != 0x80 || (s[2] & 0xc0) != 0x80 || (s[3] & 0xc0) != 0x80)
                        return 0;
                if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
                        return 0;
                return 4;
        }
        return 0;
}

/* Of the sequence at s, n bytes long: what a terminal obeys. U+0080 to U+009F are a second set. */
static bool is_control(const char *s, size_t n) {
        unsigned char c = (unsigned char)s[0];

        return c < 0x20 || c == 0x7f || (n == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0);
}

void log_out_json_string(struct log_out *o, const char *s) {
        log_out_bytes(o, "\"", 1);
        while (*s) {
                unsigned char c = (unsigned char)*s;
                size_t n = utf8_length((const unsigned char *)s);

                if (n == 0) {
                        log_out_bytes(o, "?", 1);
                        n = 1;
                } else if (c == '"' || c == '\\') {
                        log_out_fmt(o, "\\%c", c);
                } else if (is_control(s, n)) {
                        log_out_fmt(o, "\\u%04x", (unsigned char)s[n - 1]);
                } else {
                        log_out_bytes(o, s, n);
                }
                s += n;
        }
        log_out_bytes(o, "\"", 1);
}

void log_out_clean(struct log_out *o, const char *s) {
        while (*s) {
                size_t n = utf8_length((const unsigned char *)s);

                if (n == 0 || is_control(s, n))
                        log_out_bytes(o, "?", 1);
                else
                        log_out_bytes(o, s, n);
                s += n > 0 ? n : 1;
        }
}

static void log_out_error(struct log_out *o, int64_t r, log_out_fn string) {
        char text[96];
        const char *word = strerrorname_np(r < 0 ? (int)-r : (int)r);

        snprintf(text, sizeof(text), "%s", word ? word : "unknown");
        string(o, text);
}

void log_out_value(struct log_out *o, const struct log_field *f, log_out_fn string) {
        switch (f->kind) {
        case LOG_IS_STR:
                if (f->s)
                        string(o, f->s);
                else
                        log_out_str(o, "null");
                return;
        case LOG_IS_U64:
                log_out_fmt(o, "%" PRIu64, f->u);
                return;
        case LOG_IS_I64:
                log_out_fmt(o, "%" PRIi64, f->i);
                return;
        case LOG_IS_BOOL:
                log_out_str(o, f->u ? "true" : "false");
                return;
        case LOG_IS_ERRNO:
                log_out_error(o, f->i, string);
                return;
        }
}

void log_out_text(struct log_out *o, const struct log_record *record) {
        log_out_str(o, record->site->message);
        for (size_t i = 0; i < record->n_fields && !o->full; i++) {
                log_out_fmt(o, "  %s=", record->fields[i].key);
                log_out_value(o, &record->fields[i], log_out_clean);
        }
}
