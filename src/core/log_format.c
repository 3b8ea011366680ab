/* SPDX-License-Identifier: MIT */
/* One record as text. Whatever is in a field, the line stays one line, valid JSON and valid
 * UTF-8. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"

#define TAIL_ROOM 32 /* for what closes a record that was cut */

static const char *const level_words[] = {
#define X(name, word, key, priority, help) word,
        LOG_LEVELS(X)
#undef X
};

static const char *const event_words[] = {
#define X(name, class, id, help) #name,
        LOG_EVENTS(X)
#undef X
};

struct out {
        char *buf;
        size_t size, n;
        bool full; /* something did not fit; nothing is written after it */
};

static void out_bytes(struct out *o, const char *bytes, size_t n) {
        if (o->full || n > o->size - o->n) {
                o->full = true;
                return;
        }
        memcpy(o->buf + o->n, bytes, n);
        o->n += n;
}

static void out_str(struct out *o, const char *s) {
        out_bytes(o, s, strlen(s));
}

PRINTF(2, 3) static void out_fmt(struct out *o, const char *fmt, ...) {
        char text[64];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        out_str(o, text);
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

static void out_json_string(struct out *o, const char *s) {
        out_bytes(o, "\"", 1);
        while (*s) {
                unsigned char c = (unsigned char)*s;
                size_t n = utf8_length((const unsigned char *)s);

                if (n == 0) {
                        out_bytes(o, "?", 1);
                        n = 1;
                } else if (c == '"' || c == '\\') {
                        out_fmt(o, "\\%c", c);
                } else if (is_control(s, n)) {
                        out_fmt(o, "\\u%04x", (unsigned char)s[n - 1]);
                } else {
                        out_bytes(o, s, n);
                }
                s += n;
        }
        out_bytes(o, "\"", 1);
}

static void out_error(struct out *o, int64_t r, void (*string)(struct out *, const char *)) {
        char text[96];
        const char *word = strerrorname_np(r < 0 ? (int)-r : (int)r);

        snprintf(text, sizeof(text), "%s", word ? word : "unknown");
        string(o, text);
}

static void out_value(struct out *o,
                      const struct log_field *f,
                      void (*string)(struct out *, const char *)) {
        switch (f->kind) {
        case LOG_IS_STR:
                if (f->s)
                        string(o, f->s);
                else
                        out_str(o, "null");
                return;
        case LOG_IS_U64:
                out_fmt(o, "%" PRIu64, f->u);
                return;
        case LOG_IS_I64:
                out_fmt(o, "%" PRIi64, f->i);
                return;
        case LOG_IS_BOOL:
                out_str(o, f->u ? "true" : "false");
                return;
        case LOG_IS_ERRNO:
                out_error(o, f->i, string);
                return;
        }
}

size_t log_format_json(char *buf, size_t size, const struct log_record *record) {
        const struct log_site *site = record->site;
        struct out o = { .buf = buf, .size = size - TAIL_ROOM };
        char time[CLOCK_TEXT_MAX];
        bool first = true;

        out_fmt(&o, "{\"timestamp\":\"%s\",", clock_text(record->real_us, time));
        out_fmt(&o, "\"level\":\"%s\",\"message\":", level_words[site->level]);
        out_json_string(&o, site->message);
        out_fmt(&o, ",\"module\":\"%s\",", site->module);
        out_fmt(&o, "\"event\":\"%s\",\"fields\":{", event_words[site->event]);

        for (size_t i = 0; i < record->n_fields; i++) {
                size_t before = o.n;

                out_fmt(&o, "%s\"%s\":", first ? "" : ",", record->fields[i].key);
                out_value(&o, &record->fields[i], out_json_string);
                first = false;
                if (o.full) { /* half a field is worse than none */
                        o.n = before;
                        o.full = false;
                        o.size = size;
                        out_fmt(&o, "%s\"truncated\":true", i == 0 ? "" : ",");
                        break;
                }
        }
        o.size = size;
        out_str(&o, "}}");
        return o.n;
}

static void out_clean(struct out *o, const char *s) {
        while (*s) {
                size_t n = utf8_length((const unsigned char *)s);

                if (n == 0 || is_control(s, n))
                        out_bytes(o, "?", 1);
                else
                        out_bytes(o, s, n);
                s += n > 0 ? n : 1;
        }
}

size_t log_format_pretty(char *buf, size_t size, const struct log_record *record) {
        struct out o = { .buf = buf, .size = size };
        char time[CLOCK_TEXT_MAX];

        clock_text(record->real_us, time);
        out_fmt(&o, "%.12s %-5s ", time + 11, level_words[record->site->level]);
        out_str(&o, record->site->message);
        for (size_t i = 0; i < record->n_fields && !o.full; i++) {
                out_fmt(&o, "  %s=", record->fields[i].key);
                out_value(&o, &record->fields[i], out_clean);
        }
        return o.n;
}
