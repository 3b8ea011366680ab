/* SPDX-License-Identifier: MIT */
/* From a scene to its text: a function for each family, and the table that calls them. */

#include <assert.h>

#include "control/metrics_families.h"
#include "control/metrics_scene.h"

#define LABELS(...) ((const struct label[]){ __VA_ARGS__ })

/* ---- the configuration ---- */

static void write_build_info(struct exposition *x, const struct metrics_scene *s) {
        exposition_number(x, LABELS({ "version", s->version }, { "revision", s->revision }), 2, 1);
}

static void write_reload_ok(struct exposition *x, const struct metrics_scene *s) {
        exposition_number(x, NULL, 0, s->reloads.last_good);
}

static void write_reload_time(struct exposition *x, const struct metrics_scene *s) {
        exposition_seconds(x, NULL, 0, s->reloads.loaded_us);
}

static void write_reloads(struct exposition *x, const struct metrics_scene *s) {
        exposition_number(x, LABELS({ "result", "success" }), 1, s->reloads.good);
        exposition_number(x, LABELS({ "result", "failure" }), 1, s->reloads.bad);
}

/* ---- frontends ---- */

#define EACH_FRONTEND(f)                                                                           \
        for (const struct scene_frontend *f = s->frontends; f < s->frontends + s->n_frontends; f++)

static void number_of_frontend(struct exposition *x,
                               const struct scene_frontend *f,
                               uint64_t value) {
        exposition_number(x, LABELS({ "frontend", f->name }), 1, value);
}

static void write_frontend_active(struct exposition *x, const struct metrics_scene *s) {
        EACH_FRONTEND(f)
                number_of_frontend(x, f, f->active);
}

static void write_frontend_limit(struct exposition *x, const struct metrics_scene *s) {
        EACH_FRONTEND(f)
                number_of_frontend(x, f, f->limit);
}

static void write_frontend_total(struct exposition *x, const struct metrics_scene *s) {
        EACH_FRONTEND(f)
                number_of_frontend(x, f, f->totals.sessions_total);
}

static void write_frontend_rejected(struct exposition *x, const struct metrics_scene *s) {
        EACH_FRONTEND(f)
                for (size_t r = 0; r < REJECT_REASONS_COUNT; r++)
                        exposition_number(x,
                                          LABELS({ "frontend", f->name },
                                                 { "reason", reject_reason_word(r) }),
                                          2, f->totals.rejected[r]);
}

static void write_accept_pauses(struct exposition *x, const struct metrics_scene *s) {
        exposition_number(x, NULL, 0, s->accept_pauses);
}

static void write_connect_duration(struct exposition *x, const struct metrics_scene *s) {
        EACH_FRONTEND(f) {
                const struct exposition_times times = { .bounds_us = connect_bounds_us,
                                                        .counts = f->totals.connects,
                                                        .n_bounds = CONNECT_BUCKETS - 1,
                                                        .sum_us = f->totals.connects_us };

                exposition_histogram(x, LABELS({ "frontend", f->name }), 1, &times);
        }
}

static void write_frontend_waiting(struct exposition *x, const struct metrics_scene *s) {
        EACH_FRONTEND(f)
                for (size_t k = 0; k < WAIT_KINDS_COUNT; k++)
                        exposition_number(
                                x, LABELS({ "frontend", f->name }, { "for", wait_kind_word(k) }), 2,
                                f->waiting_for[k]);
}

static void write_wait_duration(struct exposition *x, const struct metrics_scene *s) {
        EACH_FRONTEND(f) {
                const struct exposition_times times = { .bounds_us = wait_bounds_us,
                                                        .counts = f->totals.waits,
                                                        .n_bounds = WAIT_BUCKETS - 1,
                                                        .sum_us = f->totals.waits_us };

                exposition_histogram(x, LABELS({ "frontend", f->name }), 1, &times);
        }
}

static void write_waits_failed(struct exposition *x, const struct metrics_scene *s) {
        EACH_FRONTEND(f)
                for (size_t e = 0; e < WAIT_FAILURES_COUNT; e++)
                        exposition_number(
                                x,
                                LABELS({ "frontend", f->name }, { "reason", wait_failure_word(e) }),
                                2, f->totals.waits_failed[e]);
}

/* ---- backends ---- */

#define EACH_BACKEND(b)                                                                            \
        for (const struct scene_backend *b = s->backends; b < s->backends + s->n_backends; b++)

static void number_of_backend(struct exposition *x, const struct scene_backend *b, uint64_t value) {
        exposition_number(x, LABELS({ "pool", b->pool }, { "backend", b->name }), 2, value);
}

