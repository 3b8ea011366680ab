/* SPDX-License-Identifier: MIT */
/*
 * Chooses the endpoint of a session: the pool's endpoints become candidates, the algorithm chooses,
 * and the choice is reserved. Reserving may fail although the candidate looked usable (another
 * worker took the last slot, or claimed the endpoint); then the algorithm chooses again without it.
 * So a limit holds exactly and no lock is needed.
 *
 * The last hope. Where nothing else is left, endpoints that rest after a failure are tried all the
 * same, and then those that checks have marked down: the checks may be wrong, or slower than the
 * backend that has just come back. A rest says which endpoint is tried last, never that a client is
 * turned away.
 *
 * An endpoint that has failed is tried by one session at a time, so that not every client has to
 * wait for a host that is still silent, and no host that struggles gets every client's connect. A
 * session that cannot wait for the outcome joins the try.
 */

#include "upstream/upstream.h"

#define LOAD(x) atomic_load_explicit(&(x), memory_order_relaxed)

struct round {
        bool backups; /* instead of the primaries */
        bool hope;    /* endpoints that rest, instead of those that do not */
        bool down;    /* hope: endpoints that are marked down, whether they rest or not */
};

struct search {
        const struct upstream_ask *ask;
        bool full;         /* an endpoint would have been usable but for max_connections */
        bool join;         /* claims of other sessions are ignored */
        uint64_t again_ms; /* the earliest end of a claim that was in the way; 0: none was */
};

static bool was_tried(const struct upstream_ask *ask, size_t i) {
        return ask->tried && (ask->tried[i / 64] >> (i % 64) & 1);
}

/* As far as marks, addresses and earlier failures go. */
static bool is_wanted(const struct upstream_ask *ask, const struct round *round, size_t i) {
        const struct upstream_endpoint *u = &ask->target->pool->endpoints[i];
        const struct endpoint *e = u->endpoint;

        return u->config->backup == round->backups && endpoint_is_out(e) == round->down &&
               LOAD(e->admin) == ADMIN_READY && upstream_has_addrs(u) && !was_tried(ask, i) &&
               (round->down || endpoint_warm(e, ask->now_ms) != round->hope);
}

/* Returns how many candidates there are. */
static size_t fill(struct search *search, const struct round *round) {
        const struct upstream_ask *ask = search->ask;
        const struct upstream_pool *pool = ask->target->pool;
        bool wants_active = ask->balance->wants_active;
        size_t n = 0;

        for (size_t i = 0; i < pool->n_endpoints; i++) {
                const struct upstream_endpoint *u = &pool->endpoints[i];
                const struct endpoint *e = u->endpoint;
                struct candidate *c = &ask->room[i];

                *c = (struct candidate){ .id = e->id,
                                         .weight = endpoint_share(e, pool->config, ask->now_ms) };
                if (c->weight == 0 || !is_wanted(ask, round, i))
                        continue;
                if (gate_is_full(&e->gate)) {
                        search->full = true;
                        continue;
                }

                c->usable = true;
                if (wants_active)
                        c->active = endpoint_active(e);
                n++;
        }
        return n;
}

/* Not an endpoint in good health, nor one that traffic has reached since checks marked it down. */
static bool needs_claim(const struct round *round, const struct endpoint *e) {
        return endpoint_cooling(e) ||
               (round->hope && !endpoint_worked_since(e, LOAD(e->down_at_ms)));
}

static bool may_try(struct search *search, const struct round *round, struct endpoint *e) {
        const struct upstream_ask *ask = search->ask;
        uint64_t again_ms;

        if (!needs_claim(round, e))
                return true;
        if (ask->in_health)
                return false;
        if (endpoint_claim(e, ask->now_ms, ask->target->connect_timeout_ms) || search->join)
                return true;
        again_ms = endpoint_retry_ms(e);
        if (again_ms <= ask->now_ms) /* the claim has ended just now */
                again_ms = ask->now_ms + 1;
        if (search->again_ms == 0 || again_ms < search->again_ms)
                search->again_ms = again_ms;
        return false;
}

static bool choose(struct search *search, const struct round *round, size_t *ret_index) {
        const struct upstream_ask *ask = search->ask;
        const struct upstream_pool *pool = ask->target->pool;
        const struct balance_ops *balance = ask->balance;
        uint64_t key = balance->key == BALANCE_KEY_CLIENT ? ask->client_hash : ask->random;

        for (size_t n = fill(search, round); n > 0; n--) {
                struct endpoint *e;
                ssize_t i;

                i = balance->pick(ask->state, ask->room, pool->n_endpoints, key);
                if (i < 0)
                        break;
                e = pool->endpoints[i].endpoint;
                ask->room[i].usable = false;
                if (!gate_enter(&e->gate)) {
                        search->full = true;
                        continue;
                }
                if (!may_try(search, round, e)) {
                        gate_leave(&e->gate);
                        continue;
                }
                *ret_index = (size_t)i;
                return true;
        }
        return false;
}

static const struct round ordinary[] = {
        { .backups = false },
        { .backups = true },
};
static const struct round hopes[] = {
        { .hope = true },
        { .hope = true, .backups = true },
        { .hope = true, .down = true },
        { .hope = true, .down = true, .backups = true },
};

static bool search_in(struct search *search, const struct round *rounds, size_t n, size_t *ret) {
        for (size_t i = 0; i < n; i++)
                if (choose(search, &rounds[i], ret))
                        return true;
        return false;
}

static bool search_hopes(struct search *search, struct upstream_choice *ret) {
        ret->hope = search_in(search, hopes, ELEMENTS(hopes), &ret->index);
        return ret->hope;
}

enum upstream_pick upstream_pick(const struct upstream_ask *ask, struct upstream_choice *ret) {
        struct search search = { .ask = ask };
        bool full;

        ret->hope = false;
        if (search_in(&search, ordinary, ELEMENTS(ordinary), &ret->index))
                return PICK_ENDPOINT;
        full = search.full; /* a full one works, which no last hope is known to do */
        if (full && ask->queues)
                return PICK_FULL;
        if (search_hopes(&search, ret))
                return PICK_ENDPOINT;
        if (full)
                return PICK_FULL;

        search.join = ask->insists;
        if (search.join && (search_in(&search, ordinary, ELEMENTS(ordinary), &ret->index) ||
                            search_hopes(&search, ret)))
                return PICK_ENDPOINT;
        if (search.again_ms == 0)
                return search.full ? PICK_FULL : PICK_NOBODY;
        ret->again_ms = search.again_ms;
        return PICK_LATER;
}

void upstream_release(const struct upstream_endpoint *e) {
        gate_leave(&e->endpoint->gate);
}
