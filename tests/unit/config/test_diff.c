/* SPDX-License-Identifier: MIT */
/* What a new file changes, told in lines: test_diff SIMPLE FULL, two sample files. */

#include "rig.h"

#include <time.h>

#include "config/diff.h"
#include "config/keys.h"

static char **samples;

struct told {
        char text[32768];
        size_t n, count;
};

static void add_line(const struct config_difference *d, void *userdata) {
        struct told *t = userdata;

        t->count++;
        if (t->n > sizeof(t->text) - 4096)
                return;
        t->n += (size_t)snprintf(t->text + t->n, sizeof(t->text) - t->n, "%s %s %s%s%s%s%s\n",
                                 config_action_word(d->action), config_thing_word(d->thing),
                                 d->pool ? d->pool : "", d->pool ? "/" : "", d->name,
                                 *d->text ? ": " : "", d->text);
        assert_true((d->thing == CONFIG_THING_BACKEND) == (d->pool != NULL));
}

static struct config *load_any(const char *text) { /* warnings are welcome */
        struct config *c;
        struct diags d;

        if (load(&c, &d, text) < 0)
                fail_msg("%s\n%s", nth(&d, 0)->message, text);
        diags_done(&d);
        return c;
}

static void check(const char *before, const char *after, const char *wanted) {
        struct config *b = load_any(before), *a = load_any(after);
        struct told t = { .n = 0 };

        assert_int_equal(config_diff(b, a, add_line, &t), 0);
        if (strcmp(t.text, wanted) != 0)
                fail_msg("%s\n---\n%s\nwanted:\n%s\ngot:\n%s", before, after, wanted, t.text);

        /* a file is never different from itself */
        t.count = 0;
        assert_int_equal(config_diff(b, b, add_line, &t), 0);
        assert_int_equal(config_diff(a, a, add_line, &t), 0);
        assert_int_equal(t.count, 0);
        config_unref(b);
        config_unref(a);
}

/* --- each key ------------------------------------------------------------------------------- */

static const char simple_base[] = "port: 9295\n"
                                  "bind_address: 127.0.0.1\n"
                                  "method: round_robin\n"
                                  "protocol: tcp\n"
                                  "log_level: info\n"
                                  "log_format: json\n"
                                  "log_schema: bal\n"
                                  "log_clients: false\n"
                                  "workers: 2\n"
                                  "drain_timeout: 30s\n"
                                  "restart_drain: 2s\n"
                                  "resolve_interval: 5s\n"
                                  "watch: true\n"
                                  "runtime:\n"
                                  "  backend_connect_timeout_ms: 500\n"
                                  "  connect_deadline_ms: 5000\n"
                                  "  hold_ms: 5000\n"
                                  "  slow_start_ms: 0\n"
                                  "  on_marked_down: keep\n"
                                  "  failover_backoff_initial_ms: 100\n"
                                  "  failover_backoff_max_ms: 5000\n"
                                  "  backend_cooldown_ms: 300\n"
                                  "  protection_trigger_threshold: 10\n"
                                  "  protection_window_ms: 30000\n"
                                  "  protection_stable_success_threshold: 12\n"
                                  "  max_concurrent_connections: 100\n"
                                  "  connection_idle_timeout_ms: 120000\n"
                                  "  overload_policy: reject\n"
                                  "  queue_timeout_ms: 1000\n"
                                  "  tcp_backlog: 512\n"
                                  "health_check:\n"
                                  "  type: http\n"
                                  "  path: /\n"
                                  "  host: web.example\n"
                                  "  port: 81\n"
                                  "  expected_status: 200\n"
                                  "  interval: 500ms\n"
                                  "  timeout: 200ms\n"
                                  "  unhealthy_threshold: 2\n"
                                  "  healthy_threshold: 1\n"
                                  "  unhealthy_interval: 250ms\n"
                                  "metrics:\n"
                                  "  enabled: true\n"
                                  "  address: \"127.0.0.1:9090\"\n"
                                  "  path: /metrics\n"
                                  "backends:\n"
                                  "  - host: 10.20.0.11\n"
                                  "    port: 80\n"
                                  "    weight: 1\n"
                                  "    backup: false\n"
                                  "    max_connections: 0\n"
                                  "  - host: 10.20.0.12\n"
                                  "    port: 80\n";

static const char full_base[] = "global:\n"
                                "  log_level: info\n"
                                "  log_format: json\n"
                                "  log_schema: bal\n"
                                "  log_clients: false\n"
                                "  workers: 2\n"
                                "  drain_timeout: 30s\n"
                                "  restart_drain: 2s\n"
                                "  resolve_interval: 5s\n"
                                "  watch: true\n"
                                "  max_connections: 100\n"
                                "  metrics:\n"
                                "    enabled: true\n"
                                "    address: \"127.0.0.1:9090\"\n"
                                "    path: /metrics\n"
                                "health_check_defaults:\n"
                                "  interval: 4s\n"
                                "  timeout: 3s\n"
                                "  unhealthy_threshold: 5\n"
                                "  healthy_threshold: 6\n"
                                "  unhealthy_interval: 2s\n"
                                "  cooldown: 7s\n"
                                "frontends:\n"
                                "  - name: web\n"
                                "    listen: \"127.0.0.1:80\"\n"
                                "    protocol: tcp\n"
                                "    backend: app\n"
                                "    algorithm: round_robin\n"
                                "    max_connections: 0\n"
                                "    overload_policy: reject\n"
                                "    queue_timeout: 1s\n"
                                "    backlog: 512\n"
                                "    tcp:\n"
                                "      connect_timeout: 9s\n"
                                "      idle_timeout: 2m\n"
                                "backends:\n"
                                "  - name: app\n"
                                "    servers:\n"
                                "      - address: \"10.20.0.11:80\"\n"
                                "        weight: 1\n"
                                "        backup: false\n"
                                "        max_connections: 10\n"
                                "      - address: \"10.20.0.12:80\"\n"
                                "    health_check:\n"
                                "      type: http\n"
                                "      path: /\n"
                                "      host: web.example\n"
                                "      port: 81\n"
                                "      expected_status: 200\n"
                                "      interval: 500ms\n"
                                "      timeout: 200ms\n"
                                "      unhealthy_threshold: 2\n"
                                "      healthy_threshold: 1\n"
                                "      unhealthy_interval: 250ms\n"
                                "    connect_timeout: 1s\n"
                                "    connect_deadline: 10s\n"
                                "    hold: 5s\n"
                                "    slow_start: 0s\n"
                                "    on_marked_down: keep\n"
                                "    failover:\n"
                                "      backoff_initial: 100ms\n"
                                "      backoff_max: 5s\n"
                                "      cooldown: 300ms\n"
                                "    protection:\n"
                                "      trigger_threshold: 10\n"
                                "      window: 30s\n"
                                "      stable_success_threshold: 12\n"
                                "  - name: db\n"
                                "    servers: [ { address: \"10.20.0.21:5432\" } ]\n";

