/* SPDX-License-Identifier: MIT */

#include "config/schema_rows.h"

#include <string.h>

static const char *const methods[] = { "round_robin", "least_connections",
                                       "ip_hash",     "random",
                                       "first",       NULL };
static const char *const algorithms[] = { "round_robin", "weighted", "least_connections",
                                          "ip_hash",     "random",   "first",
                                          NULL };
static const char *const protocols[] = { "tcp", "http", NULL };
static const char *const overloads[] = { "reject", "queue", NULL };
static const char *const log_formats[] = { "json", "journal", "pretty", NULL };
static const char *const log_schemas[] = { "bal", "ecs", NULL };
static const char *const check_types[] = { "none", "tcp", "http", NULL };
static const char *const marked_down[] = { "keep", "close", NULL };
static const char *const log_levels[] = {
#define X(name, word, key, priority, help) key,
        LOG_LEVELS(X)
#undef X
                NULL
};

_Static_assert(CONFIG_HTTP == 1 && CONFIG_QUEUE == 1, "choices stand in the order of their enum");
_Static_assert(CONFIG_LOG_JOURNAL == 1 && CONFIG_LOG_PRETTY == 2 && CONFIG_LOG_ECS == 1,
               "likewise");
_Static_assert(CONFIG_CHECK_TCP == 1 && CONFIG_CHECK_HTTP == 2, "likewise");

static const struct tuning tune_interval = { 200, 500, 700, 1000 };
static const struct tuning tune_timeout = { 500, 800, 1000, 1200 };
static const struct tuning tune_fail = { 1, 2, 2, 3 };
static const struct tuning tune_success = { 1, 1, 1, 2 };
static const struct tuning tune_connect = { 500, 800, 1000, 1200 };
static const struct tuning tune_backoff_initial = { 100, 200, 300, 500 };
static const struct tuning tune_backoff_max = { 5000, 5000, 7000, 10000 };
static const struct tuning tune_cooldown = { 300, 500, 700, 1000 };
static const struct tuning tune_trigger = { 10, 10, 12, 14 };
static const struct tuning tune_stable = { 12, 12, 14, 16 };
static const struct tuning tune_connections = { 10000, 4000, 8000, 12000 };

/* clang-format off */
static const struct field metrics_rows[] = {
        ROW(raw_metrics, enabled, BOOL, "serve metrics for Prometheus", IS("true")),
        ROW(raw_metrics, address, SOCKET, "where they are served", IS("127.0.0.1:9090")),
        ROW(raw_metrics, path, PATH, "path of the request", IS("/metrics"), BETWEEN(1, 1024)),
};
SECTION(metrics_section, "a metrics", raw_metrics, metrics_rows);

static const struct field check_rows[] = {
        ROW(raw_check, type, CHOICE, "how a backend is checked", IS("tcp"), ONE_OF(check_types)),
        ROW(raw_check, path, PATH, "path of the request; only with type http", IS("/"),
            BETWEEN(1, 1024)),
        ROW(raw_check, host, AUTHORITY,
            "Host of the request, the backend's own when not given; only with type http",
            BETWEEN(1, 255), FLAGS(FIELD_IMPLIED)),
        ROW(raw_check, port, INT, "port to check, the backend's own when not given",
            BETWEEN(1, 65535), FLAGS(FIELD_IMPLIED)),
        ROW(raw_check, expected_status, STATUS,
            "statuses and ranges of them that count as healthy; only with type http", IS("200"),
            BETWEEN(100, 599)),
        ROW(raw_check, interval, DURATION, "time between two checks", TUNED(interval),
            BETWEEN(1, DAY)),
        ROW(raw_check, timeout, DURATION, "time in which a check must succeed", TUNED(timeout),
            BETWEEN(1, HOUR)),
        ROW(raw_check, unhealthy_threshold, INT, "failed checks in a row that mark a backend down",
            TUNED(fail), BETWEEN(1, 1000), UNIT(CHECKS)),
        ROW(raw_check, healthy_threshold, INT, "good checks in a row that mark it up again",
            TUNED(success), BETWEEN(1, 1000), UNIT(CHECKS)),
        ROW(raw_check, unhealthy_interval, DURATION,
            "time between two checks of a backend that is down, the interval when not given",
            BETWEEN(1, DAY), FLAGS(FIELD_IMPLIED)),
        ROW(raw_check, passive, BOOL,
            "failures of HTTP requests count as failed checks, too; with protocol http",
            IS("false")),
};
SECTION(check_section, "a health_check", raw_check, check_rows);

