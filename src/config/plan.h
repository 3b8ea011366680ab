/* SPDX-License-Identifier: MIT */
/*
 * config/plan.h - both dialects in one form: frontends, pools and servers as references to values.
 *
 * The checks that need more than one key (config/cross.h) and the model (config/build.h) read only
 * this, so neither knows which dialect it was.
 */
#pragma once

#include "config/host.h"
#include "config/page.h"
#include "config/problem.h"
#include "config/schema.h"

struct plan_server {
        const struct value *address; /* its host or its address */
        const struct value *port;    /* simple dialect; NULL: in the address */
        const struct value *weight, *backup, *max_connections;
        struct host host;
        const char *name; /* host_text() of it; NULL: the address is wrong, say nothing more */
};

struct plan_pool {
        const char *name;               /* NULL: wrong or missing */
        const struct value *name_value; /* NULL: simple dialect */
        const char *list; /* path of its servers: "backends", "backends.web.servers" */
        const char *path; /* of its own: "", "backends.web" */
        struct plan_server *servers;
        size_t n_servers;
        bool whole; /* all servers are sound */
        bool used;  /* a frontend or a route names it */
        const struct raw_check *check;
        const char *check_path;
        const struct value *connect_timeout, *connect_deadline, *hold, *slow_start, *on_marked_down,
                *backoff_initial, *backoff_max, *cooldown, *trigger, *window, *stable;
};

struct plan_route {
        const struct raw_route *raw;
        const struct node *node; /* the entry in the list */
        const char *path;        /* "frontends.web.routes[2]" */
        size_t pool;             /* SIZE_MAX: none, or unknown */
};

struct plan_page {
        int status;
        struct page page;
};

struct plan_frontend {
        const char *name;
        const struct value *name_value, *pool_value; /* NULL: simple dialect */
        const char *path;                            /* "", "frontends.web" */
        struct addr *listen;                         /* len 0: wrong */
        const struct value **listen_values;
        size_t n_listen;
        size_t pool; /* SIZE_MAX: unknown */
        const struct value *protocol, *method, *overload, *queue_timeout, *backlog,
                *connect_timeout, *idle_timeout;
        const struct value *max_connections; /* NULL: only the global limit */
        const struct field *method_field;
        bool connects_as_pool; /* connect_timeout is the pool's, each route's is its own pool's */
        const struct value *http_value, *routes_value;
        const struct raw_http *http;
        struct plan_route *routes;
        size_t n_routes;
        struct plan_page *pages; /* those that could be read */
        size_t n_pages;
};

struct plan {
        enum config_dialect dialect;
        const struct value *log_level, *log_format, *log_schema, *log_clients, *workers,
                *max_connections, *drain_timeout, *restart_drain, *resolve_interval, *watch;
        const struct value *metrics_value; /* the section */
        const struct raw_metrics *metrics;
        bool metrics_on;
        struct plan_frontend *frontends;
        size_t n_frontends;
        struct plan_pool *pools;
        size_t n_pools;
};

/* From filled values. Reports what only shows here: an unknown pool, names given twice. -ENOMEM. */
int plan_simple(struct plan *ret,
                const struct context *ctx,
                struct arena *a,
                struct raw_simple *raw);
int plan_full(struct plan *ret, const struct context *ctx, struct arena *a, struct raw_full *raw);

/* Whether requests may go from the frontend to the pool. */
bool plan_uses(const struct plan_frontend *f, size_t pool);
bool plan_is_http(const struct plan_frontend *f);

static inline bool value_good(const struct value *v) {
        return v && v->source != VALUE_BAD && v->source != VALUE_UNSET;
}
