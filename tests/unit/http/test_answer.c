/* SPDX-License-Identifier: MIT */

#include "http/answer.h"

#include "feed.h"

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define TEXT "Content-Type: text/plain; charset=utf-8\r\n"

/* The text of an answer, in memory of its own; and with one byte less it does not fit. */
static char *written(struct http_answer a) {
        struct http_out o = { .p = malloc(65537), .room = 65536 }, tight;

        a.now_s = 784111777;
        assert_non_null(o.p);
        assert_true(http_answer_write(&o, &a));
        o.p[o.n] = '\0';

        for (size_t room = o.n - 1; room <= o.n; room++) {
                tight = (struct http_out){ .p = malloc(room), .room = room };
                assert_non_null(tight.p);
                assert_int_equal(http_answer_write(&tight, &a), room == o.n);
                free(tight.p);
        }
        return o.p;
}

static void assert_answer(struct http_answer a, const char *want) {
        char *got = written(a);

        assert_string_equal(got, want);
        free(got);
}

static void test_answers(void **state) {
        const struct http_answer not_found = { .status = 404, .client_minor = 1 };
        struct http_answer a = not_found;

        (void)state;
        assert_answer(a, "HTTP/1.1 404 Not Found\r\n" DATE TEXT "Content-Length: 48\r\n\r\n"
                         "404 Not Found\nThere is nothing at this address.\n");
        a.request_id = span_of("id-1");
        a.close = true;
        assert_answer(a, "HTTP/1.1 404 Not Found\r\n" DATE "X-Request-ID: id-1\r\n" TEXT
                         "Content-Length: 66\r\nConnection: close\r\n\r\n404 Not Found\n"
                         "There is nothing at this address.\n\nRequest ID: id-1\n");
        a.head = true;
        a.client_minor = 0;
        a.close = false;
        assert_answer(a, "HTTP/1.1 404 Not Found\r\n" DATE "X-Request-ID: id-1\r\n" TEXT
                         "Content-Length: 66\r\nConnection: keep-alive\r\n\r\n");

        a = (struct http_answer){ .status = 405, .allow = "GET, HEAD", .client_minor = 1 };
        a.body = span_of("no\n");
        assert_answer(a, "HTTP/1.1 405 Method Not Allowed\r\n" DATE "Allow: GET, HEAD\r\n" TEXT
                         "Content-Length: 3\r\n\r\nno\n");
        a = (struct http_answer){ .status = 503, .retry_after_s = 120, .client_minor = 1 };
        a.body = span_of("<p>later</p>");
        a.content_type = "text/html";
        assert_answer(a, "HTTP/1.1 503 Service Unavailable\r\n" DATE "Retry-After: 120\r\n"
                         "Content-Type: text/html\r\nContent-Length: 12\r\n\r\n<p>later</p>");
        a = (struct http_answer){ .status = 200, .body = span_of(""), .client_minor = 1 };
        assert_answer(a, "HTTP/1.1 200 OK\r\n" DATE TEXT "Content-Length: 0\r\n\r\n");
        a = (struct http_answer){ .status = 204, .body = span_of("x"), .client_minor = 1 };
        assert_answer(a, "HTTP/1.1 204 \r\n" DATE "\r\n");
        a = (struct http_answer){ .status = 304, .client_minor = 1 };
        assert_answer(a, "HTTP/1.1 304 \r\n" DATE "\r\n");
}