static const struct field backend_rows[] = {
        ROW(raw_backend, host, HOST, "IPv4, IPv6, host name, or unix:/path", FLAGS(FIELD_REQUIRED)),
        ROW(raw_backend, port, INT, "port; required unless host is unix:/path", BETWEEN(1, 65535),
            FLAGS(FIELD_TCP_ONLY)),
        ROW(raw_backend, weight, INT, "share of the sessions; 0: no new ones", IS("1"),
            BETWEEN(0, 256)),
        ROW(raw_backend, backup, BOOL, "used only when no other backend is usable", IS("false")),
        ROW(raw_backend, max_connections, INT, "sessions at a time; 0: no limit", IS("0"),
            BETWEEN(0, MANY), UNIT(CONNS)),
};
SECTION(backend_section, "a backend", raw_backend, backend_rows);

static const struct field runtime_rows[] = {
        ROW(raw_runtime, health_check_interval_ms, INT, "time between two checks of a backend",
            TUNED(interval), BETWEEN(1, DAY), UNIT("ms")),
        ROW(raw_runtime, health_check_timeout_ms, INT, "time in which a check must succeed",
            TUNED(timeout), BETWEEN(1, HOUR), UNIT("ms")),
        ROW(raw_runtime, health_check_fail_threshold, INT,
            "failed checks in a row that mark a backend down", TUNED(fail), BETWEEN(1, 1000),
            UNIT(CHECKS)),
        ROW(raw_runtime, health_check_success_threshold, INT,
            "good checks in a row that mark it up again", TUNED(success), BETWEEN(1, 1000),
            UNIT(CHECKS)),
        ROW(raw_runtime, backend_connect_timeout_ms, INT,
            "time in which a backend must accept a session, then the next one is tried",
            TUNED(connect), BETWEEN(1, HOUR), UNIT("ms")),
        ROW(raw_runtime, connect_deadline_ms, INT,
            "longest wait for a slow connect where no other backend is left", IS("5000"),
            BETWEEN(1, HOUR), UNIT("ms")),
        ROW(raw_runtime, hold_ms, INT,
            "a client waits so long for a backend when none can take it; 0: not at all",
            IS("5000"), BETWEEN(0, HOUR), UNIT("ms")),
        ROW(raw_runtime, slow_start_ms, INT,
            "time in which a backend that comes back grows to its full share; 0: at once", IS("0"),
            BETWEEN(0, HOUR), UNIT("ms")),
        ROW(raw_runtime, on_marked_down, CHOICE,
            "sessions of a backend that checks mark down: go on, or are closed", IS("keep"),
            ONE_OF(marked_down)),
        ROW(raw_runtime, failover_backoff_initial_ms, INT,
            "rest of a backend after a failed connect, doubled with each further one",
            TUNED(backoff_initial), BETWEEN(1, HOUR), UNIT("ms")),
        ROW(raw_runtime, failover_backoff_max_ms, INT, "the longest such rest", TUNED(backoff_max),
            BETWEEN(1, DAY), UNIT("ms")),
        ROW(raw_runtime, backend_cooldown_ms, INT, "the shortest such rest", TUNED(cooldown),
            BETWEEN(1, HOUR), UNIT("ms")),
        ROW(raw_runtime, protection_trigger_threshold, INT,
            "time-outs and refusals within the window that switch protection on", TUNED(trigger),
            BETWEEN(1, MANY)),
        ROW(raw_runtime, protection_window_ms, INT, "length of that window", IS("30000"),
            BETWEEN(1, DAY), UNIT("ms")),
        ROW(raw_runtime, protection_stable_success_threshold, INT,
            "successes in a row that switch protection off", TUNED(stable), BETWEEN(1, MANY)),
        ROW(raw_runtime, max_concurrent_connections, INT, "sessions at a time", TUNED(connections),
            BETWEEN(1, MANY), UNIT(CONNS)),
        ROW(raw_runtime, connection_idle_timeout_ms, INT,
            "a session without a byte either way for that long is closed", IS("120000"),
            BETWEEN(1, MONTH), UNIT("ms")),
        ROW(raw_runtime, overload_policy, CHOICE,
            "beyond the limit of sessions: close new ones at once, or let them wait",
            IS("reject"), ONE_OF(overloads)),
        ROW(raw_runtime, queue_timeout_ms, INT, "with overload_policy queue: the longest wait",
            IS("1000"), BETWEEN(1, HOUR), UNIT("ms")),
        ROW(raw_runtime, tcp_backlog, INT,
            "connections the kernel holds until bal accepts them, its somaxconn when not given",
            BETWEEN(1, MANY), UNIT("connections"), FLAGS(FIELD_IMPLIED)),
};
SECTION(runtime_section, "a runtime", raw_runtime, runtime_rows);

