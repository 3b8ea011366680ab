/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

#define NOW 1795176268U /* 2026-11-20T12:04:28Z */

#define BACKEND(name, state, since, reason, more)                                                  \
        "{\"address\":\"" name "\",\"name\":\"" name "\",\"pool\":\"web\",\"state\":\"" state      \
        "\",\"since\":\"" since "\",\"reason\":" reason ",\"weight\":10,\"backup\":false,"         \
        "\"max_connections\":0,\"reachable\":true,\"active_connections\":402,"                     \
        "\"connections_total\":12000,\"bytes_in\":3900000,\"bytes_out\":18000000000,"              \
        "\"last_check_time\":null," more "\"counters\":{\"timeout\":1,\"refused\":2,\"other\":3}}"
#define UP                                                                                         \
        BACKEND("10.20.0.11:8080", "up", "2026-11-17T12:00:00.000Z", "null",                       \
                "\"retry_in_ms\":null,")

static const char head[] =
        "{\"verdict\":\"OK\",\"version\":\"1.0.0\",\"hostname\":\"lb1.example\",\"running\":true,"
        "\"pid\":4242,\"uptime_s\":274320,\"config_path\":\"/etc/bal/config.yaml\","
        "\"config_number\":17,\"config_loaded_at\":\"2026-11-20T10:04:27.000Z\","
        "\"bind_address\":\"0.0.0.0\",\"port\":9295,\"method\":\"round_robin\",\"draining\":false,"
        "\"workers\":4,\"backend_total\":4,\"backend_reachable\":2,\"active_connections\":14210,"
        "\"max_connections\":80000,\"connections_total\":99,\"rejected_total\":7,"
        "\"rates\":{\"new_per_s\":4736.2,\"rejected_per_s\":0.0,\"timeout_per_s\":0.62,"
        "\"refused_per_s\":2.1,\"other_per_s\":0},\"last_check_time\":null,"
        "\"protection_mode\":{\"enabled\":false,\"reason\":null},"
        "\"frontends\":[{\"name\":\"main\",\"listen\":[\"0.0.0.0:9295\"],\"protocol\":\"tcp\","
        "\"method\":\"round_robin\",\"pool\":\"web\",\"active_connections\":14210,"
        "\"max_connections\":0,\"waiting\":3,\"connections_total\":99,\"rejected_total\":7}],"
        "\"pools\":[{\"name\":\"web\",\"backend_total\":4,\"backend_reachable\":2}],"
        "\"closed\":{\"client_eof\":12,\"shutdown\":0},\"log_dropped\":0,\"backends\":[";

static json_t *document(const char *backends) {
        char text[8192];
        json_error_t error;
        json_t *doc;

        snprintf(text, sizeof(text), "%s%s]}", head, backends);
        doc = json_loads(text, 0, &error);
        if (!doc)
                fail_msg("%s at %d", error.text, error.position);
        return doc;
}

static char *rendered(const json_t *doc, enum report_level level, bool stopped) {
        struct report r = { .doc = doc, .level = level, .now_s = NOW };
        char *text = NULL;
        size_t size = 0;
        struct out o = { .file = open_memstream(&text, &size) };

        assert_non_null(o.file);
        if (stopped)
                report_stopped(&o, &r);
        else
                report_running(&o, &r);
        fclose(o.file);
        assert_int_equal(o.error, 0);
        return text;
}

static void expect(json_t *doc, enum report_level level, bool stopped, const char *text) {
        char *got = rendered(doc, level, stopped);

        assert_string_equal(got, text);
        free(got);
}

static void test_ok(void **state) {
        json_t *doc = document(UP);

        (void)state;
        assert_null(report_valid(doc));
        expect(doc, REPORT_DEFAULT, false,
               "bal status: OK  lb1.example  pid 4242  up 3d04h12m  v1.0.0\n"
               "  listen       0.0.0.0:9295   method round_robin   config #17 (2 h ago)\n"
               "  backends     1/1 up\n"
               "  connections  14210 of 80000 (18 %)   4736/s new   0.0/s rejected\n"
               "  errors       timeout 0.6/s   refused 2.1/s   other 0.0/s\n"
               "  protection   off\n");
        json_decref(doc);
}

