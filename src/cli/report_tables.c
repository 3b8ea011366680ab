/* SPDX-License-Identifier: MIT */
/* The tables of `bal status --verbose`. */

#include "cli/report_parts.h"

#include "cli/doc.h"
#include "cli/rows.h"
#include "cli/states.h"
#include "cli/table.h"
#include "core/str.h"

static void backend_row(struct table *t, const struct report *r, const json_t *b) {
        const json_t *counters = json_object_get(b, "counters");
        enum state s = state_of(b);
        _cleanup_(str_freep) char *note =
                s == STATE_DRAIN || s == STATE_MAINT ? row_left(b) : row_note(b);
        char age[REPORT_TEXT_MAX], in[REPORT_TEXT_MAX], out[REPORT_TEXT_MAX];

        table_add(t, states[s].colour, "%s", states[s].word);
        table_add(t, PLAIN, "%s", row_name(b));
        table_add(t, PLAIN, "%s", doc_text(b, "pool", ""));
        table_add(t, PLAIN, "%s", row_weight(b, age));
        table_add(t, PLAIN, "%lld", (long long)doc_int(b, "active_connections"));
        table_add(t, PLAIN, "%lld", (long long)doc_int(b, "connections_total"));
        table_add(t, PLAIN, "%s", report_bytes((uint64_t)doc_int(b, "bytes_in"), in));
        table_add(t, PLAIN, "%s", report_bytes((uint64_t)doc_int(b, "bytes_out"), out));
        table_add(t, PLAIN, "%lld/%lld/%lld", (long long)doc_int(counters, "timeout"),
                  (long long)doc_int(counters, "refused"), (long long)doc_int(counters, "other"));
        table_add(t, PLAIN, "%s", row_check(b, age));
        table_add(t, PLAIN, "%s", row_age(b, "since", r->now_s, age));
        table_add(t, PLAIN, "%s", note ? note : "");
}

static void print_backends(struct out *o, const struct report *r) {
        static const char *const heads[] = { "STATE",       "BACKEND", "POOL",  "W",
                                             "ACTIVE",      "TOTAL",   "IN",    "OUT",
                                             "TMO/REF/OTH", "CHECK",   "SINCE", "NOTE" };
        _cleanup_(table_done) struct table t = { .columns = ELEMENTS(heads),
                                                 .cells_max = ROWS_NAME_CELLS,
                                                 .right = 0x5f8, /* the numbers */
                                                 .shrinks = 0x6,
                                                 .wraps = true,
                                                 .optional = 0xa00,
                                                 .indent = "  " };
        json_t *b;
        size_t i;

        for (i = 0; i < ELEMENTS(heads); i++)
                table_add(&t, BOLD, "%s", heads[i]);
        for (enum state s = 0; s < STATES_COUNT; s++) {
                json_array_foreach(doc_array(r->doc, "backends"), i, b) {
                        if (state_of(b) == s)
                                backend_row(&t, r, b);
                }
        }
        out_printf(o, "\n");
        table_print(o, &t);
}

/* "4 (last 18 s)": how often it was protected, and for how long the last time. */
static void activations_cell(struct table *t, const json_t *protection) {
        const json_t *last = json_object_get(protection, "last_ms");
        char text[REPORT_TEXT_MAX];
        long long n = 0;
        const char *reason;
        json_t *count;

        json_object_foreach(json_object_get(protection, "activations"), reason, count)
                n += json_integer_value(count);
        if (n > 0 && json_is_integer(last) && json_integer_value(last) >= 0)
                table_add(t, PLAIN, "%lld (last for %s)", n,
                          report_age((uint64_t)json_integer_value(last) / 1000, text));
        else if (n > 0)
                table_add(t, PLAIN, "%lld", n);
        else
                table_add(t, PLAIN, "-");
}

