/* SPDX-License-Identifier: MIT */

#include "config/value_report.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/status.h"
#include "core/parse.h"
#include "core/str.h"

/* The default that a message names: of the first column where `runtime` is there. */
static const char *default_text(const struct field *f,
                                const struct scope *scope,
                                char buf[static VALUE_TEXT_MAX]) {
        if (f->dflt)
                return f->dflt;
        if (!f->tuning || !scope->up || !scope->up->key || strcmp(scope->up->key, "runtime") != 0)
                return NULL;
        snprintf(buf, VALUE_TEXT_MAX, "%u", f->tuning->present);
        return buf;
}

static const char *bound_text(const struct field *f, uint64_t v, char buf[static VALUE_TEXT_MAX]) {
        struct value value = { .u = v };

        if (f->type == FIELD_ACCESS) {
                snprintf(buf, VALUE_TEXT_MAX, "sample: %llu", (unsigned long long)v);
                return buf;
        }
        return f->type == FIELD_DURATION ? duration_text(v, buf) : value_text(f, &value, buf);
}

static void describe_range(struct diag *p,
                           const struct scope *scope,
                           const struct field *f,
                           const char *text,
                           bool below) {
        char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX], buf[VALUE_TEXT_MAX];
        const char *dflt = default_text(f, scope, buf);
        _cleanup_(str_freep) char *shown = str_squeeze(text, 40), *use = NULL, *tail = NULL;

        bound_text(f, f->min, min);
        bound_text(f, f->max, max);
        p->label = below ? str_printf("%s is below the minimum of %s", shown, min)
                         : str_printf("%s is above the maximum of %s", shown, max);

        if ((f->type == FIELD_INT || f->type == FIELD_WORKERS) && f->max <= 65535)
                use = str_printf("use %s to %s", min, max);
        else
                use = below ? str_printf("use %s or more", min) : str_printf("use %s or less", max);
        tail = dflt ? str_printf(" (default %s)", dflt) : strdup("");
        p->do_this_now = str_printf("%s%s", use, tail);
}

static void describe_bool(struct diag *p, const struct field *f, const char *text) {
        static const char *const yes[] = { "yes", "on", "true", "y", "1", NULL };
        static const char *const no[] = { "no", "off", "false", "n", "0", NULL };
        const char *meant = NULL;

        for (size_t i = 0; yes[i]; i++) {
                if (strcasecmp(yes[i], text) == 0)
                        meant = "true";
                else if (strcasecmp(no[i], text) == 0)
                        meant = "false";
        }

        p->label = meant ? str_printf("write %s", meant) : strdup("true or false is wanted");
        p->do_this_now = meant ? str_printf("write %s: %s", f->name, meant)
                               : str_printf("write %s: true or %s: false", f->name, f->name);
}

/* In any case, with any separator, half of the word or a word longer than it should be. */
static const char *closest_choice(const char *text, const char *const *choices) {
        _cleanup_(str_freep) char *plain = strndup(text, 64);
        size_t n;

        if (!plain || strspn(text, "0123456789") == strlen(text)) /* no status is near another */
                return NULL;
        for (char *p = plain; *p; p++)
                *p = *p == '-' || *p == ' ' ? '_' : (char)tolower((unsigned char)*p);

        n = strlen(plain);
        for (size_t i = 0; n >= 3 && choices[i]; i++) {
                if (strncmp(choices[i], plain, n) == 0 ||
                    strncmp(choices[i], plain, strlen(choices[i])) == 0)
                        return choices[i];
        }
        return str_closest(plain, choices);
}

static void describe_choice(struct diag *p, const struct field *f, const char *text) {
        const char *meant = closest_choice(text, f->choices);
        _cleanup_(str_freep) char *words = words_joined("", f->choices), *q = quoted(text);

        p->label =
                meant ? str_printf("did you mean '%s'?", meant) : str_printf("one of: %s", words);
        p->brief = meant ? str_printf("%s is not a choice, did you mean '%s'?", q, meant)
                         : str_printf("%s is not one of: %s", q, words);
        p->why_likely = meant ? str_printf("typing error; choices: %s", words) : NULL;
        p->do_this_now = meant ? str_printf("write %s: %s", f->name, meant)
                               : str_printf("use one of: %s", words);
}

