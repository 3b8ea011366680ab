/* SPDX-License-Identifier: MIT */

#include "http/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_rows(void **state) {
        (void)state;
        for (int i = 0; i < HTTP_VERDICTS_COUNT; i++) {
                enum http_verdict v = (enum http_verdict)i;
                int status = http_verdict_status(v, false);

                assert_true(*http_verdict_word(v) && *http_verdict_text(v));
                assert_null(strpbrk(http_verdict_word(v), " -ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
                for (int k = 0; k < i; k++)
                        assert_string_not_equal(http_verdict_word(v),
                                                http_verdict_word((enum http_verdict)k));
                if (v == HTTP_OK || v == HTTP_MORE) {
                        assert_int_equal(status, 0);
                        assert_int_equal(http_verdict_status(v, true), 0);
                } else {
                        assert_true(status >= 400 && status < 600);
                        assert_int_equal(http_verdict_status(v, true), 502);
                }
        }
}

/* What design and manual promise. */
static void test_statuses(void **state) {
        (void)state;
        assert_int_equal(http_verdict_status(HTTP_LINE_LONG, false), 414);
        assert_int_equal(http_verdict_status(HTTP_HEADER_LONG, false), 431);
        assert_int_equal(http_verdict_status(HTTP_HEADERS_LONG, false), 431);
        assert_int_equal(http_verdict_status(HTTP_HEADERS_MANY, false), 431);
        assert_int_equal(http_verdict_status(HTTP_CODING_UNKNOWN, false), 501);
        assert_int_equal(http_verdict_status(HTTP_VERSION, false), 505);
        assert_int_equal(http_verdict_status(HTTP_PREFACE, false), 505);
        assert_int_equal(http_verdict_status(HTTP_EXPECTATION, false), 417);
        assert_int_equal(http_verdict_status(HTTP_TLS, false), 400);
        assert_string_equal(http_verdict_text(HTTP_TLS), "TLS to a plain HTTP port");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_statuses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
