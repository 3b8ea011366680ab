/* SPDX-License-Identifier: MIT */
/* What is told by the clock: failures summed up, so that a backend that is gone costs a line in ten
 * seconds and not one per connect. */

#include "control/holds.h"
#include "control/state.h"

#define LOG_MODULE "supervisor"

#define TICK_US      ((uint64_t)1000000)
#define REPORT_TICKS 10

uint32_t supervisor_sessions(const struct supervisor *s) {
        struct crew_totals totals;

        crew_sum(s->crew, &totals);
        return totals.sessions_now;
}

/* For the service manager's line about bal. */
static void tell_manager(struct supervisor *s) {
        struct notify_facts facts = { .sessions = supervisor_sessions(s) };

        for (size_t i = 0; i < s->upstream->config->n_pools; i++) {
                const struct upstream_pool *pool = &s->upstream->pools[i];

                facts.backends += pool->n_endpoints;
                facts.protected += pool_protected(pool->pool);
                for (size_t j = 0; j < pool->n_endpoints; j++)
                        facts.up += upstream_has_addrs(&pool->endpoints[j]) &&
                                    endpoint_state(pool->endpoints[j].endpoint) == ENDPOINT_UP;
        }
        notify_tick(s->notify, &facts);
}

static int on_tick(sd_event_source *source, uint64_t at, void *userdata) {
        struct supervisor *s = userdata;

        (void)at;
        leaving_tick(&s->leaving);
        rates_sample(s);
        holds_tick(s);
        if (++s->n_ticks % REPORT_TICKS == 0)
                sums_report(s);
        if (s->notify)
                tell_manager(s);
        metrics_tick(s->metrics);
        sd_event_source_set_time_relative(source, TICK_US);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int tick_start(struct supervisor *s) {
        rates_sample(s);
        sums_start(s);
        return sd_event_add_time_relative(s->event, &s->tick_source, CLOCK_MONOTONIC, TICK_US,
                                          TICK_US / 10, on_tick, s);
}