/* Of all that goes wrong, only this can the log not tell. */
static void test_log_error(void **state) {
        json_t *doc = document(UP);
        char *text;

        (void)state;
        json_object_set_new(doc, "log_error", json_null());
        text = rendered(doc, REPORT_DEFAULT, false);
        assert_null(strstr(text, "  log "));
        free(text);
        json_object_set_new(doc, "log_error", json_string("ENOSPC"));
        json_object_set_new(doc, "log_dropped", json_integer(2942));
        text = rendered(doc, REPORT_DEFAULT, false);
        assert_non_null(strstr(text, "\n  log          not written: ENOSPC   2942 records lost   "
                                     "next: bal doctor --only log\n"));
        free(text);
        json_decref(doc);
}

#define COOL                                                                                       \
        BACKEND("10.20.0.41:8080", "cool", "2026-11-20T12:03:20Z", "\"timeout\"",                  \
                "\"retry_in_ms\":1500,")
#define DOWN                                                                                       \
        BACKEND("10.20.0.17:8080", "down", "2026-11-20T12:04:25.100Z",                             \
                "\"refused (2 times in a row)\"", "\"retry_in_ms\":null,")
#define DRAIN                                                                                      \
        BACKEND("10.20.0.22:8080", "drain", "2026-11-20T12:00:00Z", "\"admin\"",                   \
                "\"retry_in_ms\":null,")
#define FOUR UP "," COOL "," DOWN "," DRAIN

static void test_trouble(void **state) {
        json_t *doc = document(FOUR);

        (void)state;
        expect(doc, REPORT_DEFAULT, false,
               "bal status: OK  lb1.example  pid 4242  up 3d04h12m  v1.0.0\n"
               "  listen       0.0.0.0:9295   method round_robin   config #17 (2 h ago)\n"
               "  backends     1/4 up   1 down   1 cool   1 drain\n"
               "  connections  14210 of 80000 (18 %)   4736/s new   0.0/s rejected\n"
               "  errors       timeout 0.6/s   refused 2.1/s   other 0.0/s\n"
               "  protection   off\n"
               "  DOWN   10.20.0.17:8080  web  3 s   refused (2 times in a row)\n"
               "  COOL   10.20.0.41:8080  web  1 m   timeout, retry in 1.5 s\n"
               "  DRAIN  10.20.0.22:8080  web  4 m   402 connections\n"
               "  next: bal doctor --only backend   (live view: bal status --watch)\n");
        expect(doc, REPORT_BRIEF, false,
               "OK up=1/4 down=1 cool=1 drain=1 maint=0 conns=14210/80000 prot=off cfg=17\n");
        json_decref(doc);
}

/* Lines only while clients wait, and those that a queue holds back apart from those that no backend
 * can take. */
static void test_waiting(void **state) {
        json_t *doc = document(UP), *by;
        char *text;

        (void)state;
        by = json_pack("{s:i, s:i, s:i}", "slot", 5, "backend_full", 2, "backend_down", 12);
        json_object_set_new(json_array_get(json_object_get(doc, "frontends"), 0), "waiting_for",
                            by);
        json_object_set_new(json_array_get(json_object_get(doc, "pools"), 0), "holding",
                            json_integer(12));
        text = rendered(doc, REPORT_DEFAULT, false);
        assert_non_null(strstr(text, "  protection   off\n"
                                     "  waiting      5 for a slot   2 for a full backend\n"
                                     "  waiting      12 clients wait for a backend of pool web: "
                                     "none can take them now\n"
                                     "  next: bal doctor --only waiting"));
        free(text);
        expect(doc, REPORT_BRIEF, false,
               "OK up=1/1 down=0 cool=0 drain=0 maint=0 conns=14210/80000 prot=off cfg=17 "
               "held=12\n");
        json_object_set_new(json_array_get(json_object_get(doc, "pools"), 0), "holding",
                            json_integer(1));
        text = rendered(doc, REPORT_VERBOSE, false);
        assert_non_null(strstr(text, "  waiting      1 client waits for a backend of pool web: "
                                     "none can take it now\n"));
        free(text);
        json_decref(doc);
}

