/* SPDX-License-Identifier: MIT */
/*
 * Rendezvous hashing. Each candidate draws, from the client's key and its own id, a number that is
 * exponentially distributed, divides it by its weight, and the smallest wins. Then each wins in
 * proportion to its weight. As nobody's number depends on who else is there, a candidate that is
 * lost moves its own clients only, and one that gets more weight takes clients but moves none among
 * the others.
 *
 * All nodes and all releases have to agree, so this is integer arithmetic from end to end, and a
 * tie goes to the smaller id: the order in the file does not matter. Of two candidates with the
 * same id (a backend named twice) only one is ever picked.
 */

#include "balance/share.h"

#include "balance/log2.h"
#include "core/hash.h"

/* weight is below 2^15 and a draw below 2^47: the products fit. */
static bool beats(uint64_t draw,
                  const struct candidate *c,
                  uint64_t best_draw,
                  const struct candidate *best) {
        uint64_t mine = draw * best->weight, its = best_draw * c->weight;

        return mine < its || (mine == its && c->id < best->id);
}

static ssize_t ip_hash_pick(void *state, const struct candidate *c, size_t n, uint64_t key) {
        uint64_t best_draw = 0;
        ssize_t best = -EHOSTDOWN;

        (void)state;
        key = hash_mix(key);
        for (size_t i = 0; i < n; i++) {
                uint64_t draw;

                if (share_of(&c[i]) == 0)
                        continue;

                draw = log2_minus(hash_mix(c[i].id ^ key));
                if (best < 0 || beats(draw, &c[i], best_draw, &c[best])) {
                        best = (ssize_t)i;
                        best_draw = draw;
                }
        }
        return best;
}

const struct balance_ops balance_ip_hash = {
        .name = "ip_hash",
        .key = BALANCE_KEY_CLIENT,
        .pick = ip_hash_pick,
};
