/* SPDX-License-Identifier: MIT */
#include "control/exposition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(const struct exposition *x, const char *wanted) {
        assert_int_equal(x->out.error, 0);
        if (x->out.n != strlen(wanted) || memcmp(x->out.bytes, wanted, x->out.n) != 0)
                fail_msg("wanted:\n%s\ngot:\n%.*s", wanted, (int)x->out.n, x->out.bytes);
}

static const struct metric counter = { "bal_visits", METRIC_COUNTER, "Visits." };
static const struct metric gauge = { "bal_size_bytes", METRIC_GAUGE, "How large." };
static const struct metric times = { "bal_wait_seconds", METRIC_HISTOGRAM, "How long." };

static const struct label labels[] = { { "pool", "web" }, { "backend", "10.0.0.1:80" } };

static void write_all(struct exposition *x) {
        static const uint64_t bounds[] = { 500, 1000000, 2500000 }, counts[] = { 3, 0, 2, 1 };
        const struct exposition_times t = { bounds, counts, ELEMENTS(bounds), 9876543 };

        exposition_family(x, &counter);
        exposition_number(x, labels, 2, 18446744073709551615u);
        exposition_seconds(x, labels, 1, 1500);
        exposition_family(x, &gauge);
        exposition_number(x, NULL, 0, 0);
        exposition_family(x, &times);
        exposition_histogram(x, labels, 1, &t);
        exposition_end(x);
}

/* Both as Prometheus documents them; the samples are the same. */
static void test_formats(void **state) {
        static const char samples_of_counter[] =
                "bal_visits_total{pool=\"web\",backend=\"10.0.0.1:80\"} 18446744073709551615\n"
                "bal_visits_total{pool=\"web\"} 0.0015\n"
                "# HELP bal_size_bytes How large.\n"
                "# TYPE bal_size_bytes gauge\n"
                "bal_size_bytes 0\n"
                "# HELP bal_wait_seconds How long.\n"
                "# TYPE bal_wait_seconds histogram\n"
                "bal_wait_seconds_bucket{pool=\"web\",le=\"0.0005\"} 3\n"
                "bal_wait_seconds_bucket{pool=\"web\",le=\"1.0\"} 3\n"
                "bal_wait_seconds_bucket{pool=\"web\",le=\"2.5\"} 5\n"
                "bal_wait_seconds_bucket{pool=\"web\",le=\"+Inf\"} 6\n"
                "bal_wait_seconds_sum{pool=\"web\"} 9.876543\n"
                "bal_wait_seconds_count{pool=\"web\"} 6\n";
        char wanted[2000];
        struct exposition x;

        (void)state;
        exposition_init(&x, EXPOSITION_TEXT, 100000);
        write_all(&x);
        snprintf(wanted, sizeof(wanted), "%s%s",
                 "# HELP bal_visits_total Visits.\n# TYPE bal_visits_total counter\n",
                 samples_of_counter);
        assert_text(&x, wanted);
        exposition_done(&x);

        exposition_init(&x, EXPOSITION_OPENMETRICS, 100000);
        write_all(&x);
        snprintf(wanted, sizeof(wanted), "%s%s# EOF\n",
                 "# HELP bal_visits Visits.\n# TYPE bal_visits counter\n", samples_of_counter);
        assert_text(&x, wanted);
        exposition_done(&x);
}

