/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include "cli/session_rows.h"
#include "core/str.h"

static json_t *load(const char *text) {
        json_t *j = json_loads(text, 0, NULL);

        if (!j)
                fail_msg("%s", text);
        return j;
}

static void test_bytes(void **state) {
        static const struct {
                uint64_t n;
                const char *text;
        } table[] = {
                { 0, "0B" },
                { 999, "999B" },
                { 1000, "1.0KiB" },
                { 1024, "1.0KiB" },
                { 10239, "10KiB" },
                { 1022976, "999KiB" },
                { 1023999, "1.0MiB" },
                { 1 << 20, "1.0MiB" },
                { 2000000, "1.9MiB" },
                { 5ULL << 30, "5.0GiB" },
                { 7ULL << 40, "7.0TiB" },
                { UINT64_MAX, "16EiB" },
        };
        char buf[REPORT_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++)
                assert_string_equal(session_bytes(table[i].n, buf), table[i].text);
}

static void test_rtt(void **state) {
        static const struct {
                const char *session, *text;
        } table[] = {
                { "{\"client_leg\":{\"rtt_us\":210},\"server_leg\":{\"rtt_us\":12345}}", "0.2/12" },
                { "{\"client_leg\":{\"rtt_us\":9949},\"server_leg\":null}", "9.9/-" },
                { "{\"client_leg\":null,\"server_leg\":{\"rtt_us\":0}}", "-/0.0" },
                { "{\"client_leg\":null,\"server_leg\":null}", "-" },
                { "{}", "-" },
                { "{\"client_leg\":{\"rtt_us\":9223372036854775807},"
                  "\"server_leg\":{\"rtt_us\":9223372036854775807}}",
                  "922337203685477/92233720368547" },
        };
        char buf[REPORT_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                json_t *s = load(table[i].session);
                const char *text = session_rtt(s, buf);

                /* the last is made up: nothing is written behind the buffer, and that is all */
                if (i + 1 < ELEMENTS(table))
                        assert_string_equal(text, table[i].text);
                json_decref(s);
        }
}

#define LEG "{\"rtt_us\":1500,\"retransmits\":3,\"unsent_bytes\":2048}"
static const char sessions[] =
        "[{\"id\":7,\"age_ms\":10800000,\"idle_ms\":2500,\"frontend\":\"front\",\"client\":"
        "\"192.0.2.7:51234\",\"pool\":\"web\",\"backend\":\"10.20.0.11:8080\",\"state\":\"relay\","
        "\"bytes_in\":2048,\"bytes_out\":5368709120,\"slow_side\":\"client\",\"client_leg\":" LEG
        ",\"server_leg\":" LEG "},"
        "{\"id\":12345,\"age_ms\":900,\"idle_ms\":0,\"frontend\":\"front\",\"client\":\"unix:\","
        "\"pool\":\"web\",\"backend\":null,\"state\":\"wait\",\"bytes_in\":0,\"bytes_out\":0,"
        "\"slow_side\":null,\"client_leg\":null,\"server_leg\":null}]";

static char *printed_of(const char *of,
                        unsigned columns,
                        const char *sort,
                        bool verbose,
                        bool brief) {
        char *text = NULL;
        size_t n = 0;
        struct out o = { .file = open_memstream(&text, &n), .columns = columns };
        json_t *list = load(of);

        assert_non_null(o.file);
        if (brief)
                session_rows_brief(&o, list);
        else
                session_rows_table(&o, list, sort, verbose);
        fclose(o.file);
        json_decref(list);
        return text;
}

static char *printed(unsigned columns, const char *sort, bool verbose, bool brief) {
        return printed_of(sessions, columns, sort, verbose, brief);
}

/* Whatever a name holds, the terminal does not obey it, and no two names look the same. */
static void test_hidden(void **state) {
        static const char hostile[] =
                "[{\"id\":7,\"age_ms\":0,\"idle_ms\":0,\"frontend\":\"\\u202ef\",\"client\":"
                "\"\\u001b[2J\\u200b\",\"pool\":\"\\ufeffp\",\"backend\":\"b\\udb40\\udc41\","
                "\"state\":\"wait\\u2066\",\"bytes_in\":0,\"bytes_out\":0,\"slow_side\":\"\\u00ad\","
                "\"client_leg\":null,\"server_leg\":null}]";
        _cleanup_(str_freep) char *table = printed_of(hostile, 0, NULL, true, false),
                                  *brief = printed_of(hostile, 0, NULL, false, true);

        (void)state;
        assert_string_equal(brief, "id=7 age=0 idle=0 frontend=?f client=?[2J? backend=?p/b? "
                                   "state=wait? in=0 out=0 rtt_us=-/- retransmits=-/- slow=?\n");
        for (const char *s = table; *s; s++)
                assert_true(*s == '\n' || ((unsigned char)*s >= 0x20 && (unsigned char)*s < 0x7f));
        assert_non_null(strstr(table, "?f  "));
        assert_non_null(strstr(table, "?[2J?"));
        assert_non_null(strstr(table, "?p/b?"));
        assert_non_null(strstr(table, "wait?"));
}

