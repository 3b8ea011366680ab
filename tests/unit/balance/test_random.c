/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <string.h>

/* Without load the weights decide alone. */
static void test_weights(void **state) {
        static const uint32_t weights[] = { 1, 2, 0, 4, 256, 37 };
        struct rig *rig = rig_new(&balance_random, ELEMENTS(weights));

        (void)state;
        for (size_t i = 0; i < ELEMENTS(weights); i++)
                rig->c[i].weight = weights[i];
        for (unsigned pick = 0; pick < 600000; pick++)
                rig_pick(rig, rig_random(rig));
        for (size_t i = 0; i < ELEMENTS(weights); i++)
                rig_expect(rig, i, 2000.0 * weights[i], 0.02 * 2000 * weights[i] + 150);
        rig_free(rig);
}

/* Keys that are bad random numbers, a counter, do as well. */
static void test_counter_as_key(void **state) {
        struct rig *rig = rig_new(&balance_random, 10);

        (void)state;
        for (unsigned pick = 0; pick < 100000; pick++)
                rig_pick(rig, pick);
        for (size_t i = 0; i < 10; i++)
                rig_expect(rig, i, 10000, 400);
        rig_free(rig);
}

/* Of two the less busy always wins, of many the busiest never. */
static void test_less_busy(void **state) {
        struct rig *rig = rig_new(&balance_random, 2);

        (void)state;
        rig->c[0].active = 5;
        rig->c[1].active = 4;
        for (unsigned pick = 0; pick < 1000; pick++)
                assert_int_equal(rig_pick(rig, rig_random(rig)), 1);
        rig->c[0].weight = 2; /* 5/2 */
        for (unsigned pick = 0; pick < 1000; pick++)
                assert_int_equal(rig_pick(rig, rig_random(rig)), 0);
        rig_free(rig);

        rig = rig_new(&balance_random, 100);
        rig->c[42].active = 1;
        for (unsigned pick = 0; pick < 100000; pick++)
                assert_int_not_equal(rig_pick(rig, rig_random(rig)), 42);
        rig_free(rig);
}

/* 100,000 sessions on 100 backends: the fullest has at most 10 more than the mean; one choice would
 * make it about 80 more. */
static void test_two_choices(void **state) {
        struct rig *rig = rig_new(&balance_random, 100);

        (void)state;
        for (unsigned pick = 0; pick < 100000; pick++)
                rig->c[rig_pick(rig, rig_random(rig))].active++;
        for (size_t i = 0; i < 100; i++)
                assert_true(rig->c[i].active <= 1010);
        rig_free(rig);
}

static void test_pure(void **state) {
        struct rig *rig = rig_new(&balance_random, 50);

        (void)state;
        for (unsigned pick = 0; pick < 1000; pick++) {
                uint64_t key = rig_random(rig);

                assert_int_equal(rig_pick(rig, key), rig_pick(rig, key));
        }
        rig_free(rig);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_weights),   cmocka_unit_test(test_counter_as_key),
                cmocka_unit_test(test_less_busy), cmocka_unit_test(test_two_choices),
                cmocka_unit_test(test_pure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