static const struct edit {
        const char *path;      /* of the key; NULL: it is there twice, this is its other effect */
        const char *old, *new; /* the line, and what stands there instead */
        const char *wanted;
} simple_edits[] = {
        { "port", "\nport: 9295", "\nport: 9296",
          "removed listener 127.0.0.1:9295: frontend main\n"
          "added listener 127.0.0.1:9296: frontend main\n" },
        { "bind_address", "bind_address: 127.0.0.1", "bind_address: \"::1\"",
          "removed listener 127.0.0.1:9295: frontend main\n"
          "added listener [::1]:9295: frontend main\n" },
        { "method", "round_robin", "ip_hash",
          "changed frontend main: method round_robin -> ip_hash\n" },
        { "log_level", "info", "debug", "changed global log_level: info -> debug\n" },
        { "log_format", "json", "pretty", "changed global log_format: json -> pretty\n" },
        { "log_schema", "schema: bal", "schema: ecs", "changed global log_schema: bal -> ecs\n" },
        { "log_clients", "log_clients: false", "log_clients: true",
          "changed global log_clients: false -> true\n" },
        { "workers", "workers: 2", "workers: 3", "changed global workers: 2 -> 3\n" },
        { "drain_timeout", "30s", "1m30s", "changed global drain_timeout: 30s -> 1m30s\n" },
        { "restart_drain", "2s", "0s", "changed global restart_drain: 2s -> 0s\n" },
        { "resolve_interval", "5s", "500ms", "changed global resolve_interval: 5s -> 500ms\n" },
        { "watch", "watch: true", "watch: false", "changed global watch: true -> false\n" },
        { "runtime.backend_connect_timeout_ms", "backend_connect_timeout_ms: 500",
          "backend_connect_timeout_ms: 700",
          "changed pool main: runtime.backend_connect_timeout_ms 500 -> 700\n" },
        { "runtime.connect_deadline_ms", "deadline_ms: 5000", "deadline_ms: 6000",
          "changed pool main: runtime.connect_deadline_ms 5000 -> 6000\n" },
        { "runtime.hold_ms", "hold_ms: 5000", "hold_ms: 0",
          "changed pool main: runtime.hold_ms 5000 -> 0\n" },
        { "runtime.slow_start_ms", "slow_start_ms: 0", "slow_start_ms: 10000",
          "changed pool main: runtime.slow_start_ms 0 -> 10000\n" },
        { "runtime.on_marked_down", "keep", "close",
          "changed pool main: runtime.on_marked_down keep -> close\n" },
        { "runtime.failover_backoff_initial_ms", "initial_ms: 100", "initial_ms: 200",
          "changed pool main: runtime.failover_backoff_initial_ms 100 -> 200\n" },
        { "runtime.failover_backoff_max_ms", "max_ms: 5000", "max_ms: 6000",
          "changed pool main: runtime.failover_backoff_max_ms 5000 -> 6000\n" },
        { "runtime.backend_cooldown_ms", "cooldown_ms: 300", "cooldown_ms: 1",
          "changed pool main: runtime.backend_cooldown_ms 300 -> 1\n" },
        { "runtime.protection_trigger_threshold", "trigger_threshold: 10", "trigger_threshold: 9",
          "changed pool main: runtime.protection_trigger_threshold 10 -> 9\n" },
        { "runtime.protection_window_ms", "window_ms: 30000", "window_ms: 1",
          "changed pool main: runtime.protection_window_ms 30000 -> 1\n" },
        { "runtime.protection_stable_success_threshold", "success_threshold: 12",
          "success_threshold: 1",
          "changed pool main: runtime.protection_stable_success_threshold 12 -> 1\n" },
        { "runtime.max_concurrent_connections", "connections: 100", "connections: 200",
          "changed global runtime.max_concurrent_connections: 100 -> 200\n" },
        { "runtime.connection_idle_timeout_ms", "idle_timeout_ms: 120000", "idle_timeout_ms: 1",
          "changed frontend main: runtime.connection_idle_timeout_ms 120000 -> 1\n" },
        { "runtime.overload_policy", "reject", "queue",
          "changed frontend main: runtime.overload_policy reject -> queue\n" },
        { "runtime.queue_timeout_ms", "queue_timeout_ms: 1000", "queue_timeout_ms: 1",
          "changed frontend main: runtime.queue_timeout_ms 1000 -> 1\n" },
        { "runtime.tcp_backlog", "tcp_backlog: 512", "tcp_backlog: 1",
          "changed frontend main: runtime.tcp_backlog 512 -> 1\n" },
        { "health_check.type",
          "  type: http\n  path: /\n  host: web.example\n  port: 81\n  expected_status: 200\n",
          "  type: tcp\n  port: 81\n", "changed pool main: health_check.type http -> tcp\n" },
        { "health_check.path", "  path: /\n", "  path: /up\n",
          "changed pool main: health_check.path / -> /up\n" },
        { "health_check.host", "host: web.example", "host: x",
          "changed pool main: health_check.host web.example -> x\n" },
        { "health_check.port", "  port: 81\n", "",
          "changed pool main: health_check.port 81 -> the backend's own\n" },
        { "health_check.expected_status", "status: 200", "status: [ 200, 300-399 ]",
          "changed pool main: health_check.expected_status 200 -> 200,300-399\n" },
        { "health_check.interval", "  interval: 500ms", "  interval: 1s",
          "changed pool main: health_check.interval 500ms -> 1s\n" },
        { "health_check.timeout", "  timeout: 200ms", "  timeout: 1s",
          "changed pool main: health_check.timeout 200ms -> 1s\n" },
        { "health_check.unhealthy_threshold", "unhealthy_threshold: 2", "unhealthy_threshold: 3",
          "changed pool main: health_check.unhealthy_threshold 2 -> 3\n" },
        { "health_check.healthy_threshold", "  healthy_threshold: 1", "  healthy_threshold: 3",
          "changed pool main: health_check.healthy_threshold 1 -> 3\n" },
        { "health_check.unhealthy_interval", "unhealthy_interval: 250ms", "unhealthy_interval: 1s",
          "changed pool main: health_check.unhealthy_interval 250ms -> 1s\n" },
        { "runtime.health_check_interval_ms", "  interval: 500ms\n", "",
          "changed pool main: since the section runtime is there: "
          "health_check.interval 500ms -> 200ms\n" },
        { "metrics.enabled", "enabled: true", "enabled: false",
          "changed global metrics.enabled: true -> false\n" },
        { NULL, "metrics:\n  enabled: true\n  address: \"127.0.0.1:9090\"\n  path: /metrics\n", "",
          "changed global metrics.enabled: true -> false\n" },
        { "metrics.address", "9090", "9091",
          "changed global metrics.address: 127.0.0.1:9090 -> 127.0.0.1:9091\n" },
        { "metrics.path", "path: /metrics", "path: /m",
          "changed global metrics.path: /metrics -> /m\n" },
        { "backends[].host", "10.20.0.12", "DB.example",
          "removed backend main/10.20.0.12:80\n"
          "added backend main/db.example:80\n" },
        { "backends[].port", "10.20.0.12\n    port: 80", "10.20.0.12\n    port: 81",
          "removed backend main/10.20.0.12:80\n"
          "added backend main/10.20.0.12:81\n" },
        { "backends[].weight", "weight: 1", "weight: 3",
          "changed backend main/10.20.0.11:80: weight 1 -> 3\n" },
        { "backends[].backup", "backup: false", "backup: true",
          "changed backend main/10.20.0.11:80: backup false -> true\n" },
        { "backends[].max_connections", "max_connections: 0", "max_connections: 9",
          "changed backend main/10.20.0.11:80: max_connections 0 -> 9\n" },
};

