/* SPDX-License-Identifier: MIT */

#include "http/head.h"

#include "again.h"
#include "feed.h"
#include "response_rows.h"

static enum http_verdict read_response(struct http_head *h,
                                       struct http_scan *s,
                                       const char *buf,
                                       size_t n) {
        return http_read_response(h, s, buf, n, &http_response_limits, (struct http_asked){ 0 });
}

static void test_verdicts(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(response_rows); i++)
                feed_all(read_response, response_rows[i].text, response_rows[i].n,
                         response_rows[i].verdict, response_rows[i].why);
}

/* It goes on in every way, and means the same to whoever reads it next. */
static void assert_forwarded(const struct http_head *h, struct http_asked asked, const char *why) {
        struct http_values values = { .of = { [HTTP_VAR_HOST] = { NULL, 0 } } };

        for (unsigned how = 0; how < 64; how++) {
                struct http_forward f = {
                        .head = h,
                        .values = &values,
                        .via = how & 1,
                        .drop_underscore = how & 2,
                        .request_id = { "id", how & 4 ? 2 : 0 },
                        .client_minor = how & 8 ? 0 : 1,
                        .close = how & 16,
                        .now_s = how & 32 ? 784111777 : 0,
                };
                const char *differs = again(&f, asked);

                if (differs)
                        fail_msg("%s, in way %u: %s", why, how, differs);
        }
}

static void test_forwarded(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(response_rows); i++) {
                struct http_scan s = { 0 };
                struct http_head h;

                if (response_rows[i].verdict != HTTP_OK)
                        continue;
                assert_int_equal(read_response(&h, &s, response_rows[i].text, response_rows[i].n),
                                 HTTP_OK);
                assert_forwarded(&h, (struct http_asked){ 0 }, response_rows[i].why);
        }
}

enum asked { PLAIN, HEAD, CONNECT, UPGRADE };

/* RFC 9112 6.3, as a table. */
static const struct framing_row {
        enum asked asked;
        const char *text; /* without the last empty line */
        enum http_framing framing;
        uint64_t length;
        bool keep_alive, interim;
        const char *dropped; /* places of headers that are not forwarded */
        const char *why;
} framings[] = {
        /* clang-format off */
        { PLAIN, "HTTP/1.1 200 x\r\n" CL "5\r\n", HTTP_FRAMING_LENGTH, 5, true, false, "", "length" },
        { PLAIN, "HTTP/1.1 200 x\r\n" CL "0\r\n", HTTP_FRAMING_LENGTH, 0, true, false, "", "empty" },
        { PLAIN, "HTTP/1.1 200 x\r\n" TE "\tchunked\r\n", HTTP_FRAMING_CHUNKED, 0, true, false, "0", "chunked" },
        { PLAIN, "HTTP/1.1 200 x\r\n", HTTP_FRAMING_UNTIL_CLOSE, 0, false, false, "", "neither" },
        { PLAIN, "HTTP/1.1 500 x\r\n" CL "1\r\nConnection: close\r\n", HTTP_FRAMING_LENGTH, 1, false, false, "1", "close" },
        { PLAIN, "HTTP/1.0 200 x\r\n" CL "1\r\n", HTTP_FRAMING_LENGTH, 1, false, false, "", "1.0" },
        { PLAIN, "HTTP/1.0 200 x\r\n" CL "1\r\nConnection: keep-alive\r\n", HTTP_FRAMING_LENGTH, 1, true, false, "1", "1.0, kept" },
        { PLAIN, "HTTP/1.0 200 x\r\nConnection: keep-alive\r\n", HTTP_FRAMING_UNTIL_CLOSE, 0, false, false, "0", "it cannot be kept" },
        { HEAD, "HTTP/1.1 200 x\r\n" CL "5\r\n", HTTP_FRAMING_NONE, 0, true, false, "", "HEAD with a length" },
        { HEAD, "HTTP/1.1 200 x\r\n" TE "chunked\r\n", HTTP_FRAMING_NONE, 0, true, false, "0", "HEAD, chunked" },
        { HEAD, "HTTP/1.1 404 x\r\n", HTTP_FRAMING_NONE, 0, true, false, "", "HEAD with neither" },
        { PLAIN, "HTTP/1.1 204 x\r\n" CL "5\r\n", HTTP_FRAMING_NONE, 0, true, false, "0", "204 with a length" },
        { PLAIN, "HTTP/1.1 204 x\r\n" TE "chunked\r\n", HTTP_FRAMING_NONE, 0, true, false, "0", "204, chunked" },
        { PLAIN, "HTTP/1.1 304 x\r\n" CL "5\r\n", HTTP_FRAMING_NONE, 0, true, false, "", "304 with a length" },
        { PLAIN, "HTTP/1.1 304 x\r\n", HTTP_FRAMING_NONE, 0, true, false, "", "304 with neither" },
        { PLAIN, "HTTP/1.1 100 x\r\n", HTTP_FRAMING_NONE, 0, true, true, "", "100" },
        { PLAIN, "HTTP/1.1 103 x\r\n" CL "5\r\nLink: y\r\n", HTTP_FRAMING_NONE, 0, true, true, "0", "103 with a length" },
        { CONNECT, "HTTP/1.1 200 x\r\n" CL "5\r\n", HTTP_FRAMING_TUNNEL, 0, false, false, "0", "CONNECT" },
        { CONNECT, "HTTP/1.1 299 x\r\n" TE "chunked\r\n", HTTP_FRAMING_TUNNEL, 0, false, false, "0", "CONNECT" },
        { CONNECT, "HTTP/1.1 407 x\r\n" CL "5\r\n", HTTP_FRAMING_LENGTH, 5, true, false, "", "CONNECT, refused" },
        { UPGRADE, "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: y\r\n", HTTP_FRAMING_TUNNEL, 0, false, false, "0", "upgrade" },
        { UPGRADE, "HTTP/1.1 200 x\r\n" CL "5\r\n", HTTP_FRAMING_LENGTH, 5, true, false, "", "upgrade, refused" },
        { UPGRADE, "HTTP/1.1 426 x\r\nConnection: upgrade\r\nUpgrade: y\r\n" CL "0\r\n", HTTP_FRAMING_LENGTH, 0, true, false, "0", "what the server would upgrade to" },
        /* clang-format on */
};