static void describe_number(struct diag *p,
                            const struct field *f,
                            const char *text,
                            bool in_quotes) {
        struct value v;
        uint64_t ms;

        if (in_quotes && value_parse(&v, f, text) == VERDICT_OK) {
                p->label = strdup("a text in quotes, a number is wanted");
                p->do_this_now = str_printf("write %s: %s, without quotes", f->name, text);
        } else if (f->unit && strcmp(f->unit, "ms") == 0 && parse_duration_ms(&ms, text) == 0) {
                p->label = strdup("a number of milliseconds is wanted");
                p->do_this_now = str_printf("write %s: %llu", f->name, (unsigned long long)ms);
        }
}

static void describe_unit(struct diag *p, const struct field *f, const char *text) {
        _cleanup_(str_freep) char *shown = str_squeeze(text, 20);

        p->do_this_now = str_printf("write %s: %ss for seconds, or %sms", f->name, shown, shown);
}

/* "10.20.0.5/24": the network it lies in, or just the one address. */
static void describe_network(struct diag *p, const char *text) {
        _cleanup_(str_freep) char *shown = str_squeeze(text, 60);
        size_t n = strcspn(text, "/");

        p->do_this_now = str_printf("clear the bits behind the prefix of %s, or write %.*s for "
                                    "one address",
                                    shown, (int)n, text);
}

static void describe_method(struct diag *p, const struct field *f, const char *text) {
        char upper[64];
        size_t n = 0;

        for (; text[n] && n < sizeof(upper) - 1; n++)
                upper[n] = (char)toupper((unsigned char)text[n]);
        upper[n] = '\0';
        p->do_this_now = str_printf("write %s: %s", f->name, upper);
}

/* "2xx" and "200 - 299" are easily understood; the rest is explained by an example. */
static char *meant_status(const struct status_piece *piece) {
        const char *s = piece->start;
        unsigned first, last;
        int end = 0;

        if (piece->n == 3 && s[0] >= '1' && s[0] <= '5' && tolower((unsigned char)s[1]) == 'x' &&
            tolower((unsigned char)s[2]) == 'x')
                return str_printf("write %c00-%c99", s[0], s[0]);
        if (sscanf(s, "%3u - %3u%n", &first, &last, &end) != 2 || (size_t)end != piece->n ||
            first < 100 || last < 100 || first > 599 || last > 599)
                return NULL;
        return str_printf("write %u-%u", first < last ? first : last, first < last ? last : first);
}

static void describe_status(struct diag *p, const struct node *n) {
        struct statuses statuses = { .n = 0 };
        struct status_piece piece;
        _cleanup_(str_freep) char *part = NULL, *q = NULL;

        status_parse(&statuses, n->text, &piece);
        part = strndup(piece.start, piece.n);
        q = part ? quoted(part) : NULL;
        if (piece.n == 0)
                p->label = strdup("a status is missing here");
        else
                p->brief = str_printf("%s is not a status or range of them", q);
        p->do_this_now = meant_status(&piece);
}

static void describe(struct diag *p,
                     const struct scope *scope,
                     const struct field *f,
                     const struct node *n,
                     unsigned verdict) {
        switch (verdict) {
        case VERDICT_BELOW:
        case VERDICT_ABOVE:
                describe_range(p, scope, f, n->text, verdict == VERDICT_BELOW);
                break;
        case VERDICT_NOT_BOOL:
                describe_bool(p, f, n->text);
                break;
        case VERDICT_NOT_CHOICE:
                describe_choice(p, f, n->text);
                break;
        case VERDICT_NOT_NUMBER:
                describe_number(p, f, n->text, n->style == NODE_QUOTED);
                break;
        case VERDICT_NO_UNIT:
                describe_unit(p, f, n->text);
                break;
        case VERDICT_NETWORK_BITS:
                describe_network(p, n->text);
                break;
        case VERDICT_LOWER_METHOD:
                describe_method(p, f, n->text);
                break;
        case VERDICT_NOT_STATUS:
        case VERDICT_STATUS_ORDER:
                describe_status(p, n);
                break;
        case VERDICT_HOST + HOST_BAD:
                if (f->type != FIELD_HOST && f->type != FIELD_ADDRESS)
                        p->do_this_now = strdup("write IPv4 as 127.0.0.1 or IPv6 as ::1");
                break;
        case VERDICT_TOO_LONG:
                p->label = str_printf("%zu bytes, at most %llu", n->n, (unsigned long long)f->max);
                p->do_this_now = strdup("shorten it");
                break;
        default:
                break;
        }
}

/* Of a list of statuses in one text, the one that is wrong; where its place in the line is not
 * sure, since there are escapes, all of it. */
