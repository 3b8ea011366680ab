/* SPDX-License-Identifier: MIT */
/* `bal backend list`: a row for every backend, worst first, named as the other commands want it. */

#include <stdlib.h>
#include <string.h>

#include "bal/exit.h"
#include "cli/ask.h"
#include "cli/doc.h"
#include "cli/names.h"
#include "cli/rows.h"
#include "cli/states.h"
#include "cli/table.h"
#include "core/clock.h"
#include "core/str.h"

struct listing {
        struct cli *c;
        json_t *doc;                 /* borrowed */
        struct name_filter *filters; /* owned */
        size_t n_filters;
        json_t *found; /* owned; worst first */
        uint64_t now_s;
};

static void listing_done(struct listing *l) {
        json_decref(l->found);
        free(l->filters);
}

static bool fits_all(const struct listing *l, const json_t *backend) {
        for (size_t i = 0; i < l->n_filters; i++) {
                if (!name_fits(backend, &l->filters[i]))
                        return false;
        }
        return true;
}

/* A word that fits nothing at all is more likely a typing error than a question. */
static char *filter_problem(const struct listing *l) {
        for (size_t i = 0; i < l->n_filters; i++) {
                bool fits = false;
                json_t *b;
                size_t k;

                json_array_foreach(doc_array(l->doc, "backends"), k, b)
                        fits = fits || name_fits(b, &l->filters[i]);
                if (!fits) {
                        char *problem = name_filter_problem(l->doc, &l->filters[i]);

                        if (problem)
                                return problem;
                }
        }
        return NULL;
}

static int listing_fill(struct listing *l) {
        const struct args *a = &l->c->args;
        json_t *b;
        size_t i;

        l->found = json_array();
        l->filters = calloc(a->n_operands + 1, sizeof(*l->filters));
        if (!l->found || !l->filters)
                return -ENOMEM;
        for (l->n_filters = 0; l->n_filters < a->n_operands; l->n_filters++)
                l->filters[l->n_filters] = name_filter(l->doc, a->operands[l->n_filters]);
        for (enum state s = 0; s < STATES_COUNT; s++) {
                json_array_foreach(doc_array(l->doc, "backends"), i, b) {
                        if (state_of(b) == s && fits_all(l, b) &&
                            json_array_append(l->found, b) < 0)
                                return -ENOMEM;
                }
        }
        return 0;
}

/* "DRAIN web/10.20.0.22:8080 weight=3/10 conns=37 deadline=51 reason=admin" */
static void print_brief(const struct listing *l) {
        struct out *o = &l->c->out;
        json_t *b;
        size_t i;

        json_array_foreach(l->found, i, b) {
                const json_t *in = json_object_get(b, "deadline_in_ms");

                out_paint(o, states[state_of(b)].colour, states[state_of(b)].word);
                out_printf(o, " ");
                out_clean(o, doc_text(b, "pool", "?"));
                out_printf(o, "/");
                out_clean(o, row_name(b));
                out_printf(o, " weight=%lld", (long long)doc_int(b, "weight"));
                if (json_object_get(b, "weight_configured"))
                        out_printf(o, "/%lld", (long long)doc_int(b, "weight_configured"));
                out_printf(o, " conns=%lld", (long long)doc_int(b, "active_connections"));
                if (json_is_integer(in))
                        out_printf(o, " deadline=%lld",
                                   ((long long)json_integer_value(in) + 999) / 1000);
                if (doc_text(b, "reason", NULL)) {
                        out_printf(o, " reason=");
                        out_clean(o, doc_text(b, "reason", ""));
                }
                out_printf(o, "\n");
        }
}

