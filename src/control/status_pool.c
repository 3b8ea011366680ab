/* SPDX-License-Identifier: MIT */

#include "control/state.h"
#include "control/status_parts.h"
#include "health/health.h"

static json_t *reason_of(enum protection_reason r) {
        const char *word = protection_reason_word(r);

        return word ? json_string(word) : json_null();
}

static json_t *activations_of(const struct protection_report *p) {
        json_t *counts = json_object();

        for (enum protection_reason r = PROTECTION_OFF + 1; r < PROTECTION_REASONS_COUNT; r++)
                json_object_set_new(counts, protection_reason_word(r),
                                    json_integer((json_int_t)p->activations[r]));
        return counts;
}

static json_t *protection_of(const struct protection_report *p) {
        return json_pack("{s:b, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "enabled",
                         p->reason != PROTECTION_OFF, "reason", reason_of(p->reason), "since",
                         status_time(p->since_us), "failures", (json_int_t)p->failures, "trigger",
                         (json_int_t)p->trigger, "window_ms", (json_int_t)p->window_ms, "successes",
                         (json_int_t)p->successes, "stable", (json_int_t)p->stable, "activations",
                         activations_of(p), "last_ms",
                         p->last_ms > 0 ? json_integer((json_int_t)p->last_ms) : json_null());
}

void status_add_pool(struct status_tally *t,
                     const struct supervisor *s,
                     const struct upstream_pool *pool) {
        struct protection_report protection;
        size_t reachable = 0, in_use = 0;

        for (size_t i = 0; i < pool->n_endpoints; i++) {
                struct status_backend_summary b;

                json_array_append_new(t->backends,
                                      status_backend(s, pool, &pool->endpoints[i], &b));
                reachable += b.reachable;
                in_use += b.in_use;
                if (b.last_ms > t->last_ms)
                        t->last_ms = b.last_ms;
        }
        health_pool_report(pool->pool, &protection);
        json_array_append_new(
                t->pools,
                json_pack("{s:s, s:I, s:I, s:I, s:o}", "name", pool->config->name, "backend_total",
                          (json_int_t)pool->n_endpoints, "backend_reachable", (json_int_t)reachable,
                          "unavailable_total", (json_int_t)pool_unavailable(pool->pool),
                          "protection", protection_of(&protection)));
        t->total += pool->n_endpoints;
        t->reachable += reachable;
        t->pool_without_backend |= in_use == 0;
        if (t->protection == PROTECTION_OFF)
                t->protection = protection.reason;
}

json_t *status_protection(const struct status_tally *t) {
        return json_pack("{s:b, s:o}", "enabled", t->protection != PROTECTION_OFF, "reason",
                         reason_of(t->protection));
}
