/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <string.h>

static void test_fewest(void **state) {
        static const struct {
                uint32_t active[3], weight[3];
                ssize_t picked;
        } cases[] = {
                { { 3, 2, 5 }, { 1, 1, 1 }, 1 },
                { { 3, 2, 5 }, { 1, 1, 3 }, 2 },     /* 5/3 is less than 2 */
                { { 6, 2, 5 }, { 4, 1, 3 }, 0 },     /* 6/4 < 5/3 < 2: no rounding down */
                { { 255, 1, 9 }, { 256, 1, 1 }, 0 }, /* 255/256 < 1 */
                { { 0, 0, 1 }, { 0, 0, 1 }, 2 },     /* no weight, no session */
                { { UINT32_MAX, UINT32_MAX - 1, UINT32_MAX }, { 256, 256, 256 }, 1 },
                { { UINT32_MAX, UINT32_MAX / 256, UINT32_MAX }, { 256, 1, 256 }, 1 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct rig *rig = rig_new(&balance_least_connections, 3);

                for (size_t j = 0; j < 3; j++) {
                        rig->c[j].active = cases[i].active[j];
                        rig->c[j].weight = cases[i].weight[j];
                }
                assert_int_equal(rig_pick(rig, 0), cases[i].picked);
                rig_free(rig);
        }
}

/* Short sessions: all counts are zero at every pick. Equal ones in turn, others by weight. */
static void test_ties(void **state) {
        struct rig *rig = rig_new(&balance_least_connections, 3);

        (void)state;
        for (unsigned pick = 0; pick < 9; pick++)
                assert_int_equal(rig_pick(rig, 0), pick % 3);

        memset(rig->picked, 0, sizeof(rig->picked));
        rig->c[0].weight = 3;
        for (unsigned pick = 0; pick < 5000; pick++)
                rig_pick(rig, 0);
        rig_expect(rig, 0, 3000, 3);
        rig_expect(rig, 1, 1000, 3);
        rig_expect(rig, 2, 1000, 3);
        rig_free(rig);
}

/* A tie among some only: they share it equally, wherever in the list they are. */
static void test_ties_of_some(void **state) {
        struct rig *rig = rig_new(&balance_least_connections, 10);

        (void)state;
        for (size_t i = 0; i < 10; i++)
                rig->c[i].active = i == 0 || i == 1 || i == 7 ? 1 : 2;
        for (unsigned pick = 0; pick < 3000; pick++)
                rig_pick(rig, 0);
        rig_expect(rig, 0, 1000, 1);
        rig_expect(rig, 1, 1000, 1);
        rig_expect(rig, 7, 1000, 1);
        rig_free(rig);
}

/* Sessions that stay: the counts end up in proportion to the weights. */
static void test_fills_by_weight(void **state) {
        struct rig *rig = rig_new(&balance_least_connections, 4);

        (void)state;
        for (size_t i = 0; i < 4; i++)
                rig->c[i].weight = (uint32_t)(1 << i);
        for (unsigned pick = 0; pick < 1500; pick++)
                rig->c[rig_pick(rig, 0)].active++;
        for (size_t i = 0; i < 4; i++)
                rig_expect(rig, i, 100 << i, 1);
        rig_free(rig);
}

/* One that was away does not win all ties until it has as many picks as the others. */
static void test_comes_back(void **state) {
        struct rig *rig = rig_new(&balance_least_connections, 5);

        (void)state;
        rig->c[2].usable = false;
        for (unsigned pick = 0; pick < 10007; pick++)
                rig_pick(rig, 0);
        rig->c[2].usable = true;
        memset(rig->picked, 0, sizeof(rig->picked));
        for (unsigned pick = 0; pick < 50; pick++)
                rig_pick(rig, 0);
        for (size_t i = 0; i < 5; i++)
                rig_expect(rig, i, 10, 1);
        rig_free(rig);
}

/* The scale of turns wraps around after years; nobody may notice. */
static void test_wraps(void **state) {
        struct rig *rig = rig_new(&balance_least_connections, 3);

        (void)state;
        memset(rig->state, 0xff, sizeof(uint64_t) * 4); /* now and all turns: one before zero */
        for (unsigned pick = 0; pick < 300; pick++)
                rig_pick(rig, 0);
        for (size_t i = 0; i < 3; i++)
                rig_expect(rig, i, 100, 1);
        rig_free(rig);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fewest),       cmocka_unit_test(test_ties),
                cmocka_unit_test(test_ties_of_some), cmocka_unit_test(test_fills_by_weight),
                cmocka_unit_test(test_comes_back),   cmocka_unit_test(test_wraps),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
