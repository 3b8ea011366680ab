/* SPDX-License-Identifier: MIT */

#include "control/status.h"

#include <string.h>
#include <unistd.h>

#include "control/state.h"
#include "control/status_parts.h"
#include "core/clock.h"

#define LOAD(x) atomic_load_explicit(&(x), memory_order_relaxed)

json_t *status_time(uint64_t real_us) {
        char text[CLOCK_TEXT_MAX];

        return real_us > 0 ? json_string(clock_text(real_us, text)) : json_null();
}

json_t *status_time_mono(uint64_t mono_ms) {
        uint64_t now_ms = clock_mono_ms(), ago_ms = now_ms > mono_ms ? now_ms - mono_ms : 0;

        return status_time(mono_ms > 0 ? clock_real_us() - ago_ms * 1000 : 0);
}

/* ---- frontends ---- */

static json_t *listen_describe(const struct config_frontend *f) {
        json_t *array = json_array();
        char text[ADDR_TEXT_MAX];

        for (size_t i = 0; i < f->n_listen; i++)
                json_array_append_new(array, json_string(addr_text(&f->listen[i], text)));
        return array;
}

static json_t *frontend_describe(const struct upstream_frontend *f) {
        uint64_t sessions = 0, rejected = 0;

        for (unsigned i = 0; i < f->frontend->n_workers; i++) {
                sessions += LOAD(f->frontend->per_worker[i].sessions_total);
                rejected += LOAD(f->frontend->per_worker[i].rejected_total);
        }
        return json_pack("{s:s, s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "name",
                         f->config->name, "listen", listen_describe(f->config), "protocol",
                         f->config->protocol == CONFIG_HTTP ? "http" : "tcp", "method",
                         f->config->balance->name, "pool", f->pool->config->name,
                         "active_connections", (json_int_t)gate_now(&f->frontend->gate),
                         "max_connections", (json_int_t)f->config->max_connections, "waiting",
                         (json_int_t)LOAD(f->frontend->waiting), "connections_total",
                         (json_int_t)sessions, "rejected_total", (json_int_t)rejected);
}

static json_t *frontends_describe(const struct upstream *u) {
        json_t *array = json_array();

        for (size_t i = 0; i < u->config->n_frontends; i++)
                json_array_append_new(array, frontend_describe(&u->frontends[i]));
        return array;
}

/* ---- the whole ---- */

static void add_totals(json_t *doc, const struct supervisor *s) {
        struct rates_of_all rates;
        struct crew_totals totals;
        json_t *closed = json_object();

        crew_sum(s->crew, &totals);
        for (size_t i = 0; i < CLOSE_REASONS; i++)
                json_object_set_new(closed, close_reason_word(i),
                                    json_integer((json_int_t)totals.closed[i]));
        json_object_set_new(doc, "active_connections", json_integer(totals.sessions_now));
        json_object_set_new(doc, "max_connections", json_integer(s->limits.max_sessions));
        json_object_set_new(doc, "connections_total", json_integer((json_int_t)totals.opened));
        json_object_set_new(doc, "rejected_total",
                            json_integer((json_int_t)(totals.closed[CLOSE_LIMIT] +
                                                      totals.closed[CLOSE_QUEUE_TIMEOUT])));
        json_object_set_new(doc, "closed", closed);

        rates_of_all(s, &rates);
        json_object_set_new(doc, "rates",
                            json_pack("{s:f, s:f, s:f, s:f, s:f}", "new_per_s", rates.opened,
                                      "rejected_per_s", rates.rejected, "timeout_per_s",
                                      rates.failed[CONNECT_TIMEOUT], "refused_per_s",
                                      rates.failed[CONNECT_REFUSED], "other_per_s",
                                      rates.failed[CONNECT_OTHER]));
}

static void add_first_frontend(json_t *doc, const struct config *c) {
        const struct config_frontend *f = &c->frontends[0];
        char text[ADDR_TEXT_MAX];
        uint16_t port = addr_port(&f->listen[0]);

        json_object_set_new(doc, "bind_address", json_string(addr_text_host(&f->listen[0], text)));
        json_object_set_new(doc, "port", port > 0 ? json_integer(port) : json_null());
        json_object_set_new(doc, "method", json_string(f->balance->name));
}

static void add_process(json_t *doc, const struct supervisor *s) {
        char host[256] = "";

        gethostname(host, sizeof(host) - 1);
        json_object_set_new(doc, "version", json_string(BAL_VERSION));
        json_object_set_new(doc, "hostname", json_string(host));
        json_object_set_new(doc, "running", json_true());
        json_object_set_new(doc, "pid", json_integer(getpid()));
        json_object_set_new(doc, "uptime_s",
                            json_integer((json_int_t)(clock_mono_ms() - s->started_ms) / 1000));
        json_object_set_new(doc, "config_path", json_string(s->config_shown));
        json_object_set_new(doc, "config_number", json_integer((json_int_t)s->config_number));
        json_object_set_new(doc, "config_loaded_at", status_time(s->config_loaded_us));
        json_object_set_new(doc, "draining", json_boolean(s->stopping));
        json_object_set_new(doc, "workers", json_integer(s->n_workers));
        json_object_set_new(doc, "log_dropped", json_integer((json_int_t)log_dropped()));
}

json_t *status_describe(const struct supervisor *s) {
        struct status_tally t = { .backends = json_array(), .pools = json_array() };
        json_t *doc = json_object();
        bool warn;

        for (size_t i = 0; i < s->upstream->config->n_pools; i++)
                status_add_pool(&t, s, &s->upstream->pools[i]);

        warn = t.pool_without_backend || t.protection != PROTECTION_OFF;
        json_object_set_new(doc, "verdict", json_string(warn ? "WARN" : "OK"));
        add_process(doc, s);
        add_first_frontend(doc, s->config);
        add_totals(doc, s);
        json_object_set_new(doc, "backend_total", json_integer((json_int_t)t.total));
        json_object_set_new(doc, "backend_reachable", json_integer((json_int_t)t.reachable));
        json_object_set_new(doc, "last_check_time", status_time_mono(t.last_ms));
        json_object_set_new(doc, "protection_mode", status_protection(&t));
        json_object_set_new(doc, "frontends", frontends_describe(s->upstream));
        json_object_set_new(doc, "backends", t.backends);
        json_object_set_new(doc, "pools", t.pools);
        json_object_set_new(doc, "leaving", leaving_describe(&s->leaving));
        return doc;
}
