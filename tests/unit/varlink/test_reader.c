/* SPDX-License-Identifier: MIT */

#include "varlink/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base.h"

/* Feeds n bytes, as many at a time as there is room for; asserts that there is any. */
static void feed(struct varlink_reader *r, const char *bytes, size_t n) {
        while (n > 0) {
                char *room;
                size_t size;

                assert_int_equal(varlink_reader_room(r, &room, &size), 0);
                assert_true(size > 0);
                size = size < n ? size : n;
                memcpy(room, bytes, size);
                varlink_reader_fed(r, size);
                bytes += size;
                n -= size;
        }
}

static void expect_message(struct varlink_reader *r, const char *expected) {
        const char *text;
        size_t n;

        assert_int_equal(varlink_reader_next(r, &text, &n), 1);
        assert_int_equal(n, strlen(expected));
        assert_string_equal(text, expected);
}

static void expect_nothing(struct varlink_reader *r) {
        const char *text;
        size_t n;

        assert_int_equal(varlink_reader_next(r, &text, &n), 0);
}

static const char stream[] = "{}\0{\"method\":\"a.b.C\"}\0\0{\"x\":[1,2,3]}\0tail"; /* and a NUL */
static const char *const messages[] = { "{}", "{\"method\":\"a.b.C\"}", "", "{\"x\":[1,2,3]}",
                                        "tail" };

/* Two cuts at every pair of places: three pieces, asked for messages after each. */
static void test_every_split(void **state) {
        size_t n = sizeof(stream);

        (void)state;
        for (size_t i = 0; i <= n; ++i) {
                for (size_t j = i; j <= n; ++j) {
                        size_t ends[] = { i, j, n }, at = 0, got = 0;
                        struct varlink_reader r;
                        const char *text;
                        size_t len;

                        varlink_reader_init(&r, 64);
                        for (size_t piece = 0; piece < ELEMENTS(ends); ++piece) {
                                feed(&r, stream + at, ends[piece] - at);
                                at = ends[piece];
                                while (varlink_reader_next(&r, &text, &len) == 1) {
                                        assert_true(got < ELEMENTS(messages));
                                        assert_int_equal(len, strlen(messages[got]));
                                        assert_string_equal(text, messages[got]);
                                        ++got;
                                }
                        }
                        assert_int_equal(got, ELEMENTS(messages));
                        assert_false(varlink_reader_partial(&r));
                        varlink_reader_done(&r);
                }
        }
}

static void test_byte_by_byte(void **state) {
        struct varlink_reader r;

        (void)state;
        varlink_reader_init(&r, 64);
        for (size_t i = 0; i < 4; ++i) {
                feed(&r, &"abcd"[i], 1);
                expect_nothing(&r);
                assert_true(varlink_reader_partial(&r));
        }
        feed(&r, "", 1);
        expect_message(&r, "abcd");
        assert_false(varlink_reader_partial(&r));
        expect_nothing(&r);
        varlink_reader_done(&r);
}

/* Exactly max bytes are fine, one more is not, however they come. */
static void test_limit(void **state) {
        static const size_t maxima[] = { 1, 16, 4095, 4096, 5000, 65536 };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(maxima); ++i) {
                size_t max = maxima[i], n;
                char *text = malloc(max + 2), *room;
                const char *got;
                struct varlink_reader r;

                memset(text, 'x', max + 1);
                text[max + 1] = '\0';

                varlink_reader_init(&r, max);
                feed(&r, text + 1, max + 1); /* max letters and the NUL */
                expect_message(&r, text + 1);

                feed(&r, text, max + 1);
                assert_int_equal(varlink_reader_next(&r, &got, &n), -EMSGSIZE);
                assert_int_equal(varlink_reader_room(&r, &room, &n), -EMSGSIZE);
                assert_true(r.size <= max + 1);
                varlink_reader_done(&r);
                free(text);
        }
}

/* A full buffer of small messages is no overrun: they come out, and there is room again. */
static void test_full_of_small_ones(void **state) {
        struct varlink_reader r;
        char *room;
        size_t size;

        (void)state;
        varlink_reader_init(&r, 7);
        feed(&r, "a\0b\0c\0d", 8); /* with the NUL of the literal */
        assert_int_equal(varlink_reader_room(&r, &room, &size), -EMSGSIZE);
        expect_message(&r, "a");
        expect_message(&r, "b");
        assert_int_equal(varlink_reader_room(&r, &room, &size), 0);
        assert_int_equal(size, 4);
        expect_message(&r, "c");
        expect_message(&r, "d");
        expect_nothing(&r);
        varlink_reader_done(&r);
}

/* After a long message the buffer shrinks: 64 idle clients shall not keep 64 big ones. */
static void test_gives_memory_back(void **state) {
        static char text[60000];
        struct varlink_reader r;
        char *room;
        size_t size;

        (void)state;
        memset(text, 'y', sizeof(text) - 1);
        varlink_reader_init(&r, 65536);
        feed(&r, text, sizeof(text));
        expect_message(&r, text);
        assert_int_equal(varlink_reader_room(&r, &room, &size), 0);
        assert_int_equal(r.size, 4096);
        varlink_reader_done(&r);
        varlink_reader_done(&r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_split),
                cmocka_unit_test(test_byte_by_byte),
                cmocka_unit_test(test_limit),
                cmocka_unit_test(test_full_of_small_ones),
                cmocka_unit_test(test_gives_memory_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