static void list_row(struct table *t, const struct listing *l, const json_t *b, bool verbose) {
        const json_t *counters = json_object_get(b, "counters");
        _cleanup_(str_freep) char *note = row_note(b);
        enum state s = state_of(b);
        char text[REPORT_TEXT_MAX], in[REPORT_TEXT_MAX], out[REPORT_TEXT_MAX];

        table_add(t, states[s].colour, "%s", states[s].word);
        table_add(t, PLAIN, "%s/%s", doc_text(b, "pool", "?"), row_name(b));
        table_add(t, PLAIN, "%s", row_weight(b, text));
        table_add(t, PLAIN, "%lld", (long long)doc_int(b, "active_connections"));
        if (verbose) {
                table_add(t, PLAIN, "%lld", (long long)doc_int(b, "connections_total"));
                table_add(t, PLAIN, "%s/%s", report_bytes((uint64_t)doc_int(b, "bytes_in"), in),
                          report_bytes((uint64_t)doc_int(b, "bytes_out"), out));
                table_add(t, PLAIN, "%lld/%lld/%lld", (long long)doc_int(counters, "timeout"),
                          (long long)doc_int(counters, "refused"),
                          (long long)doc_int(counters, "other"));
                table_add(t, PLAIN, "%s", row_check(b, text));
        }
        table_add(t, PLAIN, "%s", row_deadline(b, text));
        table_add(t, PLAIN, "%s", row_age(b, "since", l->now_s, text));
        table_add(t, PLAIN, "%s", note ? note : "");
}

static void print_table(const struct listing *l) {
        static const char *const heads[] = { "STATE",    "NAME",   "WEIGHT",      "ACTIVE",
                                             "TOTAL",    "IN/OUT", "TMO/REF/OTH", "CHECK",
                                             "DEADLINE", "SINCE",  "NOTE" };
        bool verbose = args_has(&l->c->args, OPTION_BIT(VERBOSE));
        _cleanup_(table_done) struct table t = { .columns = verbose ? ELEMENTS(heads)
                                                                    : ELEMENTS(heads) - 4,
                                                 .cells_max = verbose ? 0 : ROWS_NAME_CELLS,
                                                 .right = verbose ? 0x378 : 0x38,
                                                 .shrinks = 0x2,
                                                 .wraps = true,
                                                 .optional = verbose ? 0x580 : 0x50,
                                                 .indent = "" };
        json_t *b;
        size_t i;

        for (i = 0; i < ELEMENTS(heads); i++) {
                if (verbose || i < 4 || i >= 8)
                        table_add(&t, BOLD, "%s", heads[i]);
        }
        json_array_foreach(l->found, i, b)
                list_row(&t, l, b, verbose);
        table_print(&l->c->out, &t);
}

static int list_document(const struct listing *l) {
        json_t *doc = out_document("bal.backend");

        if (doc && (json_object_set_new(doc, "action", json_string("list")) < 0 ||
                    json_object_set(doc, "backends", l->found) < 0)) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&l->c->out, doc);
        return BAL_EXIT_OK;
}

static int list(struct cli *c, json_t *doc) {
        _cleanup_(listing_done) struct listing l = { .c = c,
                                                     .doc = doc,
                                                     .now_s = clock_real_us() / 1000000 };
        _cleanup_(str_freep) char *problem = NULL;

        if (listing_fill(&l) < 0)
                return verb_fail(c, BAL_EXIT_FAILED, "out of memory");
        problem = filter_problem(&l);
        if (problem)
                return verb_fail(c, BAL_EXIT_FAILED, "%s", problem);
        if (args_has(&c->args, OPTION_BIT(JSON)))
                return list_document(&l);
        if (args_has(&c->args, OPTION_BIT(BRIEF)))
                print_brief(&l);
        else if (json_array_size(l.found) > 0)
                print_table(&l);
        else
                out_printf(&c->err, "bal: no backend is like that\n");
        return BAL_EXIT_OK;
}

int backend_list_run(struct cli *c) {
        _cleanup_(answer_done) struct answer a = { .result = ASK_OK };
        const char *bad;

        ask(&a, c, BAL_SOCKET_STATUS, BAL_METHOD_GET, ASK_MS);
        if (a.result != ASK_OK)
                return answer_fail(c, &a);
        bad = report_valid(a.reply.parameters);
        if (bad)
                return verb_fail(c, BAL_EXIT_UNAVAILABLE,
                                 "no valid answer from %s: '%s' is missing or wrong", a.socket,
                                 bad);
        return list(c, a.reply.parameters);
}
