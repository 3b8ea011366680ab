/* SPDX-License-Identifier: MIT */

#include "control/status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bal/protocol.h"
#include "control/logsink.h"
#include "control/state.h"
#include "control/status_parts.h"
#include "core/clock.h"

#define LOAD(x) atomic_load_explicit(&(x), memory_order_relaxed)

/* ---- lists ---- */

/* What is listened on; while bal stops, what was. */
static const struct addr *listen_addr(const struct supervisor *s, size_t frontend, size_t nth) {
        const struct config_frontend *c = &s->config->frontends[frontend];

        if (s->listeners)
                return listeners_addr(s->listeners, frontend, nth);
        return nth < c->n_listen ? &c->listen[nth] : NULL;
}

static void add_waits(struct jsontext *t,
                      const struct frontend *f,
                      const struct frontend_totals *totals) {
        uint64_t n = 0;

        for (size_t b = 0; b < WAIT_BUCKETS; b++)
                n += totals->waits[b];
        jsontext_open(t, "waiting_for", '{');
        for (size_t k = 0; k < WAIT_KINDS_COUNT; k++)
                jsontext_number(t, wait_kind_word(k), LOAD(f->waiting_for[k]));
        jsontext_close(t, '}');
        jsontext_number(t, "waited_total", n);
        jsontext_open(t, "waited_in_vain", '{');
        for (size_t e = 0; e < WAIT_FAILURES_COUNT; e++)
                jsontext_number(t, wait_failure_word(e), totals->waits_failed[e]);
        jsontext_close(t, '}');
}

static void add_turned_away(struct jsontext *t, const struct frontend_totals *totals) {
        jsontext_open(t, "rejected", '{');
        for (size_t r = 0; r < REJECT_REASONS_COUNT; r++)
                jsontext_number(t, reject_reason_word(r), totals->rejected[r]);
        jsontext_close(t, '}');
}

static void add_frontend(struct jsontext *t, const struct supervisor *s, size_t index) {
        const struct upstream_frontend *f = &s->upstream->frontends[index];
        const struct config_frontend *c = f->config;
        struct frontend_totals totals;
        const struct addr *a;
        char text[ADDR_TEXT_MAX];

        frontend_sum(f->frontend, &totals);
        jsontext_open(t, NULL, '{');
        jsontext_string(t, "name", c->name);
        jsontext_open(t, "listen", '[');
        for (size_t i = 0; (a = listen_addr(s, index, i)); i++)
                jsontext_string(t, NULL, addr_text(a, text));
        jsontext_close(t, ']');
        jsontext_string(t, "protocol", c->protocol == CONFIG_HTTP ? "http" : "tcp");
        jsontext_string(t, "method", c->balance->name);
        jsontext_string(t, "pool", f->targets[0].pool->config->name);
        jsontext_number(t, "active_connections", gate_now(&f->frontend->gate));
        jsontext_number(t, "max_connections", c->max_connections);
        jsontext_number(t, "waiting", LOAD(f->frontend->waiting));
        add_waits(t, f->frontend, &totals);
        jsontext_number(t, "connections_total", totals.sessions_total);
        jsontext_number(t, "rejected_total", totals.rejected[REJECT_MAX_CONNECTIONS]);
        add_turned_away(t, &totals);
        jsontext_close(t, '}');
}

static void add_frontends(struct jsontext *t, const struct supervisor *s) {
        jsontext_open(t, "frontends", '[');
        for (size_t i = 0; i < s->upstream->config->n_frontends; i++)
                add_frontend(t, s, i);
        jsontext_close(t, ']');
}

static void add_backends(struct jsontext *t, const struct supervisor *s) {
        const struct upstream *u = s->upstream;

        jsontext_open(t, "backends", '[');
        for (size_t i = 0; i < u->config->n_pools; i++)
                for (size_t j = 0; j < u->pools[i].n_endpoints; j++)
                        status_add_backend(t, s, &u->pools[i], &u->pools[i].endpoints[j]);
        jsontext_close(t, ']');
}

/* ---- the whole ---- */

static void add_rates(struct jsontext *t, const struct supervisor *s) {
        struct rates_of_all rates;

        rates_of_all(s, &rates);
        jsontext_open(t, "rates", '{');
        jsontext_real(t, "new_per_s", rates.opened);
        jsontext_real(t, "rejected_per_s", rates.rejected);
        jsontext_real(t, "timeout_per_s", rates.failed[CONNECT_TIMEOUT]);
        jsontext_real(t, "refused_per_s", rates.failed[CONNECT_REFUSED]);
        jsontext_real(t, "other_per_s", rates.failed[CONNECT_OTHER]);
        jsontext_close(t, '}');
}

