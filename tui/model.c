/* SPDX-License-Identifier: MIT */

#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doc.h"
#include "cli/report.h"
#include "cli/waits.h"
#include "core/str.h"
#include "fields.h"

/* ---- parts of documents ---- */

static char *copy(const json_t *doc, const char *key) {
        return strdup(doc_text(doc, key, ""));
}

static int64_t int_or(const json_t *doc, const char *key, int64_t otherwise) {
        const json_t *v = json_object_get(doc, key);

        return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

static uint64_t time_of(const json_t *doc, const char *key) {
        uint64_t s;

        return report_time(&s, doc_text(doc, key, NULL)) == 0 ? s : 0;
}

static double rate(int64_t before, int64_t now, uint64_t ms) {
        return ms > 0 && now >= before ? (double)(now - before) * 1000 / (double)ms : -1;
}

/* ---- backends ---- */

static void backend_done(struct backend *b) {
        free(b->pool);
        free(b->name);
        free(b->reason);
        free(b->text);
        *b = (struct backend){ 0 };
}

static void backends_free(struct backend *backends, size_t n) {
        for (size_t i = 0; i < n; i++)
                backend_done(&backends[i]);
        free(backends);
}

/* A backend as it stands in the text: in this order, which fields_read() likes best. */
struct wire {
        struct backend b;
        struct scan_text address, name;
        char state[16];
};

/* clang-format off */
#define OF(type, key_, kind_, member)                                                              \
        { .key = (key_), .kind = FIELD_##kind_, .at = offsetof(type, member),                      \
          .size = sizeof(((type *)0)->member) }
#define OBJECT(type, key_, member, fields_)                                                        \
        { .key = (key_), .kind = FIELD_OBJECT, .at = offsetof(type, member), .fields = (fields_),  \
          .n_fields = ELEMENTS(fields_) }

static const struct field check_fields[] = {
        OF(struct check, "type",            WORD, type),
        OF(struct check, "last_result",     WORD, result),
        OF(struct check, "last_time",       TIME, last_s),
        OF(struct check, "duration_ms",     INT,  duration_ms),
        OF(struct check, "interval_ms",     INT,  interval_ms),
        OF(struct check, "failed_in_a_row", INT,  failed_in_a_row),
        OF(struct check, "passed_in_a_row", INT,  passed_in_a_row),
        OF(struct check, "fall",            INT,  fall),
        OF(struct check, "rise",            INT,  rise),
};
static const struct field counter_fields[] = {
        OF(struct backend, "timeout", INT, timeout),
        OF(struct backend, "refused", INT, refused),
        OF(struct backend, "other",   INT, other),
        OF(struct backend, "closed",  INT, closed),
};
static const struct field backend_fields[] = {
        OF(struct wire, "address",             SPAN,   address),
        OF(struct wire, "name",                SPAN,   name),
        OF(struct wire, "pool",                TEXT,   b.pool),
        OF(struct wire, "state",               WORD,   state),
        OF(struct wire, "since",               TIME,   b.since_s),
        OF(struct wire, "reason",              TEXT,   b.reason),
        OF(struct wire, "reason_text",         TEXT,   b.text),
        OF(struct wire, "weight",              INT,    b.weight),
        OF(struct wire, "weight_configured",   INT,    b.weight_configured),
        OF(struct wire, "slow_start_percent",  INT,    b.slow_start_percent),
        OF(struct wire, "backup",              BOOL,   b.backup),
        OF(struct wire, "max_connections",     INT,    b.max_connections),
        OF(struct wire, "retry_in_ms",         INT,    b.retry_in_ms),
        OF(struct wire, "deadline_in_ms",      INT,    b.deadline_in_ms),
        OF(struct wire, "oldest_connection_s", INT,    b.oldest_s),
        OBJECT(struct wire, "check", b.check, check_fields),
        OF(struct wire, "state_changes",       INT,    b.state_changes),
        OF(struct wire, "new_per_s",           NUMBER, b.new_per_s),
        OF(struct wire, "failed_per_s",        NUMBER, b.failed_per_s),
        OF(struct wire, "active_connections",  INT,    b.active),
        OF(struct wire, "connections_total",   INT,    b.total),
        OF(struct wire, "bytes_in",            INT,    b.bytes_in),
        OF(struct wire, "bytes_out",           INT,    b.bytes_out),
        OBJECT(struct wire, "counters", b, counter_fields),
};
/* clang-format on */

static int read_backend(struct backend *b, struct scan *s) {
        struct wire w = {
                .b = {
                        .weight_configured = -1,
                        .slow_start_percent = -1,
                        .retry_in_ms = -1,
                        .deadline_in_ms = -1,
                        .oldest_s = -1,
                        .in_per_s = -1,
                        .out_per_s = -1,
                        .check = { .type = "none", .duration_ms = -1 },
                },
        };
        int r;

        r = fields_read(s, backend_fields, ELEMENTS(backend_fields), &w);
        *b = w.b;
        if (r < 0)
                return r;

        b->name = fields_text(w.name.text ? w.name : w.address);
        b->pool = b->pool ? b->pool : strdup("");
        b->reason = b->reason ? b->reason : strdup("");
        b->text = b->text ? b->text : strdup("");
        if (!b->pool || !b->reason || !b->text)
                return -ENOMEM;
        if (!b->name || !*b->name)
                return -EBADMSG;

        b->state = state_find(w.state);
        if (b->state == STATES_COUNT)
                b->state = STATE_DOWN;
        if (b->weight_configured < 0)
                b->weight_configured = b->weight;
        b->peak = b->active;
        return 0;
}

static bool is_called(const struct backend *b, const char *pool, const char *name) {
        return strcmp(b->name, name) == 0 && strcmp(b->pool, pool) == 0;
}

struct backend *model_find(const struct model *m, const char *pool, const char *name) {
        for (size_t i = 0; i < m->n_backends; i++) {
                if (is_called(&m->backends[i], pool, name))
                        return &m->backends[i];
        }
        return NULL;
}

/* What only two documents together say, and what belongs to the viewer. The order rarely changes:
 * the same place is looked at first. */
static void backend_goes_on(struct backend *b, const struct model *m, size_t i, uint64_t ms) {
        const struct backend *old = i < m->n_backends ? &m->backends[i] : NULL;

        if (!old || !is_called(old, b->pool, b->name))
                old = model_find(m, b->pool, b->name);
        if (!old)
                return;
        b->tagged = old->tagged;
        b->strip = old->strip;
        b->peak = b->active > old->peak ? b->active : old->peak;
        b->in_per_s = rate(old->bytes_in, b->bytes_in, ms);
        b->out_per_s = rate(old->bytes_out, b->bytes_out, ms);
}

bool backend_in_use(const struct backend *b) {
        return (b->state == STATE_UP || b->state == STATE_COOL) && b->weight > 0 &&
               strcmp(b->reason, "unresolved") != 0;
}

/* ---- pools and frontends ---- */

static void pools_free(struct pool *pools, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(pools[i].name);
                free(pools[i].reason);
        }
        free(pools);
}

