/* SPDX-License-Identifier: MIT */
/* What the tests of the algorithms share: candidates, state, a reproducible random number. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "balance/balance.h"
#include "core/hash.h"

#define RIG_MAX 4096

struct rig {
        const struct balance_ops *ops;
        void *state;
        size_t n;
        uint64_t seed;
        struct candidate c[RIG_MAX];
        unsigned picked[RIG_MAX];
};

/* n usable, idle candidates of weight 1 with ids as different as real ones; free with
 * rig_free(). */
static inline struct rig *rig_new(const struct balance_ops *ops, size_t n) {
        struct rig *rig = calloc(1, sizeof(*rig));

        assert_non_null(rig);
        assert_true(n <= RIG_MAX);
        rig->ops = ops;
        rig->n = n;
        rig->state = calloc(1, ops->state_size + n * ops->state_each + 1);
        assert_non_null(rig->state);
        for (size_t i = 0; i < n; i++)
                rig->c[i] = (struct candidate){
                        .id = hash_bytes(&i, sizeof(i)),
                        .weight = 1,
                        .usable = true,
                };
        return rig;
}

static inline void rig_free(struct rig *rig) {
        free(rig->state);
        free(rig);
}

static inline uint64_t rig_random(struct rig *rig) {
        return hash_mix(rig->seed += UINT64_C(0x9e3779b97f4a7c15));
}

/* One pick; says who and counts him. It must be one that may be picked. */
static inline ssize_t rig_pick(struct rig *rig, uint64_t key) {
        ssize_t i = rig->ops->pick(rig->state, rig->c, rig->n, key);

        if (i < 0) {
                assert_int_equal(i, -EHOSTDOWN);
                return i;
        }
        assert_true((size_t)i < rig->n);
        assert_true(rig->c[i].usable && rig->c[i].weight > 0);
        rig->picked[i]++;
        return i;
}

/* |picked - expected| <= tolerance */
static inline void rig_expect(const struct rig *rig, size_t i, double expected, double tolerance) {
        double off = rig->picked[i] - expected;

        if (off > tolerance || off < -tolerance)
                fail_msg("candidate %zu: %u picks, expected %.1f +- %.1f", i, rig->picked[i],
                         expected, tolerance);
}