static struct node place_of(const struct field *f, const struct node *n) {
        struct statuses statuses = { .n = 0 };
        struct status_piece bad;
        struct node at = *n;
        unsigned quote = n->style == NODE_QUOTED;

        if (f->type != FIELD_STATUS || n->end_column - n->column != n->n + 2 * quote)
                return at;

        status_parse(&statuses, n->text, &bad);
        at.column += quote + (unsigned)(bad.start - n->text);
        at.end_column = at.column + (bad.n > 0 ? (unsigned)bad.n : 1);
        return at;
}

static bool is_about_kind(enum diag_code code) {
        return code == DIAG_E016 || code == DIAG_E021 || code == DIAG_E022;
}

void value_report_verdict(const struct context *ctx,
                          const struct scope *scope,
                          const struct field *f,
                          const struct node *n,
                          unsigned verdict) {
        const struct value_fault *fault = &value_faults[verdict];
        const struct node at = place_of(f, n);
        struct diag p = problem(ctx, fault->code, scope, &at);

        p.message = str_printf("%s %s %s", fault->message,
                               is_about_kind(fault->code) ? "for" : "in", p.path);
        describe(&p, scope, f, n, verdict);
        if (!p.label && fault->label)
                p.label = strdup(fault->label);
        if (!p.do_this_now && fault->do_this_now)
                p.do_this_now = strdup(fault->do_this_now);
        if (!p.brief && p.label) {
                _cleanup_(str_freep) char *q = quoted(n->text);

                p.brief = fault->code == DIAG_E021 ? strdup(p.label)
                                                   : str_printf("%s: %s", q, p.label);
        }
        problem_add(ctx, &p);
}

void value_report_kind(const struct context *ctx,
                       const struct scope *scope,
                       const struct field *f,
                       const struct node *n) {
        struct diag p = problem(ctx, DIAG_E016, scope, n);
        const char *is = n->kind == NODE_LIST ? "a list" : "a section";

        p.message = str_printf("wrong type for %s", p.path);
        p.label = str_printf("%s, %s is wanted", is, field_type_text(f->type));
        p.brief = strdup(p.label ? p.label : "");
        p.at.end_column = 0;
        p.do_this_now = str_printf("write one value: %s: ...", f->name);
        problem_add(ctx, &p);
}

void value_report_null(const struct context *ctx,
                       const struct scope *scope,
                       const struct field *f,
                       const struct node *key,
                       const struct node *n) {
        struct diag p = problem(ctx, DIAG_E025, scope, key && n->n == 0 ? key : n);
        char buf[VALUE_TEXT_MAX];
        const char *dflt = default_text(f, scope, buf);

        p.message = str_printf("%s has no value", p.path);
        p.brief = str_printf("'%s' has no value", f->name);
        p.label = strdup("no value");
        p.do_this_now = dflt ? str_printf("give a value, or remove the key (default %s)", dflt)
                             : strdup("give a value, or remove the key");
        problem_add(ctx, &p);
}

void value_report_lines(const struct context *ctx,
                        const struct scope *scope,
                        const struct node *n) {
        struct diag p = problem(ctx, n->style == NODE_QUOTED ? DIAG_E008 : DIAG_E041, scope, n);
        struct node end = { .line = n->end_line,
                            .column = n->end_column > 1 ? n->end_column - 1 : 1 };

        if (n->style == NODE_QUOTED) {
                p.message = str_printf("a quote is not closed: the text runs on to line %u",
                                       n->end_line);
                p.brief = strdup("a quote is not closed");
                p.label = strdup("opened here");
                p.do_this_now = str_printf("close the quote in line %u", n->line);
                problem_other(ctx, &p, &end, "closed here");
        } else {
                p.message = str_printf("the value of %s is not in one line", p.path);
                p.brief = strdup("a value over several lines");
                p.label = strdup("a value stands in one line");
                p.do_this_now =
                        strdup("write the value in the line of its key; if the next line is a "
                               "key, put it in the same column");
                if (n->style == NODE_PLAIN)
                        problem_other(ctx, &p, &end, "ends here");
        }
        problem_add(ctx, &p);
}

void value_report_control(const struct context *ctx,
                          const struct scope *scope,
                          const struct node *n) {
        struct diag p = problem(ctx, DIAG_E004, scope, n);

        p.message = str_printf("a control character in the value of %s", p.path);
        p.brief = strdup("a control character in the value");
        p.label = strdup("a control character");
        p.do_this_now = strdup("remove the escape that stands for it, or use single quotes");
        problem_add(ctx, &p);
}