/* By the reason, and only the reasons that there were. */
static void test_turned_away(void **state) {
        json_t *doc = document(UP);
        char *text = rendered(doc, REPORT_VERBOSE, false);

        (void)state;
        assert_null(strstr(text, "turned away"));
        free(text);
        json_object_set_new(json_array_get(json_object_get(doc, "frontends"), 0), "rejected",
                            json_pack("{s:i, s:i, s:i}", "max_connections", 7, "no_backend", 0,
                                      "no_ports", 41));
        text = rendered(doc, REPORT_VERBOSE, false);
        assert_non_null(strstr(text, "\n  turned away by frontend and reason\n"
                                     "  main  max_connections   7\n"
                                     "  main  no_ports         41\n"));
        free(text);
        json_decref(doc);
}

static void test_warn(void **state) {
        json_t *doc = document(BACKEND("a:1", "down", "x", "null", ""));
        char *text;

        (void)state;
        json_object_set_new(doc, "verdict", json_string("WARN"));
        json_object_set_new(doc, "draining", json_true());
        json_object_set_new(doc, "bind_address", json_string("::"));
        json_object_set_new(
                doc, "protection_mode",
                json_pack("{s:b, s:s}", "enabled", 1, "reason", "all_backends_unavailable"));
        json_object_set_new(doc, "pools",
                            json_pack("[{s:s, s:i, s:i}]", "name", "web", "backend_total", 1,
                                      "backend_reachable", 0));
        text = rendered(doc, REPORT_DEFAULT, false);
        assert_non_null(strstr(text, "bal status: WARN  lb1.example"));
        assert_non_null(strstr(text, "  listen       [::]:9295   method"));
        assert_non_null(strstr(text, "  stopping     no new connections"));
        assert_non_null(strstr(text, "  protection   ON   all_backends_unavailable\n"));
        assert_non_null(strstr(text, "  pool         web   no backend up\n"));
        assert_non_null(strstr(text, "  DOWN  a:1  web  -\n")); /* a time that is none */
        free(text);
        expect(doc, REPORT_BRIEF, false,
               "WARN up=0/1 down=1 cool=0 drain=0 maint=0 conns=14210/80000 prot=on cfg=17\n");
        json_object_set_new(doc, "restarting", json_true());
        text = rendered(doc, REPORT_DEFAULT, false);
        assert_non_null(strstr(text, "  restarting   the open connections"));
        assert_null(strstr(text, "  stopping "));
        free(text);
        json_decref(doc);
}

static void test_verbose(void **state) {
        json_t *doc = document(FOUR);
        char *text;

        (void)state;
        json_object_set_new(doc, "socket", json_string("/run/bal/status.sock"));
        text = rendered(doc, REPORT_VERBOSE, false);
        assert_non_null(strstr(text, "  socket       /run/bal/status.sock\n"));
        assert_non_null(strstr(
                text, "  FRONTEND  LISTEN        PROTO  METHOD       POOL  ACTIVE  LIMIT  WAITING  "
                      "TOTAL  REJECTED\n"
                      "  main      0.0.0.0:9295  tcp    round_robin  web    14210      -        3  "
                      "   99         7\n"));
        assert_non_null(strstr(text,
                               "  STATE  BACKEND          POOL   W  ACTIVE  TOTAL    IN  OUT  "
                               "TMO/REF/OTH  SINCE  NOTE\n"));
        assert_non_null(strstr(text,
                               "  UP     10.20.0.11:8080  web   10     402  12000  3.9M  18G  "
                               "      1/2/3    3 d\n"));
        assert_non_null(strstr(text, "  DRAIN  10.20.0.22:8080"));
        assert_non_null(strstr(text, "  client_eof  12\n"));
        assert_null(strstr(text, "shutdown")); /* reasons that never happened are not listed */
        free(text);
        json_decref(doc);
}

