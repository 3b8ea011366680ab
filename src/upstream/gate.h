/* SPDX-License-Identifier: MIT */
/*
 * upstream/gate.h - a limit on sessions that holds exactly over all workers, and who waits for it.
 *
 * One atomic step a session: some 20 ns where two workers meet, beside the 50 us that the
 * kernel takes for a connection. A limit of 0 counts and never refuses. Sequentially consistent,
 * because who waits for a place first says so and then tries once more, while who leaves one first
 * leaves and then looks for somebody waiting (proxy/session.c).
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>

#include "core/base.h"

struct gate {
        _Alignas(64) _Atomic uint32_t now; /* sessions inside */
        _Atomic uint32_t max;              /* 0: no limit; the control thread writes */
};

static inline bool gate_enter(struct gate *g) {
        uint32_t max = atomic_load_explicit(&g->max, memory_order_relaxed);
        uint32_t now = atomic_load(&g->now);

        do {
                if (max > 0 && now >= max)
                        return false;
        } while (!atomic_compare_exchange_weak(&g->now, &now, now + 1));
        return true;
}

/* Counts one more that is there already, whatever the limit. */
static inline void gate_add(struct gate *g) {
        atomic_fetch_add(&g->now, 1);
}

static inline void gate_leave(struct gate *g) {
        uint32_t before = atomic_fetch_sub(&g->now, 1);

        assert(before > 0);
        (void)before;
}

static inline uint32_t gate_now(const struct gate *g) {
        return atomic_load_explicit(&g->now, memory_order_relaxed);
}

static inline bool gate_is_over(const struct gate *g) { /* by gate_add(), or a lowered limit */
        uint32_t max = atomic_load_explicit(&g->max, memory_order_relaxed);

        return max > 0 && gate_now(g) > max;
}

static inline bool gate_is_full(const struct gate *g) {
        uint32_t max = atomic_load_explicit(&g->max, memory_order_relaxed);

        return max > 0 && gate_now(g) >= max;
}
