/* SPDX-License-Identifier: MIT */

#include "http/out.h"

#include <string.h>

#include "http/date.h"

#define DIGITS_MAX 20 /* of a uint64_t */

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
        char *to = http_out_take(o, name.n + value.n + 4);

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
        while (value.n > 0) {
                size_t n = span_text(value), used = n < value.n ? n + 1 : n;

                http_out_bytes(o, value.p, n);
                value = (struct span){ value.p + used, value.n - used };
        }
}

void http_out_template(struct http_out *o,
                       const struct http_template *t,
                       const struct http_values *v) {
        for (size_t i = 0; i < t->n; i++) {
                const struct http_piece *piece = &t->pieces[i];

                http_out_value(o, piece->variable < 0 ? piece->text : v->of[piece->variable]);
        }
}

void http_out_header(struct http_out *o, struct span name, struct span value) {
        if (span_text(value) == value.n) {
                http_out_field(o, name, value);
                return;
        }
        http_out_span(o, name);
        http_out_bytes(o, ": ", 2);
        http_out_value(o, value);
        http_out_bytes(o, "\r\n", 2);
}

void http_out_own(struct http_out *o,
                  const struct http_rules *rules,
                  struct span name,
                  struct span value) {
        if (!http_rules_replace(rules, name))
                http_out_header(o, name, value);
}

void http_out_date(struct http_out *o, const struct http_rules *rules, uint64_t unix_s) {
        char date[HTTP_DATE_SIZE];

        http_date(date, unix_s);
        http_out_own(o, rules, span_of("Date"), (struct span){ date, sizeof(date) });
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
