/* SPDX-License-Identifier: MIT */
/*
 * Smooth weighted round robin, by credits. At each pick everybody who may be picked earns his share
 * of one pick, the richest is picked and pays a whole one. With weights 5, 1 and 1 that gives a a b
 * a c a a, not a a a a a b c.
 *
 * Credits are counted in picks, not in weights as is usual: so they keep their meaning when weights
 * change or when somebody comes or goes and the total becomes another. Who may not be picked
 * neither earns nor pays, and comes back with what he had, less than a pick as a rule. Sets that
 * change at every pick can drive a credit further; CREDIT_MAX is more than any fixed set ever
 * reaches, and makes sure that nobody comes back with a burst saved up or is left out for long.
 */

#include "balance/share.h"

#define ONE_PICK   (INT64_C(1) << 40) /* roughly: see below */
#define CREDIT_MAX (2 * ONE_PICK)

static int64_t clamp(int64_t credit) {
        if (credit > CREDIT_MAX)
                return CREDIT_MAX;
        return credit < -CREDIT_MAX ? -CREDIT_MAX : credit;
}

static ssize_t round_robin_pick(void *state, const struct candidate *c, size_t n, uint64_t key) {
        int64_t *credit = state, total = 0, per_weight;
        ssize_t best = -EHOSTDOWN;

        (void)key;
        for (size_t i = 0; i < n; i++)
                total += share_of(&c[i]);
        if (total == 0)
                return -EHOSTDOWN;

        per_weight = ONE_PICK / total;
        for (size_t i = 0; i < n; i++) {
                int64_t share = share_of(&c[i]);

                if (share == 0)
                        continue;

                credit[i] = clamp(credit[i] + share * per_weight);
                if (best < 0 || credit[i] > credit[best])
                        best = (ssize_t)i;
        }

        credit[best] -= total * per_weight; /* exactly what all have earned: nothing is lost */
        return best;
}

const struct balance_ops balance_round_robin = {
        .name = "round_robin",
        .state_each = sizeof(int64_t),
        .pick = round_robin_pick,
};