static const struct edit full_edits[] = {
        { "global.log_level", "info", "debug", "changed global log_level: info -> debug\n" },
        { "global.log_format", "json", "pretty", "changed global log_format: json -> pretty\n" },
        { "global.log_schema", "schema: bal", "schema: ecs",
          "changed global log_schema: bal -> ecs\n" },
        { "global.log_clients", "log_clients: false", "log_clients: true",
          "changed global log_clients: false -> true\n" },
        { "global.workers", "workers: 2", "workers: 3", "changed global workers: 2 -> 3\n" },
        { "global.drain_timeout", "drain_timeout: 30s", "drain_timeout: 0s",
          "changed global drain_timeout: 30s -> 0s\n" },
        { "global.restart_drain", "restart_drain: 2s", "restart_drain: 3s",
          "changed global restart_drain: 2s -> 3s\n" },
        { "global.resolve_interval", "resolve_interval: 5s", "resolve_interval: 6s",
          "changed global resolve_interval: 5s -> 6s\n" },
        { "global.watch", "watch: true", "watch: false", "changed global watch: true -> false\n" },
        { "global.max_connections", "max_connections: 100", "max_connections: 200",
          "changed global max_connections: 100 -> 200\n" },
        { "global.metrics.enabled", "enabled: true", "enabled: false",
          "changed global metrics.enabled: true -> false\n" },
        { "global.metrics.address", "9090", "9091",
          "changed global metrics.address: 127.0.0.1:9090 -> 127.0.0.1:9091\n" },
        { "global.metrics.path", "path: /metrics", "path: /m",
          "changed global metrics.path: /metrics -> /m\n" },
        { "health_check_defaults.interval", "interval: 4s", "interval: 3s",
          "changed pool db: health_check.interval 4s -> 3s\n" },
        { "health_check_defaults.timeout", "timeout: 3s", "timeout: 1s",
          "changed pool db: health_check.timeout 3s -> 1s\n" },
        { "health_check_defaults.unhealthy_threshold", "unhealthy_threshold: 5",
          "unhealthy_threshold: 6", "changed pool db: health_check.unhealthy_threshold 5 -> 6\n" },
        { "health_check_defaults.healthy_threshold", "healthy_threshold: 6", "healthy_threshold: 7",
          "changed pool db: health_check.healthy_threshold 6 -> 7\n" },
        { "health_check_defaults.unhealthy_interval", "unhealthy_interval: 2s",
          "unhealthy_interval: 1s", "changed pool db: health_check.unhealthy_interval 2s -> 1s\n" },
        { "health_check_defaults.cooldown", "cooldown: 7s", "cooldown: 8s",
          "changed pool db: failover.cooldown 7s -> 8s\n" },
        { "frontends[].name", "- name: web", "- name: www",
          "removed frontend web: listen 127.0.0.1:80, backend app\n"
          "added frontend www: listen 127.0.0.1:80, backend app\n" },
        { "frontends[].listen", "listen: \"127.0.0.1:80\"",
          "listen: [ \"127.0.0.1:80\", \"unix:/run/x\", \"[::1]:80\" ]",
          "added listener unix:/run/x: frontend web\n"
          "added listener [::1]:80: frontend web\n" },
        { "frontends[].backend", "backend: app", "backend: db",
          "changed frontend web: backend app -> db\n" },
        { "frontends[].algorithm", "round_robin", "first",
          "changed frontend web: algorithm round_robin -> first\n" },
        { NULL, "round_robin", "weighted", "" },
        { "frontends[].max_connections", "    max_connections: 0", "    max_connections: 9",
          "changed frontend web: max_connections 0 -> 9\n" },
        { "frontends[].overload_policy", "reject", "queue",
          "changed frontend web: overload_policy reject -> queue\n" },
        { "frontends[].queue_timeout", "queue_timeout: 1s", "queue_timeout: 2s",
          "changed frontend web: queue_timeout 1s -> 2s\n" },
        { "frontends[].backlog", "backlog: 512", "backlog: 1",
          "changed frontend web: backlog 512 -> 1\n" },
        { "frontends[].tcp.connect_timeout", "connect_timeout: 9s", "connect_timeout: 8s",
          "changed frontend web: tcp.connect_timeout 9s -> 8s\n" },
        { "frontends[].tcp.idle_timeout", "2m", "1m",
          "changed frontend web: tcp.idle_timeout 2m -> 1m\n" },
        { "backends[].name", "name: db", "name: data",
          "removed pool db: 1 backend\nadded pool data: 1 backend\n" },
        { "backends[].servers[].address", "10.20.0.12:80", "10.20.0.13:80",
          "removed backend app/10.20.0.12:80\nadded backend app/10.20.0.13:80\n" },
        { "backends[].servers[].weight", "weight: 1", "weight: 0",
          "changed backend app/10.20.0.11:80: weight 1 -> 0\n" },
        { "backends[].servers[].backup", "backup: false", "backup: true",
          "changed backend app/10.20.0.11:80: backup false -> true\n" },
        { "backends[].servers[].max_connections", "max_connections: 10\n", "max_connections: 0\n",
          "changed backend app/10.20.0.11:80: max_connections 10 -> 0\n" },
        { "backends[].health_check.type",
          "type: http\n      path: /\n      host: web.example\n      port: 81\n"
          "      expected_status: 200\n",
          "type: none\n", "changed pool app: health_check.type http -> none\n" },
        { "backends[].health_check.path", "      path: /\n", "      path: /up\n",
          "changed pool app: health_check.path / -> /up\n" },
        { "backends[].health_check.host", "      host: web.example\n", "",
          "changed pool app: health_check.host web.example -> the backend's own\n" },
        { "backends[].health_check.port", "port: 81", "port: 82",
          "changed pool app: health_check.port 81 -> 82\n" },
        { "backends[].health_check.expected_status", "status: 200", "status: 200, 204",
          "changed pool app: health_check.expected_status 200 -> 200,204\n" },
        { "backends[].health_check.interval", "interval: 500ms", "interval: 1s",
          "changed pool app: health_check.interval 500ms -> 1s\n" },
        { "backends[].health_check.timeout", "timeout: 200ms", "timeout: 1s",
          "changed pool app: health_check.timeout 200ms -> 1s\n" },
        { "backends[].health_check.unhealthy_threshold", "unhealthy_threshold: 2",
          "unhealthy_threshold: 1", "changed pool app: health_check.unhealthy_threshold 2 -> 1\n" },
        { "backends[].health_check.healthy_threshold", " healthy_threshold: 1",
          " healthy_threshold: 2", "changed pool app: health_check.healthy_threshold 1 -> 2\n" },
        { "backends[].health_check.unhealthy_interval", "unhealthy_interval: 250ms",
          "unhealthy_interval: 1s",
          "changed pool app: health_check.unhealthy_interval 250ms -> 1s\n" },
        { "backends[].connect_timeout", "connect_timeout: 1s", "connect_timeout: 2s",
          "changed pool app: connect_timeout 1s -> 2s\n" },
        { "backends[].connect_deadline", "deadline: 10s", "deadline: 1m",
          "changed pool app: connect_deadline 10s -> 1m\n" },
        { "backends[].hold", "hold: 5s", "hold: 0s", "changed pool app: hold 5s -> 0s\n" },
        { "backends[].slow_start", "slow_start: 0s", "slow_start: 10s",
          "changed pool app: slow_start 0s -> 10s\n" },
        { "backends[].on_marked_down", "keep", "close",
          "changed pool app: on_marked_down keep -> close\n" },
        { "backends[].failover.backoff_initial", "initial: 100ms", "initial: 200ms",
          "changed pool app: failover.backoff_initial 100ms -> 200ms\n" },
        { "backends[].failover.backoff_max", "max: 5s", "max: 6s",
          "changed pool app: failover.backoff_max 5s -> 6s\n" },
        { "backends[].failover.cooldown", "cooldown: 300ms", "cooldown: 1s",
          "changed pool app: failover.cooldown 300ms -> 1s\n" },
        { "backends[].protection.trigger_threshold", "trigger_threshold: 10",
          "trigger_threshold: 9", "changed pool app: protection.trigger_threshold 10 -> 9\n" },
        { "backends[].protection.window", "window: 30s", "window: 1m",
          "changed pool app: protection.window 30s -> 1m\n" },
        { "backends[].protection.stable_success_threshold", "success_threshold: 12",
          "success_threshold: 1",
          "changed pool app: protection.stable_success_threshold 12 -> 1\n" },
        { NULL, "      stable_success_threshold: 12\n", "      stable_success_threshold: 1\n",
          "changed pool app: protection.stable_success_threshold 12 -> 1\n" },
        { NULL, "    hold: 5s\n    slow_start: 0s\n    on_marked_down: keep\n",
          "    hold: 2s\n    slow_start: 1h\n    on_marked_down: close\n",
          "changed pool app: hold 5s -> 2s, slow_start 0s -> 1h, "
          "on_marked_down keep -> close\n" },
};

