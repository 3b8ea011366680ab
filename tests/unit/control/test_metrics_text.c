/* SPDX-License-Identifier: MIT */
/* A scene of known numbers becomes the text that it should; no daemon is needed for that. */
#include "control/metrics_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct scene_frontend frontends[] = {
        { .name = "web",
          .active = 3,
          .limit = 100,
          .waiting_for = { 1, 2, 4 },
          .totals = { .sessions_total = 42,
                      .rejected = { [REJECT_MAX_CONNECTIONS] = 1,
                                    [REJECT_NO_BACKEND] = 2,
                                    [REJECT_PROTECTION] = 4,
                                    [REJECT_NO_PORTS] = 5 },
                      .waits = { [1] = 2, [13] = 1 },
                      .waits_us = 42000000,
                      .waits_failed = { [WAIT_FAILED_QUEUE] = 3, [WAIT_FAILED_CLIENT] = 2 },
                      .connects = { [0] = 5, [12] = 1 },
                      .connects_us = 3000000 } },
};
static struct scene_traffic traffic[] = {
        { .frontend = "web",
          .pool = "web",
          .totals = { .requests = { [TRAFFIC_POST] = { [4] = 3 } },
                      .durations = { [1] = 2, [TRAFFIC_BUCKETS] = 1 },
                      .duration_ms = 12004,
                      .n = 3 } },
        { .frontend = "web", .pool = "" },
};
static struct scene_pool pools[] = {
        { .name = "web",
          .protection = { .reason = PROTECTION_STORM,
                          .activations = { [PROTECTION_STORM] = 7, [PROTECTION_UNAVAILABLE] = 8 } },
          .holding = 12,
          .held = { .total = 300, .in_vain = 7 } },
        { .name = "db" },
};
static struct scene_backend backends[] = {
        { .pool = "web",
          .name = "10.0.0.1:80",
          .state = ENDPOINT_DRAIN,
          .weight = 5,
          .totals = { .sessions_total = 40,
                      .sessions_now = 2,
                      .resting = 3,
                      .bytes_in = 11,
                      .bytes_out = 22,
                      .failed = { [CONNECT_TIMEOUT] = 1,
                                  [CONNECT_REFUSED] = 2,
                                  [CONNECT_OTHER] = 3,
                                  [CONNECT_CLOSED] = 4 } },
          .health = { .passed = 9, .failed = 4, .changes = 6, .last_ms = 1, .took_ms = 12 } },
        { .pool = "db", .name = "[::1]:5432", .state = ENDPOINT_UP, .weight = 1 },
};
static const struct metrics_scene scene = {
        .version = "1.2.3",
        .revision = "abc",
        .frontends = frontends,
        .traffic = traffic,
        .n_traffic = 2,
        .pools = pools,
        .backends = backends,
        .n_frontends = 1,
        .n_pools = 2,
        .n_backends = 2,
        .reloads = { .good = 3, .bad = 1, .last_good = false, .loaded_us = 1500000 },
        .accept_pauses = 4,
        .log_written = { [LOG_LEVEL_WARN] = 12 },
        .log_lost = 13,
        .log_failed = true,
        .process = { 2500000, 4096, 20, 1024 },
        .started_us = 1000000,
};

static char *text_of(const struct metrics_scene *s, enum exposition_format f) {
        struct exposition x;
        char *text;

        exposition_init(&x, f, SIZE_MAX);
        assert_int_equal(metrics_write(&x, s, 0, SIZE_MAX), metrics_families);
        assert_int_equal(x.out.error, 0);
        text = strndup(x.out.bytes, x.out.n);
        exposition_done(&x);
        return text;
}

