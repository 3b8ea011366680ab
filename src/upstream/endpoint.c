/* SPDX-License-Identifier: MIT */

#include "upstream/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define LOAD(x)     atomic_load_explicit(&(x), memory_order_relaxed)
#define STORE(x, v) atomic_store_explicit(&(x), (v), memory_order_relaxed)

const char *connect_failure_word(enum connect_failure f) {
        static const char *const words[] = {
#define X(id, word) word,
                CONNECT_FAILURES(X)
#undef X
        };

        return words[f];
}

enum connect_failure connect_failure_of(int r) {
        switch (r) {
        case -ECONNREFUSED:
        case -ECONNRESET:
                return CONNECT_REFUSED;
        case -ETIMEDOUT:
        case -EAGAIN: /* a Unix socket whose queue is full */
                return CONNECT_TIMEOUT;
        default:
                return CONNECT_OTHER;
        }
}

struct endpoint *endpoint_new(const char *pool,
                              const struct config_endpoint *c,
                              unsigned n_workers) {
        _cleanup_(endpoint_unrefp) struct endpoint *e = aligned_alloc(64, sizeof(*e));
        size_t size = n_workers * sizeof(struct endpoint_counters);

        if (!e)
                return NULL;

        memset(e, 0, sizeof(*e));
        e->refs = 1;
        e->id = c->id;
        e->n_workers = n_workers;
        e->weight = c->weight;
        e->since_us = clock_real_us();
        e->pool = strdup(pool);
        e->name = strdup(c->name);
        e->per_worker = aligned_alloc(64, size);
        if (!e->pool || !e->name || !e->per_worker)
                return NULL;

        memset(e->per_worker, 0, size);
        return take_ptr(e);
}

struct endpoint *endpoint_ref(struct endpoint *e) {
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
        return e;
}

struct endpoint *endpoint_unref(struct endpoint *e) {
        if (!e || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) > 1)
                return NULL;

        free(e->pool);
        free(e->name);
        free(e->per_worker);
        free(e);
        return NULL;
}

bool endpoint_warm(const struct endpoint *e, uint64_t now_ms) {
        return LOAD(e->cool_until_ms) <= now_ms;
}

bool endpoint_cooling(const struct endpoint *e) {
        return LOAD(e->streak) > 0;
}

bool endpoint_claim(struct endpoint *e, uint64_t now_ms, uint32_t patience_ms) {
        uint64_t until = LOAD(e->claim_until_ms);

        if (LOAD(e->streak) == 0)
                return true;
        if (until > now_ms)
                return false;
        return atomic_compare_exchange_strong_explicit(&e->claim_until_ms, &until,
                                                       now_ms + patience_ms, memory_order_relaxed,
                                                       memory_order_relaxed);
}

/* max(cooldown, backoff_initial x 2^(streak - 1) capped at backoff_max) */
static uint64_t cooldown_ms(const struct config_pool *pool, uint32_t streak) {
        uint64_t backoff = pool->backoff_initial_ms;

        for (uint32_t i = 1; i < streak && backoff < pool->backoff_max_ms; i++)
                backoff *= 2;
        if (backoff > pool->backoff_max_ms)
                backoff = pool->backoff_max_ms;
        return backoff > pool->cooldown_ms ? backoff : pool->cooldown_ms;
}

bool endpoint_failed(struct endpoint *e,
                     const struct config_pool *pool,
                     uint64_t now_ms,
                     int error) {
        uint64_t until = LOAD(e->cool_until_ms);
        uint32_t before = LOAD(e->streak), streak = before < UINT32_MAX ? before + 1 : before;

        STORE(e->last_error, error);
        if (until > now_ms)
                return false; /* many sessions met the same failure: it counts once */
        if (!atomic_compare_exchange_strong_explicit(&e->cool_until_ms, &until,
                                                     now_ms + cooldown_ms(pool, streak),
                                                     memory_order_relaxed, memory_order_relaxed))
                return false; /* another worker was just told the same */

        STORE(e->claim_until_ms, 0);
        STORE(e->streak, streak);
        if (before > 0)
                return false;
        STORE(e->since_us, clock_real_us());
        return true;
}

bool endpoint_worked(struct endpoint *e) {
        if (LOAD(e->streak) == 0)
                return false;
        if (atomic_exchange_explicit(&e->streak, 0, memory_order_relaxed) == 0)
                return false;

        STORE(e->cool_until_ms, 0);
        STORE(e->claim_until_ms, 0);
        STORE(e->since_us, clock_real_us());
        return true;
}

void endpoint_sum(const struct endpoint *e, struct endpoint_totals *ret) {
        *ret = (struct endpoint_totals){ 0 };
        for (unsigned i = 0; i < e->n_workers; i++) {
                const struct endpoint_counters *c = &e->per_worker[i];
                uint64_t last = LOAD(c->last_connect_ms);

                ret->sessions_total += LOAD(c->sessions_total);
                ret->bytes_in += LOAD(c->bytes_in);
                ret->bytes_out += LOAD(c->bytes_out);
                ret->sessions_now += LOAD(c->sessions_now);
                for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                        ret->failed[f] += LOAD(c->failed[f]);
                if (last > ret->last_connect_ms)
                        ret->last_connect_ms = last;
        }
}

uint32_t endpoint_active(const struct endpoint *e) {
        uint32_t n = 0;

        for (unsigned i = 0; i < e->n_workers; i++)
                n += LOAD(e->per_worker[i].sessions_now);
        return n;
}
