/* SPDX-License-Identifier: MIT */
/*
 * config/schema.h - every key once: type, range, default, unit, choices, help.
 *
 * The reader, `bal check --verbose`, `bal config keys` and the test of the manual page all use this
 * table. Both dialects are sections of it; what they share (health_check, metrics) is one section.
 * A section's values land in a struct of `struct value`, one per key.
 */
#pragma once

#include <stdlib.h>

#include "config/config.h"
#include "config/node.h"

enum field_type {
        FIELD_BOOL,
        FIELD_INT,
        FIELD_DURATION, /* held in milliseconds */
        FIELD_CHOICE,   /* held as the index into choices */
        FIELD_STRING,
        FIELD_NAME,       /* [A-Za-z0-9._-]+ */
        FIELD_HOST,       /* of a backend, without port: IPv4, IPv6, name, unix:/path */
        FIELD_ADDRESS,    /* of a backend, with port */
        FIELD_BIND,       /* IPv4 or IPv6 to listen on, without port */
        FIELD_LISTEN,     /* address with port or unix:/path, one or a list of them */
        FIELD_SOCKET,     /* one address with port, not unix */
        FIELD_STATUS,     /* "200", "200-399", one or a list of them; held as one text */
        FIELD_PATH,       /* of an HTTP request */
        FIELD_AUTHORITY,  /* its Host */
        FIELD_WORKERS,    /* auto (held as 0) or a number */
        FIELD_SIZE,       /* of bytes: 512, 8k, 10m, 1g */
        FIELD_ACCESS,     /* all, errors, none or sample: N, also as a section; held as one text */
        FIELD_TARGET,     /* of a redirect: a URI with variables in it */
        FIELD_ROUTE_PATH, /* of a request, without a query */
        FIELD_NETWORKS,   /* an address, a network or unix:, one or a list of them */
        FIELD_HOSTS,      /* of requests: web.example, *.example, one or a list of them */
        FIELD_METHODS,    /* of requests, one or a list of them */
        FIELD_SECTION,
        FIELD_LIST,  /* of sections */
        FIELD_MAP,   /* of strings, by the name of a header */
        FIELD_PAGES, /* of files, by a status */
        FIELD_TYPES
};

enum field_flags {
        FIELD_REQUIRED = 1 << 0,
        FIELD_HISTORIC = 1 << 1,  /* accepted, ignored, a warning */
        FIELD_IMPLIED = 1 << 2,   /* has a value from elsewhere when the file gives none */
        FIELD_PRESENT = 1 << 3,   /* a section that, when it is there, chooses tuning.present */
        FIELD_TCP_ONLY = 1 << 4,  /* required, but not allowed beside a host that is unix:/path */
        FIELD_COUNTED = 1 << 5,   /* a list whose entries are the backends that tune its section */
        FIELD_OPTIONAL = 1 << 6,  /* a section that is not there at all where the file has none */
        FIELD_HTTP_ONLY = 1 << 7, /* means nothing beside protocol tcp */
        FIELD_RULES = 1 << 8, /* a map in whose keys a '+' adds a header and a '-' removes one */
};

/* What is tuned by the number of backends, for both dialects. */
struct tuning {
        uint32_t present; /* simple dialect, `runtime` is there and does not name the key */
        uint32_t small, medium, large; /* up to 2 backends, 3 to 5, more */
};

struct section;

struct field {
        const char *name;
        enum field_type type;
        unsigned flags;                /* enum field_flags */
        size_t offset;                 /* of its struct value */
        uint64_t min, max;             /* of a number; of a duration in ms; entries of a list */
        const char *dflt;              /* as it would stand in the file; NULL: none */
        const struct tuning *tuning;   /* instead of dflt */
        const char *unit;              /* "ms"; NULL: none */
        const char *const *choices;    /* NULL-terminated */
        const struct section *section; /* of a section, or of each item of a list */
        const char *help;
};

struct section {
        const char *noun; /* for messages: "a backend" in "is not a backend key" */
        size_t size;      /* of the struct of values */
        const struct field *fields;
        size_t n_fields;
};

enum value_source { VALUE_UNSET, VALUE_BAD, VALUE_FILE, VALUE_DEFAULT, VALUE_TUNED, VALUE_SYSTEM };