static int read_pool(struct pool *p, const json_t *doc) {
        const json_t *protection = json_object_get(doc, "protection");
        const char *key;
        json_t *v;

        *p = (struct pool){
                .name = copy(doc, "name"),
                .reason = copy(protection, "reason"),
                .total = doc_int(doc, "backend_total"),
                .reachable = doc_int(doc, "backend_reachable"),
                .unavailable_total = doc_int(doc, "unavailable_total"),
                .protected = doc_bool(protection, "enabled"),
                .since_s = time_of(protection, "since"),
                .failures = doc_int(protection, "failures"),
                .trigger = doc_int(protection, "trigger"),
                .window_ms = doc_int(protection, "window_ms"),
                .successes = doc_int(protection, "successes"),
                .stable = doc_int(protection, "stable"),
                .last_ms = int_or(protection, "last_ms", -1),
        };
        json_object_foreach(json_object_get(protection, "activations"), key, v)
                p->activations += json_integer_value(v);
        return p->name && p->reason ? 0 : -ENOMEM;
}

const struct pool *model_pool(const struct model *m, const char *name) {
        for (size_t i = 0; i < m->n_pools; i++) {
                if (strcmp(m->pools[i].name, name) == 0)
                        return &m->pools[i];
        }
        return NULL;
}

/* On before off, then the one that is nearest to being switched on, then the last that was. */
static bool is_worse(const struct pool *a, const struct pool *b) {
        if (a->protected != b->protected)
                return a->protected;
        if (a->failures * (b->trigger > 0 ? b->trigger : 1) !=
            b->failures * (a->trigger > 0 ? a->trigger : 1))
                return a->failures * (b->trigger > 0 ? b->trigger : 1) >
                       b->failures * (a->trigger > 0 ? a->trigger : 1);
        return a->since_s > b->since_s;
}

