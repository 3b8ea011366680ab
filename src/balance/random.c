/* SPDX-License-Identifier: MIT */
/*
 * Two different ones at random, each with the probability of its weight, and of them the less busy;
 * if they are equally busy, the one drawn first, so that without load the weights decide alone. Two
 * choices keep the busiest backend far closer to the mean than one does, and unlike "the least busy
 * of all" they do not send every worker to the same backend when the counts lag.
 */

#include "balance/share.h"

#include "core/hash.h"

/* 0 .. below - 1, from the upper half of a random number; below < 2^32. */
static uint64_t draw(uint64_t random, uint64_t below) {
        return (random >> 32) * below >> 32;
}

/* Whom a dart hits that was thrown at all the weights in a row, without skip's. */
static ssize_t find_hit(const struct candidate *c, size_t n, ssize_t skip, uint64_t dart) {
        for (size_t i = 0; i < n; i++) {
                uint32_t share = (ssize_t)i == skip ? 0 : share_of(&c[i]);

                if (dart < share)
                        return (ssize_t)i;
                dart -= share;
        }
        return -EHOSTDOWN;
}

static ssize_t random_pick(void *state, const struct candidate *c, size_t n, uint64_t key) {
        ssize_t first, second;
        uint64_t total = 0;

        (void)state;
        for (size_t i = 0; i < n; i++)
                total += share_of(&c[i]);
        if (total == 0)
                return -EHOSTDOWN;

        first = find_hit(c, n, -1, draw(hash_mix(key), total));
        total -= c[first].weight;
        if (total == 0)
                return first;

        second = find_hit(c, n, first, draw(hash_mix(~key), total));
        return share_less_busy(&c[second], &c[first]) ? second : first;
}

const struct balance_ops balance_random = {
        .name = "random",
        .key = BALANCE_KEY_RANDOM,
        .wants_active = true,
        .pick = random_pick,
};