static void number_of_backend_by(struct exposition *x,
                                 const struct scene_backend *b,
                                 const char *label,
                                 const char *word,
                                 uint64_t value) {
        exposition_number(x, LABELS({ "pool", b->pool }, { "backend", b->name }, { label, word }),
                          3, value);
}

static void write_backend_up(struct exposition *x, const struct metrics_scene *s) {
        EACH_BACKEND(b)
                number_of_backend(x, b, b->state == ENDPOINT_UP);
}

static void write_backend_weight(struct exposition *x, const struct metrics_scene *s) {
        EACH_BACKEND(b)
                number_of_backend(x, b, b->weight);
}

static void write_backend_state(struct exposition *x, const struct metrics_scene *s) {
        EACH_BACKEND(b)
                for (size_t i = 0; i < ENDPOINT_STATES_COUNT; i++)
                        number_of_backend_by(x, b, "state", endpoint_state_word(i), b->state == i);
}

static void write_backend_active(struct exposition *x, const struct metrics_scene *s) {
        EACH_BACKEND(b)
                number_of_backend(x, b, b->totals.sessions_now);
}

static void write_backend_idle(struct exposition *x, const struct metrics_scene *s) {
        EACH_BACKEND(b)
                number_of_backend(x, b, b->totals.resting);
}

static void write_backend_total(struct exposition *x, const struct metrics_scene *s) {
        EACH_BACKEND(b)
                number_of_backend(x, b, b->totals.sessions_total);
}

static void write_backend_errors(struct exposition *x, const struct metrics_scene *s) {
        EACH_BACKEND(b)
                for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                        number_of_backend_by(x, b, "reason", connect_failure_word(f),
                                             b->totals.failed[f]);
}

static void write_backend_received(struct exposition *x, const struct metrics_scene *s) {
        EACH_BACKEND(b)
                number_of_backend(x, b, b->totals.bytes_out); /* bytes_out: to clients */
}

static void write_backend_sent(struct exposition *x, const struct metrics_scene *s) {
        EACH_BACKEND(b)
                number_of_backend(x, b, b->totals.bytes_in);
}

static void write_backend_changes(struct exposition *x, const struct metrics_scene *s) {
        EACH_BACKEND(b)
                number_of_backend(x, b, b->health.changes);
}

static void write_backend_checks(struct exposition *x, const struct metrics_scene *s) {
        EACH_BACKEND(b) {
                number_of_backend_by(x, b, "result", "success", b->health.passed);
                number_of_backend_by(x, b, "result", "failure", b->health.failed);
        }
}

static void write_check_duration(struct exposition *x, const struct metrics_scene *s) {
        EACH_BACKEND(b)
                if (b->health.last_ms > 0)
                        exposition_seconds(x, LABELS({ "pool", b->pool }, { "backend", b->name }),
                                           2, (uint64_t)b->health.took_ms * 1000);
}

/* ---- HTTP ---- */

/* Without a frontend of protocol http there is no array, and nothing may be added to NULL. */
#define EACH_TRAFFIC(t)                                                                            \
        for (const struct scene_traffic *t = s->traffic; t && t < s->traffic + s->n_traffic; t++)

/* Whole milliseconds are counted: of these, 2 is the longest that is not above 2.5. */
static const uint64_t request_bounds_us[] = { 1000,    2500,    5000,    10000,  25000,
                                              50000,   100000,  250000,  500000, 1000000,
                                              2500000, 5000000, 10000000 };
static_assert(ELEMENTS(request_bounds_us) == TRAFFIC_BUCKETS, "a bound per bucket");

/* All classes of a method begin when it is first seen: an error that comes later is an increase
 * then, and not something that was always there. Rows of zeros without end help nobody. */
static bool is_seen(const struct scene_traffic *t, enum traffic_method m) {
        uint64_t n = m == TRAFFIC_GET;

        for (size_t k = 0; k < TRAFFIC_CLASSES; k++)
                n += t->totals.requests[m][k];
        return n > 0;
}

static void requests_of_method(struct exposition *x,
                               const struct scene_traffic *t,
                               enum traffic_method m) {
        static const char *const classes[TRAFFIC_CLASSES] = { "1xx", "2xx", "3xx", "4xx", "5xx" };

        for (size_t k = 0; k < TRAFFIC_CLASSES; k++)
                exposition_number(x,
                                  LABELS({ "frontend", t->frontend }, { "pool", t->pool },
                                         { "method", traffic_method_label(m) },
                                         { "code", classes[k] }),
                                  4, t->totals.requests[m][k]);
}