/* --- protocol http -------------------------------------------------------------------------- */

static const char simple_http[] =
        "port: 9295\n"
        "protocol: http\n"
        "health_check: { passive: false }\n"
        "http:\n"
        "  request_headers: { X-A: a, \"-X-B\": \"\" }\n"
        "  response_headers: { Server: bal }\n"
        "  trusted_proxies: [ 10.20.0.0/24, \"unix:\" ]\n"
        "  access_log: errors\n"
        "  max_body_bytes: 0\n"
        "  head_timeout: 10s\n"
        "  keep_alive_timeout: 60s\n"
        "  response_timeout: 60s\n"
        "  backend_keep_alive: 30s\n"
        "  max_request_line: 8k\n"
        "  max_header: 8k\n"
        "  max_headers_size: 32k\n"
        "  max_header_count: 100\n"
        "  allow_connect: false\n"
        "  drop_underscore_headers: false\n"
        "  via: false\n"
        "  half_close: abort\n"
        "  forwarded: false\n"
        "  error_pages: { 503: /proc/version }\n"
        "routes:\n"
        "  - host: a.example\n"
        "    path: /x\n"
        "    method: GET\n"
        "    headers: { X-V: \"1\" }\n"
        "    backend: main\n"
        "  - path_prefix: /p\n"
        "    redirect: { to: /q, code: 301 }\n"
        "  - path_segments: /s\n"
        "    respond: { status: 404, body: no, content_type: text/html }\n"
        "backends: [ { host: 10.20.0.11, port: 80 } ]\n";

static const char full_http[] =
        "frontends:\n"
        "  - name: web\n"
        "    listen: \"127.0.0.1:80\"\n"
        "    backend: app\n"
        "    protocol: http\n"
        "    http:\n"
        "      request_headers: { X-A: a, \"-X-B\": \"\" }\n"
        "      response_headers: { Server: bal }\n"
        "      trusted_proxies: [ 10.20.0.0/24, \"unix:\" ]\n"
        "      access_log: errors\n"
        "      max_body_bytes: 0\n"
        "      head_timeout: 10s\n"
        "      keep_alive_timeout: 60s\n"
        "      response_timeout: 60s\n"
        "      backend_keep_alive: 30s\n"
        "      max_request_line: 8k\n"
        "      max_header: 8k\n"
        "      max_headers_size: 32k\n"
        "      max_header_count: 100\n"
        "      allow_connect: false\n"
        "      drop_underscore_headers: false\n"
        "      via: false\n"
        "      half_close: abort\n"
        "      forwarded: false\n"
        "      error_pages: { 503: /proc/version }\n"
        "    routes:\n"
        "      - host: a.example\n"
        "        path: /x\n"
        "        method: GET\n"
        "        headers: { X-V: \"1\" }\n"
        "        backend: app\n"
        "      - path_prefix: /p\n"
        "        redirect: { to: /q, code: 301 }\n"
        "      - path_segments: /s\n"
        "        respond: { status: 404, body: no, content_type: text/html }\n"
        "backends:\n"
        "  - name: app\n"
        "    health_check: { passive: false }\n"
        "    servers: [ { address: \"10.20.0.11:80\" } ]\n"
        "  - name: db\n"
        "    servers: [ { address: \"10.20.0.21:80\" } ]\n";