const struct pool *model_worst_pool(const struct model *m) {
        const struct pool *worst = NULL;

        for (size_t i = 0; i < m->n_pools; i++) {
                if (!worst || is_worse(&m->pools[i], worst))
                        worst = &m->pools[i];
        }
        return worst;
}

static void frontends_free(struct frontend *frontends, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(frontends[i].name);
                free(frontends[i].listen);
                free(frontends[i].protocol);
                free(frontends[i].method);
                free(frontends[i].pool);
        }
        free(frontends);
}

static char *joined(const json_t *list) {
        char *text = strdup("");
        json_t *v;
        size_t i;

        json_array_foreach(list, i, v) {
                char *longer = text ? str_printf("%s%s%s", text, i > 0 ? " " : "",
                                                 json_is_string(v) ? json_string_value(v) : "?")
                                    : NULL;

                free(text);
                text = longer;
        }
        return text;
}

static int read_frontend(struct frontend *f, const json_t *doc) {
        *f = (struct frontend){
                .name = copy(doc, "name"),
                .listen = joined(doc_array(doc, "listen")),
                .protocol = copy(doc, "protocol"),
                .method = copy(doc, "method"),
                .pool = copy(doc, "pool"),
                .active = doc_int(doc, "active_connections"),
                .max = doc_int(doc, "max_connections"),
                .waiting = doc_int(doc, "waiting"),
                .total = doc_int(doc, "connections_total"),
                .rejected = doc_int(doc, "rejected_total"),
                .new_per_s = -1,
                .rejected_per_s = -1,
        };
        return f->name && f->listen && f->protocol && f->method && f->pool ? 0 : -ENOMEM;
}

static void frontend_goes_on(struct frontend *f, const struct model *m, uint64_t ms) {
        for (size_t i = 0; i < m->n_frontends; i++) {
                const struct frontend *old = &m->frontends[i];

                if (strcmp(old->name, f->name) != 0)
                        continue;
                f->new_per_s = rate(old->total, f->total, ms);
                f->rejected_per_s = rate(old->rejected, f->rejected, ms);
        }
}

/* ---- a snapshot ---- */

static void snapshot_free(struct model *m) {
        free(m->version);
        free(m->hostname);
        free(m->config_path);
        backends_free(m->backends, m->n_backends);
        pools_free(m->pools, m->n_pools);
        frontends_free(m->frontends, m->n_frontends);
}

static int backends_grow(struct model *m, size_t *size) {
        struct backend *backends;

        if (m->n_backends < *size)
                return 0;
        backends = reallocarray(m->backends, 2 * *size, sizeof(*backends));
        if (!backends)
                return -ENOMEM;
        m->backends = backends;
        *size *= 2;
        return 0;
}

static int read_backends(struct model *new,
                         struct scan_text list,
                         const struct model *old,
                         uint64_t ms) {
        size_t size = old->n_backends + 1;
        struct scan s;
        int r;

        new->backends = calloc(size, sizeof(*new->backends));
        if (!new->backends)
                return -ENOMEM;
        scan_init(&s, list);
        scan_enter(&s, '[');
        while (scan_element(&s)) {
                struct backend *b;

                r = backends_grow(new, &size);
                if (r < 0)
                        return r;
                b = &new->backends[new->n_backends++];
                r = read_backend(b, &s);
                if (r < 0)
                        return r;
                backend_goes_on(b, old, new->n_backends - 1, ms);
                new->count[b->state]++;
        }
        return s.bad ? -EBADMSG : 0;
}

static int read_lists(struct model *new, const json_t *doc, const struct model *old, uint64_t ms) {
        json_t *v, *pools = doc_array(doc, "pools"), *frontends = doc_array(doc, "frontends");
        size_t i;
        int r;

        new->pools = calloc(json_array_size(pools) + 1, sizeof(*new->pools));
        new->frontends = calloc(json_array_size(frontends) + 1, sizeof(*new->frontends));
        if (!new->pools || !new->frontends)
                return -ENOMEM;
        json_array_foreach(pools, i, v) {
                r = read_pool(&new->pools[new->n_pools++], v);
                if (r < 0)
                        return r;
        }
        json_array_foreach(frontends, i, v) {
                r = read_frontend(&new->frontends[new->n_frontends++], v);
                if (r < 0)
                        return r;
                frontend_goes_on(&new->frontends[i], old, ms);
        }
        return 0;
}