static struct http_asked asked_of(enum asked asked) {
        return (struct http_asked){ asked == HEAD, asked == CONNECT, asked == UPGRADE };
}

/* Read whole, and at each place where it may be cut. */
static void assert_framing(const struct framing_row *row) {
        struct http_asked asked = asked_of(row->asked);
        struct http_scan s = { 0 };
        struct http_head h;
        char text[256], dropped[8] = "";
        int n = snprintf(text, sizeof(text), "%s\r\n", row->text);

        assert_int_equal(http_read_response(&h, &s, text, (size_t)n, &http_response_limits, asked),
                         HTTP_OK);
        for (size_t i = 0, at = 0; i < h.n_headers; i++)
                if (h.headers[i].drop)
                        dropped[at++] = (char)('0' + i);
        if (h.framing != row->framing || h.length != row->length ||
            h.keep_alive != row->keep_alive || h.interim != row->interim ||
            strcmp(dropped, row->dropped) != 0)
                fail_msg("%s: framing %d, length %llu, keep-alive %d, interim %d, dropped %s",
                         row->why, (int)h.framing, (unsigned long long)h.length, h.keep_alive,
                         h.interim, dropped);
        assert_forwarded(&h, asked, row->why);
        for (int cut = 0; cut < n; cut++) {
                struct http_head again;

                s = (struct http_scan){ 0 };
                assert_int_equal(http_read_response(&again, &s, text, (size_t)cut,
                                                    &http_response_limits, asked),
                                 HTTP_MORE);
                assert_int_equal(http_read_response(&again, &s, text, (size_t)n,
                                                    &http_response_limits, asked),
                                 HTTP_OK);
                assert_memory_equal(&again, &h, offsetof(struct http_head, headers));
        }
}

static void test_framing(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(framings); i++)
                assert_framing(&framings[i]);
}

/* 101 is an answer to Upgrade only, and says itself that it agrees. */
static void test_switching(void **state) {
        static const char text[] = "HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n";
        struct http_scan s = { 0 };
        struct http_head h;

        (void)state;
        assert_int_equal(http_read_response(&h, &s, S(text), &http_response_limits,
                                            (struct http_asked){ .upgrade = true }),
                         HTTP_UNASKED_SWITCH);
}

/* Several interim heads, then the final one: each is read from where the one before ended, and the
 * bytes come in two pieces, cut at each place. */
static void assert_chain(const char *text, size_t n, size_t cut) {
        static const int statuses[] = { 100, 103, 103, 200 };
        size_t at = 0;

        for (size_t i = 0; i < ELEMENTS(statuses); i++) {
                struct http_scan s = { 0 };
                struct http_head h;
                enum http_verdict v = HTTP_MORE;

                if (at < cut)
                        v = read_response(&h, &s, text + at, cut - at);
                if (v == HTTP_MORE)
                        v = read_response(&h, &s, text + at, n - at);
                assert_int_equal(v, HTTP_OK);
                assert_int_equal(h.status, statuses[i]);
                assert_int_equal(h.interim, h.status < 200);
                assert_int_equal(h.framing, h.interim ? HTTP_FRAMING_NONE : HTTP_FRAMING_LENGTH);
                at += h.size;
        }
        assert_string_equal(text + at, "hi");
}

static void test_chain(void **state) {
        static const char text[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
                                   "Link: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
                                   "Content-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\n"
                                   "Content-Length: 2\r\n\r\nhi";

        (void)state;
        for (size_t cut = 0; cut < sizeof(text); cut++)
                assert_chain(text, sizeof(text) - 1, cut);
}

static void test_limits(void **state) {
        size_t n = http_head_room(&http_response_limits) + 1;
        char *text = malloc(n);
        struct http_scan s = { 0 };
        struct http_head h;

        (void)state;
        assert_non_null(text);
        memset(text, 'a', n);
        memcpy(text, "HTTP/1.1 200 OK\r\nA:", 19);
        assert_int_equal(read_response(&h, &s, text, 17 + 57342), HTTP_MORE);
        assert_int_equal(read_response(&h, &s, text, n), HTTP_HEADERS_LONG);
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_verdicts), cmocka_unit_test(test_forwarded),
                cmocka_unit_test(test_framing),  cmocka_unit_test(test_switching),
                cmocka_unit_test(test_chain),    cmocka_unit_test(test_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