static const struct edit simple_http_edits[] = {
        { "http.access_log", " access_log: errors", " access_log: all",
          "changed frontend main: http.access_log errors -> all\n" },
        { "http.max_body_bytes", " max_body_bytes: 0", " max_body_bytes: 10m",
          "changed frontend main: http.max_body_bytes 0 -> 10m\n" },
        { "http.head_timeout", " head_timeout: 10s", " head_timeout: 5s",
          "changed frontend main: http.head_timeout 10s -> 5s\n" },
        { "http.keep_alive_timeout", " keep_alive_timeout: 60s", " keep_alive_timeout: 30s",
          "changed frontend main: http.keep_alive_timeout 1m -> 30s\n" },
        { "http.response_timeout", " response_timeout: 60s", " response_timeout: 2m",
          "changed frontend main: http.response_timeout 1m -> 2m\n" },
        { "http.backend_keep_alive", " backend_keep_alive: 30s", " backend_keep_alive: 0s",
          "changed frontend main: http.backend_keep_alive 30s -> 0s\n" },
        { "http.max_request_line", " max_request_line: 8k", " max_request_line: 4k",
          "changed frontend main: http.max_request_line 8k -> 4k\n" },
        { "http.max_header", " max_header: 8k", " max_header: 8000",
          "changed frontend main: http.max_header 8k -> 8000\n" },
        { "http.max_headers_size", " max_headers_size: 32k", " max_headers_size: 16k",
          "changed frontend main: http.max_headers_size 32k -> 16k\n" },
        { "http.max_header_count", " max_header_count: 100", " max_header_count: 50",
          "changed frontend main: http.max_header_count 100 -> 50\n" },
        { "http.allow_connect", " allow_connect: false", " allow_connect: true",
          "changed frontend main: http.allow_connect false -> true\n" },
        { "http.drop_underscore_headers", " drop_underscore_headers: false",
          " drop_underscore_headers: true",
          "changed frontend main: http.drop_underscore_headers false -> true\n" },
        { "http.via", " via: false", " via: true",
          "changed frontend main: http.via false -> true\n" },
        { "http.half_close", " half_close: abort", " half_close: serve",
          "changed frontend main: http.half_close abort -> serve\n" },
        { "http.forwarded", " forwarded: false", " forwarded: true",
          "changed frontend main: http.forwarded false -> true\n" },
        { "http.request_headers", "X-A: a, \"-X-B\": \"\"", "X-A: b, +X-C: c",
          "changed frontend main: http.request_headers changed (X-A, +X-C, -X-B)\n" },
        { "http.response_headers", "{ Server: bal }", "{}",
          "changed frontend main: http.response_headers changed (Server)\n" },
        { "http.trusted_proxies", "[ 10.20.0.0/24, \"unix:\" ]", "[ \"unix:\", \"::1\" ]",
          "changed frontend main: http.trusted_proxies changed (+::1, -10.20.0.0/24)\n" },
        { "http.error_pages", "{ 503: /proc/version }", "{ 502: /proc/version }",
          "changed frontend main: http.error_pages changed (502, 503)\n" },
        { "routes[].host", "host: a.example", "host: [ a.example, b.example ]",
          "changed frontend main: routes changed\n" },
        { "routes[].path", "path: /x", "path: /y", "changed frontend main: routes changed\n" },
        { "routes[].method", "method: GET", "method: PUT",
          "changed frontend main: routes changed\n" },
        { "routes[].headers", "{ X-V: \"1\" }", "{ X-V: \"2\" }",
          "changed frontend main: routes changed\n" },
        { "routes[].path_prefix", "path_prefix: /p", "path_prefix: /o",
          "changed frontend main: routes changed\n" },
        { "routes[].redirect.to", "to: /q", "to: /r", "changed frontend main: routes changed\n" },
        { "routes[].redirect.code", "code: 301", "code: 308",
          "changed frontend main: routes changed\n" },
        { "routes[].path_segments", "path_segments: /s", "path_segments: /t",
          "changed frontend main: routes changed\n" },
        { "routes[].respond.status", "status: 404", "status: 410",
          "changed frontend main: routes changed\n" },
        { "routes[].respond.body", "body: no", "body: yes",
          "changed frontend main: routes changed\n" },
        { "routes[].respond.content_type", "text/html", "text/plain",
          "changed frontend main: routes changed\n" },
        { NULL, "host: a.example", "host: A.EXAMPLE", "" },
        { NULL, "    respond: { status: 404, body: no, content_type: text/html }\n",
          "    respond: { status: 404 }\n  - { method: PUT, respond: { status: 405 } }\n",
          "changed frontend main: routes changed (3 -> 4)\n" },
        { "health_check.passive", "passive: false", "passive: true",
          "changed pool main: health_check.passive false -> true\n" },
};

static const struct edit full_http_edits[] = {
        { "frontends[].http.access_log", " access_log: errors", " access_log: all",
          "changed frontend web: http.access_log errors -> all\n" },
        { "frontends[].http.max_body_bytes", " max_body_bytes: 0", " max_body_bytes: 10m",
          "changed frontend web: http.max_body_bytes 0 -> 10m\n" },
        { "frontends[].http.head_timeout", " head_timeout: 10s", " head_timeout: 5s",
          "changed frontend web: http.head_timeout 10s -> 5s\n" },
        { "frontends[].http.keep_alive_timeout", " keep_alive_timeout: 60s",
          " keep_alive_timeout: 30s", "changed frontend web: http.keep_alive_timeout 1m -> 30s\n" },
        { "frontends[].http.response_timeout", " response_timeout: 60s", " response_timeout: 2m",
          "changed frontend web: http.response_timeout 1m -> 2m\n" },
        { "frontends[].http.backend_keep_alive", " backend_keep_alive: 30s",
          " backend_keep_alive: 0s", "changed frontend web: http.backend_keep_alive 30s -> 0s\n" },
        { "frontends[].http.max_request_line", " max_request_line: 8k", " max_request_line: 4k",
          "changed frontend web: http.max_request_line 8k -> 4k\n" },
        { "frontends[].http.max_header", " max_header: 8k", " max_header: 8000",
          "changed frontend web: http.max_header 8k -> 8000\n" },
        { "frontends[].http.max_headers_size", " max_headers_size: 32k", " max_headers_size: 16k",
          "changed frontend web: http.max_headers_size 32k -> 16k\n" },
        { "frontends[].http.max_header_count", " max_header_count: 100", " max_header_count: 50",
          "changed frontend web: http.max_header_count 100 -> 50\n" },
        { "frontends[].http.allow_connect", " allow_connect: false", " allow_connect: true",
          "changed frontend web: http.allow_connect false -> true\n" },
        { "frontends[].http.drop_underscore_headers", " drop_underscore_headers: false",
          " drop_underscore_headers: true",
          "changed frontend web: http.drop_underscore_headers false -> true\n" },
        { "frontends[].http.via", " via: false", " via: true",
          "changed frontend web: http.via false -> true\n" },
        { "frontends[].http.half_close", " half_close: abort", " half_close: serve",
          "changed frontend web: http.half_close abort -> serve\n" },
        { "frontends[].http.forwarded", " forwarded: false", " forwarded: true",
          "changed frontend web: http.forwarded false -> true\n" },
        { "frontends[].http.request_headers", "X-A: a, \"-X-B\": \"\"", "X-A: b, +X-C: c",
          "changed frontend web: http.request_headers changed (X-A, +X-C, -X-B)\n" },
        { "frontends[].http.response_headers", "{ Server: bal }", "{}",
          "changed frontend web: http.response_headers changed (Server)\n" },
        { "frontends[].http.trusted_proxies", "[ 10.20.0.0/24, \"unix:\" ]",
          "[ \"unix:\", \"::1\" ]",
          "changed frontend web: http.trusted_proxies changed (+::1, -10.20.0.0/24)\n" },
        { "frontends[].http.error_pages", "{ 503: /proc/version }", "{ 502: /proc/version }",
          "changed frontend web: http.error_pages changed (502, 503)\n" },
        { "frontends[].routes[].host", "host: a.example", "host: [ a.example, b.example ]",
          "changed frontend web: routes changed\n" },
        { "frontends[].routes[].path", "path: /x", "path: /y",
          "changed frontend web: routes changed\n" },
        { "frontends[].routes[].method", "method: GET", "method: PUT",
          "changed frontend web: routes changed\n" },
        { "frontends[].routes[].headers", "{ X-V: \"1\" }", "{ X-V: \"2\" }",
          "changed frontend web: routes changed\n" },
        { "frontends[].routes[].path_prefix", "path_prefix: /p", "path_prefix: /o",
          "changed frontend web: routes changed\n" },
        { "frontends[].routes[].redirect.to", "to: /q", "to: /r",
          "changed frontend web: routes changed\n" },
        { "frontends[].routes[].redirect.code", "code: 301", "code: 308",
          "changed frontend web: routes changed\n" },
        { "frontends[].routes[].path_segments", "path_segments: /s", "path_segments: /t",
          "changed frontend web: routes changed\n" },
        { "frontends[].routes[].respond.status", "status: 404", "status: 410",
          "changed frontend web: routes changed\n" },
        { "frontends[].routes[].respond.body", "body: no", "body: yes",
          "changed frontend web: routes changed\n" },
        { "frontends[].routes[].respond.content_type", "text/html", "text/plain",
          "changed frontend web: routes changed\n" },
        { "frontends[].routes[].backend", "{ X-V: \"1\" }\n        backend: app",
          "{ X-V: \"1\" }\n        backend: db", "changed frontend web: routes changed\n" },
        { NULL, "host: a.example", "host: A.EXAMPLE", "" },
        { NULL, "    respond: { status: 404, body: no, content_type: text/html }\n",
          "    respond: { status: 404 }\n      - { method: PUT, respond: { status: 405 } }\n",
          "changed frontend web: routes changed (3 -> 4)\n" },
        { "backends[].health_check.passive", "passive: false", "passive: true",
          "changed pool app: health_check.passive false -> true\n" },
};

