/* SPDX-License-Identifier: MIT */

#include "varlink/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base.h"

static struct scan_text text_of(const char *text) {
        return (struct scan_text){ .text = text, .n = strlen(text) };
}

static void test_walk(void **state) {
        static const char text[] =
                " {\"a\" : 1,\"b\":[\"x]\\\"\",{\"c\":[]} , true], \"d\":{\"e\":-2.5e3}}";
        struct scan s;
        struct scan_text key;

        (void)state;
        scan_init(&s, text_of(text));
        assert_false(scan_enter(&s, '['));
        assert_true(scan_enter(&s, '{'));
        assert_true(scan_member(&s, &key));
        assert_true(scan_text_is(key, "a"));
        assert_true(scan_text_is(scan_value(&s), "1"));
        assert_true(scan_member(&s, &key));
        assert_true(scan_enter(&s, '['));
        assert_true(scan_element(&s));
        assert_true(scan_text_is(scan_value(&s), "\"x]\\\"\""));
        assert_true(scan_element(&s));
        assert_true(scan_text_is(scan_value(&s), "{\"c\":[]}"));
        assert_true(scan_element(&s));
        assert_true(scan_text_is(scan_value(&s), "true"));
        assert_false(scan_element(&s));
        assert_true(scan_member(&s, &key));
        assert_true(scan_text_is(key, "d"));
        assert_true(scan_enter(&s, '{'));
        assert_true(scan_member(&s, &key));
        assert_true(scan_text_is(scan_value(&s), "-2.5e3"));
        assert_false(scan_member(&s, &key));
        assert_false(scan_member(&s, &key));
        assert_false(s.bad);
        assert_ptr_equal(s.at, s.end);
}

/* Every text is walked through to its end, and none is read beyond it. */
static void test_bad(void **state) {
        static const char *const texts[] = {
                "{",      "{\"a\"",     "{\"a\":",   "{\"a\":1",  "{\"a\":1,",   "{\"a\":1,}",
                "{,}",    "{\"a\" 1}",  "{a:1}",     "{\"a\":}",  "{\"a\":1 2}", "{\"a",
                "{\"a\\", "{\"a\":\"b", "{\"a\":[1", "{\"a\":{}", "{\"a\":1]",   "{\"a\":\"\\\"}",
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                size_t n = strlen(texts[i]);
                char *copy = malloc(n); /* without the NUL: the sanitizer looks */
                struct scan s;
                struct scan_text key;

                assert_non_null(copy);
                memcpy(copy, texts[i], n);
                scan_init(&s, (struct scan_text){ .text = copy, .n = n });
                assert_true(scan_enter(&s, '{'));
                while (scan_member(&s, &key))
                        scan_value(&s);
                assert_true(s.bad);
                assert_false(scan_enter(&s, '{'));
                free(copy);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_walk),
                cmocka_unit_test(test_bad),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
