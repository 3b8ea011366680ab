/* SPDX-License-Identifier: MIT */
/*
 * Who gets the session: the pool's endpoints become candidates, the algorithm chooses, and what it
 * chose is reserved. Reserving may fail although the candidate looked usable (another worker took
 * the last place, or tries the endpoint after its cooldown); then the algorithm chooses again
 * without it. So a limit holds exactly and no lock is needed.
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

/* One tier's candidates: the primaries, or the backups. */
static struct tally fill(const struct upstream_ask *ask, bool backups) {
        const struct upstream_pool *pool = ask->frontend->pool;
        bool wants_active = ask->frontend->config->balance->wants_active;
        struct tally tally = { 0 };

        for (size_t i = 0; i < pool->n_endpoints; i++) {
                const struct upstream_endpoint *u = &pool->endpoints[i];
                const struct endpoint *e = u->endpoint;
                struct candidate *c = &ask->room[i];

                *c = (struct candidate){ .id = u->config->id, .weight = LOAD(e->weight) };
                if (u->config->backup != backups || c->weight == 0 || u->n_addrs == 0)
                        continue;
                if (was_tried(ask, i) || !endpoint_warm(e, ask->now_ms))
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

/* join: an endpoint that another session is trying after its cooldown will do, too. */
static enum upstream_pick choose(const struct upstream_ask *ask,
                                 struct tally tally,
                                 bool join,
                                 size_t *ret_index) {
        const struct upstream_frontend *f = ask->frontend;
        const struct balance_ops *balance = f->config->balance;
        uint64_t key = balance->key == BALANCE_KEY_CLIENT ? ask->client_hash : ask->random;

        for (; tally.usable > 0; tally.usable--) {
                struct endpoint *e;
                ssize_t i;

                i = balance->pick(ask->state, ask->room, f->pool->n_endpoints, key);
                if (i < 0)
                        break;
                e = f->pool->endpoints[i].endpoint;
                ask->room[i].usable = false;
                if (!gate_enter(&e->gate)) {
                        tally.full = true;
                        continue;
                }
                if (!endpoint_claim(e, ask->now_ms, f->config->connect_timeout_ms) && !join) {
                        gate_leave(&e->gate);
                        continue;
                }
                *ret_index = (size_t)i;
                return PICK_ENDPOINT;
        }
        return tally.full ? PICK_FULL : PICK_NOBODY;
}

enum upstream_pick upstream_pick(const struct upstream_ask *ask, size_t *ret_index) {
        static const struct {
                bool join, backups;
        } rounds[] = { { false, false }, { false, true }, { true, false }, { true, true } };
        bool full = false;

        for (size_t i = 0; i < ELEMENTS(rounds); i++) {
                struct tally tally = fill(ask, rounds[i].backups);
                enum upstream_pick pick = choose(ask, tally, rounds[i].join, ret_index);

                if (pick == PICK_ENDPOINT)
                        return pick;
                full |= pick == PICK_FULL;
        }
        return full ? PICK_FULL : PICK_NOBODY;
}

void upstream_release(const struct upstream_endpoint *e) {
        gate_leave(&e->endpoint->gate);
}
