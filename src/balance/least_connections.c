/* SPDX-License-Identifier: MIT */
/*
 * Fewest sessions per weight. Where sessions are short, most picks are ties, all at zero; then the
 * turn decides. Each candidate has a turn, on one scale for all; the lowest goes first and moves up
 * by 1 / weight, so ties are shared by weight too. Who was away or busy does not keep an old turn,
 * or he would win every tie until he has caught up: nobody's turn is before that of the last
 * picked.
 */

#include "balance/share.h"

#define TURN (UINT64_C(1) << 20) /* one pick at weight 1; the scale may wrap around */

struct state {
        uint64_t now; /* the turn of the last picked */
        uint64_t turn[];
};

/* How far from now; not before it. */
static uint64_t turns_ahead(const struct state *s, size_t i) {
        int64_t ahead = (int64_t)(s->turn[i] - s->now);

        return ahead > 0 ? (uint64_t)ahead : 0;
}

static bool goes_before(const struct state *s, const struct candidate *c, size_t i, size_t best) {
        if (share_less_busy(&c[i], &c[best]))
                return true;
        return share_as_busy(&c[i], &c[best]) && turns_ahead(s, i) < turns_ahead(s, best);
}

static ssize_t least_connections_pick(void *state,
                                      const struct candidate *c,
                                      size_t n,
                                      uint64_t key) {
        struct state *s = state;
        ssize_t best = -EHOSTDOWN;

        (void)key;
        for (size_t i = 0; i < n; i++)
                if (share_of(&c[i]) > 0 && (best < 0 || goes_before(s, c, i, (size_t)best)))
                        best = (ssize_t)i;
        if (best < 0)
                return best;

        s->now += turns_ahead(s, (size_t)best);
        s->turn[best] = s->now + TURN / c[best].weight;
        return best;
}

const struct balance_ops balance_least_connections = {
        .name = "least_connections",
        .wants_active = true,
        .state_size = sizeof(struct state),
        .state_each = sizeof(uint64_t),
        .pick = least_connections_pick,
};
