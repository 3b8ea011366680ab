/* SPDX-License-Identifier: MIT */
/*
 * config/config.h - a whole, checked, immutable configuration, shared by reference.
 *
 * Two dialects of the file, told apart by the key `frontends`, end in this one model. Every value
 * is the one in force: defaults and tuning are applied, frontends' overrides are resolved. Nothing
 * here is looked up by key at run time.
 */
#pragma once

#include "core/diag.h"
#include "core/log.h"
#include "http/route.h"
#include "http/rules.h"
#include "net/addr.h"

struct balance_ops;

enum config_dialect { CONFIG_SIMPLE, CONFIG_FULL };
enum config_protocol { CONFIG_TCP, CONFIG_HTTP };
enum config_overload { CONFIG_REJECT, CONFIG_QUEUE };
enum config_log_format { CONFIG_LOG_JSON, CONFIG_LOG_JOURNAL, CONFIG_LOG_PRETTY };
enum config_log_schema { CONFIG_LOG_BAL, CONFIG_LOG_ECS };
enum config_check_type { CONFIG_CHECK_NONE, CONFIG_CHECK_TCP, CONFIG_CHECK_HTTP };

struct config_endpoint { /* what the file, the protocol and the screen call a backend */
        char *name;    /* "host:port" as on the screen: "[::1]:80", "db.example:5432", "unix:/p" */
        uint64_t id;   /* hash_bytes(name): ip_hash rests on it, so name is normalised */
        char *host;    /* NULL: addr says it all; else a name for the resolver */
        uint16_t port; /* with host */
        struct addr addr;         /* without host */
        uint32_t weight;          /* 0..256; 0: no new sessions */
        bool backup;              /* used only when no other is usable */
        uint32_t max_connections; /* 0: no limit */
        unsigned line;            /* in the file, for messages */
};

#define CONFIG_STATUS_MAX 8
struct config_status { /* a range of HTTP status codes, inclusive */
        uint16_t first, last;
};

struct config_check {
        enum config_check_type type;
        uint32_t interval_ms, unhealthy_interval_ms, timeout_ms, rise, fall;
        char *path, *host; /* http; host NULL: the endpoint's name */
        uint16_t port;     /* 0: the endpoint's own */
        bool passive;      /* statuses of 5xx and resets of HTTP traffic count as failures, too */
        struct config_status status[CONFIG_STATUS_MAX]; /* http: what counts as healthy */
        size_t n_status;
};

struct config_pool {
        char *name;
        struct config_endpoint *endpoints;
        size_t n_endpoints;
        struct config_check check;
        uint32_t connect_timeout_ms;
        uint32_t connect_deadline_ms; /* of a slow connect where no other backend is left */
        uint32_t hold_ms;             /* a client waits so long for a backend; 0: not at all */
        uint32_t slow_start_ms;    /* a backend that comes back gets its share bit by bit; 0: off */
        bool close_on_marked_down; /* on_marked_down: its sessions end when checks mark it down */
        uint32_t backoff_initial_ms, backoff_max_ms, cooldown_ms;
        uint32_t protection_trigger, protection_window_ms, protection_stable;
};

/* ---- protocol http ---- */

enum config_access_log { CONFIG_ACCESS_ALL, CONFIG_ACCESS_ERRORS, CONFIG_ACCESS_NONE };
enum config_route_action { CONFIG_TO_POOL, CONFIG_REDIRECT, CONFIG_RESPOND };

struct config_route {
        struct http_route match;
        enum config_route_action action;
        size_t pool;                 /* CONFIG_TO_POOL: index into config.pools */
        uint32_t connect_timeout_ms; /* likewise: that pool's, or the frontend's own */
        int status;                  /* of the others */
        struct http_template to;     /* CONFIG_REDIRECT */
        struct span body;            /* CONFIG_RESPOND; p NULL: a text made from the status */
        char *content_type;          /* likewise */
        unsigned line;               /* in the file */
};