static void test_values(void **state) {
        static const char *const lines[] = {
                "bal_build_info{version=\"1.2.3\",revision=\"abc\"} 1",
                "bal_config_last_reload_successful 0",
                "bal_config_last_reload_success_timestamp_seconds 1.5",
                "bal_config_reloads_total{result=\"success\"} 3",
                "bal_config_reloads_total{result=\"failure\"} 1",
                "bal_frontend_connections_active{frontend=\"web\"} 3",
                "bal_frontend_connections_limit{frontend=\"web\"} 100",
                "bal_frontend_connections_total{frontend=\"web\"} 42",
                "bal_frontend_connections_rejected_total{frontend=\"web\",reason=\"max_connections\"} 1",
                "bal_frontend_connections_rejected_total{frontend=\"web\",reason=\"no_backend\"} 2",
                "bal_frontend_connections_rejected_total{frontend=\"web\",reason=\"protection\"} 4",
                "bal_frontend_connections_rejected_total{frontend=\"web\",reason=\"no_ports\"} 5",
                "bal_frontend_connections_rejected_total{frontend=\"web\",reason=\"resources\"} 0",
                "bal_accept_pauses_total 4",
                "bal_frontend_connect_duration_seconds_bucket{frontend=\"web\",le=\"0.0005\"} 5",
                "bal_frontend_connect_duration_seconds_bucket{frontend=\"web\",le=\"2.5\"} 5",
                "bal_frontend_connect_duration_seconds_bucket{frontend=\"web\",le=\"+Inf\"} 6",
                "bal_frontend_connect_duration_seconds_sum{frontend=\"web\"} 3.0",
                "bal_frontend_connect_duration_seconds_count{frontend=\"web\"} 6",
                "bal_frontend_waiting{frontend=\"web\",for=\"slot\"} 1",
                "bal_frontend_waiting{frontend=\"web\",for=\"backend_full\"} 2",
                "bal_frontend_waiting{frontend=\"web\",for=\"backend_down\"} 4",
                "bal_frontend_wait_duration_seconds_bucket{frontend=\"web\",le=\"0.001\"} 0",
                "bal_frontend_wait_duration_seconds_bucket{frontend=\"web\",le=\"0.005\"} 2",
                "bal_frontend_wait_duration_seconds_bucket{frontend=\"web\",le=\"30.0\"} 2",
                "bal_frontend_wait_duration_seconds_bucket{frontend=\"web\",le=\"+Inf\"} 3",
                "bal_frontend_wait_duration_seconds_sum{frontend=\"web\"} 42.0",
                "bal_frontend_waits_failed_total{frontend=\"web\",reason=\"queue_timeout\"} 3",
                "bal_frontend_waits_failed_total{frontend=\"web\",reason=\"hold_timeout\"} 0",
                "bal_frontend_waits_failed_total{frontend=\"web\",reason=\"client_left\"} 2",
                "bal_frontend_waits_failed_total{frontend=\"web\",reason=\"other\"} 0",
                "bal_backend_up{pool=\"web\",backend=\"10.0.0.1:80\"} 0",
                "bal_backend_up{pool=\"db\",backend=\"[::1]:5432\"} 1",
                "bal_backend_weight{pool=\"web\",backend=\"10.0.0.1:80\"} 5",
                "bal_backend_state{pool=\"web\",backend=\"10.0.0.1:80\",state=\"down\"} 0",
                "bal_backend_state{pool=\"web\",backend=\"10.0.0.1:80\",state=\"cool\"} 0",
                "bal_backend_state{pool=\"web\",backend=\"10.0.0.1:80\",state=\"drain\"} 1",
                "bal_backend_state{pool=\"web\",backend=\"10.0.0.1:80\",state=\"maint\"} 0",
                "bal_backend_state{pool=\"web\",backend=\"10.0.0.1:80\",state=\"up\"} 0",
                "bal_backend_connections_active{pool=\"web\",backend=\"10.0.0.1:80\"} 2",
                "bal_backend_connections_idle{pool=\"web\",backend=\"10.0.0.1:80\"} 3",
                "bal_backend_connections_total{pool=\"web\",backend=\"10.0.0.1:80\"} 40",
                "bal_backend_connect_errors_total{pool=\"web\",backend=\"10.0.0.1:80\",reason=\"timeout\"} 1",
                "bal_backend_connect_errors_total{pool=\"web\",backend=\"10.0.0.1:80\",reason=\"refused\"} 2",
                "bal_backend_connect_errors_total{pool=\"web\",backend=\"10.0.0.1:80\",reason=\"other\"} 3",
                "bal_backend_connect_errors_total{pool=\"web\",backend=\"10.0.0.1:80\",reason=\"closed\"} 4",
                "bal_backend_received_bytes_total{pool=\"web\",backend=\"10.0.0.1:80\"} 22",
                "bal_backend_sent_bytes_total{pool=\"web\",backend=\"10.0.0.1:80\"} 11",
                "bal_backend_state_changes_total{pool=\"web\",backend=\"10.0.0.1:80\"} 6",
                "bal_backend_health_checks_total{pool=\"web\",backend=\"10.0.0.1:80\",result=\"success\"} 9",
                "bal_backend_health_checks_total{pool=\"web\",backend=\"10.0.0.1:80\",result=\"failure\"} 4",
                "bal_backend_health_check_duration_seconds{pool=\"web\",backend=\"10.0.0.1:80\"} 0.012",
                "bal_http_requests_total{frontend=\"web\",pool=\"web\",method=\"GET\",code=\"2xx\"} 0",
                "bal_http_requests_total{frontend=\"web\",pool=\"web\",method=\"POST\",code=\"2xx\"} 0",
                "bal_http_requests_total{frontend=\"web\",pool=\"web\",method=\"POST\",code=\"5xx\"} 3",
                "bal_http_requests_total{frontend=\"web\",pool=\"\",method=\"GET\",code=\"4xx\"} 0",
                "bal_http_request_duration_seconds_bucket{frontend=\"web\",pool=\"web\",le=\"0.001\"} 0",
                "bal_http_request_duration_seconds_bucket{frontend=\"web\",pool=\"web\",le=\"0.0025\"} 2",
                "bal_http_request_duration_seconds_bucket{frontend=\"web\",pool=\"web\",le=\"10.0\"} 2",
                "bal_http_request_duration_seconds_bucket{frontend=\"web\",pool=\"web\",le=\"+Inf\"} 3",
                "bal_http_request_duration_seconds_sum{frontend=\"web\",pool=\"web\"} 12.004",
                "bal_protection_mode_active{pool=\"web\"} 1",
                "bal_protection_mode_active{pool=\"db\"} 0",
                "bal_protection_mode_activations_total{pool=\"web\",reason=\"timeout_or_refused_storm\"} 7",
                "bal_protection_mode_activations_total{pool=\"web\",reason=\"all_backends_unavailable\"} 8",
                "bal_pool_holding{pool=\"web\"} 12",
                "bal_pool_holding{pool=\"db\"} 0",
                "bal_pool_held_total{pool=\"web\"} 300",
                "bal_pool_held_in_vain_total{pool=\"web\"} 7",
                "bal_log_messages_total{level=\"error\"} 0",
                "bal_log_messages_total{level=\"warn\"} 12",
                "bal_log_messages_dropped_total 13",
                "bal_log_failed 1",
                "process_start_time_seconds 1.0",
                "process_open_fds 20",
                "process_max_fds 1024",
                "process_resident_memory_bytes 4096",
                "process_cpu_seconds_total 2.5",
        };
        char *text = text_of(&scene, EXPOSITION_TEXT), line[300];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(lines); i++) {
                snprintf(line, sizeof(line), "\n%s\n", lines[i]);
                if (!strstr(text, line))
                        fail_msg("no %s in\n%s", lines[i], text);
        }
        assert_null(strstr(text, "method=\"PUT\"")); /* never seen */
        /* one that was never checked has no duration, not one of 0 */
        assert_null(strstr(text, "health_check_duration_seconds{pool=\"db\""));
        free(text);
}

