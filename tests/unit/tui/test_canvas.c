/* SPDX-License-Identifier: MIT */
#include "rig.h"

static void check_row(struct canvas *c, size_t row, const char *expected) {
        _cleanup_(str_freep) char *text = canvas_text(c, row);

        assert_string_equal(text, expected);
}

static void test_put(void **state) {
        struct canvas c = { .utf8 = true };

        (void)state;
        assert_int_equal(canvas_resize(&c, 10, 2), 0);
        assert_int_equal(canvas_put(&c, 0, 0, SIZE_MAX, STYLE_PLAIN, "0123456789abc"), 10);
        check_row(&c, 0, "0123456789");
        assert_int_equal(canvas_put(&c, 1, 2, 3, STYLE_DOWN, "abcdef"), 5);
        check_row(&c, 1, "  abc");
        assert_int_equal(canvas_at(&c, 1, 2)->style, STYLE_DOWN);
        canvas_put(&c, 2, 0, SIZE_MAX, STYLE_PLAIN, "no such row");
        canvas_put(&c, 0, 10, SIZE_MAX, STYLE_PLAIN, "no such column");
        check_row(&c, 0, "0123456789");
        canvas_done(&c);
}

static void test_strangers(void **state) {
        struct canvas c = { .utf8 = true };

        (void)state;
        canvas_resize(&c, 8, 1);
        canvas_put(&c, 0, 0, SIZE_MAX, STYLE_PLAIN, "a\033[2Jb\n\xff");
        check_row(&c, 0, "a?[2Jb??");
        canvas_done(&c);
}

/* A wide letter takes two cells or none; half of one is never left. */
static void test_wide(void **state) {
        struct canvas c = { .utf8 = true };

        (void)state;
        canvas_resize(&c, 5, 1);
        assert_int_equal(canvas_put(&c, 0, 0, SIZE_MAX, STYLE_PLAIN, "\ud55c\uae00\uc11c"), 4);
        check_row(&c, 0, "\ud55c\uae00");
        canvas_put(&c, 0, 1, 1, STYLE_PLAIN, "x");
        check_row(&c, 0, " x\uae00");
        canvas_put(&c, 0, 2, 1, STYLE_PLAIN, "y");
        check_row(&c, 0, " xy");
        canvas_put(&c, 0, 0, SIZE_MAX, STYLE_PLAIN, "e\u0301a");
        check_row(&c, 0, "e\u0301ay");
        canvas_done(&c);
}

static void test_ascii(void **state) {
        struct canvas c = { .utf8 = false };

        (void)state;
        canvas_resize(&c, 8, 1);
        assert_int_equal(canvas_put(&c, 0, 0, SIZE_MAX, STYLE_PLAIN, "\ud55c\u2581:1"), 5);
        check_row(&c, 0, "???:1");
        canvas_done(&c);
}

static void test_sizes(void **state) {
        struct canvas c = { .utf8 = true };

        (void)state;
        assert_int_equal(canvas_resize(&c, 0, 0), 0);
        assert_int_equal(c.columns, 1);
        assert_int_equal(c.rows, 1);
        canvas_put(&c, 0, 0, SIZE_MAX, STYLE_PLAIN, "\ud55c");
        check_row(&c, 0, "");
        assert_int_equal(canvas_resize(&c, 1000000, 2), 0);
        assert_int_equal(c.columns, CANVAS_COLUMNS_MAX);
        canvas_done(&c);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_put),   cmocka_unit_test(test_strangers),
                cmocka_unit_test(test_wide),  cmocka_unit_test(test_ascii),
                cmocka_unit_test(test_sizes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
