/* SPDX-License-Identifier: MIT */

#include "core/log_out.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/str.h"

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

/* \u00ad; beyond the first 65536 code points JSON has two escapes for one. */
static void log_out_escape(struct log_out *o, uint32_t c) {
        if (c >= 0x10000)
                log_out_fmt(o, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
        else
                log_out_fmt(o, "\\u%04x", c);
}

void log_out_json_string(struct log_out *o, const char *s) {
        const char *end = s + strlen(s);

        log_out_bytes(o, "\"", 1);
        while (s < end) {
                uint32_t c;
                size_t n = str_decode(&c, s, (size_t)(end - s));

                if (n == 0)
                        log_out_bytes(o, "?", 1);
                else if (c == '"' || c == '\\')
                        log_out_fmt(o, "\\%c", (int)c);
                else if (str_is_hidden(c))
                        log_out_escape(o, c);
                else
                        log_out_bytes(o, s, n);
                s += n > 0 ? n : 1;
        }
        log_out_bytes(o, "\"", 1);
}

void log_out_clean(struct log_out *o, const char *s) {
        const char *end = s + strlen(s);

        while (s < end) {
                uint32_t c;
                size_t n = str_decode(&c, s, (size_t)(end - s));

                if (n == 0 || str_is_hidden(c))
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