static int read_head(struct model *new, const json_t *doc) {
        const json_t *rates = json_object_get(doc, "rates");
        struct waits waits = waits_of(doc);

        new->version = copy(doc, "version");
        new->hostname = copy(doc, "hostname");
        new->config_path = copy(doc, "config_path");
        new->pid = doc_int(doc, "pid");
        new->uptime_s = doc_int(doc, "uptime_s");
        new->config_number = doc_int(doc, "config_number");
        new->config_s = time_of(doc, "config_loaded_at");
        new->draining = doc_bool(doc, "draining");
        new->restarting = doc_bool(doc, "restarting");
        new->log_failed = doc_text(doc, "log_error", NULL) != NULL;
        new->active = doc_int(doc, "active_connections");
        new->max = doc_int(doc, "max_connections");
        new->total = doc_int(doc, "connections_total");
        new->rejected = doc_int(doc, "rejected_total");
        new->new_per_s = doc_number(rates, "new_per_s");
        new->held = waits_held(doc);
        new->queued = waits.slot + waits.full;
        new->rejected_per_s = doc_number(rates, "rejected_per_s");
        new->timeout_per_s = doc_number(rates, "timeout_per_s");
        new->refused_per_s = doc_number(rates, "refused_per_s");
        new->other_per_s = doc_number(rates, "other_per_s");
        return new->version &&new->hostname &&new->config_path ? 0 : -ENOMEM;
}

static void sum_traffic(struct model *m) {
        m->in_per_s = m->out_per_s = -1;
        for (size_t i = 0; i < m->n_backends; i++) {
                const struct backend *b = &m->backends[i];

                if (b->in_per_s >= 0)
                        m->in_per_s = (m->in_per_s > 0 ? m->in_per_s : 0) + b->in_per_s;
                if (b->out_per_s >= 0)
                        m->out_per_s = (m->out_per_s > 0 ? m->out_per_s : 0) + b->out_per_s;
        }
}

static void scale_strips(struct model *m) {
        for (size_t i = 0; i < m->n_pools; i++)
                m->pools[i].peak_cell = 0;
        for (size_t i = 0; i < m->n_backends; i++) {
                struct backend *b = &m->backends[i];
                struct pool *p = (struct pool *)model_pool(m, b->pool);

                for (size_t c = 0; p && c < b->strip.n; c++) {
                        if (b->strip.active[c] > p->peak_cell)
                                p->peak_cell = b->strip.active[c];
                }
        }
}

int model_snapshot(struct model *m,
                   const json_t *doc,
                   struct scan_text backends,
                   uint64_t mono_ms,
                   uint64_t real_s) {
        struct model new = *m;
        bool same = m->valid && m->pid == doc_int(doc, "pid");
        uint64_t ms = same && mono_ms > m->mono_ms ? mono_ms - m->mono_ms : 0;
        int r;

        new.version = new.hostname = new.config_path = NULL;
        new.backends = NULL;
        new.pools = NULL;
        new.frontends = NULL;
        new.n_backends = new.n_pools = new.n_frontends = 0;
        memset(new.count, 0, sizeof(new.count));

        r = report_valid(doc) ? -EBADMSG : read_head(&new, doc);
        if (r == 0)
                r = read_lists(&new, doc, m, ms);
        if (r == 0)
                r = read_backends(&new, backends, m, ms);
        if (r < 0) {
                snapshot_free(&new);
                return r;
        }
        snapshot_free(m);
        *m = new;
        m->valid = true;
        m->mono_ms = mono_ms;
        m->real_s = real_s;
        m->peak = same && m->peak > m->active ? m->peak : m->active;
        sum_traffic(m);
        scale_strips(m);
        return 0;
}

/* ---- history ---- */

struct series {
        char *pool, *name; /* owned */
        struct scan_text active, down;
};

static void series_done(struct series *s) {
        free(s->pool);
        free(s->name);
}

/* After -ENOMEM and -EBADMSG too it wants done(). */
static int read_series(struct series *ret, struct scan *s) {
        static const struct field fields[] = {
                OF(struct series, "pool", TEXT, pool),
                OF(struct series, "name", TEXT, name),
                OF(struct series, "active", SPAN, active),
                OF(struct series, "down_s", SPAN, down),
        };
        int r;

        *ret = (struct series){ 0 };
        r = fields_read(s, fields, ELEMENTS(fields), ret);
        if (r < 0)
                return r;
        return ret->pool && ret->name ? 0 : -EBADMSG;
}

