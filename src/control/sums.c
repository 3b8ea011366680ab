/* SPDX-License-Identifier: MIT */

#include "control/sums.h"

#include "control/state.h"
#include "core/clock.h"

#define LOG_MODULE "supervisor"

#define NAMED_MAX 50 /* backends with a record of their own; with thousands down, the rest share */

struct failures {
        size_t n_named, n_more;
        uint64_t window_ms;
        uint64_t more[CONNECT_FAILURES_COUNT]; /* of the backends without a record */
};

static void log_failures(const char *pool,
                         const char *backend,
                         const uint64_t failed[static CONNECT_FAILURES_COUNT],
                         uint64_t window_ms) {
        log_warn(connect_errors, "connects to a backend failed", F_STR("pool", pool),
                 F_STR("backend", backend), F_U64("timeout", failed[CONNECT_TIMEOUT]),
                 F_U64("refused", failed[CONNECT_REFUSED]), F_U64("other", failed[CONNECT_OTHER]),
                 F_U64("closed", failed[CONNECT_CLOSED]), F_U64("window_ms", window_ms));
}

static void report_endpoint(struct endpoint *e, struct failures *all) {
        uint64_t failed[CONNECT_FAILURES_COUNT], sum = 0;
        struct endpoint_totals now;

        endpoint_sum(e, &now);
        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++) {
                failed[f] = now.failed[f] - e->reported[f];
                e->reported[f] = now.failed[f];
                sum += failed[f];
        }
        if (sum == 0)
                return;
        if (all->n_named < NAMED_MAX) {
                all->n_named++;
                log_failures(e->pool, e->name, failed, all->window_ms);
                return;
        }
        all->n_more++;
        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                all->more[f] += failed[f];
}

static void report_endpoints(struct supervisor *s, uint64_t window_ms) {
        struct failures all = { .window_ms = window_ms };

        for (size_t i = 0; i < s->upstream->config->n_pools; i++)
                for (size_t j = 0; j < s->upstream->pools[i].n_endpoints; j++)
                        report_endpoint(s->upstream->pools[i].endpoints[j].endpoint, &all);
        if (all.n_more > 0)
                log_warn(connect_errors, "connects to more backends failed",
                         F_U64("more", all.n_more), F_U64("timeout", all.more[CONNECT_TIMEOUT]),
                         F_U64("refused", all.more[CONNECT_REFUSED]),
                         F_U64("other", all.more[CONNECT_OTHER]),
                         F_U64("closed", all.more[CONNECT_CLOSED]), F_U64("window_ms", window_ms));
}

/* Of all frontends, since it was told before. */
static uint64_t rejected_now(const struct upstream *u, enum reject_reason why) {
        uint64_t sum = 0;

        for (size_t i = 0; i < u->config->n_frontends; i++) {
                struct frontend *f = u->frontends[i].frontend;
                struct frontend_totals totals;

                frontend_sum(f, &totals);
                sum += totals.rejected[why] - f->told[why];
                f->told[why] = totals.rejected[why];
        }
        return sum;
}

/* bal knows better than the clients whose fault it is. */
static void report_shortage(struct supervisor *s, uint64_t window_ms) {
        uint64_t no_ports = rejected_now(s->upstream, REJECT_NO_PORTS);
        uint64_t resources = rejected_now(s->upstream, REJECT_RESOURCES);

        if (no_ports + resources > 0)
                log_warn(machine_short,
                         "clients were turned away: this machine could not connect to a backend",
                         F_U64("no_ports", no_ports), F_U64("resources", resources),
                         F_U64("window_ms", window_ms));
}

void sums_start(struct supervisor *s) {
        s->sums.at_ms = clock_mono_ms();
}

void sums_report(struct supervisor *s) {
        struct sums before = s->sums;
        struct crew_totals totals;
        uint64_t window_ms;

        if (!s->upstream) /* there has never been a configuration in force */
                return;
        crew_sum(s->crew, &totals);
        s->sums = (struct sums){ .at_ms = clock_mono_ms(),
                                 .rejected = totals.closed[CLOSE_LIMIT] +
                                             totals.closed[CLOSE_QUEUE_TIMEOUT],
                                 .no_backend = totals.closed[CLOSE_NO_BACKEND],
                                 .connect_failed = totals.closed[CLOSE_CONNECT_FAILED] };
        window_ms = s->sums.at_ms - before.at_ms;

        report_endpoints(s, window_ms);
        report_shortage(s, window_ms);
        if (s->sums.rejected > before.rejected)
                log_warn(overload, "connections were turned away: a limit was reached",
                         F_U64("rejected", s->sums.rejected - before.rejected),
                         F_U64("sessions", totals.sessions_now),
                         F_U64("max_connections", s->limits.max_sessions),
                         F_U64("window_ms", window_ms));
        if (s->sums.no_backend + s->sums.connect_failed > before.no_backend + before.connect_failed)
                log_warn(sessions_failed, "clients were turned away: no backend served them",
                         F_U64("no_backend", s->sums.no_backend - before.no_backend),
                         F_U64("connect_failed", s->sums.connect_failed - before.connect_failed),
                         F_U64("window_ms", window_ms));
}
