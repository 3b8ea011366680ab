/* SPDX-License-Identifier: MIT */

#include "cli/report.h"

#include <stdio.h>
#include <string.h>

#include "cli/doc.h"
#include "cli/table.h"
#include "core/str.h"

#define ROWS_MAX   20 /* of trouble in the default report; the rest with --verbose */
#define NAME_CELLS 48

/* clang-format off */
/* X(enum, word in the document, word on the screen, colour, trouble), worst first */
#define STATES(X)                                                                                  \
        X(DOWN,  "down",  "DOWN",  RED,     true)                                                  \
        X(COOL,  "cool",  "COOL",  MAGENTA, true)                                                  \
        X(DRAIN, "drain", "DRAIN", YELLOW,  false)                                                 \
        X(MAINT, "maint", "MAINT", CYAN,    false)                                                 \
        X(UP,    "up",    "UP",    PLAIN,   false)

enum state {
#define X(id, key, word, colour, trouble) STATE_##id,
        STATES(X)
#undef X
        STATES_COUNT
};

static const struct {
        const char *key, *word;
        enum colour colour;
        bool trouble;
} states[STATES_COUNT] = {
#define X(id, key_, word_, colour_, trouble_)                                                      \
        [STATE_##id] = { .key = (key_), .word = (word_), .colour = (colour_),                      \
                         .trouble = (trouble_) },
        STATES(X)
#undef X
};
/* clang-format on */

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

static enum state state_of(const json_t *backend) {
        const char *key = doc_text(backend, "state", "");

        for (enum state s = 0; s < STATES_COUNT; s++) {
                if (strcmp(states[s].key, key) == 0)
                        return s;
        }
        return STATE_DOWN; /* a state of a later release: rather shown than hidden */
}

static void count_states(const json_t *doc, size_t ret[static STATES_COUNT]) {
        json_t *backend;
        size_t i;

        memset(ret, 0, STATES_COUNT * sizeof(*ret));
        json_array_foreach(doc_array(doc, "backends"), i, backend)
                ret[state_of(backend)]++;
}

static const char *name_of(const json_t *backend) {
        return doc_text(backend, "name", doc_text(backend, "address", "?"));
}

/* How long ago; "-" where the document has no time. */
static const char *age_of(const struct report *r,
                          const json_t *doc,
                          const char *key,
                          char buf[static REPORT_TEXT_MAX]) {
        uint64_t then;

        if (report_time(&then, doc_text(doc, key, NULL)) < 0)
                return "-";
        return report_age(r->now_s > then ? r->now_s - then : 0, buf);
}

static void print_name(struct out *o, const char *name) {
        _cleanup_(str_freep) char *short_name = str_squeeze(name, NAME_CELLS);

        out_clean(o, short_name);
}

