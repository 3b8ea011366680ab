/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <string.h>

static void check_sequence(const uint32_t *weights, size_t n, const char *expected) {
        struct rig *rig = rig_new(&balance_round_robin, n);

        for (size_t i = 0; i < n; i++)
                rig->c[i].weight = weights[i];
        for (const char *p = expected; *p; p++) {
                char got = (char)('a' + rig_pick(rig, 0));

                if (got != *p)
                        fail_msg("\"%s\", place %td: %c", expected, p - expected, got);
        }
        rig_free(rig);
}

static void test_sequences(void **state) {
        (void)state;
        check_sequence((uint32_t[]){ 1, 1, 1 }, 3, "abcabcabc");
        check_sequence((uint32_t[]){ 256, 256, 256 }, 3, "abcabcabc");
        check_sequence((uint32_t[]){ 5, 1, 1 }, 3, "aabacaaaabacaaaabacaa");
        check_sequence((uint32_t[]){ 2, 1 }, 2, "abaabaaba");
        check_sequence((uint32_t[]){ 3, 0, 3 }, 3, "acacac");
        check_sequence((uint32_t[]){ 0, 7 }, 2, "bbbb");
}

/* After any number of picks everybody has had his share, give or take two: no burst, no gap. */
static void check_smooth(size_t n, uint64_t seed, unsigned picks) {
        struct rig *rig = rig_new(&balance_round_robin, n);
        double total = 0;

        rig->seed = seed;
        for (size_t i = 0; i < n; i++)
                total += rig->c[i].weight = (uint32_t)(1 + rig_random(rig) % 256);
        for (unsigned pick = 1; pick <= picks; pick++) {
                rig_pick(rig, 0);
                for (size_t i = 0; i < n; i++)
                        rig_expect(rig, i, pick * rig->c[i].weight / total, 2);
        }
        rig_free(rig);
}

static void test_smooth(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 40; seed++)
                check_smooth(2 + seed % 30, seed, 2000);
        check_smooth(RIG_MAX, 1, 100);
}

/* Exact over whole cycles, however long it runs: rounding must not add up. */
static void test_exact(void **state) {
        struct rig *rig = rig_new(&balance_round_robin, 3);

        (void)state;
        rig->c[0].weight = 256;
        rig->c[1].weight = 3;
        rig->c[2].weight = 1;
        for (unsigned pick = 0; pick < 260 * 5000; pick++)
                rig_pick(rig, 0);
        rig_expect(rig, 0, 256 * 5000, 0);
        rig_expect(rig, 1, 3 * 5000, 0);
        rig_expect(rig, 2, 1 * 5000, 0);
        rig_free(rig);
}

static size_t picks_in_a_row(struct rig *rig, ssize_t who, unsigned picks) {
        size_t run = 0, longest = 0;

        for (unsigned pick = 0; pick < picks; pick++) {
                run = rig_pick(rig, 0) == who ? run + 1 : 0;
                longest = run > longest ? run : longest;
        }
        return longest;
}

/* One that was away for long comes back to its share at once: neither a burst nor a pause. */
static void test_comes_back(void **state) {
        (void)state;
        for (unsigned before = 0; before < 20; before++) {
                struct rig *rig = rig_new(&balance_round_robin, 10);

                for (unsigned pick = 0; pick < before; pick++)
                        rig_pick(rig, 0);
                rig->c[4].usable = false;
                for (unsigned pick = 0; pick < 100003; pick++)
                        assert_int_not_equal(rig_pick(rig, 0), 4);

                rig->c[4].usable = true;
                memset(rig->picked, 0, sizeof(rig->picked));
                assert_int_equal(picks_in_a_row(rig, 4, 30), 1);
                for (size_t i = 0; i < 10; i++)
                        rig_expect(rig, i, 3, 1);
                rig_free(rig);
        }
}

/* Credits are counted in picks, so what was saved up at weight 256 is not 256 picks at weight 1. */
static void test_weight_change(void **state) {
        struct rig *rig = rig_new(&balance_round_robin, 2);

        (void)state;
        rig->c[0].weight = rig->c[1].weight = 256;
        rig_pick(rig, 0); /* b is owed one */
        rig->c[0].weight = rig->c[1].weight = 1;
        assert_in_range(picks_in_a_row(rig, 1, 20), 1, 2);
        rig_expect(rig, 1, 10, 1);
        rig_free(rig);
}

/* The set changes at every pick. Those that are always there share equally what is left. */
static void test_changing_sets(void **state) {
        struct rig *rig = rig_new(&balance_round_robin, 8);

        (void)state;
        for (unsigned pick = 0; pick < 80000; pick++) {
                for (size_t i = 0; i < 4; i++)
                        rig->c[i].usable = rig_random(rig) & 1;
                rig_pick(rig, 0);
        }
        for (size_t i = 1; i < 4; i++)
                rig_expect(rig, i, rig->picked[0], 400);
        for (size_t i = 5; i < 8; i++)
                rig_expect(rig, i, rig->picked[4], 400);
        assert_true(rig->picked[4] > rig->picked[0] * 3 / 2);
        rig_free(rig);
}

/* A session that failed at its first choice asks again without it; the others must not suffer. */
static void test_retries(void **state) {
        struct rig *rig = rig_new(&balance_round_robin, 4);

        (void)state;
        for (unsigned session = 0; session < 4000; session++) {
                ssize_t i = rig_pick(rig, 0);

                if (i != 0)
                        continue;
                rig->c[0].usable = false; /* tried */
                rig_pick(rig, 0);
                rig->c[0].usable = true;
        }
        rig_expect(rig, 0, 1000, 50);
        for (size_t i = 1; i < 4; i++)
                rig_expect(rig, i, 1000 + 1000 / 3.0, 50);
        rig_free(rig);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sequences),     cmocka_unit_test(test_smooth),
                cmocka_unit_test(test_exact),         cmocka_unit_test(test_comes_back),
                cmocka_unit_test(test_weight_change), cmocka_unit_test(test_changing_sets),
                cmocka_unit_test(test_retries),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
