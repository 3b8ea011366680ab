/* SPDX-License-Identifier: MIT */
/*
 * balance/balance.h - choosing one of n; a file per algorithm; no locks, state is one worker's.
 *
 *   round_robin        smooth weighted; "weighted" in the configuration is another name for it
 *   least_connections  fewest sessions per weight; compares by multiplying crosswise; ties go round
 *   ip_hash            weighted rendezvous hashing over candidate.id, the same on all nodes and in
 *                      all generations; a lost endpoint moves only its own clients
 *   random             two at random by weight, and of them the less busy
 *   first              the first usable; max_connections makes it overflow to the next
 */
#pragma once

#include <sys/types.h>

#include "core/base.h"

struct candidate {
        uint64_t id;     /* of the configured host:port text: the same on every node */
        uint32_t weight; /* 0..25600, 256 and slow start; 0 is never picked */
        uint32_t active; /* sessions now, all workers; may lag a little */
        bool usable;     /* up, not draining, below max_connections, not tried in this session */
};

/* What the caller passes as key: pick() stays a pure function and its tests deterministic. */
enum balance_key { BALANCE_KEY_NONE, BALANCE_KEY_CLIENT, BALANCE_KEY_RANDOM };

struct balance_ops {
        const char *name; /* as in the configuration */
        enum balance_key key;
        bool wants_active;             /* false: the caller need not fill candidate.active */
        size_t state_size, state_each; /* bytes: size + n * each, zeroed by the caller */
        /* An index; -EHOSTDOWN: none is usable. */
        ssize_t (*pick)(void *state, const struct candidate *c, size_t n, uint64_t key);
};

/* clang-format off */
/* X(name in the configuration) */
#define BALANCE_ALGORITHMS(X)                                                                      \
        X(round_robin)                                                                             \
        X(least_connections)                                                                       \
        X(ip_hash)                                                                                 \
        X(random)                                                                                  \
        X(first)
/* clang-format on */

#define X(name) extern const struct balance_ops balance_##name;
BALANCE_ALGORITHMS(X)
#undef X

const struct balance_ops *balance_find(const char *name); /* NULL: unknown; "weighted" is known */
