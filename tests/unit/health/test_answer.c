/* SPDX-License-Identifier: MIT */
#include "health/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/str.h"
#include "upstream/failure.h"

#define BAD FAILURE_NOT_HTTP

static const struct {
        const char *bytes;
        int expected; /* 0: more is needed */
} rows[] = {
        { "HTTP/1.1 200 OK\r\n", 200 },
        { "HTTP/1.0 503 Service Unavailable\r\n", 503 },
        { "HTTP/1.1 204\r\n", 204 }, /* no reason: RFC 9112 wants the space, many leave it out */
        { "HTTP/1.1 204 \r\n", 204 },
        { "HTTP/1.1 200 OK\n", 200 }, /* a lone LF */
        { "HTTP/1.1 404\n", 404 },
        { "HTTP/1.1 999 odd\r\n", 999 },
        { "HTTP/1.1 101 Switching Protocols\r\n", 101 },
        { "HTTP/1.1 200 OK\r\nnot looked at \x01\xff", 200 },
        { "HTTP/1.1 200 \xc3\xa9\r\n", 200 },
        /* interim responses */
        { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", 200 },
        { "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nA: b\r\n\r\nHTTP/1.1 503 no\r\n", 503 },
        { "HTTP/1.1 100 a\n\nHTTP/1.1 102 b\n\nHTTP/1.1 301 c\n", 301 },
        { "HTTP/1.1 100 Continue\r\nHTTP/1.1: 200 OK\r\n", 0 },
        { "HTTP/1.1 100 Continue\r\n\r\nx", BAD },
        /* more is needed */
        { "", 0 },
        { "H", 0 },
        { "HTTP/1.1 20", 0 },
        { "HTTP/1.1 200 OK", 0 },
        { "HTTP/1.1 200 OK\r", 0 },
        { "HTTP/1.1 100 Continue\r\n\r\n", 0 },
        { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2", 0 },
        /* no HTTP/1 */
        { "\r\n", BAD },
        { "\n", BAD },
        { "SSH-2.0-OpenSSH_9.2\r\n", BAD },
        { "HTTP/2 200\r\n", BAD },
        { "HTTP/2.0 200 OK\r\n", BAD },
        { "HTTP/1.x 200 OK\r\n", BAD },
        { "HTTP/1.10 200 OK\r\n", BAD },
        { "http/1.1 200 OK\r\n", BAD },
        { "HTTP/1.1  200 OK\r\n", BAD },
        { "HTTP/1.1\t200 OK\r\n", BAD },
        { "HTTP/1.1 2000 OK\r\n", BAD },
        { "HTTP/1.1 20x OK\r\n", BAD },
        { "HTTP/1.1 20\r\n", BAD },
        { "HTTP/1.1 -20 \r\n", BAD },
        { "HTTP/1.1 099 low\r\n", BAD },
        { "HTTP/1.1 000 zero\r\n", BAD },
        { "HTTP/1.1\n", BAD },
        { " HTTP/1.1 200 OK\r\n", BAD },
        { "\x15\x03\x01\x00\x02\x02\x16", BAD }, /* an alert of TLS */
};

/* All at once, byte by byte, and in any two pieces. */
static void test_table(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                size_t n = strlen(rows[i].bytes);

                for (size_t cut = 0; cut <= n; cut++) {
                        struct answer a = { 0 };
                        int r = answer_feed(&a, rows[i].bytes, cut);

                        if (r == 0)
                                r = answer_feed(&a, rows[i].bytes + cut, n - cut);
                        if (r != rows[i].expected)
                                fail_msg("%s, cut at %zu: %d", rows[i].bytes, cut, r);
                }
                for (struct answer a = { 0 }, *p = &a; p; p = NULL) {
                        int r = 0;

                        for (size_t at = 0; at < n && r == 0; at++)
                                r = answer_feed(p, rows[i].bytes + at, 1);
                        if (r != rows[i].expected)
                                fail_msg("%s, byte by byte: %d", rows[i].bytes, r);
                }
        }
}

/* No NUL ends anything. */
static void test_nul(void **state) {
        static const char bytes[] = "HTTP/1.1 200 O\0K\r\n", early[] = "HTTP\0/1.1 200 OK\r\n";
        struct answer a = { 0 };

        (void)state;
        assert_int_equal(answer_feed(&a, bytes, sizeof(bytes) - 1), 200);
        a = (struct answer){ 0 };
        assert_int_equal(answer_feed(&a, early, sizeof(early) - 1), BAD);
}

/* How many bytes of c after start until it is enough, in pieces of a thousand. */
static size_t fed(const char *start, char c, int *ret) {
        struct answer a = { 0 };
        char piece[1000];
        size_t n = strlen(start);

        memset(piece, c, sizeof(piece));
        *ret = answer_feed(&a, start, n);
        while (*ret == 0 && n < 10 * ANSWER_MAX) {
                *ret = answer_feed(&a, piece, sizeof(piece));
                n += sizeof(piece);
        }
        return n;
}

static void test_endless(void **state) {
        static const char *const starts[] = {
                "HTTP/1.1 200 ",
                "HTTP/1.1 100 Continue\r\n",
                "HTTP/1.1 100 Continue\r\nName: ",
        };
        int r;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(starts); i++) {
                size_t n = fed(starts[i], 'a', &r);

                assert_int_equal(r, BAD);
                assert_in_range(n, ANSWER_MAX, ANSWER_MAX + 1000);
        }
}

/* Interim responses without end. */
static void test_endless_interim(void **state) {
        static const char one[] = "HTTP/1.1 102 Processing\r\n\r\n";
        struct answer a = { 0 };
        size_t n = 0;
        int r = 0;

        (void)state;
        for (; r == 0 && n < 10 * ANSWER_MAX; n += sizeof(one) - 1)
                r = answer_feed(&a, one, sizeof(one) - 1);
        assert_int_equal(r, BAD);
        assert_in_range(n, ANSWER_MAX, ANSWER_MAX + sizeof(one));
}

/* The longest status line that is taken. */
static void test_long_reason(void **state) {
        _cleanup_(str_freep) char *line = malloc(ANSWER_MAX);
        struct answer a = { 0 };

        (void)state;
        assert_non_null(line);
        memset(line, 'r', ANSWER_MAX);
        memcpy(line, "HTTP/1.1 200 ", 13);
        line[ANSWER_MAX - 1] = '\n';
        assert_int_equal(answer_feed(&a, line, ANSWER_MAX), 200);
        a = (struct answer){ 0 };
        assert_int_equal(answer_feed(&a, line, ANSWER_MAX - 1), 0);
        assert_int_equal(answer_feed(&a, "rr", 2), BAD);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),       cmocka_unit_test(test_nul),
                cmocka_unit_test(test_endless),     cmocka_unit_test(test_endless_interim),
                cmocka_unit_test(test_long_reason),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
