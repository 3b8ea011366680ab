/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/upstream.h"

/* A bucket holds what is not longer than its bound. */
static void test_buckets(void **state) {
        static const struct {
                uint64_t us;
                size_t bucket;
        } rows[] = {
                { 0, 0 },    { 499, 0 },      { 500, 0 },      { 501, 1 },       { 1000, 1 },
                { 1001, 2 }, { 2500000, 11 }, { 2500001, 12 }, { 99999999, 12 }, { UINT32_MAX, 12 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct frontend_counters c = { 0 };

                frontend_connected(&c, rows[i].us);
                for (size_t b = 0; b < CONNECT_BUCKETS; b++)
                        assert_int_equal(c.connects[b], b == rows[i].bucket);
                assert_int_equal(c.connects_us, rows[i].us);
        }
        for (size_t i = 1; i < CONNECT_BUCKETS - 1; i++)
                assert_true(connect_bounds_us[i] > connect_bounds_us[i - 1]);
}

static void test_wait_buckets(void **state) {
        static const struct {
                uint64_t us;
                size_t bucket;
        } rows[] = {
                { 0, 0 },       { 1000, 0 },      { 1001, 1 },      { 30000, 4 },
                { 1000000, 8 }, { 30000000, 12 }, { 30000001, 13 }, { UINT32_MAX, 13 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct frontend_counters c = { 0 };

                frontend_waited(&c, rows[i].us);
                for (size_t b = 0; b < WAIT_BUCKETS; b++)
                        assert_int_equal(c.waits[b], b == rows[i].bucket);
                assert_int_equal(c.waits_us, rows[i].us);
        }
        for (size_t i = 1; i < WAIT_BUCKETS - 1; i++)
                assert_true(wait_bounds_us[i] > wait_bounds_us[i - 1]);
}

/* The longest is that of all workers, and told once. */
static void test_held(void **state) {
        struct pool_counters per_worker[2] = { 0 };
        struct pool p = { .n_workers = 2, .per_worker = per_worker };
        struct pool_held held;

        (void)state;
        COUNTER_ADD(per_worker[0].held, 2);
        COUNTER_ADD(per_worker[1].held, 1);
        pool_hold_ended(&per_worker[0], 700, false);
        pool_hold_ended(&per_worker[0], 300, true);
        pool_hold_ended(&per_worker[1], 500, false);
        pool_held_sum(&p, &held);
        assert_int_equal(held.total, 3);
        assert_int_equal(held.in_vain, 1);
        assert_int_equal(pool_held_longest_ms(&p), 700);
        assert_int_equal(pool_held_longest_ms(&p), 0);
}

static void test_sum(void **state) {
        struct frontend_counters per_worker[3] = { 0 };
        struct frontend f = { .n_workers = 3, .per_worker = per_worker };
        struct frontend_totals totals;

        (void)state;
        for (size_t i = 0; i < 3; i++) {
                COUNTER_ADD(per_worker[i].sessions_total, i + 1);
                COUNTER_ADD(per_worker[i].rejected[REJECT_PROTECTION], 10 * (i + 1));
                frontend_connected(&per_worker[i], 300);
                frontend_waited(&per_worker[i], 2000);
                COUNTER_ADD(per_worker[i].waits_failed[WAIT_FAILED_HOLD], i);
        }
        COUNTER_ADD(per_worker[2].rejected[REJECT_NO_BACKEND], 5);
        frontend_sum(&f, &totals);
        assert_int_equal(totals.sessions_total, 6);
        assert_int_equal(totals.rejected[REJECT_MAX_CONNECTIONS], 0);
        assert_int_equal(totals.rejected[REJECT_NO_BACKEND], 5);
        assert_int_equal(totals.rejected[REJECT_PROTECTION], 60);
        assert_int_equal(totals.connects[0], 3);
        assert_int_equal(totals.connects_us, 900);
        assert_int_equal(totals.waits[1], 3);
        assert_int_equal(totals.waits_us, 6000);
        assert_int_equal(totals.waits_failed[WAIT_FAILED_HOLD], 3);
        assert_int_equal(totals.waits_failed[WAIT_FAILED_QUEUE], 0);
        assert_string_equal(wait_kind_word(WAIT_BACKEND_DOWN), "backend_down");
        assert_string_equal(wait_failure_word(WAIT_FAILED_CLIENT), "client_left");
        assert_string_equal(reject_reason_word(REJECT_MAX_CONNECTIONS), "max_connections");
        assert_string_equal(reject_reason_word(REJECT_PROTECTION), "protection");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_buckets),
                cmocka_unit_test(test_wait_buckets),
                cmocka_unit_test(test_held),
                cmocka_unit_test(test_sum),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
