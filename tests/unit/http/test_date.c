/* SPDX-License-Identifier: MIT */

#include "http/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void assert_date(uint64_t unix_s, const char *want) {
        char got[HTTP_DATE_SIZE + 1] = "";

        http_date(got, unix_s);
        if (strcmp(got, want) != 0)
                fail_msg("%llu: %s, and not %s", (unsigned long long)unix_s, got, want);
}

static void test_known(void **state) {
        (void)state;
        assert_date(0, "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT"); /* RFC 9110's own */
        assert_date(951782399, "Mon, 28 Feb 2000 23:59:59 GMT");
        assert_date(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_date(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"); /* no leap year */
        assert_date(253402300799, "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_date(UINT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
}

/* The C library agrees, over 500 years. */
static void test_library(void **state) {
        (void)state;
        for (uint64_t s = 0; s < 16000000000; s += 86400 * 11 + 4567) {
                char want[64];
                time_t t = (time_t)s;
                struct tm tm;

                assert_non_null(gmtime_r(&t, &tm));
                assert_true(strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
                assert_date(s, want);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_known),
                cmocka_unit_test(test_library),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
