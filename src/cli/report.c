/* SPDX-License-Identifier: MIT */

#include "cli/report.h"

#include <stdio.h>
#include <string.h>

#include "cli/doc.h"
#include "cli/report_parts.h"
#include "cli/rows.h"
#include "cli/states.h"
#include "cli/table.h"
#include "cli/waits.h"
#include "core/str.h"

enum wants { TEXT, TEXT_OR_NULL, INT, INT_OR_NULL, BOOL, ARRAY, OBJECT };

static const struct {
        const char *key;
        enum wants wants;
} members[] = {
        { "verdict", TEXT },
        { "version", TEXT },
        { "hostname", TEXT },
        { "running", BOOL },
        { "pid", INT },
        { "uptime_s", INT },
        { "config_path", TEXT },
        { "config_number", INT },
        { "config_loaded_at", TEXT },
        { "bind_address", TEXT },
        { "port", INT_OR_NULL },
        { "method", TEXT },
        { "backend_total", INT },
        { "backend_reachable", INT },
        { "backends", ARRAY },
        { "active_connections", INT },
        { "max_connections", INT },
        { "last_check_time", TEXT_OR_NULL },
        { "rates", OBJECT },
        { "protection_mode", OBJECT },
        { "frontends", ARRAY },
        { "pools", ARRAY },
        { "closed", OBJECT },
};

static bool is_wanted(const json_t *v, enum wants wants) {
        switch (wants) {
        case TEXT:
                return json_is_string(v);
        case TEXT_OR_NULL:
                return json_is_string(v) || json_is_null(v);
        case INT:
                return json_is_integer(v);
        case INT_OR_NULL:
                return json_is_integer(v) || json_is_null(v);
        case BOOL:
                return json_is_boolean(v);
        case ARRAY:
                return json_is_array(v);
        case OBJECT:
                return json_is_object(v);
        }
        return false;
}

const char *report_valid(const json_t *doc) {
        for (size_t i = 0; i < ELEMENTS(members); i++) {
                if (!is_wanted(json_object_get(doc, members[i].key), members[i].wants))
                        return members[i].key;
        }
        return NULL;
}

static void count_states(const json_t *doc, size_t ret[static STATES_COUNT]) {
        json_t *backend;
        size_t i;

        memset(ret, 0, STATES_COUNT * sizeof(*ret));
        json_array_foreach(doc_array(doc, "backends"), i, backend)
                ret[state_of(backend)]++;
}

void report_name(struct out *o, const char *name) {
        _cleanup_(str_freep) char *short_name = str_squeeze(name, ROWS_NAME_CELLS);

        out_clean(o, short_name);
}

/* "0.0.0.0:9295", "[::]:9295", "unix:/run/x.sock" */
void report_listen(struct out *o, const json_t *doc) {
        const char *address = doc_text(doc, "bind_address", "");
        bool v6 = strchr(address, ':') && strncmp(address, "unix:", 5) != 0 && *address != '[';
        size_t n = json_array_size(doc_array(doc, "frontends")), listens = 0;
        json_t *frontend;
        size_t i;

        if (v6)
                out_printf(o, "[");
        out_clean(o, address);
        if (v6)
                out_printf(o, "]");
        if (json_is_integer(json_object_get(doc, "port")))
                out_printf(o, ":%lld", (long long)doc_int(doc, "port"));
        json_array_foreach(doc_array(doc, "frontends"), i, frontend)
                listens += json_array_size(doc_array(frontend, "listen"));
        listens = listens > n ? listens : n;
        if (listens > 1)
                out_printf(o, " (+%zu more)", listens - 1);
}

static void print_states(struct out *o, const json_t *doc) {
        size_t n[STATES_COUNT];

        count_states(doc, n);
        out_printf(o, "  backends     %zu/%zu up", n[STATE_UP],
                   json_array_size(doc_array(doc, "backends")));
        for (enum state s = 0; s < STATE_UP; s++) {
                char text[REPORT_TEXT_MAX];

                if (n[s] == 0)
                        continue;
                snprintf(text, sizeof(text), "%zu %s", n[s], states[s].key);
                out_printf(o, "   ");
                out_paint(o, states[s].colour, text);
        }
        out_printf(o, "\n");
}