static void check_edit(const char *base, const struct edit *e) {
        const char *at = strstr(base, e->old[0] == '\n' ? e->old + 1 : e->old);
        char text[8192];

        if (!at)
                fail_msg("no such line: %s", e->old);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - base), base,
                 e->new + (e->new[0] == '\n'), at + strlen(e->old) - (e->old[0] == '\n'));
        check(base, text, e->wanted);
}

static void test_keys(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(simple_edits); i++)
                check_edit(simple_base, &simple_edits[i]);
        for (size_t i = 0; i < ELEMENTS(full_edits); i++)
                check_edit(full_base, &full_edits[i]);
        for (size_t i = 0; i < ELEMENTS(simple_http_edits); i++)
                check_edit(simple_http, &simple_http_edits[i]);
        for (size_t i = 0; i < ELEMENTS(full_http_edits); i++)
                check_edit(full_http, &full_http_edits[i]);
}

/* Nothing is said of settings that the other protocol does not have. */
static void test_protocol(void **state) {
        (void)state;
        check("backends: [ { host: a, port: 1 } ]\n",
              "protocol: http\nhttp: { via: true, request_headers: { A: b } }\n"
              "routes: [ { respond: { status: 404 } } ]\nbackends: [ { host: a, port: 1 } ]\n",
              "changed frontend main: protocol tcp -> http\n");
}

/* The names of many headers are not all told; what they are set to never is. */
static void test_many_headers(void **state) {
        (void)state;
        check("protocol: http\nbackends: [ { host: a, port: 1 } ]\n",
              "protocol: http\nhttp: { via: true, request_headers: { A: x, B: x, C: x, D: x, E: x,"
              " F: x } }\nbackends: [ { host: a, port: 1 } ]\n",
              "changed frontend main: http.via false -> true; "
              "http.request_headers changed (A, B, C, D and 2 more)\n");
}

struct edits {
        const struct edit *edit;
        size_t n;
        const struct edits *more;
};

static bool has_edit(const struct edits *e, const char *path) {
        for (; e; e = e->more) {
                for (size_t i = 0; i < e->n; i++) {
                        if (e->edit[i].path && strcmp(e->edit[i].path, path) == 0)
                                return true;
                }
        }
        return false;
}

static void find_edit(const struct config_key *k, void *userdata) {
        static const char *const without[] = {
                "mode",     /* has no meaning */
                "protocol", /* has a test of its own */
                "frontends[].protocol",
                "runtime.health_check_timeout_ms", /* other names of health_check.* */
                "runtime.health_check_fail_threshold",
                "runtime.health_check_success_threshold",
                "routes[].backend", /* of the one pool there is */
        };

        if (strcmp(k->type, "section") == 0 || strcmp(k->type, "list") == 0)
                return;
        for (size_t i = 0; i < ELEMENTS(without); i++) {
                if (strcmp(without[i], k->path) == 0)
                        return;
        }
        if (!has_edit(userdata, k->path))
                fail_msg("nothing shows that a change of %s is told", k->path);
}

static void test_no_key_is_forgotten(void **state) {
        struct edits simple_more = { simple_http_edits, ELEMENTS(simple_http_edits), NULL };
        struct edits simple = { simple_edits, ELEMENTS(simple_edits), &simple_more };
        struct edits full_more = { full_http_edits, ELEMENTS(full_http_edits), NULL };
        struct edits full = { full_edits, ELEMENTS(full_edits), &full_more };

        (void)state;
        config_keys(CONFIG_SIMPLE, find_edit, &simple);
        config_keys(CONFIG_FULL, find_edit, &full);
}

/* --- what belongs together ------------------------------------------------------------------ */

#define LISTEN "frontends: [ { name: f, listen: '127.0.0.1:1', backend: p } ]\n"

static void test_order(void **state) {
        (void)state;
        check("backends: [ { host: a, port: 1, weight: 2 }, { host: b, port: 1 } ]\n",
              "backends: [ { host: b, port: 1 }, { host: a, port: 1, weight: 2 } ]\n", "");
        check("frontends:\n"
              "  - { name: f, listen: ['127.0.0.1:1', '[::1]:1'], backend: p }\n"
              "  - { name: g, listen: '127.0.0.1:2', backend: q }\n"
              "backends:\n"
              "  - { name: p, servers: [ { address: 'a:1' }, { address: '[0::1]:9' } ] }\n"
              "  - { name: q, servers: [ { address: 'b:1' } ] }\n",
              "backends:\n"
              "  - { name: q, servers: [ { address: 'B:1' } ] }\n"
              "  - { name: p, servers: [ { address: '[::1]:9' }, { address: 'a:1' } ] }\n"
              "frontends:\n"
              "  - { name: g, listen: '127.0.0.1:2', backend: q }\n"
              "  - { name: f, listen: ['[::1]:1', '127.0.0.1:1'], backend: p }\n",
              "");
}