/* In parts as in one piece, whatever the size of a part. */
static void test_parts(void **state) {
        char *whole = text_of(&scene, EXPOSITION_OPENMETRICS);

        (void)state;
        for (size_t size = 0; size < strlen(whole) + 2; size += 61) {
                size_t next = 0, parts = 0, n = 0;

                while (next < metrics_families) {
                        struct exposition x;
                        size_t before = next;

                        exposition_init(&x, EXPOSITION_OPENMETRICS, SIZE_MAX);
                        next = metrics_write(&x, &scene, next, size);
                        assert_int_equal(x.out.error, 0);
                        assert_true(next > before && ++parts <= metrics_families);
                        assert_memory_equal(x.out.bytes, whole + n, x.out.n);
                        n += x.out.n;
                        exposition_done(&x);
                }
                assert_int_equal(n, strlen(whole));
        }
        free(whole);
}

static void test_empty(void **state) {
        static const struct metrics_scene nothing = { .version = "", .revision = "" };
        char *text = text_of(&nothing, EXPOSITION_TEXT);

        (void)state;
        assert_non_null(strstr(text, "bal_build_info{version=\"\",revision=\"\"} 1\n"));
        assert_non_null(strstr(text, "# TYPE bal_backend_up gauge\n# HELP bal_backend_weight "));
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_parts),
                cmocka_unit_test(test_empty),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