#define HTTP_SECTIONS(raw)                                                                         \
        ROW(raw, http, SECTION, "settings of protocol http", OF(schema_http),                     \
            FLAGS(FIELD_HTTP_ONLY)),                                                               \
        ROW(raw, routes, LIST, "which requests go elsewhere; the first that fits is taken",        \
            OF(schema_route), BETWEEN(1, 256), FLAGS(FIELD_HTTP_ONLY))

#define LOG_ROWS(raw)                                                                              \
        ROW(raw, log_level, CHOICE, "least severe level that is logged", IS("info"),               \
            ONE_OF(log_levels)),                                                                   \
        ROW(raw, log_format, CHOICE, "form of a log line", IS("json"), ONE_OF(log_formats)),       \
        ROW(raw, log_schema, CHOICE, "names of the keys in a JSON line", IS("bal"),                \
            ONE_OF(log_schemas)),                                                                  \
        ROW(raw, log_clients, BOOL, "client addresses may appear in the log", IS("false"))
#define DAEMON_ROWS(raw)                                                                           \
        ROW(raw, workers, WORKERS, "threads that move bytes; auto: one per usable CPU",            \
            IS("auto"), BETWEEN(1, 64), UNIT("threads")),                                          \
        ROW(raw, drain_timeout, DURATION, "what a stop waits for open sessions", IS("30s"),        \
            BETWEEN(0, DAY)),                                                                      \
        ROW(raw, restart_drain, DURATION,                                                          \
            "what a stop waits for them when systemd restarts bal", IS("2s"), BETWEEN(0, HOUR)),   \
        ROW(raw, resolve_interval, DURATION, "time between two look-ups of host names", IS("5s"),  \
            BETWEEN(100, DAY)),                                                                    \
        ROW(raw, watch, BOOL, "reload when the file changes", IS("true"))

static const struct field simple_rows[] = {
        ROW(raw_simple, port, INT, "port to listen on", IS("9295"), BETWEEN(1, 65535)),
        ROW(raw_simple, bind_address, BIND,
            "address to listen on; \"::\" takes IPv6 and IPv4", IS("0.0.0.0")),
        ROW(raw_simple, method, CHOICE, "how a backend is chosen", IS("round_robin"),
            ONE_OF(methods)),
        ROW(raw_simple, protocol, CHOICE, "what clients speak", IS("tcp"), ONE_OF(protocols)),
        LOG_ROWS(raw_simple),
        DAEMON_ROWS(raw_simple),
        ROW(raw_simple, mode, STRING, "without meaning", BETWEEN(0, 255), FLAGS(FIELD_HISTORIC)),
        ROW(raw_simple, runtime, SECTION, "limits and times", OF(runtime_section),
            FLAGS(FIELD_PRESENT)),
        ROW(raw_simple, health_check, SECTION, "active checks", OF(check_section)),
        HTTP_SECTIONS(raw_simple),
        ROW(raw_simple, metrics, SECTION, "metrics for Prometheus", OF(metrics_section)),
        ROW(raw_simple, backends, LIST, "where sessions go", OF(backend_section), BETWEEN(1, 4096),
            FLAGS(FIELD_REQUIRED | FIELD_COUNTED)),
};
const struct section schema_simple = { .noun = "a top-level",
                                       .size = sizeof(struct raw_simple),
                                       .fields = simple_rows,
                                       .n_fields = ELEMENTS(simple_rows) };

static const struct field server_rows[] = {
        ROW(raw_server, address, ADDRESS, "HOST:PORT, [IPV6]:PORT, or unix:/path",
            FLAGS(FIELD_REQUIRED)),
        ROW(raw_server, weight, INT, "share of the sessions; 0: no new ones", IS("1"),
            BETWEEN(0, 256)),
        ROW(raw_server, backup, BOOL, "used only when no other backend is usable", IS("false")),
        ROW(raw_server, max_connections, INT, "sessions at a time; 0: no limit", IS("0"),
            BETWEEN(0, MANY), UNIT(CONNS)),
};
SECTION(server_section, "a server", raw_server, server_rows);

static const struct field failover_rows[] = {
        ROW(raw_failover, backoff_initial, DURATION,
            "rest of a backend after a failed connect, doubled with each further one",
            TUNED(backoff_initial), BETWEEN(1, HOUR)),
        ROW(raw_failover, backoff_max, DURATION, "the longest such rest", TUNED(backoff_max),
            BETWEEN(1, DAY)),
        ROW(raw_failover, cooldown, DURATION, "the shortest such rest", TUNED(cooldown),
            BETWEEN(1, HOUR)),
};
SECTION(failover_section, "a failover", raw_failover, failover_rows);

