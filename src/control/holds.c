/* SPDX-License-Identifier: MIT */

#include "control/holds.h"

#include "control/state.h"
#include "core/clock.h"

#define LOG_MODULE "supervisor"

/* Clients that come and are served between two looks show in total only. So the end is told at the
 * first look at which nothing has come since the look before. */
enum holds_news holds_look(struct pool_holds *s,
                           uint32_t holding,
                           uint64_t total,
                           uint64_t now_ms) {
        bool more = total != s->seen;

        s->seen = total;
        if (!s->told) {
                if (holding == 0 && total == s->before)
                        return HOLDS_NOTHING;
                if (s->told_ms > 0 && now_ms - s->told_ms < HOLDS_QUIET_MS)
                        return HOLDS_NOTHING;
                s->told = true;
                s->told_ms = now_ms;
                return HOLDS_BEGAN;
        }
        if (holding > 0 || more)
                return HOLDS_NOTHING;
        s->told = false;
        s->n = total - s->before;
        s->before = total;
        return HOLDS_OVER;
}

static void pool_look(struct pool *p, uint64_t hold_ms, uint64_t now_ms) {
        uint32_t holding = atomic_load_explicit(&p->holding, memory_order_relaxed);
        uint64_t in_vain = p->holds.in_vain;
        struct pool_held held;

        pool_held_sum(p, &held);
        switch (holds_look(&p->holds, holding, held.total, now_ms)) {
        case HOLDS_NOTHING:
                break;
        case HOLDS_BEGAN:
                log_warn(hold_began, "clients wait for a backend: none of the pool can take them",
                         F_STR("pool", p->name), F_U64("clients", holding),
                         F_U64("hold_ms", hold_ms));
                break;
        case HOLDS_OVER:
                p->holds.in_vain = held.in_vain;
                log_info(hold_ended, "no client waits for a backend any more",
                         F_STR("pool", p->name), F_U64("clients", p->holds.n),
                         F_U64("in_vain", held.in_vain - in_vain),
                         F_U64("longest_ms", pool_held_longest_ms(p)));
                break;
        }
}

void holds_tick(struct supervisor *s) {
        for (size_t i = 0; i < s->upstream->config->n_pools; i++) {
                const struct upstream_pool *pool = &s->upstream->pools[i];

                pool_look(pool->pool, pool->config->hold_ms, clock_mono_ms());
        }
}
