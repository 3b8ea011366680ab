/* SPDX-License-Identifier: MIT */

#include "proxy/passive.h"

#include "proxy/session.h"
#include "proxy/worker.h"

#define LOAD(x)     atomic_load_explicit(&(x), memory_order_relaxed)
#define STORE(x, v) atomic_store_explicit(&(x), (v), memory_order_relaxed)

/* ---- endpoints ---- */

bool passive_served(struct endpoint *e) {
        if (LOAD(e->let_down) == 0) /* nearly always */
                return false;
        STORE(e->let_down, 0);
        return true;
}

static bool serves(const struct upstream_endpoint *u, uint64_t now_ms) {
        const struct endpoint *e = u->endpoint;

        return upstream_has_addrs(u) && endpoint_state(e) == ENDPOINT_UP &&
               endpoint_warm(e, now_ms) && LOAD(e->weight) > 0 && LOAD(e->let_down) == 0;
}

/* Its last session was served, or it had none yet: a backup is hoped to be better. */
static bool another_serves(const struct endpoint *e,
                           const struct upstream_pool *pool,
                           uint64_t now_ms) {
        for (size_t i = 0; i < pool->n_endpoints; i++)
                if (pool->endpoints[i].endpoint != e && serves(&pool->endpoints[i], now_ms))
                        return true;
        return false;
}

/* The row is not begun anew when the backend is taken out: the session that tries it afterwards is
 * one more of the same row. */
bool passive_let_down(struct endpoint *e, const struct upstream_pool *pool, uint64_t now_ms) {
        uint32_t row = LOAD(e->let_down);

        if (row < PASSIVE_ROW)
                row = atomic_fetch_add_explicit(&e->let_down, 1, memory_order_relaxed) + 1;
        return row >= PASSIVE_ROW && endpoint_warm(e, now_ms) && another_serves(e, pool, now_ms);
}

/* ---- sessions ---- */

void passive_session_served(struct session *s) {
        if (passive_served(s->endpoint->endpoint))
                session_endpoint_works(s);
}

void passive_session_let_down(struct session *s, int failure) {
        struct endpoint *e = s->endpoint->endpoint;

        if (failure == FAILURE_CLOSED)
                COUNTER_ADD(e->per_worker[s->worker->index].failed[CONNECT_CLOSED], 1);
        if (passive_let_down(e, s->target->pool, session_now_ms(s)))
                session_endpoint_broke(s, failure);
}

bool passive_is_sign(const struct passive_close *c) {
        return c->n_said == 0 && !c->client_first && !c->settled && c->quiet_ms < PASSIVE_SOON_MS;
}

static void session_closed_by_server(struct session *s) {
        const struct passive_close c = {
                .n_said = s->down.bytes + s->down.held,
                .quiet_ms = session_now_ms(s) - s->active_ms,
                .client_first = s->client.eof,
                .settled = s->settled,
        };

        if (passive_is_sign(&c))
                passive_session_let_down(s, FAILURE_CLOSED);
}

void passive_heard(struct session *s, uint64_t before, bool open) {
        if (before > 0 || s->http)
                return;
        if (s->down.bytes > 0)
                passive_session_served(s);
        else if (open && s->server->side.eof)
                session_closed_by_server(s);
}

/* With an EOF before the reset it was judged by then. */
void passive_reset(struct session *s) {
        if (!s->http && !s->server->side.eof)
                session_closed_by_server(s);
}

/* A server that only listens is good as well. */
void passive_settled(struct session *s) {
        if (s->up.bytes > 0)
                passive_session_served(s);
}
