/* SPDX-License-Identifier: MIT */

#include "http/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_line(void **state) {
        uint32_t seen = 0;

        (void)state;
        assert_int_equal(http_scan_line("abc", 0, 3, &seen), HTTP_MORE);
        assert_int_equal(http_scan_line("abc", 3, 3, &seen), HTTP_MORE);
        assert_int_equal(seen, 3);
        assert_int_equal(http_scan_line("abc\r", 4, 3, &seen), HTTP_MORE);
        assert_int_equal(http_scan_line("abc\r\n", 5, 3, &seen), HTTP_OK);
        assert_int_equal(seen, 3);
        assert_int_equal(http_scan_line("abcd", 4, 3, &seen), HTTP_LINE_LONG);
}

/* What was looked at is not looked at again, though it changed meanwhile. */
static void test_linear(void **state) {
        char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        struct http_scan s = { 0 };

        (void)state;
        assert_int_equal(http_scan_head(&s, HTTP_REQUEST, text, 22, &http_request_limits),
                         HTTP_MORE);
        memset(text, '\0', 22);
        assert_int_equal(
                http_scan_head(&s, HTTP_REQUEST, text, sizeof(text) - 1, &http_request_limits),
                HTTP_OK);
        assert_int_equal(s.first, 0);
        assert_int_equal(s.first_end, 14);
        assert_int_equal(s.line, 25);
        assert_int_equal(s.n_headers, 1);
}

static void test_room(void **state) {
        (void)state;
        assert_int_equal(http_head_room(&http_request_limits), 8192 + 32768 + 6);
        assert_int_equal(http_head_room(&http_response_limits), 65536 + 6);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_line),
                cmocka_unit_test(test_linear),
                cmocka_unit_test(test_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
