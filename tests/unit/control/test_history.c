/* SPDX-License-Identifier: MIT */
#include "control/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_cells(void **state) {
        struct history h = { 0 };

        (void)state;
        assert_int_equal(history_n(&h), 0);
        for (unsigned s = 0; s < 12; s++)
                history_add(&h, 10, s == 3, s, s >= 8);
        assert_int_equal(history_n(&h), 3); /* two full ones, one of two seconds */
        assert_int_equal(history_at(&h, 0)->opened, 20);
        assert_int_equal(history_at(&h, 1)->opened, 50);
        assert_int_equal(history_at(&h, 2)->opened, 50);
        assert_int_equal(history_at(&h, 2)->failed, 1);
        assert_int_equal(history_at(&h, 1)->failed, 0);
        assert_int_equal(history_at(&h, 2)->active, 4);
        assert_int_equal(history_at(&h, 1)->active, 9);
        assert_int_equal(history_at(&h, 2)->down_s, 0);
        assert_int_equal(history_at(&h, 1)->down_s, 2);
        assert_int_equal(history_at(&h, 0)->down_s, 2);
}

/* Ten minutes and no more; the oldest goes first. */
static void test_ring(void **state) {
        struct history h = { 0 };

        (void)state;
        for (unsigned s = 0; s < 3 * HISTORY_CELLS * HISTORY_CELL_S; s++)
                history_add(&h, s / HISTORY_CELL_S, 0, 0, false);
        assert_int_equal(history_n(&h), HISTORY_CELLS);
        for (size_t i = 0; i < HISTORY_CELLS; i++)
                assert_int_equal(history_at(&h, i)->opened,
                                 HISTORY_CELL_S * (3 * HISTORY_CELLS - 1 - i));
}

static void test_limits(void **state) {
        struct history h = { 0 };

        (void)state;
        for (unsigned s = 0; s < HISTORY_CELL_S; s++)
                history_add(&h, UINT64_MAX, UINT64_MAX, UINT64_MAX, true);
        assert_int_equal(history_at(&h, 0)->opened, UINT32_MAX);
        assert_int_equal(history_at(&h, 0)->failed, UINT16_MAX);
        assert_int_equal(history_at(&h, 0)->active, UINT32_MAX);

        h.seconds =
                UINT32_MAX / (HISTORY_CELL_S * HISTORY_CELLS) * HISTORY_CELL_S * HISTORY_CELLS - 1;
        history_add(&h, 1, 0, 0, false);
        history_add(&h, 2, 0, 0, false);
        assert_int_equal(history_n(&h), HISTORY_CELLS);
        assert_int_equal(history_at(&h, 0)->opened, 2);
        assert_int_equal(history_at(&h, 1)->opened, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cells),
                cmocka_unit_test(test_ring),
                cmocka_unit_test(test_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