static void write_http_requests(struct exposition *x, const struct metrics_scene *s) {
        EACH_TRAFFIC(t)
                for (size_t m = 0; m < TRAFFIC_METHODS_COUNT; m++)
                        if (is_seen(t, m))
                                requests_of_method(x, t, m);
}

static void write_http_duration(struct exposition *x, const struct metrics_scene *s) {
        EACH_TRAFFIC(t) {
                const struct exposition_times times = { .bounds_us = request_bounds_us,
                                                        .counts = t->totals.durations,
                                                        .n_bounds = TRAFFIC_BUCKETS,
                                                        .sum_us = t->totals.duration_ms * 1000 };

                exposition_histogram(x, LABELS({ "frontend", t->frontend }, { "pool", t->pool }), 2,
                                     &times);
        }
}

/* ---- pools ---- */

#define EACH_POOL(p) for (const struct scene_pool *p = s->pools; p < s->pools + s->n_pools; p++)

static void write_protection_active(struct exposition *x, const struct metrics_scene *s) {
        EACH_POOL(p)
                exposition_number(x, LABELS({ "pool", p->name }), 1,
                                  p->protection.reason != PROTECTION_OFF);
}

static void write_protection_activations(struct exposition *x, const struct metrics_scene *s) {
        EACH_POOL(p)
                for (size_t r = PROTECTION_OFF + 1; r < PROTECTION_REASONS_COUNT; r++)
                        exposition_number(x,
                                          LABELS({ "pool", p->name },
                                                 { "reason", protection_reason_word(r) }),
                                          2, p->protection.activations[r]);
}

static void write_pool_holding(struct exposition *x, const struct metrics_scene *s) {
        EACH_POOL(p)
                exposition_number(x, LABELS({ "pool", p->name }), 1, p->holding);
}

static void write_pool_held(struct exposition *x, const struct metrics_scene *s) {
        EACH_POOL(p)
                exposition_number(x, LABELS({ "pool", p->name }), 1, p->held.total);
}

static void write_pool_held_in_vain(struct exposition *x, const struct metrics_scene *s) {
        EACH_POOL(p)
                exposition_number(x, LABELS({ "pool", p->name }), 1, p->held.in_vain);
}

/* ---- the daemon itself ---- */

static void write_log_messages(struct exposition *x, const struct metrics_scene *s) {
        for (size_t i = 0; i < LOG_LEVELS_COUNT; i++)
                exposition_number(x, LABELS({ "level", log_level_key(i) }), 1, s->log_written[i]);
}

static void write_log_dropped(struct exposition *x, const struct metrics_scene *s) {
        exposition_number(x, NULL, 0, s->log_lost);
}

static void write_log_failed(struct exposition *x, const struct metrics_scene *s) {
        exposition_number(x, NULL, 0, s->log_failed);
}

static void write_process_start(struct exposition *x, const struct metrics_scene *s) {
        exposition_seconds(x, NULL, 0, s->started_us);
}

static void write_process_open_fds(struct exposition *x, const struct metrics_scene *s) {
        exposition_number(x, NULL, 0, s->process.open_fds);
}

static void write_process_max_fds(struct exposition *x, const struct metrics_scene *s) {
        exposition_number(x, NULL, 0, s->process.max_fds);
}

static void write_process_resident(struct exposition *x, const struct metrics_scene *s) {
        exposition_number(x, NULL, 0, s->process.resident_bytes);
}

static void write_process_cpu(struct exposition *x, const struct metrics_scene *s) {
        exposition_seconds(x, NULL, 0, s->process.cpu_us);
}

/* ---- all of them ---- */

static const struct {
        struct metric metric;
        void (*write)(struct exposition *x, const struct metrics_scene *s);
} families[] = {
#define X(fn, name, type, help) { { name, METRIC_##type, help }, write_##fn },
        METRICS_FAMILIES(X)
#undef X
};
const size_t metrics_families = ELEMENTS(families);

size_t metrics_write(struct exposition *x,
                     const struct metrics_scene *scene,
                     size_t first,
                     size_t soft_max) {
        size_t i, before;

        for (i = first; i < ELEMENTS(families); i++) {
                before = x->out.n;
                exposition_family(x, &families[i].metric);
                families[i].write(x, scene);
                if (x->out.error < 0 || x->out.n <= soft_max || i == first)
                        continue;
                x->out.n = before;
                return i;
        }
        exposition_end(x);
        return i;
}
