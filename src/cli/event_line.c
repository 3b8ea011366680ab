/* SPDX-License-Identifier: MIT */

#include "cli/event_line.h"

#include <stdlib.h>
#include <string.h>

#include "cli/doc.h"
#include "core/log.h"

#define TIME_SECONDS (sizeof("2026-11-20T12:04:28") - 1)

/* "2026-11-20 12:04:28Z"; what is no time of bal's stays as it is. */
static void print_time(struct out *o, const char *time, bool verbose) {
        if (verbose || strlen(time) <= TIME_SECONDS || time[10] != 'T') {
                out_clean(o, time);
                return;
        }
        for (size_t i = 0; i < TIME_SECONDS; i++) {
                char letter[2] = { i == 10 ? ' ' : time[i] };

                out_clean(o, letter);
        }
        out_printf(o, "Z");
}

static enum colour colour_of(const char *level) {
        if (strcmp(level, log_level_word(LOG_LEVEL_ERROR)) == 0)
                return RED;
        return strcmp(level, log_level_word(LOG_LEVEL_WARN)) == 0 ? YELLOW : PLAIN;
}

/* One word for whoever splits at blanks. */
static bool is_plain(const char *s) {
        return *s && !strpbrk(s, " \t\"=\\");
}

static void print_quoted(struct out *o, const char *s) {
        out_printf(o, "\"");
        for (size_t n; *s; s += n) {
                char *part;

                n = strcspn(s, "\"\\");
                part = strndup(s, n);
                out_clean(o, part ? part : "");
                free(part);
                if (s[n])
                        out_printf(o, "\\%c", s[n++]);
        }
        out_printf(o, "\"");
}

static void print_value(struct out *o, const json_t *value) {
        const char *s = json_string_value(value);
        char *text;

        if (s && is_plain(s)) {
                out_clean(o, s);
        } else if (s) {
                print_quoted(o, s);
        } else {
                text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
                out_clean(o, text ? text : "?");
                free(text);
        }
}

static void print_field(struct out *o, const char *key, const json_t *value) {
        out_clean(o, key);
        out_printf(o, "=");
        print_value(o, value);
}

void event_line(struct out *o, const json_t *record, bool verbose) {
        const char *level = doc_text(record, "level", "?"), *key, *gap = "  ";
        json_t *value;

        print_time(o, doc_text(record, "timestamp", "?"), verbose);
        out_printf(o, " ");
        out_paint(o, colour_of(level), level);
        out_spaces(o, strlen(level) < 6 ? 6 - strlen(level) : 1);
        out_paint(o, colour_of(level), doc_text(record, "message", "?"));
        json_object_foreach(json_object_get(record, "fields"), key, value) {
                out_printf(o, "%s", gap);
                print_field(o, key, value);
                gap = " ";
        }
        if (verbose) {
                out_printf(o, "%s", gap);
                print_field(o, "event", json_object_get(record, "event"));
                out_printf(o, " ");
                print_field(o, "module", json_object_get(record, "module"));
        }
        out_printf(o, "\n");
}

static bool is_same(const json_t *a, const json_t *b) {
        return doc_int(a, "number") == doc_int(b, "number") &&
               strcmp(doc_text(a, "timestamp", ""), doc_text(b, "timestamp", "")) == 0;
}

bool event_is_known(const json_t *record, const json_t *last) {
        return last && doc_int(record, "number") <= doc_int(last, "number");
}

/* When last is not among them any more, they are all newer than it, or of another daemon; one that
 * has got as far as last and does not have it is another. */
bool event_goes_on(const json_t *records, const json_t *last) {
        json_t *record;
        size_t i;

        if (!last)
                return false;
        json_array_foreach(records, i, record) {
                if (is_same(record, last))
                        return true;
                if (doc_int(record, "number") <= doc_int(last, "number"))
                        continue;
                return i == 0;
        }
        return false;
}
