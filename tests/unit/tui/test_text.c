/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <math.h>

static void test_numbers(void **state) {
        static const struct {
                double n;
                const char *rate, *bytes;
        } table[] = {
                { 0, "0", "0" },           { 0.04, "0", "0" },         { 2.1, "2.1", "2" },
                { 9.94, "9.9", "10" },     { 9.96, "10", "10" },       { 402, "402", "402" },
                { 4736, "4736", "4.7k" },  { 99999, "99999", "100k" }, { 100000, "100k", "100k" },
                { 1.9e9, "1.9G", "1.9G" }, { 412e6, "412M", "412M" },  { 1e30, "9999E", "9999E" },
        };
        char buf[TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                assert_string_equal(text_rate(table[i].n, buf), table[i].rate);
                assert_string_equal(text_bytes(table[i].n, buf), table[i].bytes);
        }
        assert_string_equal(text_bytes(-1, buf), "-");
        assert_string_equal(buf, "-"); /* the buffer has it too */
        assert_string_equal(text_bytes(NAN, buf), "-");
        assert_string_equal(text_rate(NAN, buf), "0");
        assert_string_equal(text_count(-5, buf), "0");
        assert_string_equal(text_count(14210, buf), "14210");
}

static void test_times(void **state) {
        char buf[TEXT_MAX];

        (void)state;
        assert_string_equal(text_age(-1, buf), "0s");
        assert_string_equal(text_age(59, buf), "59s");
        assert_string_equal(text_age(60, buf), "1m");
        assert_string_equal(text_age(3600, buf), "1h");
        assert_string_equal(text_age(3 * 86400, buf), "3d");
        assert_string_equal(text_up(274320, buf), "3d04h");
        assert_string_equal(text_up(7500, buf), "2h05m");
        assert_string_equal(text_took(42, buf), "00:42");
        assert_string_equal(text_took(3723, buf), "1:02:03");
}

static void test_chars(void **state) {
        static const struct {
                const char *locale, *term;
                enum chars wanted, chars;
        } table[] = {
                { "C", "xterm", CHARS_AUTO, CHARS_ASCII },
                { "C", "xterm", CHARS_BLOCK, CHARS_ASCII },
                { "C.UTF-8", "xterm", CHARS_AUTO, CHARS_BLOCK },
                { "en_US.utf8", "xterm", CHARS_AUTO, CHARS_BLOCK },
                { "en_US.UTF-8", "linux", CHARS_AUTO, CHARS_ASCII },
                { "ko_KR.UTF-8", "xterm", CHARS_AUTO, CHARS_BRAILLE },
                { "ko_KR.UTF-8", "xterm", CHARS_BLOCK, CHARS_BLOCK },
                { "ja_JP.eucJP", "xterm", CHARS_AUTO, CHARS_ASCII },
                { "zh_CN.UTF-8@x", NULL, CHARS_AUTO, CHARS_BRAILLE },
                { "C.UTF-8", "linux", CHARS_BRAILLE, CHARS_BRAILLE },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++)
                assert_int_equal(text_chars(table[i].wanted, table[i].locale, table[i].term),
                                 table[i].chars);
}

static void test_levels(void **state) {
        (void)state;
        assert_string_equal(text_level(CHARS_ASCII, 0, 100), "_");
        assert_string_equal(text_level(CHARS_ASCII, 100, 100), "@");
        assert_string_equal(text_level(CHARS_ASCII, 1000, 100), "@");
        assert_string_equal(text_level(CHARS_ASCII, 5, 0), "_");
        assert_string_equal(text_level(CHARS_BLOCK, 100, 100), "\u2588");
        assert_string_equal(text_level(CHARS_BRAILLE, 100, 100), "\u28ff");
        for (enum chars c = CHARS_ASCII; c < CHARS_COUNT; c++) {
                for (int i = 0; i <= 100; i++) {
                        const char *s = text_level(c, i, 100);

                        assert_int_equal(str_cells(s, strlen(s)), 1);
                }
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_times),
                cmocka_unit_test(test_chars),
                cmocka_unit_test(test_levels),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