struct value {
        enum value_source source;
        unsigned line;                 /* FILE: in the file; TUNED: the number of backends */
        const struct node *key, *node; /* while loading: key NULL: an item of a list */
        union {
                uint64_t u;    /* bool, int, duration, size, choice, workers */
                const char *s; /* texts */
                void *section; /* the struct of values; after filling NULL only for OPTIONAL */
                struct {
                        void *items; /* array of section structs; of struct value where
                                      * field_has_texts(); of struct pair where field_has_pairs() */
                        size_t n;
                } list;
        };
};

struct pair { /* one entry of a FIELD_MAP or FIELD_PAGES */
        const char *key;
        struct value value;
};

struct raw_check {
        struct value type, path, host, port, expected_status, interval, timeout,
                unhealthy_threshold, healthy_threshold, unhealthy_interval, passive;
};

struct raw_metrics {
        struct value enabled, address, path;
};

struct raw_http {
        struct value request_headers, response_headers, trusted_proxies, access_log, max_body_bytes,
                head_timeout, keep_alive_timeout, response_timeout, backend_keep_alive,
                max_request_line, max_header, max_headers_size, max_header_count, allow_connect,
                drop_underscore_headers, via, forwarded, half_close, error_pages;
};

struct raw_redirect {
        struct value to, code;
};

struct raw_respond {
        struct value status, body, content_type;
};

struct raw_route {
        struct value host, path, path_prefix, path_segments, method, headers, backend, redirect,
                respond;
};

/* The simple dialect */
struct raw_backend {
        struct value host, port, weight, backup, max_connections;
};

struct raw_runtime {
        struct value health_check_interval_ms, health_check_timeout_ms, health_check_fail_threshold,
                health_check_success_threshold, backend_connect_timeout_ms, connect_deadline_ms,
                hold_ms, slow_start_ms, on_marked_down, failover_backoff_initial_ms,
                failover_backoff_max_ms, backend_cooldown_ms, protection_trigger_threshold,
                protection_window_ms, protection_stable_success_threshold,
                max_concurrent_connections, connection_idle_timeout_ms, overload_policy,
                queue_timeout_ms, tcp_backlog;
};

struct raw_simple {
        struct value port, bind_address, method, protocol, log_level, log_format, log_schema,
                log_clients, workers, drain_timeout, restart_drain, resolve_interval, watch, mode,
                runtime, health_check, http, routes, metrics, backends;
};

/* The full dialect */
struct raw_server {
        struct value address, weight, backup, max_connections;
};

struct raw_failover {
        struct value backoff_initial, backoff_max, cooldown;
};

struct raw_protection {
        struct value trigger_threshold, window, stable_success_threshold;
};

struct raw_pool {
        struct value name, servers, health_check, connect_timeout, connect_deadline, hold,
                slow_start, on_marked_down, failover, protection;
};

struct raw_tcp {
        struct value connect_timeout, idle_timeout;
};

struct raw_frontend {
        struct value name, listen, protocol, backend, algorithm, max_connections, overload_policy,
                queue_timeout, backlog, tcp, http, routes;
};

struct raw_global {
        struct value log_level, log_format, log_schema, log_clients, workers, max_connections,
                drain_timeout, restart_drain, resolve_interval, watch, metrics;
};

struct raw_defaults {
        struct value interval, timeout, unhealthy_threshold, healthy_threshold, unhealthy_interval,
                cooldown;
};

struct raw_full {
        struct value global, health_check_defaults, frontends, backends;
};

extern const struct section schema_simple, schema_full;
extern const char *const schema_statuses[]; /* that respond may have, errors from [1] on */
extern const char *const schema_redirects[];

static inline int schema_status(const char *const *statuses, const struct value *v) {
        return atoi(statuses[v->u]);
}

static inline const struct section *schema_root(enum config_dialect d) {
        return d == CONFIG_FULL ? &schema_full : &schema_simple;
}

const struct field *section_find(const struct section *s, const char *name);

static inline struct value *field_value(const struct field *f, void *raw) {
        return (struct value *)((char *)raw + f->offset);
}

static inline bool field_has_texts(const struct field *f) {
        return f->type == FIELD_LISTEN || f->type == FIELD_NETWORKS || f->type == FIELD_HOSTS ||
               f->type == FIELD_METHODS;
}

static inline bool field_has_pairs(const struct field *f) {
        return f->type == FIELD_MAP || f->type == FIELD_PAGES;
}

uint32_t tuning_for(const struct tuning *t, size_t n_backends);
const char *field_type_text(enum field_type type); /* with its article: "a number" */
