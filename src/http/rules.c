/* SPDX-License-Identifier: MIT */

#include "http/rules.h"

#include <string.h>

static const struct span variables[HTTP_VARIABLES_COUNT] = {
#define X(id, name) [HTTP_VAR_##id] = { (name), sizeof(name) - 1 },
        HTTP_VARIABLES(X)
#undef X
};

/* All that could become a name one day: "$host2" is no "$host" with a 2 behind it. */
static bool is_variable_byte(char c) {
        return http_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int variable_find(struct span name) {
        for (int i = 0; i < HTTP_VARIABLES_COUNT; i++)
                if (variables[i].n == name.n && memcmp(variables[i].p, name.p, name.n) == 0)
                        return i;
        return -1;
}

/* A '$' ends a piece and begins another. */
size_t http_template_room(struct span text) {
        size_t n = 1;

        for (size_t i = 0; i < text.n; i++)
                n += text.p[i] == '$' ? 2 : 0;
        return n;
}

static void piece_put(struct http_template *t, int variable, struct span text) {
        if (text.n > 0)
                t->pieces[t->n++] = (struct http_piece){ .variable = variable, .text = text };
}

/* The variable at the start of text, where its '$' is: bytes of it, '$' and all; 0: unknown, and
 * *ret_bad is it. */
static size_t variable_read(struct http_template *t, struct span text, struct span *ret_bad) {
        struct span name = { text.p + 1, 0 };
        int variable;

        while (name.n + 1 < text.n && is_variable_byte(name.p[name.n]))
                name.n++;
        variable = variable_find(name);
        if (variable < 0) {
                *ret_bad = (struct span){ text.p, name.n + 1 };
                return 0;
        }
        piece_put(t, variable, name);
        return name.n + 1;
}

int http_template_read(struct http_template *ret,
                       struct http_piece *pieces,
                       struct span text,
                       struct span *ret_bad) {
        struct http_template t = { .pieces = pieces };

        while (text.n > 0) {
                const char *dollar = memchr(text.p, '$', text.n);
                size_t n = dollar ? (size_t)(dollar - text.p) : text.n, used;
                bool twice = dollar && n + 1 < text.n && dollar[1] == '$';

                piece_put(&t, -1, (struct span){ text.p, n + (twice ? 1 : 0) });
                text = (struct span){ text.p + n, text.n - n };
                used = twice ? 2 : 0;
                if (dollar && !twice) {
                        used = variable_read(&t, text, ret_bad);
                        if (used == 0)
                                return -EINVAL;
                }
                text = (struct span){ text.p + used, text.n - used };
        }
        *ret = t;
        return 0;
}

/* What bal writes from what it has understood must not be told otherwise. A request has one Host,
 * always: a rule may say which one, but not that there are two or none. */
static bool rule_allowed(enum http_side side, enum http_rule_op op, enum http_field id) {
        if (id == HTTP_FIELD_HOST)
                return side == HTTP_REQUEST && op == HTTP_RULE_SET;
        if (id == HTTP_FIELD_CONTENT_LENGTH || id == HTTP_FIELD_EXPECT)
                return false;
        return !(http_field_flags(id) & FIELD_HOP);
}

int http_rule_read(struct http_rule *ret, enum http_side side, struct span key) {
        enum http_rule_op op = HTTP_RULE_SET;
        enum http_field id;

        if (key.n > 0 && (key.p[0] == '+' || key.p[0] == '-')) {
                op = key.p[0] == '+' ? HTTP_RULE_ADD : HTTP_RULE_REMOVE;
                key = (struct span){ key.p + 1, key.n - 1 };
        }
        if (!span_is_token(key))
                return -EINVAL;
        id = http_field_find(key);
        if (!rule_allowed(side, op, id))
                return -EPERM;

        ret->op = op;
        ret->name = key;
        ret->id = id;
        return 0;
}

bool http_rules_find(const struct http_rules *rules, struct span name) {
        for (size_t i = 0; i < rules->n; i++)
                if (rules->rules[i].op != HTTP_RULE_ADD &&
                    span_equal_nocase(rules->rules[i].name, name))
                        return true;
        return false;
}