static void pool_row(struct table *t, const json_t *pool) {
        const json_t *p = json_object_get(pool, "protection");
        bool on = doc_bool(p, "enabled");

        table_add(t, PLAIN, "%s", doc_text(pool, "name", "?"));
        table_add(t, PLAIN, "%lld/%lld", (long long)doc_int(pool, "backend_reachable"),
                  (long long)doc_int(pool, "backend_total"));
        table_add(t, PLAIN, "%lld", (long long)doc_int(pool, "unavailable_total"));
        table_add(t, on ? RED : PLAIN, "%s", on ? "ON" : "off");
        table_add(t, PLAIN, "%lld/%lld", (long long)doc_int(p, "failures"),
                  (long long)doc_int(p, "trigger"));
        if (on)
                table_add(t, PLAIN, "%lld/%lld", (long long)doc_int(p, "successes"),
                          (long long)doc_int(p, "stable"));
        else
                table_add(t, PLAIN, "-");
        activations_cell(t, p);
}

static void print_pools(struct out *o, const json_t *doc) {
        static const char *const heads[] = { "POOL",     "REACHABLE", "UNAVAILABLE", "PROTECTION",
                                             "FAILURES", "STABLE",    "TIMES" };
        _cleanup_(table_done) struct table t = { .columns = ELEMENTS(heads),
                                                 .cells_max = ROWS_NAME_CELLS,
                                                 .right = 0x36,
                                                 .shrinks = 0x1,
                                                 .optional = 0x60,
                                                 .indent = "  " };
        json_t *pool;
        size_t i;

        for (i = 0; i < ELEMENTS(heads); i++)
                table_add(&t, BOLD, "%s", heads[i]);
        json_array_foreach(doc_array(doc, "pools"), i, pool)
                pool_row(&t, pool);
        out_printf(o, "\n");
        table_print(o, &t);
}

static void frontend_row(struct table *t, const json_t *f) {
        _cleanup_(str_freep) char *listen = NULL;
        json_t *address;
        size_t i;

        json_array_foreach(doc_array(f, "listen"), i, address) {
                const char *text = json_string_value(address);
                char *more = str_printf("%s%s%s", listen ? listen : "", listen ? " " : "",
                                        text ? text : "?");

                str_freep(&listen);
                listen = more;
        }
        table_add(t, PLAIN, "%s", doc_text(f, "name", "?"));
        table_add(t, PLAIN, "%s", listen ? listen : "-");
        table_add(t, PLAIN, "%s", doc_text(f, "protocol", "?"));
        table_add(t, PLAIN, "%s", doc_text(f, "method", "?"));
        table_add(t, PLAIN, "%s", doc_text(f, "pool", "?"));
        table_add(t, PLAIN, "%lld", (long long)doc_int(f, "active_connections"));
        if (doc_int(f, "max_connections") > 0)
                table_add(t, PLAIN, "%lld", (long long)doc_int(f, "max_connections"));
        else
                table_add(t, PLAIN, "-");
        table_add(t, PLAIN, "%lld", (long long)doc_int(f, "waiting"));
        table_add(t, PLAIN, "%lld", (long long)doc_int(f, "connections_total"));
        table_add(t, PLAIN, "%lld", (long long)doc_int(f, "rejected_total"));
}

static void print_frontends(struct out *o, const json_t *doc) {
        static const char *const heads[] = {
                "FRONTEND", "LISTEN", "PROTO",   "METHOD", "POOL",
                "ACTIVE",   "LIMIT",  "WAITING", "TOTAL",  "REJECTED"
        };
        _cleanup_(table_done) struct table t = { .columns = ELEMENTS(heads),
                                                 .cells_max = ROWS_NAME_CELLS,
                                                 .right = 0x3e0,
                                                 .indent = "  " };
        json_t *f;
        size_t i;

        for (i = 0; i < ELEMENTS(heads); i++)
                table_add(&t, BOLD, "%s", heads[i]);
        json_array_foreach(doc_array(doc, "frontends"), i, f)
                frontend_row(&t, f);
        out_printf(o, "\n");
        table_print(o, &t);
}

