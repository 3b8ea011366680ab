/* SPDX-License-Identifier: MIT */

#include "http/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_bytes(void **state) {
        (void)state;
        for (int i = 1; i < 256; i++) {
                bool token = (i >= '0' && i <= '9') || (i >= 'a' && i <= 'z') ||
                             (i >= 'A' && i <= 'Z') || strchr("!#$%&'*+-.^_`|~", i);
                bool text = i == '\t' || (i >= ' ' && i != 0x7f);

                assert_int_equal(http_is_token_byte((char)i), token);
                assert_int_equal(http_is_text_byte((char)i), text);
        }
        assert_false(http_is_token_byte('\0') || http_is_text_byte('\0'));
}

static void test_compare(void **state) {
        (void)state;
        assert_true(span_is(span_of("HoSt"), "hOsT"));
        assert_false(span_is(span_of("host"), "hos"));
        assert_false(span_is(span_of("hos"), "host"));
        assert_false(span_is(span_of("@"), "`")); /* no letters, though one bit apart */
        assert_true(span_is((struct span){ NULL, 0 }, ""));
        assert_true(span_is_exact((struct span){ NULL, 0 }, ""));
        assert_false(span_is_exact(span_of("a"), "A"));
        assert_true(span_starts(span_of("X-Forwarded-For"), "x-forwarded-"));
        assert_false(span_starts(span_of("X-"), "x-forwarded-"));
        assert_true(span_contains(span_of("xChunkedy"), "chunked"));
        assert_false(span_contains(span_of("chunke"), "chunked"));
        assert_false(span_is_token(span_of("")));
        assert_false(span_is_token(span_of("a b")));
}

/* Every byte at every place of every length, in a piece of memory that ends there. */
static void test_text(void **state) {
        enum { LONGEST = 27 };

        (void)state;
        for (size_t n = 0; n <= LONGEST; n++) {
                char *buf = malloc(n > 0 ? n : 1);

                assert_non_null(buf);
                memset(buf, 'a', n);
                assert_int_equal(span_text((struct span){ buf, n }), n);
                for (size_t at = 0; at < n; at++) {
                        for (int c = 0; c < 256; c++) {
                                buf[at] = (char)c;
                                assert_int_equal(span_text((struct span){ buf, n }),
                                                 http_is_text_byte((char)c) ? n : at);
                        }
                        buf[at] = at % 3 ? '\x80' : '\t'; /* what stands before does not matter */
                }
                free(buf);
        }
        assert_int_equal(span_text((struct span){ NULL, 0 }), 0);
}

/* The elements in brackets. */
static const struct list_row {
        const char *text, *elements, *why;
} lists[] = {
        { "", "[]", "one empty element" },
        { "a", "[a]", "one" },
        { "a,b", "[a][b]", "two" },
        { " a\t, b c ", "[a][b c]", "trimmed" },
        { "a,", "[a][]", "a comma at the end" },
        { ",", "[][]", "a comma alone" },
};

static void test_lists(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(lists); i++) {
                struct span rest = span_of(lists[i].text), e;
                char got[64] = "";

                while (span_element(&rest, &e)) {
                        strcat(got, "[");
                        strncat(got, e.p, e.n);
                        strcat(got, "]");
                }
                assert_string_equal(got, lists[i].elements);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_compare),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_lists),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
