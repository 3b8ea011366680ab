/* SPDX-License-Identifier: MIT */
#include "upstream/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
        int failure;
        const char *word, *counter, *text; /* counter NULL: it is counted by nobody */
} rows[] = {
        { -ECONNREFUSED, "refused", "refused", "refused" },
        { -ECONNRESET, "closed", "closed", "closed before it had answered" },
        { -ETIMEDOUT, "timeout", "timeout", "no answer in time" },
        { -EAGAIN, "timeout", "timeout", "no answer in time" },
        { -EHOSTUNREACH, "other", "other", "No route to host" },
        { -ENETUNREACH, "other", "other", "Network is unreachable" },
        { -ENOENT, "other", "other", "No such file or directory" },
        { -EMFILE, "other", "other", "Too many open files" },
        { -EADDRNOTAVAIL, "other", "other", "Cannot assign requested address" },
        { FAILURE_UNRESOLVED, "unresolved", NULL, "its name has no address" },
        { FAILURE_NOT_HTTP, "http_invalid", NULL, "did not answer in HTTP" },
        { FAILURE_CLOSED, "closed", "closed", "closed before it had answered" },
        { 100, "http_status", NULL, "answered with status 100" },
        { 503, "http_status", NULL, "answered with status 503" },
};

static void test_words(void **state) {
        char text[FAILURE_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                assert_string_equal(failure_word(rows[i].failure), rows[i].word);
                assert_ptr_equal(failure_text(rows[i].failure, text), text);
                assert_string_equal(text, rows[i].text);
                if (rows[i].counter)
                        assert_string_equal(
                                connect_failure_word(connect_failure_of(rows[i].failure)),
                                rows[i].counter);
        }
}

/* What the codec says comes through whole. */
static void test_verdicts(void **state) {
        (void)state;
        for (enum http_verdict v = HTTP_MORE + 1; v < HTTP_VERDICTS_COUNT; v++) {
                int failure = failure_of_verdict(v);
                char text[FAILURE_TEXT_MAX], expected[2 * FAILURE_TEXT_MAX];

                snprintf(expected, sizeof(expected), "invalid HTTP: %s", http_verdict_text(v));
                assert_string_equal(failure_word(failure), "http_invalid");
                assert_string_equal(failure_text(failure, text),
                                    v == HTTP_STATUS_LINE ? "did not answer in HTTP" : expected);
                assert_true(v == HTTP_STATUS_LINE || failure < -4096); /* no errno */
        }
}

static void test_of_both(void **state) {
        static const int pairs[][3] = { /* before, now, both */
                                        { 0, -ENETUNREACH, -ENETUNREACH },
                                        { 0, -ECONNREFUSED, -ECONNREFUSED },
                                        { -ECONNREFUSED, -ENETUNREACH, -ECONNREFUSED },
                                        { -ENETUNREACH, -ECONNREFUSED, -ECONNREFUSED },
                                        { -ETIMEDOUT, -EHOSTUNREACH, -ETIMEDOUT },
                                        { -ETIMEDOUT, -EAFNOSUPPORT, -ETIMEDOUT },
                                        { -ETIMEDOUT, -ECONNREFUSED, -ECONNREFUSED },
                                        { -ENETUNREACH, -EHOSTUNREACH, -ENETUNREACH },
                                        { 503, -EHOSTUNREACH, 503 }
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(pairs); i++)
                assert_int_equal(failure_of_both(pairs[i][0], pairs[i][1]), pairs[i][2]);
}

/* Whatever number comes, there is a text, and it ends. */
static void test_any_number(void **state) {
        (void)state;
        for (int failure = -11000; failure < 1000; failure++) {
                char text[FAILURE_TEXT_MAX];

                if (failure == 0)
                        continue;
                memset(text, 'x', sizeof(text));
                failure_text(failure, text);
                assert_non_null(memchr(text, '\0', sizeof(text)));
                assert_true(text[0] != '\0');
                assert_true(failure_word(failure)[0] != '\0');
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_verdicts),
                cmocka_unit_test(test_of_both),
                cmocka_unit_test(test_any_number),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
