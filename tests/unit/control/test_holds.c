/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/holds.h"

#define S 1000

struct look {
        uint64_t at_ms;
        uint32_t holding;
        uint64_t total;
        enum holds_news news;
        uint64_t n;
};

static void look_all(const struct look *looks, size_t n) {
        struct pool_holds s = { 0 };

        for (size_t i = 0; i < n; i++) {
                const struct look *l = &looks[i];

                if (holds_look(&s, l->holding, l->total, l->at_ms) != l->news)
                        fail_msg("look %zu", i);
                if (l->news == HOLDS_OVER)
                        assert_int_equal(s.n, l->n);
        }
}

static void test_one_outage(void **state) {
        static const struct look looks[] = {
                { 1 * S, 0, 0, HOLDS_NOTHING, 0 }, { 2 * S, 3, 3, HOLDS_BEGAN, 0 },
                { 3 * S, 5, 5, HOLDS_NOTHING, 0 }, { 4 * S, 5, 5, HOLDS_NOTHING, 0 },
                { 5 * S, 0, 7, HOLDS_NOTHING, 0 }, /* two have come, and all were served */
                { 6 * S, 0, 7, HOLDS_OVER, 7 },    { 7 * S, 0, 7, HOLDS_NOTHING, 0 },
                { 30 * S, 1, 8, HOLDS_BEGAN, 0 },  { 31 * S, 0, 8, HOLDS_OVER, 1 },
        };

        (void)state;
        look_all(looks, ELEMENTS(looks));
}

/* Shorter than the time between two looks. */
static void test_a_moment(void **state) {
        static const struct look looks[] = {
                { 1 * S, 0, 0, HOLDS_NOTHING, 0 },
                { 2 * S, 0, 40, HOLDS_BEGAN, 0 },
                { 3 * S, 0, 40, HOLDS_OVER, 40 },
        };

        (void)state;
        look_all(looks, ELEMENTS(looks));
}

/* A backend that comes and goes: two records in ten seconds, and no client is left out. */
static void test_flapping(void **state) {
        static const struct look looks[] = {
                { 1 * S, 2, 2, HOLDS_BEGAN, 0 },    { 2 * S, 0, 2, HOLDS_OVER, 2 },
                { 3 * S, 1, 3, HOLDS_NOTHING, 0 },  { 4 * S, 0, 3, HOLDS_NOTHING, 0 },
                { 10 * S, 1, 4, HOLDS_NOTHING, 0 }, { 10999, 0, 4, HOLDS_NOTHING, 0 },
                { 11 * S, 0, 4, HOLDS_BEGAN, 0 }, /* what was not told yet */
                { 12 * S, 0, 4, HOLDS_OVER, 2 },    { 40 * S, 0, 4, HOLDS_NOTHING, 0 },
        };

        (void)state;
        look_all(looks, ELEMENTS(looks));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_outage),
                cmocka_unit_test(test_a_moment),
                cmocka_unit_test(test_flapping),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
