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

/* Every byte at every place of a line, whatever stands around it: it is looked at eight at once. */
static void test_bytes(void **state) {
        (void)state;
        for (size_t n = 1; n < 28; n++)
                for (size_t at = 0; at < n; at++)
                        for (int c = 0; c < 256; c++) {
                                char line[32];
                                uint32_t seen = 0;
                                bool text = http_is_text_byte((char)c);
                                enum http_verdict v;

                                memset(line, c % 3 == 0 ? ' ' : c % 3 == 1 ? '~' : 0xff, n);
                                line[at] = (char)c;
                                memcpy(line + n, "\r\n", 2);
                                v = http_scan_line(line, n + 2, n, &seen);
                                assert_int_equal(seen, text ? n : at);
                                assert_int_equal(v, text        ? HTTP_OK
                                                    : c == '\n' ? HTTP_BARE_LF
                                                    : c == '\r' ? HTTP_BARE_CR
                                                                : HTTP_CONTROL_BYTE);
                        }
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
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_linear),
                cmocka_unit_test(test_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