static void test_escaping(void **state) {
        static const struct {
                const char *value, *text, *why;
        } rows[] = {
                { "", "", "nothing" },
                { "[::1]:80", "[::1]:80", "as it is" },
                { "a\"b", "a\\\"b", "a quote ends a value" },
                { "a\\b", "a\\\\b", "a backslash begins an escape" },
                { "a\nb", "a?b", "as on the screen; a line must not end in a value" },
                { "a\x1b[2Jb", "a?[2Jb", "for a terminal" },
                { "\xff", "?", "no UTF-8: it would cost the whole scrape" },
                { "\xed\xa0\x80", "???", "half of a surrogate is none, either" },
                { "웹:80", "웹:80", "UTF-8" },
                { "}", "}", "only a quote ends a value" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct label l = { "x", rows[i].value };
                struct exposition x;
                char wanted[100];

                exposition_init(&x, EXPOSITION_TEXT, 1000);
                x.family = &gauge;
                exposition_number(&x, &l, 1, 7);
                snprintf(wanted, sizeof(wanted), "bal_size_bytes{x=\"%s\"} 7\n", rows[i].text);
                if (x.out.n != strlen(wanted) || memcmp(x.out.bytes, wanted, x.out.n) != 0)
                        fail_msg("%s: %.*s", rows[i].why, (int)x.out.n, x.out.bytes);
                exposition_done(&x);
        }
}

static void test_seconds(void **state) {
        static const struct {
                uint64_t us;
                const char *text;
        } rows[] = {
                { 0, "0.0" },
                { 1, "0.000001" },
                { 500, "0.0005" },
                { 100000, "0.1" },
                { 1000000, "1.0" },
                { 10000000, "10.0" },
                { 1795680341737381, "1795680341.737381" },
                { UINT64_MAX, "18446744073709.551615" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct exposition x;

                exposition_init(&x, EXPOSITION_TEXT, 1000);
                x.family = &gauge;
                exposition_seconds(&x, NULL, 0, rows[i].us);
                assert_int_equal(x.out.n, strlen("bal_size_bytes \n") + strlen(rows[i].text));
                assert_memory_equal(x.out.bytes + strlen("bal_size_bytes "), rows[i].text,
                                    strlen(rows[i].text));
                exposition_done(&x);
        }
}

/* What does not fit is an error that stays, and nothing is written behind it. */
static void test_limit(void **state) {
        struct exposition x;

        (void)state;
        for (size_t max = 0; max < 400; max += 7) {
                exposition_init(&x, EXPOSITION_TEXT, max);
                write_all(&x);
                assert_int_equal(x.out.error, -EMSGSIZE);
                assert_true(x.out.n <= max);
                exposition_done(&x);
        }
}

static void test_accept(void **state) {
        static const struct {
                const char *accept;
                enum exposition_format wanted;
                const char *why;
        } rows[] = {
                { NULL, EXPOSITION_TEXT, "no header" },
                { "", EXPOSITION_TEXT, "an empty one" },
                { "*/*", EXPOSITION_TEXT, "curl, and people" },
                { "text/html", EXPOSITION_TEXT, "a browser gets what it can show" },
                { "text/plain;version=0.0.4", EXPOSITION_TEXT, "an old Prometheus" },
                { "application/openmetrics-text; version=1.0.0; charset=utf-8",
                  EXPOSITION_OPENMETRICS, "nothing else" },
                { "application/openmetrics-text", EXPOSITION_OPENMETRICS, "any version" },
                { "APPLICATION/OPENMETRICS-TEXT;VERSION=1.0.0", EXPOSITION_OPENMETRICS, "case" },
                { "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                  "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                  EXPOSITION_OPENMETRICS, "Prometheus 2.42" },
                { "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;"
                  "version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                  EXPOSITION_OPENMETRICS, "Prometheus 2.5x" },
                { "application/openmetrics-text;version=0.0.1", EXPOSITION_TEXT, "another one" },
                { "application/openmetrics-text;q=0.3,text/plain;q=0.7", EXPOSITION_TEXT,
                  "text is preferred" },
                { "text/plain;q=0.3, application/openmetrics-text;q=0.3", EXPOSITION_OPENMETRICS,
                  "who names it as well can read it" },
                { "application/openmetrics-text;q=0", EXPOSITION_TEXT, "not that one" },
                { "application/openmetrics-text;q=0.2,*/*;q=0.1", EXPOSITION_OPENMETRICS,
                  "all else comes after" },
                { "application/openmetrics-text;q=0.2,*/*;q=0.9", EXPOSITION_TEXT,
                  "all else comes before" },
                { "application/openmetrics-text;q=0.2,text/plain;q=0.1,*/*;q=0.9",
                  EXPOSITION_OPENMETRICS, "what fits best says how much text is wanted" },
                { "application/openmetrics-text;q=2", EXPOSITION_TEXT, "no weight" },
                { "application/openmetrics-text;q=0.1234", EXPOSITION_TEXT, "no weight, either" },
                { "application/openmetrics-text;q=", EXPOSITION_TEXT, "none at all" },
                { "application/openmetrics-textile", EXPOSITION_TEXT, "something else" },
                { ",;=,;;q,application/openmetrics-text;;q=1;", EXPOSITION_OPENMETRICS, "rubble" },
                { " application/openmetrics-text ; version=\"1.0.0\" ; q=1.000 ",
                  EXPOSITION_OPENMETRICS, "spaces and quotes" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (exposition_choose(rows[i].accept) != rows[i].wanted)
                        fail_msg("%s: %s", rows[i].why, rows[i].accept);
        assert_non_null(strstr(exposition_content_type(EXPOSITION_TEXT), "version=0.0.4"));
        assert_non_null(strstr(exposition_content_type(EXPOSITION_OPENMETRICS), "version=1.0.0"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_formats), cmocka_unit_test(test_escaping),
                cmocka_unit_test(test_seconds), cmocka_unit_test(test_limit),
                cmocka_unit_test(test_accept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
