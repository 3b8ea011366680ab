/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/rows.h"
#include "core/str.h"

static json_t *backend(const char *members) {
        _cleanup_(str_freep) char *text = str_printf("{%s}", members);
        json_t *b = json_loads(text, 0, NULL);

        assert_non_null(b);
        return b;
}

static void test_note(void **state) {
        static const struct {
                const char *members, *note, *left;
        } table[] = {
                { "", "", "no connections left" },
                { "\"state\":\"up\",\"active_connections\":1", "", "1 connection" },
                { "\"state\":\"down\",\"reason\":\"refused\"", "refused",
                  "no connections left, refused" },
                { "\"state\":\"down\",\"reason\":\"refused\",\"reason_text\":\"refused (2 times in a "
                  "row)\",\"backup\":true",
                  "refused (2 times in a row), backup",
                  "no connections left, refused (2 times in a row)" },
                { "\"state\":\"cool\",\"reason\":\"timeout\",\"retry_in_ms\":1500",
                  "timeout, retry in 1.5 s", "no connections left, timeout" },
                { "\"state\":\"cool\",\"retry_in_ms\":1500", "retry in 1.5 s",
                  "no connections left" },
                { "\"state\":\"up\",\"retry_in_ms\":1500,\"slow_start_percent\":40",
                  "slow start, 40 %", "no connections left" },
                /* the state says that an operator did it; what is wrong besides is worth saying */
                { "\"state\":\"drain\",\"reason\":\"admin\",\"reason_text\":\"set by an operator\","
                  "\"active_connections\":37,\"deadline_in_ms\":50400,\"oldest_connection_s\":10800",
                  "oldest 3 h", "37 connections, closed in 51 s, oldest 3 h" },
                { "\"state\":\"maint\",\"reason\":\"admin\",\"reason_text\":\"set by an operator; "
                  "refused (2 times in a row)\",\"active_connections\":2",
                  "refused (2 times in a row)", "2 connections, refused (2 times in a row)" },
                { "\"state\":\"drain\",\"reason\":\"admin\",\"deadline_in_ms\":50400", "",
                  "no connections left" },
                { "\"state\":7,\"reason\":[],\"oldest_connection_s\":-1,\"deadline_in_ms\":\"x\"",
                  "", "no connections left" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                json_t *b = backend(table[i].members);
                _cleanup_(str_freep) char *note = row_note(b), *left = row_left(b);

                assert_string_equal(note, table[i].note);
                assert_string_equal(left, table[i].left);
                json_decref(b);
        }
}

static void test_numbers(void **state) {
        static const struct {
                const char *members, *weight, *deadline, *check;
        } table[] = {
                { "", "0", "-", "-" },
                { "\"weight\":10,\"weight_configured\":10,\"deadline_in_ms\":null", "10", "-",
                  "-" },
                { "\"weight\":3,\"weight_configured\":10,\"deadline_in_ms\":1", "3 (file 10)",
                  "1 s", "-" },
                { "\"weight\":0,\"weight_configured\":256,\"deadline_in_ms\":0", "0 (file 256)",
                  "0 s", "-" },
                { "\"weight\":1,\"deadline_in_ms\":3600000,\"check\":{\"last_result\":\"ok\","
                  "\"failed_in_a_row\":0,\"fall\":3}",
                  "1", "1 h", "ok" },
                { "\"weight\":1,\"check\":{\"last_result\":\"refused\",\"failed_in_a_row\":2,"
                  "\"fall\":3}",
                  "1", "-", "refused 2/3" },
                { "\"weight\":1,\"check\":{\"last_result\":\"http_status\",\"failed_in_a_row\":900,"
                  "\"fall\":3}",
                  "1", "-", "http_status 3/3" },
                { "\"weight\":1,\"check\":{\"last_result\":null,\"failed_in_a_row\":1,\"fall\":3}",
                  "1", "-", "-" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                json_t *b = backend(table[i].members);
                char text[REPORT_TEXT_MAX];

                assert_string_equal(row_weight(b, text), table[i].weight);
                assert_string_equal(row_deadline(b, text), table[i].deadline);
                assert_string_equal(row_check(b, text), table[i].check);
                json_decref(b);
        }
}

static void test_age(void **state) {
        json_t *b = backend("\"since\":\"2026-11-20T12:04:28.412Z\",\"odd\":\"yesterday\"");
        char text[REPORT_TEXT_MAX];

        (void)state;
        assert_string_equal(row_age(b, "since", 1795176268 + 42, text), "42 s");
        assert_string_equal(row_age(b, "since", 1795176268 - 42, text), "0 s"); /* clocks differ */
        assert_string_equal(row_age(b, "odd", 1795176268, text), "-");
        assert_string_equal(row_age(b, "none", 1795176268, text), "-");
        json_decref(b);
}

static void test_duration(void **state) {
        static const struct {
                uint64_t ms;
                const char *text;
        } table[] = {
                { 0, "0s" },
                { 1, "1ms" },
                { 999, "999ms" },
                { 1000, "1s" },
                { 1500, "1s500ms" },
                { 60000, "1m" },
                { 600000, "10m" },
                { 5400000, "1h30m" },
                { 3601000, "1h1s" },
                { 604800000, "168h" },
                { 90061001, "25h1m1s1ms" },
        };
        char text[REPORT_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++)
                assert_string_equal(report_duration(table[i].ms, text), table[i].text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_note),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_age),
                cmocka_unit_test(test_duration),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
