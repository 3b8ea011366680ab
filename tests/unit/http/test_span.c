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
                cmocka_unit_test(test_lists),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