static const struct field protection_rows[] = {
        ROW(raw_protection, trigger_threshold, INT,
            "time-outs and refusals within the window that switch protection on", TUNED(trigger),
            BETWEEN(1, MANY)),
        ROW(raw_protection, window, DURATION, "length of that window", IS("30s"), BETWEEN(1, DAY)),
        ROW(raw_protection, stable_success_threshold, INT,
            "successes in a row that switch protection off", TUNED(stable), BETWEEN(1, MANY)),
};
SECTION(protection_section, "a protection", raw_protection, protection_rows);

static const struct field pool_rows[] = {
        ROW(raw_pool, name, NAME, "name of the pool", BETWEEN(1, 64), FLAGS(FIELD_REQUIRED)),
        ROW(raw_pool, servers, LIST, "where its sessions go", OF(server_section), BETWEEN(1, 4096),
            FLAGS(FIELD_REQUIRED | FIELD_COUNTED)),
        ROW(raw_pool, health_check, SECTION, "active checks", OF(check_section)),
        ROW(raw_pool, connect_timeout, DURATION,
            "time in which a backend must accept a session, then the next one is tried",
            TUNED(connect), BETWEEN(1, HOUR)),
        ROW(raw_pool, connect_deadline, DURATION,
            "longest wait for a slow connect where no other backend is left", IS("5s"),
            BETWEEN(1, HOUR)),
        ROW(raw_pool, hold, DURATION,
            "a client waits so long for a backend when none can take it; 0s: not at all",
            IS("5s"), BETWEEN(0, HOUR)),
        ROW(raw_pool, slow_start, DURATION,
            "time in which a backend that comes back grows to its full share; 0s: at once",
            IS("0s"), BETWEEN(0, HOUR)),
        ROW(raw_pool, on_marked_down, CHOICE,
            "sessions of a backend that checks mark down: go on, or are closed", IS("keep"),
            ONE_OF(marked_down)),
        ROW(raw_pool, failover, SECTION, "rest of backends whose connects fail",
            OF(failover_section)),
        ROW(raw_pool, protection, SECTION, "protection of a pool that fails as a whole",
            OF(protection_section)),
};
SECTION(pool_section, "a pool", raw_pool, pool_rows);

static const struct field tcp_rows[] = {
        ROW(raw_tcp, connect_timeout, DURATION,
            "as connect_timeout of the pool, which holds when not given", BETWEEN(1, HOUR),
            FLAGS(FIELD_IMPLIED)),
        ROW(raw_tcp, idle_timeout, DURATION,
            "a session without a byte either way for that long is closed", IS("2m"),
            BETWEEN(1, MONTH)),
};
SECTION(tcp_section, "a tcp", raw_tcp, tcp_rows);

static const struct field frontend_rows[] = {
        ROW(raw_frontend, name, NAME, "name of the frontend", BETWEEN(1, 64),
            FLAGS(FIELD_REQUIRED)),
        ROW(raw_frontend, listen, LISTEN,
            "ADDRESS:PORT, [IPV6]:PORT or unix:/path to listen on, or a list of them",
            BETWEEN(1, 16), FLAGS(FIELD_REQUIRED)),
        ROW(raw_frontend, protocol, CHOICE, "what clients speak", IS("tcp"), ONE_OF(protocols)),
        ROW(raw_frontend, backend, NAME, "name of the pool", BETWEEN(1, 64),
            FLAGS(FIELD_REQUIRED)),
        ROW(raw_frontend, algorithm, CHOICE, "how a backend is chosen", IS("round_robin"),
            ONE_OF(algorithms)),
        ROW(raw_frontend, max_connections, INT, "sessions at a time; 0: only the global limit",
            IS("0"), BETWEEN(0, MANY), UNIT(CONNS)),
        ROW(raw_frontend, overload_policy, CHOICE,
            "beyond the limit of sessions: close new ones at once, or let them wait",
            IS("reject"), ONE_OF(overloads)),
        ROW(raw_frontend, queue_timeout, DURATION,
            "with overload_policy queue: the longest wait", IS("1s"), BETWEEN(1, HOUR)),
        ROW(raw_frontend, backlog, INT,
            "connections the kernel holds until bal accepts them, its somaxconn when not given",
            BETWEEN(1, MANY), UNIT("connections"), FLAGS(FIELD_IMPLIED)),
        ROW(raw_frontend, tcp, SECTION, "times of a session", OF(tcp_section)),
        HTTP_SECTIONS(raw_frontend),
};
SECTION(frontend_section, "a frontend", raw_frontend, frontend_rows);

