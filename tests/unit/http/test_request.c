/* SPDX-License-Identifier: MIT */

#include "http/head.h"

#include "again.h"
#include "feed.h"
#include "request_rows.h"

static enum http_verdict read_request(struct http_head *h,
                                      struct http_scan *s,
                                      const char *buf,
                                      size_t n) {
        return http_read_request(h, s, buf, n, &http_request_limits);
}

static void test_verdicts(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(request_rows); i++)
                feed_all(read_request, request_rows[i].text, request_rows[i].n,
                         request_rows[i].verdict, request_rows[i].why);
}

/* All that is accepted goes on in every way, and means the same to whoever reads it next. */
static void assert_forwarded(const struct verdict_row *row, unsigned how) {
        struct http_values values = { .of = { [HTTP_VAR_BACKEND_NAME] = { "b:80", 4 } } };
        struct http_forward f = {
                .values = &values,
                .via = how & 1,
                .trusted = how & 2,
                .forwarded = how & 4,
                .drop_underscore = how & 8,
                .request_id = { "id", how & 16 ? 2 : 0 },
                .peer_ip = { "::1", how & 32 ? 3 : 0 },
                .scheme = { "http", 4 },
        };
        struct http_scan s = { 0 };
        struct http_head h;
        const char *differs;

        assert_int_equal(read_request(&h, &s, row->text, row->n), HTTP_OK);
        f.head = &h;
        differs = again(&f, (struct http_asked){ 0 });
        if (differs)
                fail_msg("%s, in way %u: %s", row->why, how, differs);
}

static void test_forwarded(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(request_rows); i++)
                for (unsigned how = 0; how < 64 && request_rows[i].verdict == HTTP_OK; how++)
                        assert_forwarded(&request_rows[i], how);
}

/* What follows a head is not looked at. */
static void test_size(void **state) {
        static const char two[] = "\r\nGET / HTTP/1.0\r\n\r\n\0\n garbage";
        struct http_head h;
        struct http_scan s = { 0 };

        (void)state;
        assert_int_equal(read_request(&h, &s, S(two)), HTTP_OK);
        assert_int_equal(h.size, 20);
        assert_int_equal(h.n_headers, 0);
}

static struct http_head read_ok(const char *text) {
        struct http_head h;
        struct http_scan s = { 0 };

        assert_int_equal(read_request(&h, &s, text, strlen(text)), HTTP_OK);
        assert_int_equal(h.size, strlen(text));
        return h;
}

static void test_parts(void **state) {
        struct http_head h = read_ok("POST /a/b?c?d HTTP/1.1\r\nhost: Ex.org:81\r\nA:  b c \r\n"
                                     "Content-Length: 0017\r\nEmpty:\r\n\r\n");

        (void)state;
        assert_span(h.method, "POST");
        assert_span(h.target, "/a/b?c?d");
        assert_span(h.path, "/a/b");
        assert_span(h.query, "c?d");
        assert_span(h.authority.text, "Ex.org:81");
        assert_span(h.authority.host, "Ex.org");
        assert_int_equal(h.authority.port, 81);
        assert_int_equal(h.form, HTTP_FORM_ORIGIN);
        assert_int_equal(h.minor, 1);
        assert_int_equal(h.framing, HTTP_FRAMING_LENGTH);
        assert_int_equal(h.length, 17);
        assert_int_equal(h.n_headers, 4);
        assert_span(h.headers[1].name, "A");
        assert_span(h.headers[1].value, "b c");
        assert_span(h.headers[3].value, "");
        assert_true(h.keep_alive);
        assert_false(h.upgrade || h.h2c || h.expect_continue || h.te_trailers || h.interim);
}

static void test_target_wins(void **state) {
        struct http_head h =
                read_ok("OPTIONS http://[::1]:8?x HTTP/1.9\r\nHost: b\r\nA: b\r\n\r\n");

        (void)state;
        assert_int_equal(h.form, HTTP_FORM_ABSOLUTE);
        assert_span(h.authority.text, "[::1]:8");
        assert_span(h.authority.host, "[::1]");
        assert_int_equal(h.authority.port, 8);
        assert_span(h.path, "");
        assert_span(h.query, "x");
        assert_true(h.headers[0].drop);
        assert_false(h.headers[1].drop);
        assert_int_equal(h.minor, 1);

        h = read_ok("CONNECT b:443 HTTP/1.1\r\nHost: c\r\n\r\n");
        assert_int_equal(h.form, HTTP_FORM_AUTHORITY);
        assert_span(h.authority.text, "b:443");
        assert_true(http_asked_by(&h).connect);
        assert_span(h.path, "");

        h = read_ok("OPTIONS * HTTP/1.1\r\nHost: c\r\n\r\n");
        assert_int_equal(h.form, HTTP_FORM_ASTERISK);
        assert_span(h.path, "*");
        assert_span(h.authority.text, "c");
}

