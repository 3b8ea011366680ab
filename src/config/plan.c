/* SPDX-License-Identifier: MIT */

#include "config/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/plan_parts.h"
#include "core/str.h"

char *plan_path(struct arena *a,
                const char *before,
                const char *name,
                unsigned index,
                const char *after) {
        _cleanup_(str_freep) char *text = name ? str_printf("%s.%s%s", before, name, after)
                                               : str_printf("%s[%u]%s", before, index, after);

        return text ? arena_copy(a, text, strlen(text)) : NULL;
}

/* --- servers -------------------------------------------------------------------------------- */

static int server_host(struct plan_server *s, struct arena *a) {
        char text[HOST_TEXT_MAX];
        enum host_verdict v;

        if (!value_good(s->address))
                return 0;
        if (!s->port)
                v = host_parse_port(&s->host, s->address->s);
        else
                v = host_parse(&s->host, s->address->s,
                               value_good(s->port) ? (uint16_t)s->port->u : 0);
        if (v != HOST_OK || (s->port && !value_good(s->port) && !host_is_unix(&s->host)))
                return 0;

        host_text(&s->host, text);
        s->name = arena_copy(a, text, strlen(text));
        return s->name ? 0 : -ENOMEM;
}

static int pool_servers(struct plan_pool *p, struct arena *a) {
        int r;

        for (size_t i = 0; i < p->n_servers; i++) {
                r = server_host(&p->servers[i], a);
                if (r < 0)
                        return r;
                p->whole &= p->servers[i].name != NULL;
        }
        return 0;
}

/* --- the simple dialect --------------------------------------------------------------------- */

static int simple_pool(struct plan_pool *p, struct arena *a, const struct raw_simple *raw) {
        const struct raw_backend *backends = raw->backends.list.items;
        const struct raw_runtime *run = raw->runtime.section;

        *p = (struct plan_pool){
                .name = "main",
                .list = "backends",
                .path = "",
                .n_servers = raw->backends.list.n,
                .whole = raw->backends.source == VALUE_FILE,
                .used = true,
                .check = raw->health_check.section,
                .check_path = "health_check",
                .connect_timeout = &run->backend_connect_timeout_ms,
                .connect_deadline = &run->connect_deadline_ms,
                .hold = &run->hold_ms,
                .slow_start = &run->slow_start_ms,
                .on_marked_down = &run->on_marked_down,
                .backoff_initial = &run->failover_backoff_initial_ms,
                .backoff_max = &run->failover_backoff_max_ms,
                .cooldown = &run->backend_cooldown_ms,
                .trigger = &run->protection_trigger_threshold,
                .window = &run->protection_window_ms,
                .stable = &run->protection_stable_success_threshold,
        };

        p->servers = arena_alloc(a, p->n_servers * sizeof(*p->servers));
        if (!p->servers)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_servers; i++)
                p->servers[i] =
                        (struct plan_server){ .address = &backends[i].host,
                                              .port = &backends[i].port,
                                              .weight = &backends[i].weight,
                                              .backup = &backends[i].backup,
                                              .max_connections = &backends[i].max_connections };
        return pool_servers(p, a);
}

static int simple_frontend(struct plan_frontend *f, struct arena *a, const struct raw_simple *raw) {
        const struct raw_runtime *run = raw->runtime.section;
        struct host h;

        *f = (struct plan_frontend){
                .name = "main",
                .path = "",
                .n_listen = 1,
                .protocol = &raw->protocol,
                .method = &raw->method,
                .method_field = section_find(&schema_simple, "method"),
                .overload = &run->overload_policy,
                .queue_timeout = &run->queue_timeout_ms,
                .backlog = &run->tcp_backlog,
                .connect_timeout = &run->backend_connect_timeout_ms,
                .idle_timeout = &run->connection_idle_timeout_ms,
                .http_value = &raw->http,
                .routes_value = &raw->routes,
                .http = raw->http.section,
        };

        f->listen = arena_alloc(a, sizeof(*f->listen));
        f->listen_values = arena_alloc(a, sizeof(*f->listen_values));
        if (!f->listen || !f->listen_values)
                return -ENOMEM;

        f->listen_values[0] =
                raw->bind_address.source == VALUE_FILE ? &raw->bind_address : &raw->port;
        if (value_good(&raw->bind_address) && value_good(&raw->port) &&
            host_parse(&h, raw->bind_address.s, (uint16_t)raw->port.u) == HOST_OK)
                f->listen[0] = h.addr;
        return plan_routes(f, a, &raw->routes);
}

