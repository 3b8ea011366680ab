/* SPDX-License-Identifier: MIT */
/* What holds for every algorithm. */
#include "rig.h"

#include <string.h>

static const char *const names[] = {
#define X(name) #name,
        BALANCE_ALGORITHMS(X)
#undef X
};

static void test_names(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                const struct balance_ops *ops = balance_find(names[i]);

                assert_non_null(ops);
                assert_string_equal(ops->name, names[i]);
                assert_non_null(ops->pick);
        }
        assert_ptr_equal(balance_find("weighted"), &balance_round_robin);
        assert_null(balance_find(""));
        assert_null(balance_find("Round_Robin"));
        assert_null(balance_find("round_robin "));
        assert_null(balance_find("source"));
}

static void test_keys(void **state) {
        (void)state;
        assert_int_equal(balance_round_robin.key, BALANCE_KEY_NONE);
        assert_int_equal(balance_least_connections.key, BALANCE_KEY_NONE);
        assert_int_equal(balance_ip_hash.key, BALANCE_KEY_CLIENT);
        assert_int_equal(balance_random.key, BALANCE_KEY_RANDOM);
        assert_int_equal(balance_first.key, BALANCE_KEY_NONE);
        assert_true(balance_least_connections.wants_active && balance_random.wants_active);
        assert_false(balance_round_robin.wants_active || balance_ip_hash.wants_active);
}

/* None; one that is usable, is not, has no weight; all of 4096 but one out. */
static void check_edges(const struct balance_ops *ops) {
        struct rig *rig = rig_new(ops, RIG_MAX);

        assert_int_equal(ops->pick(rig->state, NULL, 0, 7), -EHOSTDOWN);

        rig->n = 1;
        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(rig_pick(rig, rig_random(rig)), 0);
        rig->c[0].weight = 0;
        assert_int_equal(rig_pick(rig, 7), -EHOSTDOWN);
        rig->c[0].weight = 256;
        assert_int_equal(rig_pick(rig, 7), 0);
        rig->c[0].usable = false;
        assert_int_equal(rig_pick(rig, 7), -EHOSTDOWN);

        rig->n = RIG_MAX;
        for (size_t i = 0; i < RIG_MAX; i++) {
                rig->c[i].usable = i % 2;
                rig->c[i].weight = i % 2 ? 0 : 256;
                rig->c[i].active = UINT32_MAX;
        }
        assert_int_equal(rig_pick(rig, 7), -EHOSTDOWN);
        rig->c[RIG_MAX - 1].weight = 256; /* whose active * 256 needs more than 32 bits */
        assert_int_equal(rig_pick(rig, 7), RIG_MAX - 1);
        rig->c[0].usable = true;
        for (unsigned i = 0; i < 100; i++)
                assert_true(rig_pick(rig, rig_random(rig)) % (RIG_MAX - 1) == 0);
        rig_free(rig);
}

/* Somebody is picked if and only if somebody may be, whatever changes in between. rig_pick() looks
 * at whom. */
static void check_random_sets(const struct balance_ops *ops) {
        struct rig *rig = rig_new(ops, 0);

        for (unsigned round = 0; round < 300; round++) {
                size_t n = rig_random(rig) % 20;

                rig_free(rig);
                rig = rig_new(ops, n);
                rig->seed = round * 1000;
                for (unsigned pick = 0; pick < 200; pick++) {
                        bool any = false;

                        for (size_t i = 0; i < n; i++) {
                                uint64_t random = rig_random(rig);

                                rig->c[i].usable = random & 1;
                                rig->c[i].weight = random & 6 ? random >> 8 & 0xff : 0;
                                rig->c[i].active = random & 8 ? (uint32_t)(random >> 32) : 0;
                                any |= rig->c[i].usable && rig->c[i].weight > 0;
                        }
                        assert_int_equal(rig_pick(rig, rig_random(rig)) >= 0, any);
                }
        }
        rig_free(rig);
}

/* What is left after any history is fair again: 3000 picks of random sets, then only equal ones. */
static void check_forgets(const struct balance_ops *ops) {
        struct rig *rig = rig_new(ops, 10);

        for (unsigned pick = 0; pick < 3000; pick++) {
                for (size_t i = 0; i < rig->n; i++) {
                        rig->c[i].usable = rig_random(rig) % 4 > 0;
                        rig->c[i].weight = rig_random(rig) % 257;
                }
                rig_pick(rig, rig_random(rig));
        }
        for (size_t i = 0; i < rig->n; i++) {
                rig->c[i].usable = true;
                rig->c[i].weight = 1;
                rig->picked[i] = 0;
        }
        for (unsigned pick = 0; pick < 100; pick++)
                rig_pick(rig, 0);
        for (size_t i = 0; i < rig->n; i++)
                rig_expect(rig, i, 10, 3);
        rig_free(rig);
}

static void test_edges(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(names); i++)
                check_edges(balance_find(names[i]));
}

static void test_random_sets(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(names); i++)
                check_random_sets(balance_find(names[i]));
}

static void test_forgets(void **state) {
        (void)state;
        check_forgets(&balance_round_robin);
        check_forgets(&balance_least_connections);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),   cmocka_unit_test(test_keys),
                cmocka_unit_test(test_edges),   cmocka_unit_test(test_random_sets),
                cmocka_unit_test(test_forgets),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
