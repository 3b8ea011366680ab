/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "core/str.h"

static void test_cells(void **state) {
        static const struct {
                const char *text;
                size_t cells;
                const char *why;
        } table[] = {
                { "", 0, "nothing" },
                { "port", 4, "ASCII" },
                { "\xed\x95\x9c\xea\xb8\x80", 4, "two Hangul syllables, two cells each" },
                { "\xe4\xb8\xad", 2, "CJK" },
                { "e\xcc\x81", 1, "e and a combining acute" },
                { "\xc3\xa9", 1, "e acute, one code point" },
                { "\xe2\x96\x84", 1, "a block is ambiguous: one cell" },
                { "\xf0\x9f\x98\x80", 2, "an emoji" },
                { "a\tb", 3, "a control character counts one" },
                { "\x1b[31m", 5, "so does ESC" },
                { "\xff\xfe", 2, "two invalid bytes" },
                { "\xc0\xaf", 2, "overlong slash: two invalid bytes" },
                { "\xed\xa0\x80", 3, "a surrogate: three invalid bytes" },
                { "\xe4\xb8", 2, "cut: two invalid bytes" },
                { "\xf5\x80\x80\x80", 4, "beyond U+10FFFF" },
                { "\xc2\x9b"
                  "31m",
                  4, "the one-byte CSI of the C1 set" },
                { "\xe2\x80\xae"
                  "abc",
                  4, "right-to-left override" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                size_t n = str_cells(table[i].text, strlen(table[i].text));

                if (n != table[i].cells)
                        fail_msg("row %zu (%s): %zu", i, table[i].why, n);
        }
        assert_int_equal(str_cells("abc", 2), 2);
        assert_int_equal(str_cells("\xed\x95\x9c", 2), 2); /* cut by n */
}

static void test_locale_untouched(void **state) {
        locale_t before = uselocale((locale_t)0);

        (void)state;
        str_cells("\xed\x95\x9c", 3);
        free(str_squeeze("\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c", 3));
        assert_ptr_equal(uselocale((locale_t)0), before);
        assert_string_equal(setlocale(LC_ALL, NULL), "C");
}

static void test_clean(void **state) {
        static const struct {
                const char *text, *clean;
        } table[] = {
                { "web", "web" },
                { "a\x1b[31mb\n", "a?[31mb?" },
                { "\xc2\x9b"
                  "2J",
                  "?2J" },
                { "\xff\xed\x95\x9c\x7f", "?\xed\x95\x9c?" },
                { "\xe2\x80\xae"
                  "gnp",
                  "?gnp" },
                { "\xe2\x80\xa8", "?" },
                { "", "" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(str_freep) char *s = str_clean(table[i].text);

                assert_string_equal(s, table[i].clean);
        }
}

/* Any code point as UTF-8, surrogates included. */
static size_t encode(char to[static 5], uint32_t c) {
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

        for (size_t i = n - 1; i > 0; i--, c >>= 6)
                to[i] = (char)(0x80 | (c & 0x3f));
        to[0] = (char)(first[n] | c);
        to[n] = '\0';
        return n;
}

/* Both ends of each range are hidden, and their neighbours are not; there are no others. */
static void test_hidden(void **state) {
        static const uint32_t ranges[][2] = {
                { 0x0000, 0x001f },   { 0x007f, 0x009f },   { 0x00ad, 0x00ad },
                { 0x034f, 0x034f },   { 0x061c, 0x061c },   { 0x115f, 0x1160 },
                { 0x17b4, 0x17b5 },   { 0x180b, 0x180f },   { 0x200b, 0x200f },
                { 0x2028, 0x202e },   { 0x2060, 0x206f },   { 0x3164, 0x3164 },
                { 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },   { 0xffa0, 0xffa0 },
                { 0xfff0, 0xfffb },   { 0x13430, 0x13440 }, { 0x1bca0, 0x1bca3 },
                { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
        };
        size_t n = 0, all = 0;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(ranges); i++) {
                assert_true(str_is_hidden(ranges[i][0]) && str_is_hidden(ranges[i][1]));
                assert_true(ranges[i][0] == 0 || !str_is_hidden(ranges[i][0] - 1));
                assert_false(str_is_hidden(ranges[i][1] + 1));
                all += ranges[i][1] - ranges[i][0] + 1;
        }
        for (uint32_t c = 0; c <= 0x10ffff; c++)
                n += str_is_hidden(c);
        assert_int_equal(n, all);
        assert_false(str_is_hidden(UINT32_MAX));
}

/* Each code point comes back as it was; half of one, and a surrogate, are none. */
static void test_decode(void **state) {
        char bytes[5];
        uint32_t c;

        (void)state;
        for (uint32_t i = 0; i <= 0x110000; i++) {
                size_t n = encode(bytes, i);
                bool good = i < 0xd800 || (i > 0xdfff && i < 0x110000);

                c = UINT32_MAX;
                assert_int_equal(str_decode(&c, bytes, 4), good ? n : 0);
                assert_int_equal(c, good ? i : UINT32_MAX);
                if (n > 1)
                        assert_int_equal(str_decode(&c, bytes, n - 1), 0);
        }
}

/* None of the hidden characters, whichever it is, is left in a clean text. */
static void test_clean_hides(void **state) {
        char text[8] = "a";

        (void)state;
        for (uint32_t c = 1; c <= 0x10ffff; c++) {
                _cleanup_(str_freep) char *s = NULL;

                if (!str_is_hidden(c))
                        continue;
                strcpy(text + 1 + encode(text + 1, c), "b");
                s = str_clean(text);
                assert_string_equal(s, "a?b");
                assert_int_equal(str_cells(text, strlen(text)), 3);
        }
}

static void test_squeeze(void **state) {
        static const struct {
                const char *text;
                size_t cells;
                const char *squeezed;
        } table[] = {
                { "[2001:db8:0:1:2:3:20:5]:5432", 20, "[2001:db8~20:5]:5432" },
                { "10.0.0.1:80", 11, "10.0.0.1:80" },
                { "abcdef", 5, "ab~ef" },
                { "abcdef", 4, "a~ef" },
                { "abcdef", 2, "~f" },
                { "abcdef", 1, "~" },
                { "abcdef", 0, "" },
                { "", 0, "" },
                { "\xed\x95\x9c\xea\xb8\x80\xec\x9d\xb4", 5, "\xed\x95\x9c~\xec\x9d\xb4" },
                { "\xed\x95\x9c\xea\xb8\x80\xec\x9d\xb4", 4, "~\xec\x9d\xb4" }, /* wide: no half */
                { "ab\x1b"
                  "def",
                  5, "ab~ef" },
                { "abcdee\xcc\x81", 4, "a~ee\xcc\x81" }, /* the accent keeps its letter */
                { "abcde\xcc\x81"
                  "f",
                  3, "a~f" }, /* and goes with it */
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(str_freep) char *s = str_squeeze(table[i].text, table[i].cells);

                assert_non_null(s);
                assert_string_equal(s, table[i].squeezed);
                assert_true(str_cells(s, strlen(s)) <= table[i].cells);
        }
}

static void test_distance(void **state) {
        (void)state;
        assert_int_equal(str_distance("port", "port", 2), 0);
        assert_int_equal(str_distance("prot", "port", 2), 1); /* a swap */
        assert_int_equal(str_distance("chekc", "check", 2), 1);
        assert_int_equal(str_distance("weigth", "weight", 2), 1);
        assert_int_equal(str_distance("ab", "", 2), 2);
        assert_int_equal(str_distance("", "", 0), 0);
        assert_int_equal(str_distance("kitten", "sitting", 3), 3);
        assert_true(str_distance("kitten", "sitting", 2) == SIZE_MAX);
        assert_true(str_distance("a", "abcdef", 2) == SIZE_MAX);
}

static void test_closest(void **state) {
        static const char *const words[] = { "start", "stop", "status", "check", "port", NULL };
        static const char *const none[] = { NULL };

        (void)state;
        assert_string_equal(str_closest("chekc", words), "check");
        assert_string_equal(str_closest("prot", words), "port");
        assert_string_equal(str_closest("statsu", words), "status");
        assert_string_equal(str_closest("stats", words), "status");
        assert_null(str_closest("sotp2", none));
        assert_null(str_closest("pxxt", words)); /* four letters: two steps are too many */
        assert_null(str_closest("x", words));
        assert_null(str_closest("", words));
        assert_null(str_closest("reload", words));
}

static void test_printf(void **state) {
        _cleanup_(str_freep) char *s = str_printf("%s:%d", "a", 7);

        (void)state;
        assert_string_equal(s, "a:7");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cells),    cmocka_unit_test(test_locale_untouched),
                cmocka_unit_test(test_clean),    cmocka_unit_test(test_squeeze),
                cmocka_unit_test(test_distance), cmocka_unit_test(test_closest),
                cmocka_unit_test(test_printf),   cmocka_unit_test(test_hidden),
                cmocka_unit_test(test_decode),   cmocka_unit_test(test_clean_hides),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
