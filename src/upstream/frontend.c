/* SPDX-License-Identifier: MIT */
/* What is counted at a frontend, by its workers and for the control thread. */

#include <assert.h>

#include "upstream/upstream.h"

#define LOAD(x) atomic_load_explicit(&(x), memory_order_relaxed)

const uint64_t connect_bounds_us[] = { CONNECT_BOUNDS_US };
static_assert(ELEMENTS(connect_bounds_us) == CONNECT_BUCKETS - 1, "a bucket per bound, and one");

const uint64_t wait_bounds_us[] = { WAIT_BOUNDS_US };
static_assert(ELEMENTS(wait_bounds_us) == WAIT_BUCKETS - 1, "a bucket per bound, and one");

const char *reject_reason_word(enum reject_reason r) {
        static const char *const words[] = {
#define X(id, word) word,
                REJECT_REASONS(X)
#undef X
        };

        return words[r];
}

const char *wait_kind_word(enum wait_kind k) {
        static const char *const words[] = {
#define X(id, word) word,
                WAIT_KINDS(X)
#undef X
        };

        return words[k];
}

const char *wait_failure_word(enum wait_failure f) {
        static const char *const words[] = {
#define X(id, word) word,
                WAIT_FAILURES(X)
#undef X
        };

        return words[f];
}

static size_t bucket_of(const uint64_t *bounds_us, size_t n, uint64_t took_us) {
        size_t i = 0;

        while (i < n && took_us > bounds_us[i])
                i++;
        return i;
}

void frontend_connected(struct frontend_counters *c, uint64_t took_us) {
        COUNTER_ADD(c->connects[bucket_of(connect_bounds_us, CONNECT_BUCKETS - 1, took_us)], 1);
        COUNTER_ADD(c->connects_us, took_us);
}

void frontend_waited(struct frontend_counters *c, uint64_t took_us) {
        COUNTER_ADD(c->waits[bucket_of(wait_bounds_us, WAIT_BUCKETS - 1, took_us)], 1);
        COUNTER_ADD(c->waits_us, took_us);
}

void frontend_sum(const struct frontend *f, struct frontend_totals *ret) {
        *ret = (struct frontend_totals){ 0 };
        for (unsigned i = 0; i < f->n_workers; i++) {
                const struct frontend_counters *c = &f->per_worker[i];

                ret->sessions_total += LOAD(c->sessions_total);
                ret->connects_us += LOAD(c->connects_us);
                for (size_t r = 0; r < REJECT_REASONS_COUNT; r++)
                        ret->rejected[r] += LOAD(c->rejected[r]);
                for (size_t b = 0; b < CONNECT_BUCKETS; b++)
                        ret->connects[b] += LOAD(c->connects[b]);
                ret->waits_us += LOAD(c->waits_us);
                for (size_t b = 0; b < WAIT_BUCKETS; b++)
                        ret->waits[b] += LOAD(c->waits[b]);
                for (size_t e = 0; e < WAIT_FAILURES_COUNT; e++)
                        ret->waits_failed[e] += LOAD(c->waits_failed[e]);
        }
}