/* Who is chosen by `first` is chosen by his place. */
static void test_order_of_first(void **state) {
        (void)state;
        check("method: first\nbackends: [ { host: a, port: 1 }, { host: b, port: 1 } ]\n",
              "method: first\nbackends: [ { host: b, port: 1 }, { host: a, port: 1 } ]\n",
              "changed pool main: order of the backends\n");
        check("method: first\nbackends: [ { host: a, port: 1 }, { host: b, port: 1 } ]\n"
              "runtime: { slow_start_ms: 0 }\n",
              "method: first\nbackends: [ { host: b, port: 1 }, { host: a, port: 1 } ]\n"
              "runtime: { slow_start_ms: 1000 }\n",
              "changed pool main: runtime.slow_start_ms 0 -> 1000; order of the backends\n");
        check("method: first\nbackends: [ { host: a, port: 1 }, { host: b, port: 1 },"
              " { host: c, port: 1 } ]\n",
              "method: first\nbackends: [ { host: d, port: 1 }, { host: a, port: 1 },"
              " { host: c, port: 1 } ]\n",
              "removed backend main/b:1\nadded backend main/d:1\n");
        check("frontends:\n"
              "  - { name: f, listen: '127.0.0.1:1', backend: p, algorithm: first }\n"
              "  - { name: g, listen: '127.0.0.1:2', backend: q }\n"
              "backends:\n"
              "  - { name: p, servers: [ { address: 'a:1' }, { address: 'b:1' } ] }\n"
              "  - { name: q, servers: [ { address: 'a:1' }, { address: 'b:1' } ] }\n",
              "frontends:\n"
              "  - { name: f, listen: '127.0.0.1:1', backend: p, algorithm: first }\n"
              "  - { name: g, listen: '127.0.0.1:2', backend: q }\n"
              "backends:\n"
              "  - { name: q, servers: [ { address: 'b:1' }, { address: 'a:1' } ] }\n"
              "  - { name: p, servers: [ { address: 'b:1' }, { address: 'a:1' } ] }\n",
              "changed pool p: order of the backends\n");
}

static void test_removed_changed_added(void **state) {
        (void)state;
        check("frontends:\n"
              "  - { name: a, listen: '127.0.0.1:1', backend: x }\n"
              "  - { name: b, listen: ['127.0.0.1:2', '127.0.0.1:3', '127.0.0.1:4'], backend: y }\n"
              "  - { name: c, listen: ['127.0.0.1:5', '127.0.0.1:6'], backend: z }\n"
              "backends:\n"
              "  - { name: x, servers: [ { address: 'h:1' }, { address: 'h:2' }, { address: 'h:3' } ] }\n"
              "  - { name: y, servers: [ { address: 'h:4' }, { address: 'h:5' } ] }\n"
              "  - { name: z, servers: [ { address: 'h:6' } ] }\n",
              "global: { log_level: warn }\n"
              "frontends:\n"
              "  - { name: d, listen: ['127.0.0.1:2', '[::1]:2'], backend: v }\n"
              "  - { name: c, listen: ['127.0.0.1:7', '127.0.0.1:6'], backend: v }\n"
              "  - { name: a, listen: '127.0.0.1:1', backend: x, max_connections: 5 }\n"
              "backends:\n"
              "  - { name: v, servers: [ { address: 'h:7' } ] }\n"
              "  - { name: z, servers: [ { address: 'h:6', weight: 9 } ] }\n"
              "  - { name: x, slow_start: 1s, servers: [ { address: 'h:3' },\n"
              "      { address: 'h:9', weight: 3, backup: true, max_connections: 7 },\n"
              "      { address: 'h:1', weight: 2, max_connections: 1 }, { address: 'h:8' } ] }\n",
              "removed frontend b: listen 127.0.0.1:2, 127.0.0.1:3 and 1 more, backend y\n"
              "removed listener 127.0.0.1:5: frontend c\n"
              "removed backend x/h:2\n"
              "removed pool y: 2 backends\n"
              "changed global log_level: info -> warn\n"
              "changed frontend c: backend z -> v\n"
              "changed frontend a: max_connections 0 -> 5\n"
              "changed backend z/h:6: weight 1 -> 9\n"
              "changed pool x: slow_start 0s -> 1s\n"
              "changed backend x/h:1: weight 1 -> 2, max_connections 0 -> 1\n"
              "added frontend d: listen 127.0.0.1:2, [::1]:2, backend v\n"
              "added listener 127.0.0.1:7: frontend c\n"
              "added pool v: 1 backend\n"
              "added backend x/h:9: weight 3, backup true, max_connections 7\n"
              "added backend x/h:8\n");
}

/* A third backend tunes the pool anew: the reader did not touch these keys and learns why. */
static void test_tuning(void **state) {
        (void)state;
        check(LISTEN "backends:\n"
                     "  - { name: p, servers: [ { address: 'a:1' }, { address: 'b:1' } ],\n"
                     "      health_check: { timeout: 100ms, unhealthy_threshold: 4 },\n"
                     "      failover: { backoff_initial: 1s, backoff_max: 1s, cooldown: 1s },\n"
                     "      protection: { trigger_threshold: 1 } }\n",
              LISTEN "backends:\n"
                     "  - { name: p, servers: [ { address: 'a:1' }, { address: 'b:1' },\n"
                     "        { address: 'c:1' } ], slow_start: 5s,\n"
                     "      health_check: { timeout: 100ms, unhealthy_threshold: 4 },\n"
                     "      failover: { backoff_initial: 1s, backoff_max: 1s, cooldown: 1s },\n"
                     "      protection: { trigger_threshold: 1 } }\n",
              "changed pool p: slow_start 0s -> 5s; tuned for 3 backends: "
              "health_check.interval 500ms -> 700ms, connect_timeout 800ms -> 1s, "
              "protection.stable_success_threshold 12 -> 14\n"
              "added backend p/c:1\n");
        check("backends: [ { host: a, port: 1 } ]\n"
              "runtime: { max_concurrent_connections: 5 }\n"
              "health_check: { type: none }\n",
              "backends: [ { host: a, port: 1 } ]\n"
              "health_check: { type: none }\n",
              "changed global runtime.max_concurrent_connections: 5 -> 4000 (tuned for 1 backend)\n"
              "changed pool main: tuned for 1 backend: runtime.backend_connect_timeout_ms 500 -> "
              "800, runtime.failover_backoff_initial_ms 100 -> 200, "
              "runtime.backend_cooldown_ms 300 -> 500\n");
        check("backends: [ { host: a, port: 1 } ]\nhealth_check: { type: none }\n",
              "backends: [ { host: a, port: 1 } ]\nhealth_check: { type: none }\n"
              "runtime: { queue_timeout_ms: 7, backend_cooldown_ms: 500 }\n",
              "changed global runtime.max_concurrent_connections: 4000 -> 10000 "
              "(since the section runtime is there)\n"
              "changed frontend main: runtime.queue_timeout_ms 1000 -> 7\n"
              "changed pool main: since the section runtime is there: "
              "runtime.backend_connect_timeout_ms 800 -> 500, "
              "runtime.failover_backoff_initial_ms 200 -> 100\n");
}

/* What follows from another key is not told a second time; what has no effect is not told. */
static void test_followers(void **state) {
        (void)state;
        check(LISTEN "backends: [ { name: p, servers: [ { address: 'a:1' } ],\n"
                     "  connect_timeout: 1s, health_check: { interval: 1s } } ]\n",
              LISTEN "backends: [ { name: p, servers: [ { address: 'a:1' } ],\n"
                     "  connect_timeout: 2s, health_check: { interval: 2s } } ]\n",
              "changed pool p: health_check.interval 1s -> 2s, connect_timeout 1s -> 2s\n");
        check(LISTEN "backends: [ { name: p, servers: [ { address: 'a:1' } ],\n"
                     "  health_check: { interval: 1s } } ]\n",
              LISTEN "backends: [ { name: p, servers: [ { address: 'a:1' } ],\n"
                     "  health_check: { interval: 1s, unhealthy_interval: 100ms } } ]\n",
              "changed pool p: health_check.unhealthy_interval 1s -> 100ms\n");
        check(LISTEN "backends: [ { name: p, servers: [ { address: 'a:1' } ],\n"
                     "  health_check: { type: none, interval: 1s, port: 5 } } ]\n",
              LISTEN "backends: [ { name: p, servers: [ { address: 'a:1' } ],\n"
                     "  health_check: { type: none, timeout: 7ms } } ]\n",
              "");
        check("metrics: { enabled: false, path: /a }\nbackends: [ { host: a, port: 1 } ]\n",
              "backends: [ { host: a, port: 1 } ]\n", "");
}

