/* SPDX-License-Identifier: MIT */
/* When the service manager hears that bal is ready: connections are accepted, and the first round
 * of checks is over, so that they go where somebody answers; but no later than READY_MAX_MS. The
 * watch of the file comes after it: the kernel may take 10 ms for one, and nothing is missed, as
 * the watch begins with comparing. */

#include "control/state.h"
#include "core/clock.h"

#define READY_MAX_MS  1000
#define READY_LOOK_MS 2 /* a first round of checks takes about one */

static bool first_round_is_over(const struct supervisor *s) {
        for (size_t i = 0; i < s->upstream->config->n_pools; i++) {
                const struct upstream_pool *pool = &s->upstream->pools[i];

                for (size_t j = 0; j < pool->n_endpoints; j++) {
                        struct health_report report;

                        health_endpoint_report(pool->endpoints[j].endpoint, &report);
                        if (report.checked && report.last_ms == 0 &&
                            upstream_has_addrs(&pool->endpoints[j]))
                                return false;
                }
        }
        return true;
}

static void ready(struct supervisor *s) {
        notify_ready(s->notify);
        s->ready_told = true;
        supervisor_watch(s);
}

static int on_look(sd_event_source *source, uint64_t at, void *userdata) {
        struct supervisor *s = userdata;

        (void)at;
        if (s->stopping)
                return 0;
        if (first_round_is_over(s) || clock_mono_ms() - s->listening_ms >= READY_MAX_MS) {
                ready(s);
                return 0;
        }
        sd_event_source_set_time_relative(source, READY_LOOK_MS * 1000);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int ready_start(struct supervisor *s) {
        s->listening_ms = clock_mono_ms();
        if (!s->notify) {
                ready(s);
                return 0;
        }
        /* exactly: left to itself sd-event may be late by a quarter of a second */
        return sd_event_add_time_relative(s->event, NULL, CLOCK_MONOTONIC, 0, 1, on_look, s);
}