static void print_connections(struct out *o, const json_t *doc) {
        const json_t *rates = json_object_get(doc, "rates");
        int64_t active = doc_int(doc, "active_connections"), max = doc_int(doc, "max_connections");
        char a[REPORT_TEXT_MAX], b[REPORT_TEXT_MAX], c[REPORT_TEXT_MAX];

        out_printf(o, "  connections  %lld", (long long)active);
        if (max > 0)
                out_printf(o, " of %lld (%.0f %%)", (long long)max,
                           100.0 * (double)active / (double)max);
        out_printf(o, "   %s/s new   %s/s rejected\n",
                   report_rate(doc_number(rates, "new_per_s"), a),
                   report_rate(doc_number(rates, "rejected_per_s"), b));
        out_printf(o, "  errors       timeout %s/s   refused %s/s   other %s/s\n",
                   report_rate(doc_number(rates, "timeout_per_s"), a),
                   report_rate(doc_number(rates, "refused_per_s"), b),
                   report_rate(doc_number(rates, "other_per_s"), c));
}

/* "10 s", "500 ms": of a window */
static const char *span_text(int64_t ms, char buf[static REPORT_TEXT_MAX]) {
        if (ms < 1000)
                snprintf(buf, REPORT_TEXT_MAX, "%lld ms", (long long)(ms > 0 ? ms : 0));
        else
                report_age((uint64_t)ms / 1000, buf);
        return buf;
}

static const json_t *protection_of(const json_t *pool) {
        return json_object_get(pool, "protection");
}

/* Where the next trouble is nearest; NULL: the daemon is older and tells no pool's. */
static const json_t *nearest_pool(const json_t *doc) {
        const json_t *nearest = NULL;
        double most = -1;
        json_t *pool;
        size_t i;

        json_array_foreach(doc_array(doc, "pools"), i, pool) {
                const json_t *p = protection_of(pool);
                double trigger = (double)doc_int(p, "trigger"), share;

                share = trigger > 0 ? (double)doc_int(p, "failures") / trigger : -1;
                if (share > most) {
                        most = share;
                        nearest = pool;
                }
        }
        return nearest;
}

static void print_pool_name(struct out *o, const json_t *doc, const json_t *pool) {
        if (json_array_size(doc_array(doc, "pools")) < 2)
                return;
        out_printf(o, "   pool ");
        report_name(o, doc_text(pool, "name", "?"));
}

static void print_off(struct out *o, const json_t *doc) {
        const json_t *pool = nearest_pool(doc), *p = protection_of(pool);
        char text[REPORT_TEXT_MAX];

        out_printf(o, "  protection   off");
        if (p) {
                out_printf(o, "   failures %lld/%lld in %s", (long long)doc_int(p, "failures"),
                           (long long)doc_int(p, "trigger"),
                           span_text(doc_int(p, "window_ms"), text));
                if (doc_int(p, "failures") > 0)
                        print_pool_name(o, doc, pool);
        }
        out_printf(o, "\n");
}

static void print_on(struct out *o, const struct report *r, const json_t *pool) {
        const json_t *p = protection_of(pool);
        char age[REPORT_TEXT_MAX];

        out_printf(o, "  protection   ");
        out_paint(o, RED, "ON");
        out_printf(o, "   %s   ", row_age(p, "since", r->now_s, age));
        out_clean(o, doc_text(p, "reason", "?"));
        out_printf(o, "   stable %lld/%lld", (long long)doc_int(p, "successes"),
                   (long long)doc_int(p, "stable"));
        print_pool_name(o, r->doc, pool);
        out_printf(o, "\n");
}

static void print_protection(struct out *o, const struct report *r) {
        const json_t *mode = json_object_get(r->doc, "protection_mode");
        size_t i, shown = 0;
        json_t *pool;

        if (!doc_bool(mode, "enabled")) {
                print_off(o, r->doc);
                return;
        }
        json_array_foreach(doc_array(r->doc, "pools"), i, pool) {
                if (!doc_bool(protection_of(pool), "enabled"))
                        continue;
                if (shown++ < REPORT_ROWS_MAX || r->level == REPORT_VERBOSE)
                        print_on(o, r, pool);
        }
        if (shown > 0)
                return;
        out_printf(o, "  protection   ");
        out_paint(o, RED, "ON");
        out_printf(o, "   ");
        out_clean(o, doc_text(mode, "reason", ""));
        out_printf(o, "\n");
}

static bool is_up(const json_t *backend) {
        return state_of(backend) == STATE_UP;
}

/* How many backends of each pool are up and have a weight, by its name. NULL: no memory. */
static json_t *count_usable(const json_t *doc) {
        json_t *counts = json_object(), *b;
        size_t i;

        json_array_foreach(doc_array(doc, "backends"), i, b) {
                const char *pool = doc_text(b, "pool", "");

                if (is_up(b) && doc_int(b, "weight") > 0)
                        json_object_set_new(counts, pool, json_integer(doc_int(counts, pool) + 1));
        }
        return counts;
}