/* --- from one dialect to the other ---------------------------------------------------------- */

static void test_dialects(void **state) {
        static const char simple[] =
                "port: 80\n"
                "workers: 1\n"
                "bind_address: 127.0.0.1\n"
                "runtime: { tcp_backlog: 5 }\n"
                "backends: [ { host: '::1', port: 81 }, { host: h, port: 82 } ]\n";
        static const char same[] =
                "global: { workers: 1, max_connections: 10000, metrics: { enabled: false } }\n"
                "frontends: [ { name: main, listen: '127.0.0.1:80', backend: main, backlog: 5 } ]\n"
                "backends:\n"
                "  - name: main\n"
                "    servers: [ { address: 'H:82' }, { address: '[::1]:81' } ]\n"
                "    connect_timeout: 500ms\n"
                "    health_check: { interval: 200ms, timeout: 500ms, unhealthy_threshold: 1 }\n"
                "    failover: { backoff_initial: 100ms, cooldown: 300ms }\n";
        static const char other[] =
                "global: { workers: 1 }\n"
                "frontends: [ { name: web, listen: '127.0.0.1:80', backend: main, backlog: 5 } ]\n"
                "backends:\n"
                "  - name: main\n"
                "    servers: [ { address: 'h:82', weight: 2 } ]\n"
                "    slow_start: 1m\n"
                "    on_marked_down: close\n"
                "    connect_timeout: 500ms\n"
                "    health_check: { interval: 2s, timeout: 500ms, unhealthy_threshold: 1 }\n"
                "    failover: { backoff_initial: 100ms, cooldown: 300ms }\n";

        (void)state;
        check(simple, same, "");
        check(same, simple, "");
        check(simple, other,
              "removed frontend main: listen 127.0.0.1:80, backend main\n"
              "removed backend main/[::1]:81\n"
              "changed global metrics.enabled: false -> true\n"
              "changed pool main: health_check.interval 200ms -> 2s, slow_start 0s -> 1m, "
              "on_marked_down keep -> close\n"
              "changed backend main/h:82: weight 1 -> 2\n"
              "added frontend web: listen 127.0.0.1:80, backend main\n");
        check(other, simple,
              "removed frontend web: listen 127.0.0.1:80, backend main\n"
              "changed global metrics.enabled: true -> false\n"
              "changed pool main: runtime.slow_start_ms 60000 -> 0, "
              "runtime.on_marked_down close -> keep; "
              "since the section runtime is there: health_check.interval 2s -> 200ms\n"
              "changed backend main/h:82: weight 2 -> 1\n"
              "added frontend main: listen 127.0.0.1:80, backend main\n"
              "added backend main/[::1]:81\n");
        check("workers: 1\nmetrics: {}\nhealth_check: { type: none }\n"
              "bind_address: 127.0.0.1\nbackends: [ { host: h, port: 82 } ]\n",
              "global: { workers: 1, max_connections: 4000 }\n"
              "frontends: [ { name: main, listen: '127.0.0.1:9295', backend: p, max_connections: 3,\n"
              "  algorithm: weighted, tcp: { connect_timeout: 2s } } ]\n"
              "backends: [ { name: p, servers: [ { address: 'h:82' } ] } ]\n",
              "removed pool main: 1 backend\n"
              "changed frontend main: backend main -> p, max_connections 0 -> 3, "
              "tcp.connect_timeout 800ms -> 2s\n"
              "added pool p: 1 backend\n");
}

static void test_samples(void **state) {
        struct config *c[2] = { NULL };
        struct told t = { .n = 0 };
        struct diags d;

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                diags_init(&d);
                assert_int_equal(config_load(&c[i], samples[i], &d), 0);
                diags_done(&d);
                assert_int_equal(config_diff(c[i], c[i], add_line, &t), 0);
        }
        assert_int_equal(t.count, 0);
        assert_int_equal(config_diff(c[0], c[1], add_line, &t), 0);
        assert_non_null(strstr(t.text, "removed frontend main: listen 0.0.0.0:9295, backend main\n"
                                       "removed pool main: 2 backends\n"));
        assert_non_null(strstr(t.text, "added frontend web: listen 127.0.0.1:9295, [::1]:9295 and "
                                       "1 more, backend web-servers\n"));
        config_unref(c[0]);
        config_unref(c[1]);
}

/* --- many ----------------------------------------------------------------------------------- */

static double cpu_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The other way round, with another weight, and shifted by a few. */
static struct config *load_many(unsigned first, unsigned n, unsigned weight, bool backwards) {
        char *text = malloc(256 + n * 64UL);
        size_t used = (size_t)sprintf(text, "health_check: { type: none }\nbackends:\n");
        struct config *c;

        for (unsigned i = 0; i < n; i++) {
                unsigned k = first + (backwards ? n - 1 - i : i);

                used += (size_t)sprintf(text + used,
                                        "  - { host: 10.%u.%u.1, port: 80, weight: %u }\n", k / 250,
                                        k % 250, weight);
        }
        c = load_any(text);
        free(text);
        return c;
}

static void test_many(void **state) {
        struct config *before = load_many(0, 4096, 1, false), *moved = load_many(0, 4096, 1, true),
                      *after = load_many(96, 4096, 2, true);
        struct told t = { .n = 0 };
        double start = cpu_ms();

        (void)state;
        assert_int_equal(config_diff(before, moved, add_line, &t), 0);
        assert_int_equal(t.count, 0);
        assert_int_equal(config_diff(before, after, add_line, &t), 0);
        assert_int_equal(t.count, 96 + 4000 + 96);
        print_message("4096 backends, twice: %.2f ms\n", cpu_ms() - start);
        assert_true(cpu_ms() - start < 500); /* the square would be 16 million comparisons */
        config_unref(before);
        config_unref(moved);
        config_unref(after);
}

static void test_words(void **state) {
        (void)state;
        assert_string_equal(config_action_word(CONFIG_REMOVED), "removed");
        assert_string_equal(config_thing_word(CONFIG_THING_LISTENER), "listener");
}

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keys),
                cmocka_unit_test(test_no_key_is_forgotten),
                cmocka_unit_test(test_protocol),
                cmocka_unit_test(test_many_headers),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_order_of_first),
                cmocka_unit_test(test_removed_changed_added),
                cmocka_unit_test(test_tuning),
                cmocka_unit_test(test_followers),
                cmocka_unit_test(test_dialects),
                cmocka_unit_test(test_samples),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_words),
        };

        if (argc != 3)
                return 2;
        samples = argv + 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
