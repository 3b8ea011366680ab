/* SPDX-License-Identifier: MIT */
/* What is told by the clock: failures summed up, so that a backend that is gone costs a line in ten
 * seconds and not one per connect. */

#include "control/state.h"

#define LOG_MODULE "supervisor"

#define TICK_US      ((uint64_t)1000000)
#define REPORT_TICKS 10

uint32_t supervisor_sessions(const struct supervisor *s) {
        struct crew_totals totals;

        crew_sum(s->crew, &totals);
        return totals.sessions_now;
}

static void report_endpoint(struct endpoint *e) {
        struct endpoint_totals now;
        uint64_t more[CONNECT_FAILURES_COUNT], sum = 0;

        endpoint_sum(e, &now);
        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++) {
                more[f] = now.failed[f] - e->reported[f];
                e->reported[f] = now.failed[f];
                sum += more[f];
        }
        if (sum > 0)
                log_warn(connect_errors, "connects to a backend failed", F_STR("pool", e->pool),
                         F_STR("backend", e->name), F_U64("timeout", more[CONNECT_TIMEOUT]),
                         F_U64("refused", more[CONNECT_REFUSED]),
                         F_U64("other", more[CONNECT_OTHER]),
                         F_U64("window_ms", REPORT_TICKS * TICK_US / 1000));
}

static void report(struct supervisor *s, const struct sample *now) {
        for (size_t i = 0; i < s->upstream->config->n_pools; i++)
                for (size_t j = 0; j < s->upstream->pools[i].n_endpoints; j++)
                        report_endpoint(s->upstream->pools[i].endpoints[j].endpoint);
        if (now->rejected > s->reported.rejected)
                log_warn(overload, "connections were turned away: a limit was reached",
                         F_U64("rejected", now->rejected - s->reported.rejected),
                         F_U64("sessions", supervisor_sessions(s)),
                         F_U64("max_connections", s->limits.max_sessions),
                         F_U64("window_ms", REPORT_TICKS * TICK_US / 1000));
        s->reported = *now;
}

/* For the service manager's line about bal. */
static void tell_manager(struct supervisor *s) {
        struct notify_facts facts = { .sessions = supervisor_sessions(s) };

        for (size_t i = 0; i < s->upstream->config->n_pools; i++) {
                const struct upstream_pool *pool = &s->upstream->pools[i];

                facts.backends += pool->n_endpoints;
                facts.protected += pool_protected(pool->pool);
                for (size_t j = 0; j < pool->n_endpoints; j++)
                        facts.up += pool->endpoints[j].n_addrs > 0 &&
                                    endpoint_state(pool->endpoints[j].endpoint) == ENDPOINT_UP;
        }
        notify_tick(s->notify, &facts);
}

static int on_tick(sd_event_source *source, uint64_t at, void *userdata) {
        struct supervisor *s = userdata;

        (void)at;
        leaving_tick(&s->leaving);
        rates_sample(s);
        if (++s->n_ticks % REPORT_TICKS == 0)
                report(s, rates_newest(s));
        if (s->notify)
                tell_manager(s);
        sd_event_source_set_time_relative(source, TICK_US);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int tick_start(struct supervisor *s) {
        rates_sample(s);
        return sd_event_add_time_relative(s->event, &s->tick_source, CLOCK_MONOTONIC, TICK_US,
                                          TICK_US / 10, on_tick, s);
}