static void print_leaving(struct out *o, const struct report *r) {
        static const char *const heads[] = { "REMOVED", "POOL", "ACTIVE", "SINCE" };
        _cleanup_(table_done) struct table t = { .columns = ELEMENTS(heads),
                                                 .cells_max = ROWS_NAME_CELLS,
                                                 .right = 0xc,
                                                 .shrinks = 0x3,
                                                 .indent = "  " };
        char age[REPORT_TEXT_MAX];
        json_t *b;
        size_t i;

        if (json_array_size(doc_array(r->doc, "leaving")) == 0)
                return;
        for (i = 0; i < ELEMENTS(heads); i++)
                table_add(&t, BOLD, "%s", heads[i]);
        json_array_foreach(doc_array(r->doc, "leaving"), i, b) {
                table_add(&t, PLAIN, "%s", row_name(b));
                table_add(&t, PLAIN, "%s", doc_text(b, "pool", ""));
                table_add(&t, PLAIN, "%lld", (long long)doc_int(b, "active_connections"));
                table_add(&t, PLAIN, "%s", row_age(b, "since", r->now_s, age));
        }
        out_printf(o, "\n");
        table_print(o, &t);
}

static void print_closed(struct out *o, const json_t *doc) {
        _cleanup_(table_done) struct table t = { .columns = 2, .right = 0x2, .indent = "  " };
        json_t *count;
        const char *reason;

        json_object_foreach(json_object_get(doc, "closed"), reason, count) {
                if (json_integer_value(count) == 0)
                        continue;
                table_add(&t, PLAIN, "%s", reason);
                table_add(&t, PLAIN, "%lld", (long long)json_integer_value(count));
        }
        if (t.n == 0)
                return;
        out_printf(o, "\n  ");
        out_paint(o, BOLD, "closed sessions by reason");
        out_printf(o, "\n");
        table_print(o, &t);
}

/* With protocol http these are requests, whose sessions go on. */
static void print_rejected(struct out *o, const json_t *doc) {
        _cleanup_(table_done) struct table t = { .columns = 3, .right = 0x4, .indent = "  " };
        const char *reason;
        json_t *f, *count;
        size_t i;

        json_array_foreach(doc_array(doc, "frontends"), i, f) {
                json_object_foreach(json_object_get(f, "rejected"), reason, count) {
                        if (json_integer_value(count) == 0)
                                continue;
                        table_add(&t, PLAIN, "%s", doc_text(f, "name", "?"));
                        table_add(&t, PLAIN, "%s", reason);
                        table_add(&t, PLAIN, "%lld", (long long)json_integer_value(count));
                }
        }
        if (t.n == 0)
                return;
        out_printf(o, "\n  ");
        out_paint(o, BOLD, "turned away by frontend and reason");
        out_printf(o, "\n");
        table_print(o, &t);
}

static void print_more(struct out *o, const struct report *r) {
        const json_t *doc = r->doc;
        char age[REPORT_TEXT_MAX];

        out_printf(o, "  totals       %lld connections   %lld rejected   last check ",
                   (long long)doc_int(doc, "connections_total"),
                   (long long)doc_int(doc, "rejected_total"));
        if (doc_text(doc, "last_check_time", NULL))
                out_printf(o, "%s ago\n", row_age(doc, "last_check_time", r->now_s, age));
        else
                out_printf(o, "never\n");
        out_printf(o, "  daemon       %lld workers   %lld log records dropped\n",
                   (long long)doc_int(doc, "workers"), (long long)doc_int(doc, "log_dropped"));
        out_printf(o, "  config       ");
        out_clean(o, doc_text(doc, "config_path", "?"));
        out_printf(o, "\n  socket       ");
        out_clean(o, doc_text(doc, "socket", "?"));
        out_printf(o, "\n");
}

void report_tables(struct out *o, const struct report *r) {
        print_more(o, r);
        print_frontends(o, r->doc);
        print_pools(o, r->doc);
        print_backends(o, r);
        print_leaving(o, r);
        print_rejected(o, r->doc);
        print_closed(o, r->doc);
}
