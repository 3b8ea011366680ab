/* SPDX-License-Identifier: MIT */

#include "control/state.h"
#include "control/status_parts.h"
#include "health/health.h"

static void add_protection(struct jsontext *t, const struct protection_report *p) {
        jsontext_open(t, "protection", '{');
        jsontext_bool(t, "enabled", p->reason != PROTECTION_OFF);
        jsontext_string(t, "reason", protection_reason_word(p->reason));
        jsontext_time(t, "since", p->since_us);
        jsontext_number(t, "failures", p->failures);
        jsontext_number(t, "trigger", p->trigger);
        jsontext_number(t, "window_ms", p->window_ms);
        jsontext_number(t, "successes", p->successes);
        jsontext_number(t, "stable", p->stable);
        jsontext_open(t, "activations", '{');
        for (enum protection_reason r = PROTECTION_OFF + 1; r < PROTECTION_REASONS_COUNT; r++)
                jsontext_number(t, protection_reason_word(r), p->activations[r]);
        jsontext_close(t, '}');
        if (p->last_ms > 0)
                jsontext_number(t, "last_ms", p->last_ms);
        else
                jsontext_null(t, "last_ms");
        jsontext_close(t, '}');
}

static void add_pool(struct jsontext *t,
                     const struct supervisor *s,
                     const struct upstream_pool *pool,
                     struct status_sums *sums) {
        struct status_tally tally = { 0 };
        struct protection_report protection;
        uint32_t holding = atomic_load_explicit(&pool->pool->holding, memory_order_relaxed);
        struct pool_held held;

        for (size_t i = 0; i < pool->n_endpoints; i++)
                status_count_backend(&tally, s, pool, &pool->endpoints[i]);
        health_pool_report(pool->pool, &protection);
        pool_held_sum(pool->pool, &held);

        jsontext_open(t, NULL, '{');
        jsontext_string(t, "name", pool->config->name);
        jsontext_number(t, "backend_total", tally.total);
        jsontext_number(t, "backend_reachable", tally.reachable);
        jsontext_number(t, "unavailable_total", pool_unavailable(pool->pool));
        jsontext_number(t, "holding", holding);
        jsontext_number(t, "held_total", held.total);
        jsontext_number(t, "held_in_vain_total", held.in_vain);
        add_protection(t, &protection);
        jsontext_close(t, '}');

        sums->backends.total += tally.total;
        sums->backends.reachable += tally.reachable;
        sums->backends.in_use += tally.in_use;
        if (tally.last_ms > sums->backends.last_ms)
                sums->backends.last_ms = tally.last_ms;
        sums->pool_without_backend |= tally.in_use == 0;
        sums->pool_holds |= holding > 0;
        if (sums->protection == PROTECTION_OFF)
                sums->protection = protection.reason;
}

void status_add_pools(struct jsontext *t, const struct supervisor *s, struct status_sums *ret) {
        *ret = (struct status_sums){ 0 };
        jsontext_open(t, NULL, '[');
        for (size_t i = 0; i < s->upstream->config->n_pools; i++)
                add_pool(t, s, &s->upstream->pools[i], ret);
        jsontext_close(t, ']');
}

void status_add_protection_mode(struct jsontext *t, const struct status_sums *sums) {
        jsontext_open(t, "protection_mode", '{');
        jsontext_bool(t, "enabled", sums->protection != PROTECTION_OFF);
        jsontext_string(t, "reason", protection_reason_word(sums->protection));
        jsontext_close(t, '}');
}
