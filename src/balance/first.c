/* SPDX-License-Identifier: MIT */

#include "balance/share.h"

static ssize_t first_pick(void *state, const struct candidate *c, size_t n, uint64_t key) {
        (void)state;
        (void)key;
        for (size_t i = 0; i < n; i++)
                if (share_of(&c[i]) > 0)
                        return (ssize_t)i;
        return -EHOSTDOWN;
}

const struct balance_ops balance_first = {
        .name = "first",
        .pick = first_pick,
};
