/* SPDX-License-Identifier: MIT */

#include "upstream/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define LOAD(x)     atomic_load_explicit(&(x), memory_order_relaxed)
#define STORE(x, v) atomic_store_explicit(&(x), (v), memory_order_relaxed)

const char *endpoint_state_word(enum endpoint_state s) {
        static const char *const words[] = {
#define X(id, word) word,
                ENDPOINT_STATES(X)
#undef X
        };

        return words[s];
}

static const char *const admin_words[] = {
#define X(id, word) word,
        ADMIN_STATES(X)
#undef X
};

const char *admin_state_word(enum endpoint_admin a) {
        return admin_words[a];
}

int admin_state_find(const char *word) {
        for (int i = 0; i < ADMIN_STATES_COUNT; i++)
                if (strcmp(admin_words[i], word) == 0)
                        return i;
        return -ENOENT;
}

void *counters_new(unsigned n_workers, size_t each) {
        void *counters = aligned_alloc(64, n_workers * each);

        return counters ? memset(counters, 0, n_workers * each) : NULL;
}

struct endpoint *endpoint_new(const char *pool,
                              const struct config_endpoint *c,
                              unsigned n_workers) {
        _cleanup_(endpoint_unrefp) struct endpoint *e = aligned_alloc(64, sizeof(*e));

        if (!e)
                return NULL;

        memset(e, 0, sizeof(*e));
        e->refs = 1;
        e->id = c->id;
        e->n_workers = n_workers;
        e->weight = c->weight;
        e->file_weight = c->weight;
        e->since_us = clock_real_us();
        e->pool = strdup(pool);
        e->name = strdup(c->name);
        e->per_worker = counters_new(n_workers, sizeof(*e->per_worker));
        if (!e->pool || !e->name || !e->per_worker)
                return NULL;

        for (unsigned i = 0; i < n_workers; i++)
                link_init(&e->per_worker[i].warm);
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
        free(e->history);
        free(e);
        return NULL;
}

bool endpoint_warm(const struct endpoint *e, uint64_t now_ms) {
        return LOAD(e->cool_until_ms) <= now_ms;
}

bool endpoint_cooling(const struct endpoint *e) {
        return LOAD(e->streak) > 0;
}

bool endpoint_unserved(const struct endpoint *e) {
        return LOAD(e->unserved);
}

bool endpoint_is_out(const struct endpoint *e) {
        return LOAD(e->down) && !LOAD(e->unserved);
}

bool endpoint_claim(struct endpoint *e, uint64_t now_ms, uint32_t patience_ms) {
        uint64_t until = LOAD(e->claim_until_ms);

        if (until > now_ms)
                return false;
        return atomic_compare_exchange_strong_explicit(&e->claim_until_ms, &until,
                                                       now_ms + patience_ms, memory_order_relaxed,
                                                       memory_order_relaxed);
}

void endpoint_unclaim(struct endpoint *e) {
        STORE(e->claim_until_ms, 0);
}

uint64_t endpoint_retry_ms(const struct endpoint *e) {
        return LOAD(e->claim_until_ms);
}

/* From a failure to the next try: a twenty-fifth of the outage so far. */
static uint64_t pause_ms(const struct endpoint *e, uint64_t now_ms) {
        uint64_t since = LOAD(e->failing_ms), pause = now_ms > since ? (now_ms - since) / 25 : 0;

        if (pause < ENDPOINT_RETRY_MIN_MS)
                return ENDPOINT_RETRY_MIN_MS;
        return pause < ENDPOINT_RETRY_MAX_MS ? pause : ENDPOINT_RETRY_MAX_MS;
}

enum endpoint_state endpoint_state(const struct endpoint *e) {
        switch (LOAD(e->admin)) {
        case ADMIN_DRAIN:
                return ENDPOINT_DRAIN;
        case ADMIN_MAINT:
                return ENDPOINT_MAINT;
        default:
                if (LOAD(e->down))
                        return ENDPOINT_DOWN;
                return endpoint_cooling(e) ? ENDPOINT_COOL : ENDPOINT_UP;
        }
}