static void test_table(void **state) {
        _cleanup_(str_freep) char *wide = printed(0, NULL, false, false),
                                  *narrow = printed(80, NULL, false, false),
                                  *by_idle = printed(80, "idle", false, false),
                                  *verbose = printed(80, NULL, true, false);

        (void)state;
        assert_string_equal(
                wide,
                "   ID  AGE  IDLE  CLIENT           BACKEND               RTT MS      IN     OUT"
                "  STATE  SLOW\n"
                "    7  3 h   2 s  192.0.2.7:51234  web/10.20.0.11:8080  1.5/1.5  2.0KiB  5.0GiB"
                "         client\n"
                "12345  0 s   0 s  unix:            web/-                      -      0B      0B"
                "  wait\n");
        /* where it is narrow the idle time goes first, unless it is what was asked for */
        assert_string_equal(narrow,
                            "   ID  AGE  CLIENT           BACKEND                  IN     OUT"
                            "  STATE  SLOW\n"
                            "    7  3 h  192.0.2.7:51234  web/10.20.0.11:8080  2.0KiB  5.0GiB"
                            "         client\n"
                            "12345  0 s  unix:            web/-                    0B      0B"
                            "  wait\n");
        assert_non_null(strstr(by_idle, "IDLE"));
        assert_null(strstr(by_idle, "RTT"));
        /* and whoever wants everything gets it, whatever the terminal does */
        assert_non_null(strstr(verbose, "  2 s  front     192.0.2.7:51234"));
        assert_non_null(strstr(
                verbose, "  1.5/1.5  2.0KiB  5.0GiB      3/3  2.0KiB/2.0KiB         client\n"));
}

static void test_brief(void **state) {
        _cleanup_(str_freep) char *text = printed(40, NULL, false, true);

        (void)state;
        assert_string_equal(
                text, "id=7 age=10800 idle=2 frontend=front client=192.0.2.7:51234 "
                      "backend=web/10.20.0.11:8080 state=relay in=2048 out=5368709120 "
                      "rtt_us=1500/1500 retransmits=3/3 slow=client\n"
                      "id=12345 age=0 idle=0 frontend=front client=unix: backend=web/- state=wait "
                      "in=0 out=0 rtt_us=-/- retransmits=-/- slow=-\n");
}

static void test_total(void **state) {
        static const struct {
                const char *answer, *text;
                bool filtered;
        } table[] = {
                { "{\"sessions\":[],\"matched\":0,\"total\":0}", "no connections\n", true },
                { "{\"sessions\":[],\"matched\":0,\"total\":1}", "0 of 1 connection match\n",
                  true },
                { "{\"sessions\":[1],\"matched\":1,\"total\":1}", "1 of 1 connection\n", false },
                { "{\"sessions\":[1,2],\"matched\":30,\"total\":30}",
                  "2 of 30 connections; more: --limit=30\n", false },
                { "{\"sessions\":[1,2],\"matched\":3000,\"total\":3000}",
                  "2 of 3000 connections; more: --limit=1000\n", false },
                { "{\"sessions\":[1],\"matched\":1,\"total\":30}",
                  "1 of 1 connection that matches, 30 in all\n", true },
                { "{\"sessions\":[1,2],\"matched\":2,\"total\":30}",
                  "2 of 2 connections that match, 30 in all\n", true },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(str_freep) char *text = NULL;
                size_t n = 0;
                struct out o = { .file = open_memstream(&text, &n) };
                json_t *answer = load(table[i].answer);

                session_rows_total(&o, answer, table[i].filtered);
                fclose(o.file);
                assert_string_equal(text, table[i].text);
                json_decref(answer);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes), cmocka_unit_test(test_rtt),
                cmocka_unit_test(test_table), cmocka_unit_test(test_brief),
                cmocka_unit_test(test_total), cmocka_unit_test(test_hidden),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
