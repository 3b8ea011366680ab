/* SPDX-License-Identifier: MIT */

#include "control/rates.h"

#include <stdlib.h>

#include "control/state.h"
#include "core/clock.h"

struct second { /* what has happened since the sample before */
        uint64_t opened, failed, active;
};

/* The history of one that is new begins with the first second after its first sample. */
static void remember(struct endpoint *e, const struct second *one) {
        if (!e->history)
                e->history = calloc(1, sizeof(*e->history));
        else
                history_add(e->history, one->opened, one->failed, one->active,
                            endpoint_state(e) == ENDPOINT_DOWN);
}

/* One walk over all counters serves rates and history. An endpoint that is new has zeros where the
 * samples before its time are, which is what its totals were then. */
static void sample_endpoint(struct endpoint *e, size_t n, struct sample *sum) {
        struct endpoint_sample *now = &e->samples[n % ENDPOINT_SAMPLES];
        const struct endpoint_sample *before = &e->samples[(n - 1) % ENDPOINT_SAMPLES];
        struct endpoint_totals t;
        uint64_t failed = 0;

        endpoint_sum(e, &t);
        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++) {
                sum->failed[f] += t.failed[f];
                failed += t.failed[f];
        }
        *now = (struct endpoint_sample){ (uint32_t)t.sessions_total, (uint32_t)failed };
        if (n > 0)
                remember(e, &(struct second){ now->sessions - before->sessions,
                                              now->failed - before->failed, t.sessions_now });
}

static uint64_t failed_of(const struct sample *s) {
        uint64_t sum = 0;

        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                sum += s->failed[f];
        return sum;
}

void rates_sample(struct supervisor *s) {
        size_t n = s->rates.n;
        const struct sample *before = &s->rates.samples[(n - 1) % ENDPOINT_SAMPLES];
        struct sample *now = &s->rates.samples[n % ENDPOINT_SAMPLES];
        struct crew_totals totals;

        crew_sum(s->crew, &totals);
        *now = (struct sample){ .at_ms = clock_mono_ms(),
                                .opened = totals.opened,
                                .rejected = totals.closed[CLOSE_LIMIT] +
                                            totals.closed[CLOSE_QUEUE_TIMEOUT] };
        leaving_failed(&s->leaving, now->failed); /* so that the sum never becomes less */
        for (size_t i = 0; i < s->upstream->config->n_pools; i++)
                for (size_t j = 0; j < s->upstream->pools[i].n_endpoints; j++)
                        sample_endpoint(s->upstream->pools[i].endpoints[j].endpoint, n, now);
        if (n > 0)
                history_add(&s->rates.history, now->opened - before->opened,
                            failed_of(now) - failed_of(before), totals.sessions_now, false);
        s->rates.n++;
}

/* The first and the last sample there is, as indices, and the time between them. */
struct window {
        size_t first, last;
        uint64_t ms;
};

static bool window_of(const struct rates *r, struct window *ret) {
        size_t back = r->n < ENDPOINT_SAMPLES ? r->n : ENDPOINT_SAMPLES;

        if (back < 2)
                return false;
        ret->last = (r->n - 1) % ENDPOINT_SAMPLES;
        ret->first = (r->n - back) % ENDPOINT_SAMPLES;
        ret->ms = r->samples[ret->last].at_ms - r->samples[ret->first].at_ms;
        return ret->ms > 0;
}

static double per_second(uint64_t n, uint64_t ms) {
        return (double)n * 1000.0 / (double)ms;
}

void rates_of_all(const struct supervisor *s, struct rates_of_all *ret) {
        const struct sample *first, *last;
        struct window w;

        *ret = (struct rates_of_all){ 0 };
        if (!window_of(&s->rates, &w))
                return;
        first = &s->rates.samples[w.first];
        last = &s->rates.samples[w.last];
        ret->opened = per_second(last->opened - first->opened, w.ms);
        ret->rejected = per_second(last->rejected - first->rejected, w.ms);
        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                ret->failed[f] = per_second(last->failed[f] - first->failed[f], w.ms);
}

void rates_of_endpoint(const struct supervisor *s,
                       const struct endpoint *e,
                       struct rates_of_endpoint *ret) {
        const struct endpoint_sample *first, *last;
        struct window w;

        *ret = (struct rates_of_endpoint){ 0 };
        if (!window_of(&s->rates, &w))
                return;
        first = &e->samples[w.first];
        last = &e->samples[w.last];
        ret->opened = per_second(last->sessions - first->sessions, w.ms);
        ret->failed = per_second(last->failed - first->failed, w.ms);
}