int plan_simple(struct plan *ret,
                const struct context *ctx,
                struct arena *a,
                struct raw_simple *raw) {
        const struct raw_metrics *metrics = raw->metrics.section;
        int r;

        *ret = (struct plan){
                .dialect = CONFIG_SIMPLE,
                .log_level = &raw->log_level,
                .log_format = &raw->log_format,
                .log_schema = &raw->log_schema,
                .log_clients = &raw->log_clients,
                .workers = &raw->workers,
                .max_connections =
                        &((struct raw_runtime *)raw->runtime.section)->max_concurrent_connections,
                .drain_timeout = &raw->drain_timeout,
                .restart_drain = &raw->restart_drain,
                .resolve_interval = &raw->resolve_interval,
                .watch = &raw->watch,
                .metrics_value = &raw->metrics,
                .metrics = metrics,
                .metrics_on = raw->metrics.source == VALUE_FILE && metrics->enabled.u,
                .n_frontends = 1,
                .n_pools = 1,
        };

        ret->frontends = arena_alloc(a, sizeof(*ret->frontends));
        ret->pools = arena_alloc(a, sizeof(*ret->pools));
        if (!ret->frontends || !ret->pools)
                return -ENOMEM;

        r = simple_frontend(ret->frontends, a, raw);
        if (r < 0)
                return r;
        r = simple_pool(ret->pools, a, raw);
        if (r < 0)
                return r;
        r = plan_link(ret, ctx, a, true);
        return r < 0 ? r : plan_pages(ret, ctx, a);
}

/* --- the full dialect ----------------------------------------------------------------------- */

static int full_pool(struct plan_pool *p,
                     struct arena *a,
                     const struct raw_pool *raw,
                     unsigned index) {
        const struct raw_server *servers = raw->servers.list.items;
        const struct raw_failover *failover = raw->failover.section;
        const struct raw_protection *protection = raw->protection.section;

        *p = (struct plan_pool){
                .name = value_good(&raw->name) ? raw->name.s : NULL,
                .name_value = &raw->name,
                .n_servers = raw->servers.list.n,
                .whole = raw->servers.source == VALUE_FILE,
                .check = raw->health_check.section,
                .connect_timeout = &raw->connect_timeout,
                .connect_deadline = &raw->connect_deadline,
                .hold = &raw->hold,
                .slow_start = &raw->slow_start,
                .on_marked_down = &raw->on_marked_down,
                .backoff_initial = &failover->backoff_initial,
                .backoff_max = &failover->backoff_max,
                .cooldown = &failover->cooldown,
                .trigger = &protection->trigger_threshold,
                .window = &protection->window,
                .stable = &protection->stable_success_threshold,
        };

        p->path = plan_path(a, "backends", p->name, index, "");
        p->list = plan_path(a, "backends", p->name, index, ".servers");
        p->check_path = plan_path(a, "backends", p->name, index, ".health_check");
        p->servers = arena_alloc(a, p->n_servers * sizeof(*p->servers));
        if (!p->path || !p->list || !p->check_path || !p->servers)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_servers; i++)
                p->servers[i] =
                        (struct plan_server){ .address = &servers[i].address,
                                              .weight = &servers[i].weight,
                                              .backup = &servers[i].backup,
                                              .max_connections = &servers[i].max_connections };
        return pool_servers(p, a);
}

static int full_listen(struct plan_frontend *f, struct arena *a, const struct value *listen) {
        const struct value *items = listen->list.items;
        struct host h;

        f->n_listen = listen->list.n;
        f->listen = arena_alloc(a, f->n_listen * sizeof(*f->listen));
        f->listen_values = arena_alloc(a, f->n_listen * sizeof(*f->listen_values));
        if (!f->listen || !f->listen_values)
                return -ENOMEM;

        for (size_t i = 0; i < f->n_listen; i++) {
                f->listen_values[i] = &items[i];
                if (value_good(&items[i]) && host_parse_port(&h, items[i].s) == HOST_OK)
                        f->listen[i] = h.addr;
        }
        return 0;
}