static bool has_up(const json_t *doc, const char *pool) {
        json_t *b;
        size_t i;

        json_array_foreach(doc_array(doc, "backends"), i, b) {
                if (is_up(b) && strcmp(doc_text(b, "pool", ""), pool) == 0)
                        return true;
        }
        return false;
}

/* Pools that serve nobody. */
static void print_pools(struct out *o, const struct report *r) {
        json_t *counts = count_usable(r->doc), *pool;
        size_t i, shown = 0;

        json_array_foreach(doc_array(r->doc, "pools"), i, pool) {
                const char *name = doc_text(pool, "name", "?");

                if (doc_int(counts, name) > 0)
                        continue;
                if (r->level != REPORT_VERBOSE && shown++ == REPORT_ROWS_MAX)
                        break;
                out_printf(o, "  pool         ");
                report_name(o, name);
                out_printf(o, "   ");
                out_paint(o, RED,
                          has_up(r->doc, name) ? "all that are up have weight 0" : "no backend up");
                out_printf(o, "\n");
        }
        json_decref(counts);
}

/* Clients that wait; returns whether any of them wait because no backend can take them. */
static bool print_waiting(struct out *o, const struct report *r) {
        struct waits w = waits_of(r->doc);
        char text[WAITS_TEXT_MAX];
        size_t i, shown = 0;
        json_t *pool;

        if (w.slot + w.full > 0)
                out_printf(o, "  waiting      %lld for a slot   %lld for a full backend\n",
                           (long long)w.slot, (long long)w.full);
        json_array_foreach(doc_array(r->doc, "pools"), i, pool) {
                if (!waits_held_text(pool, text))
                        continue;
                if (shown++ == REPORT_ROWS_MAX && r->level != REPORT_VERBOSE)
                        break;
                out_printf(o, "  waiting      ");
                out_paint(o, YELLOW, text);
                out_printf(o, "\n");
        }
        return shown > 0;
}

/* What somebody should look at: trouble, and whatever an operator has taken out and still waits
 * for. Who is out of service with no connections left has been told enough in the counts. */
static bool is_worth_a_row(const json_t *b, enum state s) {
        return states[s].trouble || s == STATE_DRAIN ||
               (s == STATE_MAINT && doc_int(b, "active_connections") > 0);
}

static void row(struct table *t, const struct report *r, const json_t *b, enum state s) {
        _cleanup_(str_freep) char *note = states[s].trouble ? row_note(b) : row_left(b);
        char age[REPORT_TEXT_MAX];

        table_add(t, states[s].colour, "%s", states[s].word);
        table_add(t, PLAIN, "%s", row_name(b));
        table_add(t, PLAIN, "%s", doc_text(b, "pool", ""));
        table_add(t, PLAIN, note && *note ? "%-4s" : "%s", row_age(b, "since", r->now_s, age));
        table_add(t, PLAIN, "%s", note ? note : "");
}

static void leaving_row(struct table *t, const struct report *r, const json_t *b) {
        int64_t n = doc_int(b, "active_connections");
        char age[REPORT_TEXT_MAX];

        table_add(t, YELLOW, "GONE");
        table_add(t, PLAIN, "%s", row_name(b));
        table_add(t, PLAIN, "%s", doc_text(b, "pool", ""));
        table_add(t, PLAIN, "%-4s", row_age(b, "since", r->now_s, age));
        table_add(t, PLAIN, "removed from the file; %lld connection%s left", (long long)n,
                  n == 1 ? "" : "s");
}

/* Worst first; returns whether any of them is trouble. */
static bool print_rows(struct out *o, const struct report *r) {
        _cleanup_(table_done) struct table t = { .columns = 5,
                                                 .cells_max = ROWS_NAME_CELLS,
                                                 .shrinks = 0x6,
                                                 .wraps = true,
                                                 .indent = "  " };
        bool trouble = false;
        size_t n = 0, i;
        json_t *b;

        for (enum state s = 0; s < STATES_COUNT; s++) {
                json_array_foreach(doc_array(r->doc, "backends"), i, b) {
                        if (state_of(b) != s || !is_worth_a_row(b, s))
                                continue;
                        trouble = trouble || states[s].trouble;
                        if (n++ < REPORT_ROWS_MAX)
                                row(&t, r, b, s);
                }
        }
        json_array_foreach(doc_array(r->doc, "leaving"), i, b) {
                if (n++ < REPORT_ROWS_MAX)
                        leaving_row(&t, r, b);
        }
        table_print(o, &t);
        if (n > REPORT_ROWS_MAX)
                out_printf(o, "  ... and %zu more: bal status --verbose\n", n - REPORT_ROWS_MAX);
        return trouble;
}

