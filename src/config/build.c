/* SPDX-License-Identifier: MIT */

#include "config/build_parts.h"

#include <sched.h>
#include <string.h>

#include "balance/balance.h"
#include "config/status.h"
#include "core/hash.h"

#define WORKERS_MAX 64

static unsigned usable_cpus(void) {
        cpu_set_t set;
        int n;

        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                return 1;
        n = CPU_COUNT(&set);
        return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

/* Texts of values lie in the arena of the tree, which is gone after loading. */
static bool copy_text(char **ret, struct arena *a, const char *s) {
        *ret = s ? arena_copy(a, s, strlen(s)) : NULL;
        return *ret || !s;
}

static bool build_check(struct config_check *c, struct arena *a, const struct raw_check *raw) {
        *c = (struct config_check){
                .type = raw->type.u,
                .interval_ms = (uint32_t)raw->interval.u,
                .unhealthy_interval_ms = (uint32_t)raw->unhealthy_interval.u,
                .timeout_ms = (uint32_t)raw->timeout.u,
                .rise = (uint32_t)raw->healthy_threshold.u,
                .fall = (uint32_t)raw->unhealthy_threshold.u,
                .port = value_good(&raw->port) ? (uint16_t)raw->port.u : 0,
                .passive = raw->passive.u,
        };
        struct statuses statuses = { .n = 0 };

        status_parse(&statuses, raw->expected_status.s, NULL); /* it was read without an error */
        memcpy(c->status, statuses.ranges, sizeof(c->status));
        c->n_status = statuses.n;
        return copy_text(&c->path, a, raw->path.s) &&
               copy_text(&c->host, a, value_good(&raw->host) ? raw->host.s : NULL);
}

static bool build_endpoint(struct config_endpoint *e,
                           struct arena *a,
                           const struct plan_server *s) {
        *e = (struct config_endpoint){
                .id = hash_bytes(s->name, strlen(s->name)),
                .addr = s->host.addr,
                .weight = (uint32_t)s->weight->u,
                .backup = s->backup->u,
                .max_connections = (uint32_t)s->max_connections->u,
                .line = s->address->line,
        };
        if (s->host.addr.len == 0) {
                e->port = s->host.port;
                if (!copy_text(&e->host, a, s->host.name))
                        return false;
        }
        return copy_text(&e->name, a, s->name);
}

static int build_pool(struct config_pool *p, struct arena *a, const struct plan_pool *plan) {
        *p = (struct config_pool){
                .n_endpoints = plan->n_servers,
                .connect_timeout_ms = (uint32_t)plan->connect_timeout->u,
                .connect_deadline_ms = (uint32_t)plan->connect_deadline->u,
                .hold_ms = (uint32_t)plan->hold->u,
                .slow_start_ms = (uint32_t)plan->slow_start->u,
                .close_on_marked_down = plan->on_marked_down->u,
                .backoff_initial_ms = (uint32_t)plan->backoff_initial->u,
                .backoff_max_ms = (uint32_t)plan->backoff_max->u,
                .cooldown_ms = (uint32_t)plan->cooldown->u,
                .protection_trigger = (uint32_t)plan->trigger->u,
                .protection_window_ms = (uint32_t)plan->window->u,
                .protection_stable = (uint32_t)plan->stable->u,
        };

        p->endpoints = arena_alloc(a, p->n_endpoints * sizeof(*p->endpoints));
        if (!p->endpoints || !copy_text(&p->name, a, plan->name) ||
            !build_check(&p->check, a, plan->check))
                return -ENOMEM;
        for (size_t i = 0; i < p->n_endpoints; i++) {
                if (!build_endpoint(&p->endpoints[i], a, &plan->servers[i]))
                        return -ENOMEM;
        }
        return 0;
}

static int build_frontend(struct config_frontend *f,
                          struct arena *a,
                          const struct plan_frontend *plan) {
        *f = (struct config_frontend){
                .n_listen = plan->n_listen,
                .protocol = plan->protocol->u,
                .balance = balance_find(plan->method_field->choices[plan->method->u]),
                .pool = plan->pool,
                .max_connections = plan->max_connections ? (uint32_t)plan->max_connections->u : 0,
                .overload = plan->overload->u,
                .queue_timeout_ms = (uint32_t)plan->queue_timeout->u,
                .backlog = (uint32_t)plan->backlog->u,
                .connect_timeout_ms = (uint32_t)plan->connect_timeout->u,
                .idle_timeout_ms = (uint32_t)plan->idle_timeout->u,
        };

        f->listen = arena_alloc(a, f->n_listen * sizeof(*f->listen));
        if (!f->listen || !copy_text(&f->name, a, plan->name))
                return -ENOMEM;
        memcpy(f->listen, plan->listen, f->n_listen * sizeof(*f->listen));
        return 0;
}

static bool build_global(struct config *c, struct arena *a, const struct plan *plan) {
        c->dialect = plan->dialect;
        c->log_level = plan->log_level->u;
        c->log_format = plan->log_format->u;
        c->log_schema = plan->log_schema->u;
        c->log_clients = plan->log_clients->u;
        c->workers = plan->workers->u > 0 ? (unsigned)plan->workers->u : usable_cpus();
        c->max_connections = (uint32_t)plan->max_connections->u;
        c->drain_timeout_ms = (uint32_t)plan->drain_timeout->u;
        c->restart_drain_ms = (uint32_t)plan->restart_drain->u;
        c->resolve_interval_ms = (uint32_t)plan->resolve_interval->u;
        c->watch = plan->watch->u;
        c->metrics = plan->metrics_on;
        return copy_text(&c->metrics_address, a, plan->metrics->address.s) &&
               copy_text(&c->metrics_path, a, plan->metrics->path.s);
}

int build(struct loaded *l, const struct plan *plan) {
        struct config *c = &l->config;
        int r;

        c->n_frontends = plan->n_frontends;
        c->frontends = arena_alloc(&l->arena, c->n_frontends * sizeof(*c->frontends));
        c->n_pools = plan->n_pools;
        c->pools = arena_alloc(&l->arena, c->n_pools * sizeof(*c->pools));
        if (!c->frontends || !c->pools || !build_global(c, &l->arena, plan))
                return -ENOMEM;

        for (size_t i = 0; i < c->n_pools; i++) {
                r = build_pool(&c->pools[i], &l->arena, &plan->pools[i]);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < c->n_frontends; i++) {
                r = build_frontend(&c->frontends[i], &l->arena, &plan->frontends[i]);
                if (r < 0)
                        return r;
                r = build_http(&c->frontends[i], &l->arena, c, &plan->frontends[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}