struct config_page { /* an answer for a status, read from a file when the configuration was */
        int status;
        struct span body;
        char *content_type;
};

struct config_http {
        struct http_limits limits; /* of a request's head */
        uint64_t max_body_bytes;   /* of a request; 0: no limit */
        uint32_t head_timeout_ms;  /* from its first byte */
        uint32_t keep_alive_ms;    /* a client may be silent between two requests for so long */
        uint32_t response_ms;      /* from the end of a request to the head of its response */
        uint32_t warm_ms; /* an idle connection to a backend is kept so long; 0: it is not */
        struct http_rules request_headers, response_headers;
        struct addr_net
                *trusted; /* proxies whose X-Forwarded-* stand; none unless the file says so */
        size_t n_trusted;
        enum config_access_log access_log;
        uint32_t access_sample; /* with CONFIG_ACCESS_ALL: one of so many; 1: each */
        bool allow_connect, drop_underscore, via, forwarded;
        bool serve_half_closed; /* half_close: a client that has sent its FIN gets its response */
        struct config_page *pages;
        size_t n_pages;
        struct config_route *routes;
        size_t n_routes;
};

struct config_frontend {
        char *name; /* "main" in the simple dialect */
        struct addr *listen;
        size_t n_listen;
        enum config_protocol protocol;
        const struct balance_ops *balance;
        size_t pool;              /* index into config.pools */
        uint32_t max_connections; /* sessions; 0: only the global limit */
        enum config_overload overload;
        uint32_t queue_timeout_ms;
        uint32_t backlog;            /* resolved: somaxconn when the file does not say */
        uint32_t connect_timeout_ms; /* the pool's, or tcp.connect_timeout of the frontend */
        uint32_t idle_timeout_ms;
        struct config_http *http; /* NULL: protocol tcp */
};

struct config {
        char *path; /* of the file; NULL: from memory */
        enum config_dialect dialect;
        enum log_level log_level;
        enum config_log_format log_format;
        enum config_log_schema log_schema;
        bool log_clients;
        unsigned workers;         /* 1..64; auto is resolved to the CPUs this process may use */
        uint32_t max_connections; /* of all frontends together */
        uint32_t drain_timeout_ms, restart_drain_ms, resolve_interval_ms;
        bool watch;
        bool metrics;
        char *metrics_address, *metrics_path;
        struct config_frontend *frontends;
        size_t n_frontends;
        struct config_pool *pools;
        size_t n_pools;
};

/* Reads, checks, fills. 0; -EINVAL: read diags, which lists every error and warning; other negative
 * errno: the file could not be read (-ENOENT, -EACCES, -EISDIR, -EFBIG above CONFIG_FILE_MAX), and
 * diags says so too. Warnings are in diags also on success. *ret is set only on 0: a new
 * reference. */
#define CONFIG_FILE_MAX (4 * 1024 * 1024) /* bytes */
int config_load(struct config **ret, const char *path, struct diags *diags);
int config_load_text(struct config **ret, /* the same from memory; file names it in diags */
                     const char *file,
                     const char *text,
                     size_t n,
                     struct diags *diags);

size_t config_backends(const struct config *c); /* of all pools together */
/* Whether sessions or requests may go from the frontend to the pool of that index. */
bool config_uses(const struct config_frontend *f, size_t pool);
struct config *config_ref(struct config *c);   /* any thread */
struct config *config_unref(struct config *c); /* any thread; returns NULL */
DEFINE_CLEANUP(struct config *, config_unref);

/* The value in force for every key, and where it comes from: for `bal check --verbose`. */
struct config_value {
        const char *path;   /* "runtime.health_check_interval_ms" */
        const char *value;  /* as it would stand in the file */
        const char *source; /* "line 6", "default", "tuned for 3 backends" */
};
typedef void (*config_value_fn)(const struct config_value *v, void *userdata);
void config_values(const struct config *c, config_value_fn fn, void *userdata);
