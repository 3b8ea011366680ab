/* SPDX-License-Identifier: MIT */
/* balance/share.h - what the algorithms have in common: who counts, and who is the busier. */
#pragma once

#include "balance/balance.h"

/* The weight of one that may be picked, 0 of one that may not. */
static inline uint32_t share_of(const struct candidate *c) {
        return c->usable ? c->weight : 0;
}

/* Has a fewer sessions per weight than b? Neither weight is 0. */
static inline bool share_less_busy(const struct candidate *a, const struct candidate *b) {
        return (uint64_t)a->active * b->weight < (uint64_t)b->active * a->weight;
}

static inline bool share_as_busy(const struct candidate *a, const struct candidate *b) {
        return (uint64_t)a->active * b->weight == (uint64_t)b->active * a->weight;
}
