/* SPDX-License-Identifier: MIT */

#include "http/out.h"

#include <string.h>

#include "http/date.h"

#define DIGITS_MAX 20 /* of a uint64_t */

/* Where n bytes may be written; NULL: there is no room for them. */
static char *out_take(struct http_out *o, size_t n) {
        char *p = o->p + o->n;

        if (o->full || n > o->room - o->n) {
                o->full = true;
                return NULL;
        }
        o->n += n;
        return p;
}

void http_out_bytes(struct http_out *o, const char *p, size_t n) {
        char *to;

        if (n == 0)
                return;
        to = out_take(o, n);
        if (to)
                memcpy(to, p, n);
}

void http_out_text(struct http_out *o, const char *text) {
        http_out_bytes(o, text, strlen(text));
}

void http_out_span(struct http_out *o, struct span s) {
        http_out_bytes(o, s.p, s.n);
}

void http_out_number(struct http_out *o, uint64_t v) {
        char digits[DIGITS_MAX];
        size_t at = DIGITS_MAX;

        do {
                digits[--at] = (char)('0' + v % 10);
                v /= 10;
        } while (v > 0);
        http_out_bytes(o, digits + at, DIGITS_MAX - at);
}

void http_out_field(struct http_out *o, struct span name, struct span value) {
        char *to = out_take(o, name.n + value.n + 4);

        if (!to)
                return;
        to = mempcpy(to, name.p, name.n);
        *to++ = ':';
        *to++ = ' ';
        if (value.n > 0)
                to = mempcpy(to, value.p, value.n);
        *to++ = '\r';
        *to = '\n';
}

void http_out_value(struct http_out *o, struct span value) {
        size_t from = 0;

        for (size_t i = 0; i < value.n; i++) {
                if (http_is_text_byte(value.p[i]))
                        continue;
                http_out_bytes(o, value.p + from, i - from);
                from = i + 1;
        }
        if (from < value.n)
                http_out_bytes(o, value.p + from, value.n - from);
}

void http_out_template(struct http_out *o,
                       const struct http_template *t,
                       const struct http_values *v) {
        for (size_t i = 0; i < t->n; i++) {
                const struct http_piece *piece = &t->pieces[i];

                http_out_value(o, piece->variable < 0 ? piece->text : v->of[piece->variable]);
        }
}

void http_out_header(struct http_out *o, const char *name, struct span value) {
        http_out_text(o, name);
        http_out_bytes(o, ": ", 2);
        http_out_value(o, value);
        http_out_bytes(o, "\r\n", 2);
}

void http_out_own(struct http_out *o,
                  const struct http_rules *rules,
                  const char *name,
                  struct span value) {
        struct http_header h = { .name = { name, strlen(name) } };

        if (!http_rules_replace(rules, &h))
                http_out_header(o, name, value);
}

void http_out_date(struct http_out *o, const struct http_rules *rules, uint64_t unix_s) {
        char date[HTTP_DATE_SIZE];

        http_date(date, unix_s);
        http_out_own(o, rules, "Date", (struct span){ date, sizeof(date) });
}

void http_out_rules(struct http_out *o,
                    const struct http_rules *rules,
                    const struct http_values *v) {
        for (size_t i = 0; rules && i < rules->n; i++) {
                const struct http_rule *rule = &rules->rules[i];

                if (rule->op == HTTP_RULE_REMOVE || rule->id == HTTP_FIELD_HOST)
                        continue;
                http_out_span(o, rule->name);
                http_out_bytes(o, ": ", 2);
                http_out_template(o, &rule->value, v);
                http_out_bytes(o, "\r\n", 2);
        }
}