uint32_t endpoint_share(const struct endpoint *e, const struct config_pool *pool, uint64_t now_ms) {
        uint32_t weight = LOAD(e->weight), share;
        uint64_t up_at = LOAD(e->up_at_ms), slow = pool->slow_start_ms;

        if (slow == 0)
                return weight;
        if (weight == 0 || up_at == 0 || now_ms >= up_at + slow)
                return weight * SLOW_SCALE;
        share = (uint32_t)(weight * SLOW_SCALE * (now_ms > up_at ? now_ms - up_at : 0) / slow);
        return share > 0 ? share : 1;
}

/* max(cooldown, backoff_initial x 2^(streak - 1) capped at backoff_max), and twice that in a
 * protected pool */
static uint64_t cooldown_ms(const struct config_pool *pool, bool hard, uint32_t streak) {
        uint64_t backoff = pool->backoff_initial_ms;

        for (uint32_t i = 1; i < streak && backoff < pool->backoff_max_ms; i++)
                backoff *= 2;
        if (backoff > pool->backoff_max_ms)
                backoff = pool->backoff_max_ms;
        if (backoff < pool->cooldown_ms)
                backoff = pool->cooldown_ms;
        return hard ? 2 * backoff : backoff;
}

/* A reset may come so soon that it looks like a failed connect: it does not end the row. */
static bool is_unserved(const struct endpoint *e, int error) {
        return failure_is_behind_connect(error) ||
               (LOAD(e->unserved) && connect_failure_of(error) == CONNECT_CLOSED);
}

/* Its state shows as cooling or not, rather than as a mark that somebody made. */
static bool shows_cooling(const struct endpoint *e) {
        return LOAD(e->admin) == ADMIN_READY && !LOAD(e->down);
}

bool endpoint_failed(struct endpoint *e,
                     const struct config_pool *pool,
                     bool hard,
                     uint64_t now_ms,
                     int error) {
        uint64_t until = LOAD(e->cool_until_ms);
        uint32_t before = LOAD(e->streak), streak = before < UINT32_MAX ? before + 1 : before;

        STORE(e->last_error, error);
        if (before == 0)
                STORE(e->failing_ms, now_ms);
        STORE(e->claim_until_ms, now_ms + pause_ms(e, now_ms));
        if (until > now_ms)
                return false; /* many sessions met the same failure: it counts once */
        if (!atomic_compare_exchange_strong_explicit(&e->cool_until_ms, &until,
                                                     now_ms + cooldown_ms(pool, hard, streak),
                                                     memory_order_relaxed, memory_order_relaxed))
                return false; /* another worker was just told the same */

        STORE(e->unserved, is_unserved(e, error));
        STORE(e->streak, streak);
        if (before > 0 || !shows_cooling(e))
                return false;
        STORE(e->since_us, clock_real_us());
        return true;
}

void endpoint_leave_to_checks(struct endpoint *e) {
        STORE(e->unserved, false);
}

void endpoint_still_cool(struct endpoint *e,
                         const struct config_pool *pool,
                         bool hard,
                         uint64_t now_ms) {
        uint32_t streak = LOAD(e->streak);
        uint64_t until = LOAD(e->cool_until_ms), later = now_ms + cooldown_ms(pool, hard, streak);

        if (streak > 0 && until > 0 && until < later) /* lost to a worker that knows better: good */
                atomic_compare_exchange_strong_explicit(&e->cool_until_ms, &until, later,
                                                        memory_order_relaxed, memory_order_relaxed);
}

bool endpoint_worked(struct endpoint *e) {
        if (LOAD(e->streak) == 0)
                return false;
        if (atomic_exchange_explicit(&e->streak, 0, memory_order_relaxed) == 0)
                return false;

        STORE(e->cool_until_ms, 0);
        STORE(e->claim_until_ms, 0);
        STORE(e->unserved, false);
        STORE(e->let_down, 0);
        if (shows_cooling(e))
                STORE(e->since_us, clock_real_us());
        return true;
}

