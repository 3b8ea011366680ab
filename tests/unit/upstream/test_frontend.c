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

static void test_sum(void **state) {
        struct frontend_counters per_worker[3] = { 0 };
        struct frontend f = { .n_workers = 3, .per_worker = per_worker };
        struct frontend_totals totals;

        (void)state;
        for (size_t i = 0; i < 3; i++) {
                COUNTER_ADD(per_worker[i].sessions_total, i + 1);
                COUNTER_ADD(per_worker[i].rejected[REJECT_PROTECTION], 10 * (i + 1));
                frontend_connected(&per_worker[i], 300);
        }
        COUNTER_ADD(per_worker[2].rejected[REJECT_NO_BACKEND], 5);
        frontend_sum(&f, &totals);
        assert_int_equal(totals.sessions_total, 6);
        assert_int_equal(totals.rejected[REJECT_MAX_CONNECTIONS], 0);
        assert_int_equal(totals.rejected[REJECT_NO_BACKEND], 5);
        assert_int_equal(totals.rejected[REJECT_PROTECTION], 60);
        assert_int_equal(totals.connects[0], 3);
        assert_int_equal(totals.connects_us, 900);
        assert_string_equal(reject_reason_word(REJECT_MAX_CONNECTIONS), "max_connections");
        assert_string_equal(reject_reason_word(REJECT_PROTECTION), "protection");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_buckets),
                cmocka_unit_test(test_sum),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