static int full_frontend(struct plan_frontend *f,
                         struct arena *a,
                         struct raw_frontend *raw,
                         unsigned index) {
        const struct raw_tcp *tcp = raw->tcp.section;
        int r;

        *f = (struct plan_frontend){
                .name = value_good(&raw->name) ? raw->name.s : NULL,
                .name_value = &raw->name,
                .pool_value = &raw->backend,
                .pool = SIZE_MAX,
                .protocol = &raw->protocol,
                .method = &raw->algorithm,
                .overload = &raw->overload_policy,
                .queue_timeout = &raw->queue_timeout,
                .backlog = &raw->backlog,
                .connect_timeout = &tcp->connect_timeout,
                .idle_timeout = &tcp->idle_timeout,
                .max_connections = &raw->max_connections,
                .http_value = &raw->http,
                .routes_value = &raw->routes,
                .http = raw->http.section,
        };

        f->path = plan_path(a, "frontends", f->name, index, "");
        if (!f->path)
                return -ENOMEM;
        r = full_listen(f, a, &raw->listen);
        return r < 0 ? r : plan_routes(f, a, &raw->routes);
}

/* A frontend that says nothing about it connects as long as its pool says. */
static void inherit_connect_timeouts(struct plan *plan, struct raw_full *raw) {
        struct raw_frontend *frontends = raw->frontends.list.items;

        for (size_t i = 0; i < plan->n_frontends; i++) {
                struct raw_tcp *tcp = frontends[i].tcp.section;
                size_t pool = plan->frontends[i].pool;

                if (tcp->connect_timeout.source != VALUE_UNSET)
                        continue;
                plan->frontends[i].connects_as_pool = true;
                if (pool < plan->n_pools)
                        tcp->connect_timeout = *plan->pools[pool].connect_timeout;
        }
}

static int full_lists(struct plan *plan, struct arena *a, struct raw_full *raw) {
        struct raw_pool *pools = raw->backends.list.items;
        struct raw_frontend *frontends = raw->frontends.list.items;
        const struct field *method = NULL;
        int r = 0;

        plan->pools = arena_alloc(a, plan->n_pools * sizeof(*plan->pools));
        plan->frontends = arena_alloc(a, plan->n_frontends * sizeof(*plan->frontends));
        if (!plan->pools || !plan->frontends)
                return -ENOMEM;

        method = section_find(section_find(&schema_full, "frontends")->section, "algorithm");
        for (size_t i = 0; i < plan->n_pools && r == 0; i++)
                r = full_pool(&plan->pools[i], a, &pools[i], (unsigned)i);
        for (size_t i = 0; i < plan->n_frontends && r == 0; i++) {
                r = full_frontend(&plan->frontends[i], a, &frontends[i], (unsigned)i);
                plan->frontends[i].method_field = method;
        }
        return r;
}

int plan_full(struct plan *ret, const struct context *ctx, struct arena *a, struct raw_full *raw) {
        struct raw_global *global = raw->global.section;
        const struct raw_metrics *metrics = global->metrics.section;
        int r;

        *ret = (struct plan){
                .dialect = CONFIG_FULL,
                .log_level = &global->log_level,
                .log_format = &global->log_format,
                .log_schema = &global->log_schema,
                .log_clients = &global->log_clients,
                .workers = &global->workers,
                .max_connections = &global->max_connections,
                .drain_timeout = &global->drain_timeout,
                .restart_drain = &global->restart_drain,
                .resolve_interval = &global->resolve_interval,
                .watch = &global->watch,
                .metrics_value = &global->metrics,
                .metrics = metrics,
                .metrics_on = metrics->enabled.u,
                .n_frontends = raw->frontends.list.n,
                .n_pools = raw->backends.list.n,
        };

        r = full_lists(ret, a, raw);
        if (r < 0)
                return r;
        r = plan_link(ret, ctx, a, raw->backends.source == VALUE_FILE && !ctx->partial);
        if (r < 0)
                return r;

        inherit_connect_timeouts(ret, raw);
        return plan_pages(ret, ctx, a);
}