static void strip_add(struct strip *s, int64_t active, int64_t down_s) {
        if (s->n == STRIP_LONG) {
                s->n--;
                memmove(s->active, s->active + 1, s->n * sizeof(*s->active));
        }
        s->active[s->n++] = down_s > 0 ? -1 : active;
}

static int64_t next_cell(struct scan *s) {
        int64_t v = 0;

        if (scan_element(s))
                fields_int(scan_value(s), &v);
        return v;
}

static void series_strip(struct strip *ret, const struct series *series) {
        struct scan active, down;

        ret->n = 0;
        scan_init(&active, series->active);
        scan_init(&down, series->down);
        scan_enter(&down, '[');
        if (!scan_enter(&active, '['))
                return;
        while (scan_element(&active)) {
                int64_t v = 0;

                fields_int(scan_value(&active), &v);
                strip_add(ret, v, next_cell(&down));
        }
}

static void total_strip(struct strip *ret, const json_t *total) {
        const json_t *down = doc_array(total, "down_s");
        json_t *v;
        size_t i;

        ret->n = 0;
        json_array_foreach(doc_array(total, "active"), i, v)
                strip_add(ret, json_integer_value(v), json_integer_value(json_array_get(down, i)));
}

static void shorten(struct short_strip *to, const struct strip *from) {
        size_t skipped = from->n > STRIP_CELLS ? from->n - STRIP_CELLS : 0;

        to->n = from->n - skipped;
        for (size_t i = 0; i < to->n; i++) {
                int64_t v = from->active[i + skipped];

                to->active[i] = (int32_t)(v > INT32_MAX ? INT32_MAX : v);
        }
}

/* It lists backends as status does, but may be older or newer than our list. */
static void backend_strip(struct model *m, const struct series *series, size_t i) {
        struct backend *b = i < m->n_backends ? &m->backends[i] : NULL;
        struct strip strip;

        if (!b || !is_called(b, series->pool, series->name))
                b = model_find(m, series->pool, series->name);
        if (!b)
                return;
        series_strip(&strip, series);
        shorten(&b->strip, &strip);
        for (size_t c = 0; c < strip.n; c++)
                b->peak = strip.active[c] > b->peak ? strip.active[c] : b->peak;
}

int model_history(struct model *m, const json_t *doc, struct scan_text backends) {
        struct series series;
        struct scan s;
        int r = 0;

        scan_init(&s, backends);
        if (!json_is_object(json_object_get(doc, "total")) || !scan_enter(&s, '['))
                return -EBADMSG;
        m->cell_ms = doc_int(doc, "cell_ms") > 0 ? doc_int(doc, "cell_ms") : 5000;
        total_strip(&m->all, json_object_get(doc, "total"));
        for (size_t i = 0; i < m->all.n; i++)
                m->peak = m->all.active[i] > m->peak ? m->all.active[i] : m->peak;
        for (size_t i = 0; r == 0 && scan_element(&s); i++) {
                r = read_series(&series, &s);
                if (r == 0)
                        backend_strip(m, &series, i);
                series_done(&series);
        }
        scale_strips(m);
        return r;
}

int model_strip(struct strip *ret, struct scan_text backends, const char *pool, const char *name) {
        struct series series;
        struct scan s;
        int r = -ENOENT;

        scan_init(&s, backends);
        scan_enter(&s, '[');
        while (r == -ENOENT && scan_element(&s)) {
                if (read_series(&series, &s) < 0)
                        r = -EBADMSG;
                else if (strcmp(series.name, name) == 0 && strcmp(series.pool, pool) == 0)
                        r = 0;
                if (r == 0)
                        series_strip(ret, &series);
                series_done(&series);
        }
        return r;
}

/* ---- events ---- */

static void event_done(struct event *e) {
        free(e->pool);
        free(e->backend);
        free(e->text);
}

static void events_free(struct model *m) {
        for (size_t i = 0; i < m->n_events; i++)
                event_done(&m->events[i]);
        free(m->events);
        m->events = NULL;
        m->n_events = 0;
}

/* "UP -> DOWN refused"; of what is no change of state the message. */
static char *event_text(const json_t *doc, bool state) {
        const json_t *fields = json_object_get(doc, "fields");
        const char *reason = doc_text(fields, "reason", "");

        if (!state)
                return strdup(doc_text(doc, "message", "?"));
        return str_printf("%s -> %s%s%s", state_word(doc_text(fields, "from", "?")),
                          state_word(doc_text(fields, "to", "?")), *reason ? " " : "", reason);
}