static void add_totals(struct jsontext *t, const struct supervisor *s) {
        struct crew_totals totals;

        crew_sum(s->crew, &totals);
        jsontext_number(t, "active_connections", totals.sessions_now);
        jsontext_number(t, "max_connections", s->limits.max_sessions);
        jsontext_number(t, "connections_total", totals.opened);
        jsontext_number(t, "rejected_total",
                        totals.closed[CLOSE_LIMIT] + totals.closed[CLOSE_QUEUE_TIMEOUT]);
        jsontext_open(t, "closed", '{');
        for (size_t i = 0; i < CLOSE_REASONS; i++)
                jsontext_number(t, close_reason_word(i), totals.closed[i]);
        jsontext_close(t, '}');
        add_rates(t, s);
}

static void add_first_frontend(struct jsontext *t, const struct supervisor *s) {
        const struct addr *a = listen_addr(s, 0, 0);
        char text[ADDR_TEXT_MAX];
        uint16_t port = addr_port(a);

        jsontext_string(t, "bind_address", addr_text_host(a, text));
        if (port > 0)
                jsontext_number(t, "port", port);
        else
                jsontext_null(t, "port");
        jsontext_string(t, "method", s->config->frontends[0].balance->name);
}

static void add_process(struct jsontext *t, const struct supervisor *s) {
        int error = logsink_error(s->sink);
        char host[256] = "";

        gethostname(host, sizeof(host) - 1);
        jsontext_string(t, "version", BAL_VERSION);
        jsontext_string(t, "hostname", host);
        jsontext_bool(t, "running", true);
        jsontext_number(t, "pid", (uint64_t)getpid());
        jsontext_number(t, "uptime_s", (clock_mono_ms() - s->started_ms) / 1000);
        jsontext_string(t, "config_path", s->config_shown);
        jsontext_number(t, "config_number", s->config_number);
        jsontext_time(t, "config_loaded_at", s->config_loaded_us);
        jsontext_bool(t, "draining", s->stopping);
        jsontext_bool(t, "restarting", s->stop.restart);
        jsontext_number(t, "workers", s->n_workers);
        jsontext_string(t, "log", logsink_target(s->sink));
        jsontext_string(t, "log_error", error < 0 ? strerrorname_np(-error) : NULL);
        jsontext_number(t, "log_dropped", log_dropped());
        jsontext_number(t, "log_suppressed", log_suppressed());
}

static void describe(struct jsontext *t, const struct supervisor *s) {
        struct jsontext pools;
        struct status_sums sums;
        bool warn;

        jsontext_init(&pools, t->out.max);
        status_add_pools(&pools, s, &sums);
        warn = sums.pool_without_backend || sums.pool_holds || sums.protection != PROTECTION_OFF;

        jsontext_open(t, NULL, '{');
        jsontext_string(t, "verdict", warn ? "WARN" : "OK");
        add_process(t, s);
        add_first_frontend(t, s);
        add_totals(t, s);
        jsontext_number(t, "backend_total", sums.backends.total);
        jsontext_number(t, "backend_reachable", sums.backends.reachable);
        jsontext_time_mono(t, "last_check_time", sums.backends.last_ms);
        status_add_protection_mode(t, &sums);
        add_frontends(t, s);
        add_backends(t, s);
        jsontext_part(t, "pools", &pools);
        leaving_describe(&s->leaving, t, "leaving");
        jsontext_close(t, '}');
        jsontext_done(&pools);
}

int status_write(struct varlink_text *ret, const struct supervisor *s) {
        struct jsontext t;

        jsontext_init(&t, BAL_REPLY_MAX);
        describe(&t, s);
        if (t.out.error < 0) {
                int r = t.out.error;

                jsontext_done(&t);
                return r;
        }
        *ret = (struct varlink_text){ t.out.bytes, t.out.n };
        return 0;
}

void status_answer(const struct supervisor *s, struct server_call *call) {
        struct varlink_text text;
        int r = status_write(&text, s);

        if (r == 0)
                server_reply_text(call, &text);
        else
                server_failed(call, r);
}
