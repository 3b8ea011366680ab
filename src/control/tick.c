/* SPDX-License-Identifier: MIT */
/* What is told by the clock: samples for rates, and failures summed up, so that a backend that is
 * gone costs a line in ten seconds and not one per connect. */

#include "control/state.h"
#include "core/clock.h"

#define LOG_MODULE "supervisor"

#define TICK_US      ((uint64_t)1000000)
#define REPORT_TICKS 10

uint32_t supervisor_sessions(const struct supervisor *s) {
        struct crew_totals totals;

        crew_sum(s->crew, &totals);
        return totals.sessions_now;
}

static void sample_take(const struct supervisor *s, struct sample *ret) {
        struct crew_totals totals;

        crew_sum(s->crew, &totals);
        *ret = (struct sample){ .at_ms = clock_mono_ms(),
                                .opened = totals.opened,
                                .rejected = totals.closed[CLOSE_LIMIT] +
                                            totals.closed[CLOSE_QUEUE_TIMEOUT] };
        for (size_t i = 0; i < s->upstream->config->n_pools; i++)
                for (size_t j = 0; j < s->upstream->pools[i].n_endpoints; j++) {
                        struct endpoint_totals e;

                        endpoint_sum(s->upstream->pools[i].endpoints[j].endpoint, &e);
                        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                                ret->failed[f] += e.failed[f];
                }
}

/* A reload may take a backend and its counters away; then there was nothing, not less. */
static double rate(uint64_t now, uint64_t before, uint64_t ms) {
        return now > before && ms > 0 ? (double)(now - before) * 1000.0 / (double)ms : 0.0;
}

void supervisor_rates(const struct supervisor *s, struct supervisor_rates *ret) {
        const struct sample *newest, *oldest;
        size_t back = s->n_samples < SAMPLES ? s->n_samples : SAMPLES;
        uint64_t ms;

        *ret = (struct supervisor_rates){ 0 };
        if (back < 2)
                return;
        newest = &s->samples[(s->n_samples - 1) % SAMPLES];
        oldest = &s->samples[(s->n_samples - back) % SAMPLES];
        ms = newest->at_ms - oldest->at_ms;
        ret->opened = rate(newest->opened, oldest->opened, ms);
        ret->rejected = rate(newest->rejected, oldest->rejected, ms);
        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                ret->failed[f] = rate(newest->failed[f], oldest->failed[f], ms);
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

static int on_tick(sd_event_source *source, uint64_t at, void *userdata) {
        struct supervisor *s = userdata;
        struct sample *now = &s->samples[s->n_samples % SAMPLES];

        (void)at;
        sample_take(s, now);
        s->n_samples++;
        if (++s->n_ticks % REPORT_TICKS == 0)
                report(s, now);
        sd_event_source_set_time_relative(source, TICK_US);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int tick_start(struct supervisor *s) {
        sample_take(s, &s->samples[0]);
        s->n_samples = 1;
        return sd_event_add_time_relative(s->event, &s->tick_source, CLOCK_MONOTONIC, TICK_US,
                                          TICK_US / 10, on_tick, s);
}
