/* SPDX-License-Identifier: MIT */
/*
 * Counters of traffic are looked at where a worker said that there is news, as it does for each
 * failure. For successes it does not, and nobody needs them as long as the pool is not protected;
 * while it is, all counters are read each GUARD_LOOK_MS (health.c).
 *
 * Sessions that a backend closed (CONNECT_CLOSED) count neither way: they are not rare enough in a
 * healthy pool to hold up the end of protection, and a request may be to blame.
 */

#include "health/guard.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "health/check.h"

#define LOG_MODULE "health"

struct guard *guard_new(struct pool *pool) {
        struct guard *g = calloc(1, sizeof(*g));

        if (!g)
                return NULL;
        link_init(&g->link);
        g->pool = pool_ref(pool);
        g->unavailable = pool_unavailable(pool);
        pool->guard = g;
        return g;
}

struct guard *guard_free(struct guard *g) {
        if (!g)
                return NULL;
        link_remove(&g->link);
        atomic_store_explicit(&g->pool->protection, PROTECTION_OFF, memory_order_relaxed);
        g->pool->guard = NULL;
        pool_unref(g->pool);
        free(g);
        return NULL;
}

void guard_adopt(struct guard *g, const struct upstream_pool *view) {
        const struct config_pool *c = view->config;

        g->view = view;
        protection_tune(&g->protection, c->protection_trigger, c->protection_window_ms,
                        c->protection_stable);
}

bool guard_is_on(const struct guard *g) {
        return g->protection.reason != PROTECTION_OFF;
}

/* A storm that most of the pool is in gets fewer checks. While the others carry the load, who is
 * back is to be found in time; and where a session found nobody, the first one is what all wait
 * for. */
bool guard_slows_checks(const struct guard *g) {
        return g->protection.reason == PROTECTION_STORM && !g->nobody && g->few_up;
}

static void look_at(struct guard *g, struct check *c) {
        struct endpoint_totals t;
        uint64_t failed;

        endpoint_sum(c->endpoint, &t);
        failed = t.storm;
        g->failures += failed - c->seen_failed;
        g->successes += t.connected - c->seen_connected;
        if (t.failed[CONNECT_OTHER] != c->seen_other)
                g->other = true;
        c->seen_failed = failed;
        c->seen_connected = t.connected;
        c->seen_other = t.failed[CONNECT_OTHER];
}

static void look_at_all(struct guard *g) {
        size_t n = g->view ? g->view->n_endpoints : 0, up = 0;

        for (size_t i = 0; i < n; i++) {
                struct endpoint *e = g->view->endpoints[i].endpoint;

                up += endpoint_state(e) == ENDPOINT_UP;
                if (e->check)
                        look_at(g, e->check);
        }
        g->few_up = 2 * up < n;
}

/* What was counted so far has nothing to do with what comes. */
static void forget_traffic(struct guard *g) {
        g->failures = g->successes = 0;
        g->other = false;
}

static void switched_on(struct guard *g, uint64_t now_ms) {
        enum protection_reason reason = g->protection.reason;

        g->on_ms = now_ms;
        g->last_ms = 0;
        g->nobody = reason == PROTECTION_UNAVAILABLE;
        g->activations[reason]++;
        look_at_all(g); /* successes from before do not end it */
        forget_traffic(g);
        log_warn(protection_on, "a pool fails as a whole and is protected from more load",
                 F_STR("pool", g->pool->name), F_STR("reason", protection_reason_word(reason)),
                 F_U64("failures", protection_failures(&g->protection, now_ms)),
                 F_U64("trigger", g->protection.trigger),
                 F_U64("window_ms", g->protection.window_ms));
}

static void switched_off(struct guard *g, uint64_t now_ms, enum protection_reason reason) {
        g->last_ms = now_ms - g->on_ms;
        log_info(protection_off, "a pool works again and is not protected any more",
                 F_STR("pool", g->pool->name), F_STR("reason", protection_reason_word(reason)),
                 F_U64("duration_ms", g->last_ms));
}

static void published(struct guard *g, uint64_t now_ms, enum protection_reason before) {
        g->since_us = clock_real_us();
        if (guard_is_on(g))
                switched_on(g, now_ms);
        else
                switched_off(g, now_ms, before);
        atomic_store_explicit(&g->pool->protection, g->protection.reason, memory_order_relaxed);
}

/* A backend that answers badly or closes is there: that is none. The same table as of traffic. */
static bool is_storm(int failure) {
        enum connect_failure f = connect_failure_of(failure);

        return f == CONNECT_TIMEOUT || f == CONNECT_REFUSED;
}

void guard_check(struct guard *g, uint64_t now_ms, int failure) {
        enum protection_reason before = g->protection.reason;
        bool storm = is_storm(failure);

        if (failure != 0)
                g->trouble_ms = now_ms;
        if (failure != 0 && !storm)
                protection_interrupt(&g->protection);
        else if (protection_note(&g->protection, now_ms, storm, !storm))
                published(g, now_ms, before);
}

void guard_traffic(struct guard *g, struct check *c) {
        look_at(g, c);
}

static uint32_t clamp(uint64_t n) {
        return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

void guard_settle(struct guard *g, uint64_t now_ms) {
        enum protection_reason before = g->protection.reason;
        uint64_t unavailable = pool_unavailable(g->pool);
        bool nobody = unavailable > g->unavailable, other = g->other, switched = false;
        uint64_t failures = g->failures, successes = nobody || other ? 0 : g->successes;

        g->unavailable = unavailable;
        forget_traffic(g);
        if (nobody || other || failures > 0)
                g->trouble_ms = now_ms;
        if (nobody) {
                g->nobody = true;
                switched = protection_unavailable(&g->protection, now_ms);
        }
        if (other)
                protection_interrupt(&g->protection);
        if (protection_note(&g->protection, now_ms, clamp(failures), clamp(successes)))
                switched = true;
        if (switched)
                published(g, now_ms, before);
}

static bool has_checks(const struct guard *g) {
        for (size_t i = 0; g->view && i < g->view->n_endpoints; i++) {
                const struct check *c = g->view->endpoints[i].endpoint->check;

                if (c && timer_is_set(&c->timer))
                        return true;
        }
        return false;
}

/* Without checks and without traffic there are no successes, and no failures either: who has not
 * been seen to fail for a whole window gets another chance. */
void guard_look(struct guard *g, uint64_t now_ms) {
        enum protection_reason before;

        look_at_all(g);
        guard_settle(g, now_ms);
        before = g->protection.reason;
        if (guard_is_on(g) && now_ms - g->trouble_ms >= g->protection.window_ms && !has_checks(g) &&
            protection_end(&g->protection, now_ms))
                published(g, now_ms, before);
}

void health_pool_report(const struct pool *p, struct protection_report *ret) {
        const struct guard *g = p->guard;

        *ret = (struct protection_report){ 0 };
        if (!g)
                return;
        ret->reason = g->protection.reason;
        ret->since_us = g->since_us;
        ret->failures = protection_failures(&g->protection, clock_mono_ms());
        ret->trigger = g->protection.trigger;
        ret->window_ms = g->protection.window_ms;
        ret->successes = g->protection.successes;
        ret->stable = g->protection.stable;
        ret->last_ms = g->last_ms;
        for (size_t i = 0; i < ELEMENTS(ret->activations); i++)
                ret->activations[i] = g->activations[i];
}
