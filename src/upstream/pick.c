/* SPDX-License-Identifier: MIT */
/*
 * Who gets the session: the pool's endpoints become candidates, the algorithm chooses, and what it
 * chose is reserved. Reserving may fail although the candidate looked usable (another worker took
 * the last place, or tries the endpoint after its cooldown); then the algorithm chooses again
 * without it. So a limit holds exactly and no lock is needed.
 *
 * The last hope. Where nothing else is left, endpoints that checks have marked down are tried all
 * the same: the checks may be wrong, or slower than the backend that has just come back.
 *
 * An endpoint fresh out of its cooldown is tried by one session alone, so that not every client has
 * to wait for a host that is still silent. Only who has no other choice joins.
 */

#include "upstream/upstream.h"

#define LOAD(x) atomic_load_explicit(&(x), memory_order_relaxed)

struct tally {
        size_t usable;
        bool full; /* an endpoint would have been usable but for max_connections */
};

static bool was_tried(const struct upstream_ask *ask, size_t i) {
        return ask->tried && (ask->tried[i / 64] >> (i % 64) & 1);
}

static bool is_full(const struct endpoint *e) {
        uint32_t max = LOAD(e->gate.max);

        return max > 0 && gate_now(&e->gate) >= max;
}

struct round {
        bool join;    /* an endpoint that another session is trying after its cooldown will do */
        bool backups; /* instead of the primaries */
        bool down;    /* those that are marked down, instead of those that are not */
};

/* As far as marks, addresses and earlier failures go. */
static bool is_wanted(const struct upstream_ask *ask, const struct round *round, size_t i) {
        const struct upstream_endpoint *u = &ask->target->pool->endpoints[i];
        const struct endpoint *e = u->endpoint;

        return u->config->backup == round->backups && LOAD(e->down) == round->down &&
               LOAD(e->admin) == ADMIN_READY && u->n_addrs > 0 && !was_tried(ask, i) &&
               endpoint_warm(e, ask->now_ms);
}

static struct tally fill(const struct upstream_ask *ask, const struct round *round) {
        const struct upstream_pool *pool = ask->target->pool;
        bool wants_active = ask->balance->wants_active;
        struct tally tally = { 0 };

        for (size_t i = 0; i < pool->n_endpoints; i++) {
                const struct upstream_endpoint *u = &pool->endpoints[i];
                const struct endpoint *e = u->endpoint;
                struct candidate *c = &ask->room[i];

                *c = (struct candidate){ .id = e->id,
                                         .weight = endpoint_share(e, pool->config, ask->now_ms) };
                if (c->weight == 0 || !is_wanted(ask, round, i))
                        continue;
                if (is_full(e)) {
                        tally.full = true;
                        continue;
                }

                c->usable = true;
                if (wants_active)
                        c->active = endpoint_active(e);
                tally.usable++;
        }
        return tally;
}

static enum upstream_pick choose(const struct upstream_ask *ask,
                                 struct tally tally,
                                 bool join,
                                 size_t *ret_index) {
        const struct upstream_pool *pool = ask->target->pool;
        const struct balance_ops *balance = ask->balance;
        uint64_t key = balance->key == BALANCE_KEY_CLIENT ? ask->client_hash : ask->random;

        for (; tally.usable > 0; tally.usable--) {
                struct endpoint *e;
                ssize_t i;

                i = balance->pick(ask->state, ask->room, pool->n_endpoints, key);
                if (i < 0)
                        break;
                e = pool->endpoints[i].endpoint;
                ask->room[i].usable = false;
                if (!gate_enter(&e->gate)) {
                        tally.full = true;
                        continue;
                }
                if (!endpoint_claim(e, ask->now_ms, ask->target->connect_timeout_ms) && !join) {
                        gate_leave(&e->gate);
                        continue;
                }
                *ret_index = (size_t)i;
                return PICK_ENDPOINT;
        }
        return tally.full ? PICK_FULL : PICK_NOBODY;
}

static enum upstream_pick choose_in(const struct upstream_ask *ask,
                                    const struct round *rounds,
                                    size_t n,
                                    size_t *ret_index) {
        bool full = false;

        for (size_t i = 0; i < n; i++) {
                struct tally tally = fill(ask, &rounds[i]);
                enum upstream_pick pick = choose(ask, tally, rounds[i].join, ret_index);

                if (pick == PICK_ENDPOINT)
                        return pick;
                full |= pick == PICK_FULL;
        }
        return full ? PICK_FULL : PICK_NOBODY;
}

enum upstream_pick upstream_pick(const struct upstream_ask *ask, size_t *ret_index) {
        static const struct round ordinary[] = {
                { .join = false },
                { .join = false, .backups = true },
                { .join = true },
                { .join = true, .backups = true },
        };
        static const struct round last_hope[] = {
                { .join = true, .down = true },
                { .join = true, .backups = true, .down = true },
        };
        enum upstream_pick pick = choose_in(ask, ordinary, ELEMENTS(ordinary), ret_index);

        /* One that is only full is a better hope: it works. */
        if (pick != PICK_NOBODY || pool_protected(ask->target->pool->pool))
                return pick;
        return choose_in(ask, last_hope, ELEMENTS(last_hope), ret_index);
}

void upstream_release(const struct upstream_endpoint *e) {
        gate_leave(&e->endpoint->gate);
}