static void test_many(void **state) {
        json_t *doc = document(BACKEND("a:1", "down", "x", "null", ""));
        json_t *list = json_object_get(doc, "backends");
        size_t rows = 0;
        char *text;

        (void)state;
        for (int i = 0; i < 99; i++)
                json_array_append(list, json_array_get(list, 0));
        text = rendered(doc, REPORT_DEFAULT, false);
        for (char *s = text; (s = strstr(s, "  DOWN  ")); s++)
                rows++;
        assert_int_equal(rows, 20);
        assert_non_null(strstr(text, "  ... and 80 more: bal status --verbose\n"));
        free(text);
        json_decref(doc);
}

/* What a stranger may put into a name is nothing a terminal obeys, and keeps the columns. */
static void test_names(void **state) {
        json_t *doc =
                document(BACKEND("\\u001b[31mx", "down", "x", "\"\\u009b2J\\n\"", "") "," BACKEND(
                        "\xed\x95\x9c\xea\xb8\x80:1", "down", "x", "null", ""));
        char *text;

        (void)state;
        json_object_set_new(doc, "hostname", json_string("\x1b]0;x\x07"));
        json_object_set_new(doc, "verdict", json_string("\x1b[1mOK"));
        for (enum report_level level = REPORT_BRIEF; level <= REPORT_VERBOSE; level++) {
                text = rendered(doc, level, false);
                assert_null(strchr(text, '\x1b'));
                assert_null(strchr(text, '\x07'));
                assert_null(strstr(text, "\xc2\x9b"));
                free(text);
        }
        text = rendered(doc, REPORT_DEFAULT, false);
        assert_non_null(strstr(text, "  DOWN  ?[31mx  web  -     ?2J?\n"));
        assert_non_null(strstr(text, "  DOWN  \xed\x95\x9c\xea\xb8\x80:1  web  -\n"));
        free(text);
        json_decref(doc);
}

static void test_valid(void **state) {
        static const char *const keys[] = {
                "verdict", "pid", "backends", "rates", "closed", "port"
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                json_t *doc = document(UP);

                json_object_del(doc, keys[i]);
                assert_string_equal(report_valid(doc), keys[i]);
                json_object_set_new(doc, keys[i], json_real(1.5));
                assert_string_equal(report_valid(doc), keys[i]);
                json_decref(doc);
        }
        assert_non_null(report_valid(NULL));
}

/* Members of wrong types inside are shown as nothing, never a crash. */
static void test_garbage_inside(void **state) {
        json_t *doc = document(UP);
        char *text;

        (void)state;
        json_object_set_new(doc, "backends",
                            json_pack("[n, s, i, {s:i, s:[], s:s}]", "x", 3, "name", 5, "counters",
                                      "state", "nosuch"));
        json_object_set_new(doc, "frontends", json_pack("[n, {s:[i, n]}, []]", "listen", 1));
        json_object_set_new(doc, "pools", json_pack("[i, {}]", 7));
        json_object_set_new(doc, "closed", json_pack("{s:s, s:n}", "a", "b", "c"));
        json_object_set_new(doc, "uptime_s", json_integer(INT64_MIN));
        json_object_set_new(doc, "rates", json_pack("{s:f}", "new_per_s", 1e300));
        assert_null(report_valid(doc));
        for (enum report_level level = REPORT_BRIEF; level <= REPORT_VERBOSE; level++) {
                text = rendered(doc, level, false);
                assert_true(strlen(text) > 10);
                free(text);
        }
        json_decref(doc);
}

