/* SPDX-License-Identifier: MIT */

#include "fields.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

#define NUMBER_MAX 40 /* letters; bal writes no longer ones, nor longer times */

static bool is_string(struct scan_text v) {
        return v.n >= 2 && *v.text == '"';
}

/* What strto...() can read: they stop at a NUL only. */
static bool copy_to(char to[static NUMBER_MAX], const char *from, size_t n) {
        if (n == 0 || n >= NUMBER_MAX)
                return false;
        memcpy(to, from, n);
        to[n] = '\0';
        return true;
}

/* Escapes are rare in the names that there are: jansson knows how to read them. */
static char *unescape(struct scan_text v) {
        json_t *string = json_loadb(v.text, v.n, JSON_DECODE_ANY, NULL);
        char *text = json_is_string(string) ? strdup(json_string_value(string)) : strdup("?");

        json_decref(string);
        return text;
}

char *fields_text(struct scan_text v) {
        if (!is_string(v))
                return NULL;
        if (memchr(v.text, '\\', v.n))
                return unescape(v);
        return strndup(v.text + 1, v.n - 2);
}

bool fields_int(struct scan_text v, int64_t *ret) {
        size_t i = v.n > 0 && *v.text == '-' ? 1 : 0;
        int64_t n = 0;

        if (i == v.n || v.n - i > 18)
                return false;
        for (; i < v.n; i++) {
                if (v.text[i] < '0' || v.text[i] > '9')
                        return false;
                n = n * 10 + (v.text[i] - '0');
        }
        *ret = *v.text == '-' ? -n : n;
        return true;
}

static void put_number(struct scan_text v, double *ret) {
        char buf[NUMBER_MAX], *end;
        double number;

        if (is_string(v) || !copy_to(buf, v.text, v.n))
                return;
        number = strtod(buf, &end);
        if (end != buf && *end == '\0')
                *ret = number;
}

static void put_time(struct scan_text v, uint64_t *ret) {
        char buf[NUMBER_MAX];
        uint64_t s;

        if (is_string(v) && copy_to(buf, v.text + 1, v.n - 2) && report_time(&s, buf) == 0)
                *ret = s;
}

static int put_text(struct scan_text v, char **ret) {
        char *text;

        if (!is_string(v))
                return 0;
        text = fields_text(v);
        if (!text)
                return -ENOMEM;
        free(*ret);
        *ret = text;
        return 0;
}

static void put_word(struct scan_text v, char *to, size_t size) {
        if (is_string(v))
                snprintf(to, size, "%.*s", (int)(v.n - 2), v.text + 1);
}

static int put(const struct field *f, struct scan_text v, void *at) {
        switch (f->kind) {
        case FIELD_INT:
                fields_int(v, at);
                break;
        case FIELD_NUMBER:
                put_number(v, at);
                break;
        case FIELD_BOOL:
                if (scan_text_is(v, "true") || scan_text_is(v, "false"))
                        *(bool *)at = *v.text == 't';
                break;
        case FIELD_TIME:
                put_time(v, at);
                break;
        case FIELD_TEXT:
                return put_text(v, at);
        case FIELD_WORD:
                put_word(v, at, f->size);
                break;
        case FIELD_SPAN:
                *(struct scan_text *)at = v;
                break;
        case FIELD_OBJECT: /* null, as it seems */
                break;
        }
        return 0;
}

/* From the one behind the last hit on, and around. */
static const struct field *find(const struct field *fields,
                                size_t n,
                                size_t *hint,
                                struct scan_text k) {
        for (size_t i = 0; i < n; i++) {
                size_t at = *hint + i < n ? *hint + i : *hint + i - n;

                if (scan_text_is(k, fields[at].key)) {
                        *hint = at + 1 < n ? at + 1 : 0;
                        return &fields[at];
                }
        }
        return NULL;
}

/* Inside of the object. */
static int read_members(struct scan *s, const struct field *fields, size_t n, void *to) {
        struct scan_text key;
        size_t hint = 0;

        while (scan_member(s, &key)) {
                const struct field *f = find(fields, n, &hint, key);
                int r = 0;

                if (f && f->kind == FIELD_OBJECT && scan_enter(s, '{')) {
                        r = read_members(s, f->fields, f->n_fields, (char *)to + f->at);
                } else {
                        struct scan_text v = scan_value(s);

                        r = f && !s->bad ? put(f, v, (char *)to + f->at) : 0;
                }
                if (r < 0)
                        return r;
        }
        return s->bad ? -EBADMSG : 0;
}

int fields_read(struct scan *s, const struct field *fields, size_t n, void *to) {
        return scan_enter(s, '{') ? read_members(s, fields, n, to) : -EBADMSG;
}