static void test_keep_alive(void **state) {
        (void)state;
        assert_false(read_ok("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert_true(read_ok("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
        assert_false(read_ok("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keep_alive);
        assert_true(read_ok("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive);
        assert_false(
                read_ok("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n").keep_alive);
}

/* The names of all headers that are not forwarded, as digits of their places. */
static void assert_dropped(const struct http_head *h, const char *want) {
        char places[HTTP_HEADERS_MAX + 1];
        size_t n = 0;

        for (size_t i = 0; i < h->n_headers; i++)
                if (h->headers[i].drop)
                        places[n++] = (char)('0' + i);
        places[n] = '\0';
        assert_string_equal(places, want);
}

static void test_hop_by_hop(void **state) {
        struct http_head h;

        (void)state;
        h = read_ok("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, b\r\nKeep-Alive: x\r\n"
                    "Proxy-Connection: x\r\nTE: gzip, trailers\r\nUpgrade: x\r\nTrailer: x\r\n"
                    "B: c\r\nBc: d\r\n\r\n");
        assert_dropped(&h, "123457");
        assert_true(h.te_trailers);
        assert_false(h.upgrade); /* Connection does not name it */

        h = read_ok("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \tchunked\r\n"
                    "B: c\r\nconnection: B\r\nb: d\r\n\r\n");
        assert_dropped(&h, "1234");
        assert_int_equal(h.framing, HTTP_FRAMING_CHUNKED);

        h = read_ok("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
        assert_dropped(&h, "0");
        assert_false(h.expect_continue);
        assert_true(read_ok("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n")
                            .expect_continue);
}

static void test_upgrade(void **state) {
        struct http_head h;

        (void)state;
        h = read_ok(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        assert_true(h.upgrade && !h.h2c && http_asked_by(&h).upgrade);
        assert_dropped(&h, "1");

        h = read_ok("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                    "Upgrade: websocket, H2C\r\nHTTP2-Settings: x\r\n\r\n");
        assert_true(!h.upgrade && h.h2c);
        assert_dropped(&h, "123");

        h = read_ok("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        assert_false(h.upgrade);
        h = read_ok("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade:\r\n\r\n");
        assert_false(h.upgrade);
}

/* For the log of a refusal. */
static void test_refused_has_its_line(void **state) {
        static const char text[] = "PUT /x HTTP/1.1\r\nHost: a\r\nB : c\r\n\r\n";
        struct http_head h;
        struct http_scan s = { 0 };

        (void)state;
        assert_int_equal(read_request(&h, &s, text, 30), HTTP_MORE);
        assert_int_equal(read_request(&h, &s, S(text)), HTTP_HEADER_NAME);
        assert_span(h.method, "PUT");
        assert_span(h.target, "/x");
        assert_int_equal(h.size, 0);
}

/* head, then n times part, then tail */
static void repeat(const char *head, const char *part, size_t n, const char *tail, int want) {
        size_t size = strlen(head) + n * strlen(part) + strlen(tail);
        char *text = malloc(size + 1), *p;

        assert_non_null(text);
        p = stpcpy(text, head);
        for (size_t i = 0; i < n; i++)
                p = stpcpy(p, part);
        stpcpy(p, tail);
        feed_growing(read_request, text, size, (enum http_verdict)want, head);
        for (size_t cut = 0; cut < 2; cut++) {
                struct http_head h;
                struct http_scan s = { 0 };

                if (cut == 1)
                        assert_int_equal(read_request(&h, &s, text, size / 2), HTTP_MORE);
                assert_int_equal(read_request(&h, &s, text, size), want);
        }
        assert_true(size <= http_head_room(&http_request_limits) || want != HTTP_OK);
        free(text);
}

static void test_limits(void **state) {
        static const char host[] = "GET / HTTP/1.0\r\n", end[] = "\r\n\r\n";

        (void)state;
        /* 8192 bytes of a request line: "GET /" and " HTTP/1.0" are 14 */
        repeat("GET /", "a", 8192 - 14, " HTTP/1.0\r\n\r\n", HTTP_OK);
        repeat("GET /", "a", 8193 - 14, " HTTP/1.0\r\n\r\n", HTTP_LINE_LONG);
        repeat("GET /", "a", 9000, "", HTTP_LINE_LONG);
        repeat("GET / HTTP/1.0\r\nA:", "b", 8190, end, HTTP_OK);
        repeat("GET / HTTP/1.0\r\nA:", "b", 8191, end, HTTP_HEADER_LONG);
        repeat(host, "A: b\r\n", 100, "\r\n", HTTP_OK);
        repeat(host, "A: b\r\n", 101, "\r\n", HTTP_HEADERS_MANY);
        /* 64 lines of 512 bytes are 32 KiB */
#define B16  "bbbbbbbbbbbbbbbb"
#define B128 B16 B16 B16 B16 B16 B16 B16 B16
#define A512 "A:" B128 B128 B128 B16 B16 B16 B16 B16 B16 B16 "bbbbbbbbbbbb\r\n"
        assert_int_equal(strlen(A512), 512);
        repeat(host, A512, 64, "\r\n", HTTP_OK);
        repeat(host, A512, 64, "A:\r\n\r\n", HTTP_HEADERS_LONG);
        repeat(host, A512, 65, "\r\n", HTTP_HEADERS_LONG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_verdicts),
                cmocka_unit_test(test_forwarded),
                cmocka_unit_test(test_size),
                cmocka_unit_test(test_parts),
                cmocka_unit_test(test_target_wins),
                cmocka_unit_test(test_keep_alive),
                cmocka_unit_test(test_hop_by_hop),
                cmocka_unit_test(test_upgrade),
                cmocka_unit_test(test_refused_has_its_line),
                cmocka_unit_test(test_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