static const struct field global_rows[] = {
        LOG_ROWS(raw_global),
        DAEMON_ROWS(raw_global),
        ROW(raw_global, max_connections, INT, "sessions of all frontends together at a time",
            IS("10000"), BETWEEN(1, MANY), UNIT(CONNS)),
        ROW(raw_global, metrics, SECTION, "metrics for Prometheus", OF(metrics_section)),
};
SECTION(global_section, "a global", raw_global, global_rows);

static const struct field defaults_rows[] = {
        ROW(raw_defaults, interval, DURATION, "time between two checks", BETWEEN(1, DAY),
            FLAGS(FIELD_IMPLIED)),
        ROW(raw_defaults, timeout, DURATION, "time in which a check must succeed",
            BETWEEN(1, HOUR), FLAGS(FIELD_IMPLIED)),
        ROW(raw_defaults, unhealthy_threshold, INT,
            "failed checks in a row that mark a backend down", BETWEEN(1, 1000), UNIT(CHECKS),
            FLAGS(FIELD_IMPLIED)),
        ROW(raw_defaults, healthy_threshold, INT, "good checks in a row that mark it up again",
            BETWEEN(1, 1000), UNIT(CHECKS), FLAGS(FIELD_IMPLIED)),
        ROW(raw_defaults, unhealthy_interval, DURATION,
            "time between two checks of a backend that is down", BETWEEN(1, DAY),
            FLAGS(FIELD_IMPLIED)),
        ROW(raw_defaults, cooldown, DURATION,
            "shortest rest of a backend after a failed connect", BETWEEN(1, HOUR),
            FLAGS(FIELD_IMPLIED)),
};
SECTION(defaults_section, "a health_check_defaults", raw_defaults, defaults_rows);

static const struct field full_rows[] = {
        ROW(raw_full, global, SECTION, "settings of the whole daemon", OF(global_section)),
        ROW(raw_full, health_check_defaults, SECTION, "what pools share", OF(defaults_section)),
        ROW(raw_full, frontends, LIST, "where clients connect", OF(frontend_section),
            BETWEEN(1, 64), FLAGS(FIELD_REQUIRED)),
        ROW(raw_full, backends, LIST, "the pools", OF(pool_section), BETWEEN(1, 256),
            FLAGS(FIELD_REQUIRED)),
};
const struct section schema_full = { .noun = "a top-level",
                                     .size = sizeof(struct raw_full),
                                     .fields = full_rows,
                                     .n_fields = ELEMENTS(full_rows) };
/* clang-format on */

const struct field *section_find(const struct section *s, const char *name) {
        for (size_t i = 0; i < s->n_fields; i++) {
                if (strcmp(s->fields[i].name, name) == 0)
                        return &s->fields[i];
        }
        return NULL;
}

uint32_t tuning_for(const struct tuning *t, size_t n_backends) {
        return n_backends <= 2 ? t->small : n_backends <= 5 ? t->medium : t->large;
}

const char *field_type_text(enum field_type type) {
        static const char *const texts[FIELD_TYPES] = {
                [FIELD_BOOL] = "a boolean",
                [FIELD_INT] = "a number",
                [FIELD_DURATION] = "a duration",
                [FIELD_CHOICE] = "a choice",
                [FIELD_STRING] = "a text",
                [FIELD_NAME] = "a name",
                [FIELD_HOST] = "a host",
                [FIELD_ADDRESS] = "an address",
                [FIELD_BIND] = "an address",
                [FIELD_LISTEN] = "an address or list of addresses",
                [FIELD_SOCKET] = "an address",
                [FIELD_STATUS] = "a status or list of statuses",
                [FIELD_PATH] = "a path",
                [FIELD_AUTHORITY] = "a host",
                [FIELD_WORKERS] = "a number or auto",
                [FIELD_SIZE] = "a size",
                [FIELD_ACCESS] = "a choice of all | errors | none | sample: N",
                [FIELD_TARGET] = "a URI",
                [FIELD_ROUTE_PATH] = "a path",
                [FIELD_NETWORKS] = "a network or list of networks",
                [FIELD_HOSTS] = "a host or list of hosts",
                [FIELD_METHODS] = "a method or list of methods",
                [FIELD_SECTION] = "a section",
                [FIELD_LIST] = "a list",
                [FIELD_MAP] = "a map of texts",
                [FIELD_PAGES] = "a map of files",
        };

        return texts[type];
}