static void print_next(struct out *o, const struct report *r, bool trouble, bool held) {
        bool on = doc_bool(json_object_get(r->doc, "protection_mode"), "enabled");

        if (!trouble && !held && !on)
                return;
        out_printf(o, "  next: bal doctor --only %s",
                   trouble ? "backend"
                   : held  ? "waiting"
                           : "protection");
        out_printf(o, r->live ? "\n" : "   (live view: bal status --watch)\n");
}

static enum colour verdict_colour(const char *verdict) {
        return strcmp(verdict, "OK") == 0 ? GREEN : strcmp(verdict, "WARN") == 0 ? YELLOW : RED;
}

static void brief_running(struct out *o, const json_t *doc) {
        const char *verdict = doc_text(doc, "verdict", "?");
        int64_t held = waits_held(doc);
        size_t n[STATES_COUNT];

        count_states(doc, n);
        out_paint(o, verdict_colour(verdict), verdict);
        out_printf(o,
                   " up=%zu/%zu down=%zu cool=%zu drain=%zu maint=%zu conns=%lld/%lld prot=%s "
                   "cfg=%lld",
                   n[STATE_UP], json_array_size(doc_array(doc, "backends")), n[STATE_DOWN],
                   n[STATE_COOL], n[STATE_DRAIN], n[STATE_MAINT],
                   (long long)doc_int(doc, "active_connections"),
                   (long long)doc_int(doc, "max_connections"),
                   doc_bool(json_object_get(doc, "protection_mode"), "enabled") ? "on" : "off",
                   (long long)doc_int(doc, "config_number"));
        if (held > 0)
                out_printf(o, " held=%lld", (long long)held);
        out_printf(o, "\n");
}

/* Its log cannot say it. */
static void print_log_error(struct out *o, const json_t *doc) {
        const char *error = doc_text(doc, "log_error", NULL);
        long long lost = (long long)doc_int(doc, "log_dropped");

        if (!error)
                return;
        out_printf(o, "  log          ");
        out_paint(o, YELLOW, "not written");
        out_printf(o, ": ");
        out_clean(o, error);
        out_printf(o, "   %lld record%s lost   next: bal doctor --only log\n", lost,
                   lost == 1 ? "" : "s");
}

static void print_head(struct out *o, const struct report *r) {
        const char *verdict = doc_text(r->doc, "verdict", "?");
        char text[REPORT_TEXT_MAX];

        out_printf(o, "bal status: ");
        out_paint(o, verdict_colour(verdict), verdict);
        out_printf(o, "  ");
        report_name(o, doc_text(r->doc, "hostname", "?"));
        out_printf(o, "  pid %lld  up %s  v", (long long)doc_int(r->doc, "pid"),
                   report_uptime((uint64_t)doc_int(r->doc, "uptime_s"), text));
        out_clean(o, doc_text(r->doc, "version", "?"));
        out_printf(o, "\n  listen       ");
        report_listen(o, r->doc);
        out_printf(o, "   method ");
        out_clean(o, doc_text(r->doc, "method", "?"));
        out_printf(o, "   config #%lld (%s ago)\n", (long long)doc_int(r->doc, "config_number"),
                   row_age(r->doc, "config_loaded_at", r->now_s, text));
        if (doc_bool(r->doc, "restarting"))
                out_printf(o, "  restarting   the open connections have a moment to end; new ones "
                              "are served\n");
        else if (doc_bool(r->doc, "draining"))
                out_printf(
                        o,
                        "  stopping     no new connections; the daemon ends after the last one\n");
        print_log_error(o, r->doc);
}

void report_running(struct out *o, const struct report *r) {
        bool held;

        if (r->level == REPORT_BRIEF) {
                brief_running(o, r->doc);
                return;
        }
        print_head(o, r);
        print_states(o, r->doc);
        print_connections(o, r->doc);
        print_protection(o, r);
        print_pools(o, r);
        held = print_waiting(o, r);
        if (r->level == REPORT_VERBOSE)
                report_tables(o, r);
        else
                print_next(o, r, print_rows(o, r), held);
}
