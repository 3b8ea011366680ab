/* SPDX-License-Identifier: MIT */

#include "http/head.h"

#include "again.h"
#include "feed.h"

#define S(text)     (text), sizeof(text) - 1
#define OK(headers) S("HTTP/1.1 200 OK\r\n" headers "\r\n")
#define LINE(line)  S(line "\r\n\r\n")
#define TE          "Transfer-Encoding: "
#define CL          "Content-Length: "

static const struct verdict_row {
        const char *text;
        size_t n;
        enum http_verdict verdict;
        const char *why;
} rows[] = {
        /* clang-format off */
        { OK(""),                                  HTTP_OK, "the least there can be" },
        { LINE("HTTP/1.1 200 "),                   HTTP_OK, "an empty reason" },
        { LINE("HTTP/1.1 200"),                    HTTP_OK, "not even the blank before it" },
        { LINE("HTTP/1.0 599 a\tb \xc3\xa4"),      HTTP_OK, "any text" },
        { LINE("HTTP/1.7 200 OK"),                 HTTP_OK, "a later minor version" },
        { LINE("HTTP/1.1 100 Continue"),           HTTP_OK, "interim" },
        { S("HTTP/1.1 200 OK\r\n"),                HTTP_MORE, "not whole" },

        { LINE("HTTP/2.0 200 OK"),                 HTTP_STATUS_LINE, "another major version" },
        { LINE("HTTP/1.1 099 x"),                  HTTP_STATUS_LINE, "below 100" },
        { LINE("HTTP/1.1 600 x"),                  HTTP_STATUS_LINE, "above 599" },
        { LINE("HTTP/1.1 2000 x"),                 HTTP_STATUS_LINE, "four digits" },
        { LINE("HTTP/1.1 20 x"),                   HTTP_STATUS_LINE, "two digits" },
        { LINE("HTTP/1.1 2x0 x"),                  HTTP_STATUS_LINE, "no number" },
        { LINE("HTTP/1.1 +20 x"),                  HTTP_STATUS_LINE, "a sign" },
        { LINE("HTTP/1.1  200 x"),                 HTTP_STATUS_LINE, "two blanks" },
        { LINE("HTTP/1.1\t200 x"),                 HTTP_STATUS_LINE, "a tab" },
        { LINE("HTTP/1.1 200\tx"),                 HTTP_STATUS_LINE, "a tab" },
        { LINE("HTTP/1.1"),                        HTTP_STATUS_LINE, "no status" },
        { LINE("HTTP/1 200 OK"),                   HTTP_STATUS_LINE, "no minor version" },
        { LINE("http/1.1 200 OK"),                 HTTP_STATUS_LINE, "case counts" },
        { LINE(" HTTP/1.1 200 OK"),                HTTP_STATUS_LINE, "a blank before" },
        { S("\r\nHTTP/1.1 200 OK\r\n\r\n"),        HTTP_STATUS_LINE, "an empty line before" },
        { S("ICY 200 OK\r\n"),                     HTTP_STATUS_LINE, "another protocol, at once" },
        { S("GET / HTTP/1.1\r\n"),                 HTTP_STATUS_LINE, "a request" },
        { S("\xff"),                               HTTP_STATUS_LINE, "garbage, at once" },
        { S("\x15\x03\x01"),                       HTTP_CONTROL_BYTE, "a TLS alert, at once" },
        { S("HTTP/1.1 200 OK\n\n"),                HTTP_BARE_LF, "bare LF" },
        { S("HTTP/1.1 200 O\rK\r\n\r\n"),          HTTP_BARE_CR, "bare CR" },
        { S("HTTP/1.1 200 O\0K\r\n\r\n"),          HTTP_CONTROL_BYTE, "NUL" },

        { OK("A: b\r\n c\r\n"),                    HTTP_OBS_FOLD, "obs-fold" },
        { OK("A: b\nc\r\n"),                       HTTP_BARE_LF, "bare LF" },
        { OK("A: b\rc\r\n"),                       HTTP_BARE_CR, "bare CR" },
        { OK("A: b\x01\r\n"),                      HTTP_CONTROL_BYTE, "a control byte" },
        { OK("A : b\r\n"),                         HTTP_HEADER_NAME, "a blank before the colon" },
        { OK(": b\r\n"),                           HTTP_HEADER_NAME, "no name" },
        { OK(CL "5\r\n" TE "chunked\r\n"),         HTTP_LENGTH_AND_CODING, "both" },
        { OK(CL "5\r\n" CL "5\r\n"),               HTTP_LENGTH_TWICE, "two" },
        { OK(CL "5, 5\r\n"),                       HTTP_LENGTH, "a list" },
        { OK(CL "-1\r\n"),                         HTTP_LENGTH, "negative" },
        { OK(CL "18446744073709551616\r\n"),       HTTP_LENGTH, "it would wrap" },
        { OK(TE "gzip\r\n"),                       HTTP_CODING_UNKNOWN, "unknown" },
        { OK(TE "gzip, chunked\r\n"),              HTTP_CODING, "a list" },
        { OK(TE "identity\r\n"),                   HTTP_CODING, "withdrawn" },
        { S("HTTP/1.0 200 OK\r\n" TE "chunked\r\n\r\n"), HTTP_CODING_1_0, "1.0 has no chunks" },
        { S("HTTP/1.1 204 x\r\n" CL "5\r\n" TE "chunked\r\n\r\n"), HTTP_LENGTH_AND_CODING,
                                                   "bad framing, though there is no body" },
        { OK("Connection: content-length\r\n"),    HTTP_NOMINATED, "it has to pass" },
        { OK("Connection: a b\r\n"),               HTTP_CONNECTION, "no token" },
        { S("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), HTTP_UNASKED_SWITCH,
                                                   "nobody asked for it" },
        /* clang-format on */
};

static enum http_verdict read_response(struct http_head *h,
                                       struct http_scan *s,
                                       const char *buf,
                                       size_t n) {
        return http_read_response(h, s, buf, n, &http_response_limits, (struct http_asked){ 0 });
}

static void test_verdicts(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                feed_all(read_response, rows[i].text, rows[i].n, rows[i].verdict, rows[i].why);
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
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct http_scan s = { 0 };
                struct http_head h;

                if (rows[i].verdict != HTTP_OK)
                        continue;
                assert_int_equal(read_response(&h, &s, rows[i].text, rows[i].n), HTTP_OK);
                assert_forwarded(&h, (struct http_asked){ 0 }, rows[i].why);
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