static int read_event(struct event *e, const json_t *doc) {
        const json_t *fields = json_object_get(doc, "fields");
        const char *level = doc_text(doc, "level", "INFO");

        *e = (struct event){
                .number = doc_int(doc, "number"),
                .real_s = time_of(doc, "timestamp"),
                .level = *level,
                .state = strcmp(doc_text(doc, "event", ""), "backend_state") == 0 &&
                         json_is_string(json_object_get(fields, "to")),
                .pool = copy(fields, "pool"),
                .backend = copy(fields, "backend"),
        };
        e->text = event_text(doc, e->state);
        if (e->pool && e->backend && e->text)
                return 0;
        event_done(e);
        return -ENOMEM;
}

int model_events(struct model *m, const json_t *doc, bool first) {
        json_t *v, *list = doc_array(doc, "events");
        size_t i;

        if (!list)
                return -EBADMSG;
        if (first)
                events_free(m);
        if (!m->events)
                m->events = calloc(EVENTS_KEPT, sizeof(*m->events));
        if (!m->events)
                return -ENOMEM;
        json_array_foreach(list, i, v) {
                struct event e;

                if (read_event(&e, v) < 0)
                        return -ENOMEM;
                if (m->n_events == EVENTS_KEPT) {
                        event_done(&m->events[0]);
                        m->n_events--;
                        memmove(m->events, m->events + 1, m->n_events * sizeof(*m->events));
                }
                m->events[m->n_events++] = e;
        }
        return 0;
}

const struct event *model_event_of(const struct model *m, const struct backend *b) {
        for (size_t i = m->n_events; i > 0; i--) {
                const struct event *e = &m->events[i - 1];

                if (strcmp(e->backend, b->name) == 0 && strcmp(e->pool, b->pool) == 0)
                        return e;
        }
        return NULL;
}

/* ---- sessions ---- */

static void sessions_free(struct session *sessions, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(sessions[i].client);
                free(sessions[i].frontend);
                free(sessions[i].backend);
                free(sessions[i].state);
        }
        free(sessions);
}

static int read_session(struct session *s, const json_t *doc) {
        static const char *const legs[] = { "client_leg", "server_leg" };

        *s = (struct session){
                .id = doc_int(doc, "id"),
                .age_ms = doc_int(doc, "age_ms"),
                .idle_ms = doc_int(doc, "idle_ms"),
                .bytes_in = doc_int(doc, "bytes_in"),
                .bytes_out = doc_int(doc, "bytes_out"),
                .client = copy(doc, "client"),
                .frontend = copy(doc, "frontend"),
                .state = copy(doc, "state"),
                .backend = str_printf("%s/%s", doc_text(doc, "pool", "?"),
                                      doc_text(doc, "backend", "-")),
        };
        snprintf(s->slow, sizeof(s->slow), "%s", doc_text(doc, "slow_side", ""));
        for (size_t i = 0; i < ELEMENTS(legs); i++) {
                const json_t *leg = json_object_get(doc, legs[i]);

                s->rtt_us[i] = int_or(leg, "rtt_us", -1);
                s->retransmits[i] = int_or(leg, "retransmits", -1);
                s->unsent[i] = int_or(leg, "unsent_bytes", -1);
        }
        return s->client && s->frontend && s->state && s->backend ? 0 : -ENOMEM;
}

int model_sessions(struct model *m, const json_t *doc) {
        json_t *v, *list = doc_array(doc, "sessions");
        struct session *sessions;
        size_t i, n = 0;

        if (!list)
                return -EBADMSG;
        sessions = calloc(json_array_size(list) + 1, sizeof(*sessions));
        if (!sessions)
                return -ENOMEM;
        json_array_foreach(list, i, v) {
                if (read_session(&sessions[n++], v) < 0) {
                        sessions_free(sessions, n);
                        return -ENOMEM;
                }
        }
        sessions_free(m->sessions, m->n_sessions);
        m->sessions = sessions;
        m->n_sessions = n;
        m->sessions_matched = doc_int(doc, "matched");
        m->sessions_total = doc_int(doc, "total");
        return 0;
}

void model_done(struct model *m) {
        snapshot_free(m);
        events_free(m);
        sessions_free(m->sessions, m->n_sessions);
        *m = (struct model){ 0 };
}
