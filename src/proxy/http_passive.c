/* SPDX-License-Identifier: MIT */
/*
 * health_check.passive: what requests meet counts, too. A row of bad answers takes a backend out
 * as a failed connect does: it cools down, then one request tries it alone, and the control thread
 * counts a failed check. Never the last one: its own errors tell a client more than a 503 of bal's.
 */

#include "proxy/http_parts.h"

#define STORM 5 /* bad answers in a row, over all workers */

static bool is_usable(const struct endpoint *e, uint64_t now_ms) {
        return endpoint_state(e) == ENDPOINT_UP && endpoint_warm(e, now_ms) &&
               atomic_load_explicit(&e->weight, memory_order_relaxed) > 0;
}

static bool has_others(const struct session *s) {
        const struct upstream_pool *pool = s->target->pool;

        for (size_t i = 0; i < pool->n_endpoints; i++)
                if (pool->endpoints[i].endpoint != s->endpoint->endpoint &&
                    is_usable(pool->endpoints[i].endpoint, session_now_ms(s)))
                        return true;
        return false;
}

int http_failure_of(int status) {
        return status >= 500 && status != 501 && status != 505 ? status : 0;
}

void http_judge(struct session *s, int failure) {
        struct endpoint *e = s->endpoint->endpoint;

        if (!s->target->pool->config->check.passive)
                return;
        if (failure == 0) {
                if (atomic_load_explicit(&e->bad_answers, memory_order_relaxed) > 0)
                        atomic_store_explicit(&e->bad_answers, 0, memory_order_relaxed);
                session_endpoint_works(s);
                return;
        }
        if (atomic_fetch_add_explicit(&e->bad_answers, 1, memory_order_relaxed) + 1 < STORM &&
            !endpoint_cooling(e))
                return;
        atomic_store_explicit(&e->bad_answers, 0, memory_order_relaxed);
        if (has_others(s))
                session_endpoint_broke(s, failure);
}
