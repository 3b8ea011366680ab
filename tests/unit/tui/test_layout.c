/* SPDX-License-Identifier: MIT */
#include "rig.h"

static void test_rows(void **state) {
        static const struct {
                size_t columns, rows, head, table, detail;
                bool line;
        } sizes[] = {
                { 120, 35, 5, 18, 5, false }, { 80, 24, 5, 15, 2, false },
                { 40, 12, 4, 6, 0, false },   { 80, 19, 5, 12, 0, false },
                { 80, 7, 2, 3, 0, false },    { 80, 5, 1, 2, 0, false },
                { 20, 5, 1, 2, 0, false },    { 19, 5, 0, 0, 0, true },
                { 20, 4, 0, 0, 0, true },     { 1, 1, 0, 0, 0, true },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(sizes); i++) {
                struct layout l = layout_rows(sizes[i].columns, sizes[i].rows);

                assert_int_equal(l.line, sizes[i].line);
                assert_int_equal(l.head_rows, sizes[i].head);
                assert_int_equal(l.rows, sizes[i].table);
                assert_int_equal(l.n_detail, sizes[i].detail);
        }
}

/* The parts lie below each other, and none lies outside. */
static void test_every_size(void **state) {
        (void)state;
        for (size_t columns = 1; columns <= 300; columns++) {
                for (size_t rows = 1; rows <= 100; rows++) {
                        struct layout l = layout_rows(columns, rows);

                        if (l.line)
                                continue;
                        assert_true(l.rows >= 1 && l.rows < rows);
                        assert_true(l.table_head >= l.head_rows);
                        assert_int_equal(l.first, l.table_head + 1);
                        assert_true(l.first + l.rows <= l.bar);
                        assert_int_equal(l.bar, rows - 1);
                        if (l.n_detail > 0)
                                assert_true(l.detail >= l.first + l.rows &&
                                            l.detail + l.n_detail <= l.bar);
                        if (l.n_status > 0)
                                assert_true(l.status < l.bar && l.event < l.status &&
                                            l.separator == l.first + l.rows);
                }
        }
}

static const struct column four[] = {
        { 0, "A", 5, 0, 0, 0, false },
        { 1, "B", 20, 6, 30, 0, false },
        { 2, "C", 5, 0, 0, 1, true },
        { 3, "D", 12, 6, 0, 2, false },
};

static void test_columns(void **state) {
        static const struct {
                size_t width, n, last_id, last_width;
        } table[] = {
                { 200, 4, 3, 12 },                   /* all of it */
                { 48, 4, 3, 12 },                    /* exactly */
                { 47, 3, 3, 12 },                    /* C leaves before D shrinks */
                { 41, 3, 3, 11 },                    /* D shrinks, and takes what is there */
                { 36, 3, 3, 6 },   { 35, 2, 1, 26 }, /* and leaves: B has its room */
                { 20, 2, 1, 11 },                    /* nothing else can leave */
                { 7, 1, 0, 4 },                      /* what hangs over the edge is cut */
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                struct table_layout t = layout_columns(four, 4, 3, table[i].width, 0);

                assert_int_equal(t.n, table[i].n);
                assert_int_equal(t.places[t.n - 1].id, table[i].last_id);
                assert_int_equal(t.places[t.n - 1].width, table[i].last_width);
                assert_int_equal(t.dropped, 4 - table[i].n);
        }
}

static void test_no_overlap(void **state) {
        (void)state;
        for (size_t width = 1; width < 100; width++) {
                for (size_t scroll = 0; scroll < 4; scroll++) {
                        struct table_layout t = layout_columns(four, 4, 3, width, scroll);
                        size_t next = 3;

                        for (size_t i = 0; i < t.n; i++) {
                                assert_true(t.places[i].column >= next);
                                assert_true(t.places[i].width > 0);
                                next = t.places[i].column + t.places[i].width;
                                assert_true(next <= width);
                                next++;
                        }
                }
        }
}

static void test_scroll(void **state) {
        struct table_layout t = layout_columns(four, 4, 3, 40, 0);

        (void)state;
        assert_int_equal(t.places[t.n - 1].id, 3);
        t = layout_columns(four, 4, 3, 200, 3);
        assert_int_equal(t.scrolled, 0); /* all have room */
        t = layout_columns(four, 4, 3, 30, 1);
        assert_int_equal(t.scrolled, 1);
        assert_int_equal(t.places[t.n - 1].id, 3);
        t = layout_columns(four, 4, 3, 30, 99);
        assert_true(t.scrolled <= 2);
}

static void test_top(void **state) {
        (void)state;
        assert_int_equal(layout_top(0, 0, 200, 15), 0);
        assert_int_equal(layout_top(0, 14, 200, 15), 0);
        assert_int_equal(layout_top(0, 15, 200, 15), 1);
        assert_int_equal(layout_top(50, 20, 200, 15), 20);
        assert_int_equal(layout_top(0, 199, 200, 15), 185);
        assert_int_equal(layout_top(190, 195, 200, 15), 185); /* no empty rows below */
        assert_int_equal(layout_top(5, 3, 10, 15), 0);
        assert_int_equal(layout_top(5, 3, 10, 0), 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),    cmocka_unit_test(test_every_size),
                cmocka_unit_test(test_columns), cmocka_unit_test(test_no_overlap),
                cmocka_unit_test(test_scroll),  cmocka_unit_test(test_top),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