static void test_rules(void **state) {
        struct http_piece name[] = { { HTTP_VAR_HOST, span_of("host") } };
        struct http_rule list[4] = { { .op = HTTP_RULE_SET } };
        struct http_rules rules = { list, ELEMENTS(list) };
        struct http_values values = { .of = { [HTTP_VAR_HOST] = span_of("a") } };
        struct http_answer a = {
                .status = 302,
                .body = span_of(""),
                .location = span_of("/x"),
                .request_id = span_of("id"),
                .rules = &rules,
                .values = &values,
                .client_minor = 1,
        };

        (void)state;
        assert_int_equal(http_rule_read(&list[0], HTTP_RESPONSE, span_of("X-Host")), 0);
        assert_int_equal(http_rule_read(&list[1], HTTP_RESPONSE, span_of("-Date")), 0);
        assert_int_equal(http_rule_read(&list[2], HTTP_RESPONSE, span_of("-x-request-id")), 0);
        assert_int_equal(http_rule_read(&list[3], HTTP_RESPONSE, span_of("Content-Type")), 0);
        list[0].value = list[3].value = (struct http_template){ name, 1 };
        assert_answer(a, "HTTP/1.1 302 Found\r\nLocation: /x\r\nX-Host: a\r\nContent-Type: a\r\n"
                         "Content-Length: 0\r\n\r\n");
}

/* Whatever a request put into a variable, an answer has the headers that it has. */
static void test_no_splitting(void **state) {
        static const char bad[] = "/\r\nSet-Cookie: a=b\r\n\r\n<html>\n\0\x7f";
        struct http_piece piece[] = { { HTTP_VAR_URI, span_of("uri") } };
        struct http_rule rule = { .op = HTTP_RULE_SET };
        struct http_rules rules = { &rule, 1 };
        struct http_values values = { .of = { [HTTP_VAR_URI] = { bad, sizeof(bad) - 1 } } };
        struct http_answer a = {
                .status = 308,
                .location = values.of[HTTP_VAR_URI],
                .request_id = values.of[HTTP_VAR_URI],
                .rules = &rules,
                .values = &values,
                .client_minor = 1,
        };
        struct http_scan s = { 0 };
        struct http_head h;
        char *text;

        (void)state;
        assert_int_equal(http_rule_read(&rule, HTTP_RESPONSE, span_of("X-Uri")), 0);
        rule.value = (struct http_template){ piece, 1 };
        text = written(a);
        assert_int_equal(http_read_response(&h, &s, text, strlen(text), &http_response_limits,
                                            (struct http_asked){ 0 }),
                         HTTP_OK);
        assert_int_equal(h.n_headers, 6);
        assert_span(h.headers[1].name, "Location");
        assert_span(h.headers[1].value, "/Set-Cookie: a=b<html>");
        assert_int_equal(h.size + h.length, strlen(text));
        free(text);
}

/* Each status has a reason and a page with a sentence, and is read as what it is. */
static void test_statuses(void **state) {
        static const int statuses[] = {
#define X(status, reason) status,
                HTTP_STATUSES(X)
#undef X
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(statuses); i++) {
                struct http_answer a = { .status = statuses[i], .client_minor = 1 };
                struct http_scan s = { 0 };
                struct http_head h;
                char *text = written(a);

                assert_int_equal(http_read_response(&h, &s, text, strlen(text),
                                                    &http_response_limits,
                                                    (struct http_asked){ 0 }),
                                 HTTP_OK);
                assert_int_equal(h.status, statuses[i]);
                assert_true(h.reason.n > 0 && h.keep_alive);
                assert_int_equal(h.size + h.length, strlen(text));
                if (h.status != 200)
                        assert_ptr_not_equal(strchr(text + h.size, '\n') + 1, text + strlen(text));
                free(text);
        }
        assert_string_equal(http_status_reason(418), "");
}

/* What the longest page needs is there. */
static void test_longest(void **state) {
        char id[128];
        struct http_answer a = { .status = 431, .request_id = { id, sizeof(id) } };
        char *text;

        (void)state;
        memset(id, 'i', sizeof(id));
        text = written(a);
        assert_int_equal(text[strlen(text) - 1], '\n');
        assert_int_equal(text[strlen(text) - 2], 'i');
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answers),      cmocka_unit_test(test_rules),
                cmocka_unit_test(test_no_splitting), cmocka_unit_test(test_statuses),
                cmocka_unit_test(test_longest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