static void test_stopped(void **state) {
        json_t *doc = json_loads(
                "{\"hostname\":\"lb1.example\",\"what_happened\":\"no daemon answers on "
                "/run/bal/status.sock (no such file)\",\"why_likely\":\"not started\","
                "\"do_this_now\":\"bal check && bal start -d\",\"config_path\":"
                "\"/etc/bal/config.yaml\",\"bind_address\":\"0.0.0.0\",\"port\":9295,\"method\":"
                "\"round_robin\",\"backend_total\":2,\"backend_reachable\":1,\"probe_ms\":990,"
                "\"backends\":[{\"name\":\"10.20.0.17:8080\",\"pool\":\"web\",\"reachable\":false,"
                "\"reason\":\"refused\"},{\"name\":\"10.20.0.18:8080\",\"pool\":\"web\","
                "\"reachable\":true,\"reason\":null}]}",
                0, NULL);

        (void)state;
        assert_non_null(doc);
#define STOPPED                                                                                    \
        "bal status: NOT RUNNING  lb1.example\n"                                                   \
        "  what_happened: no daemon answers on /run/bal/status.sock (no such file)\n"              \
        "  why_likely:    not started\n"                                                           \
        "  do_this_now:   bal check && bal start -d\n"
        expect(doc, REPORT_DEFAULT, true,
               STOPPED "  config       /etc/bal/config.yaml   listen 0.0.0.0:9295   method "
                       "round_robin\n"
                       "  backends     1/2 reachable from here (probed in 0.99 s)\n"
                       "  UNREACHABLE  10.20.0.17:8080  web  refused\n");
        expect(doc, REPORT_BRIEF, true,
               "NOT RUNNING reachable=1/2  no daemon answers on /run/bal/status.sock (no such "
               "file)\n");
        json_object_set_new(doc, "backend_total", json_null());
        json_object_set_new(doc, "config_problem", json_string("2 errors; run: bal check"));
        expect(doc, REPORT_DEFAULT, true,
               STOPPED "  config       /etc/bal/config.yaml   (2 errors; run: bal check)\n");
        json_decref(doc);
}

static void test_words(void **state) {
        char b[REPORT_TEXT_MAX];
        uint64_t t = 0;

        (void)state;
        assert_string_equal(report_uptime(0, b), "0s");
        assert_string_equal(report_uptime(59, b), "59s");
        assert_string_equal(report_uptime(723, b), "12m03s");
        assert_string_equal(report_uptime(15120, b), "4h12m");
        assert_string_equal(report_uptime(274320, b), "3d04h12m");
        assert_string_equal(report_age(0, b), "0 s");
        assert_string_equal(report_age(59, b), "59 s");
        assert_string_equal(report_age(60, b), "1 m");
        assert_string_equal(report_age(7199, b), "1 h");
        assert_string_equal(report_age(86400, b), "1 d");
        assert_string_equal(report_bytes(999, b), "999");
        assert_string_equal(report_bytes(1000, b), "1.0k");
        assert_string_equal(report_bytes(41000, b), "41k");
        assert_string_equal(report_bytes(999600, b), "1.0M");
        assert_string_equal(report_bytes(UINT64_MAX, b), "18E");
        assert_string_equal(report_rate(0, b), "0.0");
        assert_string_equal(report_rate(99.96, b), "100");
        assert_string_equal(report_rate(-1, b), "0.0");
        assert_int_equal(report_time(&t, "2026-11-20T12:04:28.412Z"), 0);
        assert_int_equal(t, NOW);
        assert_int_equal(report_time(&t, "2026-11-20T12:04:28Z"), 0);
        assert_int_equal(report_time(&t, "2026-11-20T12:04:28+01:00"), -EINVAL);
        assert_int_equal(report_time(&t, "yesterday"), -EINVAL);
        assert_int_equal(report_time(&t, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ok),
                cmocka_unit_test(test_log_error),
                cmocka_unit_test(test_trouble),
                cmocka_unit_test(test_waiting),
                cmocka_unit_test(test_turned_away),
                cmocka_unit_test(test_warn),
                cmocka_unit_test(test_verbose),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_valid),
                cmocka_unit_test(test_garbage_inside),
                cmocka_unit_test(test_stopped),
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