/* "0.0.0.0:9295", "[::]:9295", "unix:/run/x.sock" */
static void print_listen(struct out *o, const json_t *doc) {
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

static void print_protection(struct out *o, const json_t *doc) {
        const json_t *mode = json_object_get(doc, "protection_mode");

        out_printf(o, "  protection   ");
        if (!doc_bool(mode, "enabled")) {
                out_printf(o, "off\n");
                return;
        }
        out_paint(o, RED, "ON");
        out_printf(o, "   ");
        out_clean(o, doc_text(mode, "reason", ""));
        out_printf(o, "\n");
}

/* Pools that serve nobody; all of them with --verbose. */
static void print_pools(struct out *o, const struct report *r) {
        json_t *pool;
        size_t i, shown = 0;

        json_array_foreach(doc_array(r->doc, "pools"), i, pool) {
                int64_t up = doc_int(pool, "backend_reachable"),
                        all = doc_int(pool, "backend_total");

                if (up > 0 && r->level != REPORT_VERBOSE)
                        continue;
                if (r->level != REPORT_VERBOSE && shown++ == ROWS_MAX)
                        break;
                out_printf(o, "  pool         ");
                print_name(o, doc_text(pool, "name", "?"));
                out_printf(o, "   ");
                if (up > 0)
                        out_printf(o, "%lld/%lld reachable\n", (long long)up, (long long)all);
                else
                        out_paint(o, RED, "no backend reachable");
                if (up <= 0)
                        out_printf(o, "\n");
        }
}

static void trouble_row(struct table *t, const struct report *r, const json_t *b, enum state s) {
        const char *reason = doc_text(b, "reason", "");
        int64_t retry = doc_int(b, "retry_in_ms");
        char age[REPORT_TEXT_MAX];

        table_add(t, states[s].colour, "%s", states[s].word);
        table_add(t, PLAIN, "%s", name_of(b));
        table_add(t, PLAIN, "%s", doc_text(b, "pool", ""));
        table_add(t, PLAIN, *reason ? "%-4s" : "%s", age_of(r, b, "since", age));
        if (s == STATE_COOL && retry > 0)
                table_add(t, PLAIN, "%s%sretry in %.1f s", reason, *reason ? ", " : "",
                          (double)retry / 1000);
        else
                table_add(t, PLAIN, "%s", reason);
}

/* Worst first; returns the name of the worst one, or NULL. */
static const char *print_trouble(struct out *o, const struct report *r) {
        _cleanup_(table_done) struct table t = { .columns = 5,
                                                 .cells_max = NAME_CELLS,
                                                 .indent = "  " };
        const char *worst = NULL;
        size_t n = 0, i;
        json_t *b;

        for (enum state s = 0; s < STATES_COUNT; s++) {
                json_array_foreach(doc_array(r->doc, "backends"), i, b) {
                        if (!states[s].trouble || state_of(b) != s)
                                continue;
                        worst = worst ? worst : name_of(b);
                        if (n++ < ROWS_MAX)
                                trouble_row(&t, r, b, s);
                }
        }
        table_print(o, &t);
        if (n > ROWS_MAX)
                out_printf(o, "  ... and %zu more\n", n - ROWS_MAX);
        return worst;
}

static void print_next(struct out *o, const struct report *r, const char *worst) {
        if (!worst)
                return;
        out_printf(o, "  next: see why nothing answers on ");
        print_name(o, worst);
        out_printf(o, "%s\n",
                   r->level == REPORT_VERBOSE ? "" : "; all there is: bal status --verbose");
}

static void backend_row(struct table *t, const struct report *r, const json_t *b) {
        const json_t *counters = json_object_get(b, "counters");
        enum state s = state_of(b);
        char age[REPORT_TEXT_MAX], in[REPORT_TEXT_MAX], out[REPORT_TEXT_MAX];

        table_add(t, states[s].colour, "%s", states[s].word);
        table_add(t, PLAIN, "%s", name_of(b));
        table_add(t, PLAIN, "%s%s", doc_text(b, "pool", ""),
                  doc_bool(b, "backup") ? " (backup)" : "");
        table_add(t, PLAIN, "%lld", (long long)doc_int(b, "weight"));
        table_add(t, PLAIN, "%lld", (long long)doc_int(b, "active_connections"));
        table_add(t, PLAIN, "%lld", (long long)doc_int(b, "connections_total"));
        table_add(t, PLAIN, "%s", report_bytes((uint64_t)doc_int(b, "bytes_in"), in));
        table_add(t, PLAIN, "%s", report_bytes((uint64_t)doc_int(b, "bytes_out"), out));
        table_add(t, PLAIN, "%lld/%lld/%lld", (long long)doc_int(counters, "timeout"),
                  (long long)doc_int(counters, "refused"), (long long)doc_int(counters, "other"));
        table_add(t, PLAIN, "%s", age_of(r, b, "since", age));
        table_add(t, PLAIN, "%s", doc_text(b, "reason", ""));
}

static void print_backends(struct out *o, const struct report *r) {
        static const char *const heads[] = { "STATE",       "BACKEND", "POOL",  "W",
                                             "ACTIVE",      "TOTAL",   "IN",    "OUT",
                                             "TMO/REF/OTH", "SINCE",   "REASON" };
        _cleanup_(table_done) struct table t = { .columns = ELEMENTS(heads),
                                                 .cells_max = NAME_CELLS,
                                                 .right = 0x3f8, /* the numbers */
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
        _cleanup_(table_done) struct table t = {
                .columns = ELEMENTS(heads), .cells_max = NAME_CELLS, .right = 0x3e0, .indent = "  "
        };
        json_t *f;
        size_t i;

        for (i = 0; i < ELEMENTS(heads); i++)
                table_add(&t, BOLD, "%s", heads[i]);
        json_array_foreach(doc_array(doc, "frontends"), i, f)
                frontend_row(&t, f);
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

static void print_more(struct out *o, const struct report *r) {
        const json_t *doc = r->doc;
        char age[REPORT_TEXT_MAX];

        out_printf(o, "  totals       %lld connections   %lld rejected   last check ",
                   (long long)doc_int(doc, "connections_total"),
                   (long long)doc_int(doc, "rejected_total"));
        if (doc_text(doc, "last_check_time", NULL))
                out_printf(o, "%s ago\n", age_of(r, doc, "last_check_time", age));
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

static enum colour verdict_colour(const char *verdict) {
        return strcmp(verdict, "OK") == 0 ? GREEN : strcmp(verdict, "WARN") == 0 ? YELLOW : RED;
}

static void brief_running(struct out *o, const json_t *doc) {
        const char *verdict = doc_text(doc, "verdict", "?");
        size_t n[STATES_COUNT];

        count_states(doc, n);
        out_paint(o, verdict_colour(verdict), verdict);
        out_printf(o,
                   " up=%zu/%zu down=%zu cool=%zu drain=%zu maint=%zu conns=%lld/%lld prot=%s "
                   "cfg=%lld\n",
                   n[STATE_UP], json_array_size(doc_array(doc, "backends")), n[STATE_DOWN],
                   n[STATE_COOL], n[STATE_DRAIN], n[STATE_MAINT],
                   (long long)doc_int(doc, "active_connections"),
                   (long long)doc_int(doc, "max_connections"),
                   doc_bool(json_object_get(doc, "protection_mode"), "enabled") ? "on" : "off",
                   (long long)doc_int(doc, "config_number"));
}

static void print_head(struct out *o, const struct report *r) {
        const char *verdict = doc_text(r->doc, "verdict", "?");
        char text[REPORT_TEXT_MAX];

        out_printf(o, "bal status: ");
        out_paint(o, verdict_colour(verdict), verdict);
        out_printf(o, "  ");
        print_name(o, doc_text(r->doc, "hostname", "?"));
        out_printf(o, "  pid %lld  up %s  v", (long long)doc_int(r->doc, "pid"),
                   report_uptime((uint64_t)doc_int(r->doc, "uptime_s"), text));
        out_clean(o, doc_text(r->doc, "version", "?"));
        out_printf(o, "\n  listen       ");
        print_listen(o, r->doc);
        out_printf(o, "   method ");
        out_clean(o, doc_text(r->doc, "method", "?"));
        out_printf(o, "   config #%lld (%s ago)\n", (long long)doc_int(r->doc, "config_number"),
                   age_of(r, r->doc, "config_loaded_at", text));
        if (doc_bool(r->doc, "draining"))
                out_printf(
                        o,
                        "  stopping     no new connections; the daemon ends after the last one\n");
}

void report_running(struct out *o, const struct report *r) {
        const char *worst;

        if (r->level == REPORT_BRIEF) {
                brief_running(o, r->doc);
                return;
        }
        print_head(o, r);
        print_states(o, r->doc);
        print_connections(o, r->doc);
        print_protection(o, r->doc);
        print_pools(o, r);
        if (r->level == REPORT_VERBOSE) {
                print_more(o, r);
                print_frontends(o, r->doc);
                print_backends(o, r);
                print_closed(o, r->doc);
                return;
        }
        worst = print_trouble(o, r);
        print_next(o, r, worst);
}

static void stopped_backends(struct out *o, const struct report *r) {
        _cleanup_(table_done) struct table t = { .columns = 4,
                                                 .cells_max = NAME_CELLS,
                                                 .indent = "  " };
        size_t i, n = 0;
        json_t *b;

        json_array_foreach(doc_array(r->doc, "backends"), i, b) {
                bool reachable = doc_bool(b, "reachable");

                if ((reachable || n >= ROWS_MAX) && r->level != REPORT_VERBOSE) {
                        n += !reachable;
                        continue;
                }
                n += !reachable;
                table_add(&t, reachable ? GREEN : RED, "%s",
                          reachable ? "REACHABLE" : "UNREACHABLE");
                table_add(&t, PLAIN, "%s", name_of(b));
                table_add(&t, PLAIN, "%s", doc_text(b, "pool", ""));
                table_add(&t, PLAIN, "%s", doc_text(b, "reason", ""));
        }
        table_print(o, &t);
        if (n > ROWS_MAX && r->level != REPORT_VERBOSE)
                out_printf(o, "  ... and %zu more\n", n - ROWS_MAX);
}

static void brief_stopped(struct out *o, const json_t *doc) {
        out_paint(o, YELLOW, "NOT RUNNING");
        if (json_is_integer(json_object_get(doc, "backend_total")))
                out_printf(o, " reachable=%lld/%lld", (long long)doc_int(doc, "backend_reachable"),
                           (long long)doc_int(doc, "backend_total"));
        out_printf(o, "  ");
        out_clean(o, doc_text(doc, "what_happened", ""));
        out_printf(o, "\n");
}

void report_stopped(struct out *o, const struct report *r) {
        const json_t *doc = r->doc;
        bool usable = json_is_integer(json_object_get(doc, "backend_total"));

        if (r->level == REPORT_BRIEF) {
                brief_stopped(o, doc);
                return;
        }
        out_printf(o, "bal status: ");
        out_paint(o, YELLOW, "NOT RUNNING");
        out_printf(o, "  ");
        print_name(o, doc_text(doc, "hostname", "?"));
        out_printf(o, "\n");
        out_part(o, "  ", "what_happened", doc_text(doc, "what_happened", NULL));
        out_part(o, "  ", "why_likely", doc_text(doc, "why_likely", NULL));
        out_part(o, "  ", "do_this_now", doc_text(doc, "do_this_now", NULL));
        out_printf(o, "  config       ");
        out_clean(o, doc_text(doc, "config_path", "?"));
        if (!usable) {
                out_printf(o, "   (");
                out_clean(o, doc_text(doc, "config_problem", "not usable"));
                out_printf(o, ")\n");
                return;
        }
        out_printf(o, "   listen ");
        print_listen(o, doc);
        out_printf(o, "   method ");
        out_clean(o, doc_text(doc, "method", "?"));
        out_printf(o, "\n  backends     %lld/%lld reachable from here (probed in %.2f s)\n",
                   (long long)doc_int(doc, "backend_reachable"),
                   (long long)doc_int(doc, "backend_total"),
                   (double)doc_int(doc, "probe_ms") / 1000);
        stopped_backends(o, r);
}