bool endpoint_may_tell(struct endpoint *e, bool cooling, uint64_t now_ms) {
        uint64_t last = LOAD(e->told_ms);

        if (!cooling)
                return atomic_exchange_explicit(&e->told, false, memory_order_relaxed);
        if (last > 0 && now_ms < last + ENDPOINT_TELL_MS)
                return false;
        if (!atomic_compare_exchange_strong_explicit(&e->told_ms, &last, now_ms,
                                                     memory_order_relaxed, memory_order_relaxed))
                return false;
        STORE(e->told, true);
        return true;
}

void endpoint_set_admin(struct endpoint *e,
                        enum endpoint_admin admin,
                        uint64_t deadline_ms,
                        uint64_t now_ms) {
        enum endpoint_admin before = LOAD(e->admin);

        STORE(e->deadline_ms, deadline_ms);
        if (admin == before)
                return;
        if (before == ADMIN_MAINT)
                STORE(e->up_at_ms, now_ms);
        STORE(e->admin, admin);
        STORE(e->since_us, clock_real_us());
}

void endpoint_mark_down(struct endpoint *e, int why, uint64_t now_ms) {
        STORE(e->down_why, why);
        if (LOAD(e->down))
                return;
        STORE(e->down_at_ms, now_ms);
        atomic_store_explicit(&e->down, true, memory_order_release);
        if (LOAD(e->admin) == ADMIN_READY)
                STORE(e->since_us, clock_real_us());
}

void endpoint_mark_up(struct endpoint *e, uint64_t now_ms) {
        if (!LOAD(e->down))
                return;
        STORE(e->up_at_ms, now_ms);
        STORE(e->down, false);
        STORE(e->down_why, 0);
        if (LOAD(e->admin) == ADMIN_READY)
                STORE(e->since_us, clock_real_us());
}

void endpoint_sum(const struct endpoint *e, struct endpoint_totals *ret) {
        *ret = (struct endpoint_totals){ 0 };
        for (unsigned i = 0; i < e->n_workers; i++) {
                const struct endpoint_counters *c = &e->per_worker[i];
                uint64_t last = LOAD(c->last_connect_ms), oldest = LOAD(c->oldest_ms);

                ret->sessions_total += LOAD(c->sessions_total);
                ret->connected += LOAD(c->connected);
                ret->bytes_in += LOAD(c->bytes_in);
                ret->bytes_out += LOAD(c->bytes_out);
                ret->sessions_now += LOAD(c->sessions_now);
                ret->storm += LOAD(c->storm);
                ret->resting += LOAD(c->n_warm);
                for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                        ret->failed[f] += LOAD(c->failed[f]);
                if (LOAD(c->sessions_now) > 0 && oldest > 0 &&
                    (ret->oldest_ms == 0 || oldest < ret->oldest_ms))
                        ret->oldest_ms = oldest;
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

uint32_t endpoint_resting(const struct endpoint *e) {
        uint32_t n = 0;

        for (unsigned i = 0; i < e->n_workers; i++)
                n += atomic_load(&e->per_worker[i].n_warm);
        return n;
}

uint32_t endpoint_excess(const struct endpoint *e) {
        uint32_t max = LOAD(e->gate.max), n;

        if (max == 0)
                return 0;
        n = atomic_load(&e->gate.now) + endpoint_resting(e);
        return n > max ? n - max : 0;
}

bool endpoint_has_worked(const struct endpoint *e) {
        for (unsigned i = 0; i < e->n_workers; i++)
                if (LOAD(e->per_worker[i].connected) > 0)
                        return true;
        return false;
}

bool endpoint_worked_since(const struct endpoint *e, uint64_t since_ms) {
        for (unsigned i = 0; i < e->n_workers; i++)
                if (LOAD(e->per_worker[i].last_good_ms) >= since_ms)
                        return true;
        return false;
}
