/* SPDX-License-Identifier: MIT */

#include "config/cross.h"

#include <stdlib.h>
#include <string.h>

#include "config/fill.h"
#include "config/named.h"
#include "config/value.h"
#include "core/str.h"

static bool in_file(const struct value *v) {
        return v->source == VALUE_FILE;
}

/* --- one value under two names -------------------------------------------------------------- */

static void report_twin(const struct context *ctx,
                        const struct twin *t,
                        const struct value *check,
                        const struct value *runtime) {
        bool check_last = check->key->line > runtime->key->line;
        const struct value *first = check_last ? runtime : check,
                           *last = check_last ? check : runtime;
        struct diag p = problem(ctx, DIAG_E037, NULL, last->key);

        free(p.path);
        p.path = check_last ? str_printf("health_check.%s", t->check_name)
                            : str_printf("runtime.%s", t->runtime_name);
        p.message = str_printf("health_check.%s and runtime.%s set the same value", t->check_name,
                               t->runtime_name);
        p.brief = str_printf("the same value is set in line %u", first->key->line);
        p.label = strdup("set again");
        problem_other(ctx, &p, first->key, "first set here");
        p.do_this_now = str_printf("remove line %u or line %u", first->key->line, last->key->line);
        problem_add(ctx, &p);
}

void cross_twins(const struct context *ctx, const struct raw_simple *raw) {
        if (!raw->health_check.section || !raw->runtime.section)
                return;

        for (size_t i = 0; i < FILL_TWINS; i++) {
                const struct twin *t = &fill_twins[i];
                const struct value *c = (void *)((char *)raw->health_check.section + t->check);
                const struct value *r = (void *)((char *)raw->runtime.section + t->runtime);

                if (c->key && r->key)
                        report_twin(ctx, t, c, r);
        }
}

/* --- a pool --------------------------------------------------------------------------------- */

static void check_backoff(const struct context *ctx, const struct plan_pool *p) {
        const struct value *low = p->backoff_initial, *high = p->backoff_max, *at;
        struct diag d;

        if (!value_good(low) || !value_good(high) || low->u <= high->u)
                return;

        at = in_file(high) && (!in_file(low) || high->line >= low->line) ? high : low;
        if (!in_file(at)) /* it would be the table that contradicts itself */
                return;
        d = problem(ctx, DIAG_E039, NULL, at->node);
        free(d.path);
        d.path = str_printf("%s%s%s", p->path, *p->path ? ".failover." : "runtime.", at->key->text);
        d.message = str_printf("the greatest back-off (%llu ms) is below the first one (%llu ms)",
                               (unsigned long long)high->u, (unsigned long long)low->u);
        d.brief = str_printf("back-off: maximum %llu ms is below initial %llu ms",
                             (unsigned long long)high->u, (unsigned long long)low->u);
        d.label = at == high ? strdup("below the first back-off")
                             : strdup("above the greatest back-off");
        if (in_file(low) && in_file(high))
                problem_other(ctx, &d, at == high ? low->node : high->node,
                              at == high ? "the first back-off" : "the greatest back-off");
        d.do_this_now = str_printf("use %llu ms or more as the maximum, or a smaller initial value",
                                   (unsigned long long)low->u);
        problem_add(ctx, &d);
}

/* path, host and expected_status say nothing to a check that is a mere connect. */
static void check_type(const struct context *ctx, const struct plan_pool *p) {
        const struct raw_check *c = p->check;
        const struct value *http_only[] = { &c->path, &c->host, &c->expected_status };

        if (!value_good(&c->type) || c->type.u == CONFIG_CHECK_HTTP)
                return;

        for (size_t i = 0; i < ELEMENTS(http_only); i++) {
                const struct value *v = http_only[i];
                struct diag d;

                if (!v->key)
                        continue;
                d = problem(ctx, DIAG_E038, NULL, v->key);
                free(d.path);
                d.path = str_printf("%s.%s", p->check_path, v->key->text);
                d.message = str_printf("%s needs a health check of type http", d.path);
                d.brief = str_printf("'%s' needs type http", v->key->text);
                d.label = strdup("only with type: http");
                if (c->type.key && c->type.node->line != v->key->line)
                        problem_other(ctx, &d, c->type.node, "this type has no use for it");
                d.do_this_now = str_printf("write type: http, or remove '%s'", v->key->text);
                problem_add(ctx, &d);
        }
}

/* Without checks nothing is ever marked down: a backend whose connects fail only cools down. */
static void check_marked_down(const struct context *ctx, const struct plan_pool *p) {
        const struct value *close = p->on_marked_down, *type = &p->check->type;
        struct diag d;

        if (!in_file(close) || !in_file(type) || close->u == 0 || type->u != CONFIG_CHECK_NONE)
                return;

        d = problem(ctx, DIAG_W010, NULL, close->node);
        free(d.path);
        d.path = str_printf("%s%s%s", p->path, *p->path ? "." : "runtime.", close->key->text);
        d.message = str_printf("%s has no effect: the health check is of type none", d.path);
        d.brief = str_printf("'%s' without health checks has no effect", close->key->text);
        d.label = strdup("without checks no backend is marked down");
        if (type->node->line != close->node->line)
                problem_other(ctx, &d, type->node, "no checks");
        d.do_this_now = str_printf("write type: tcp or http, or remove '%s'", close->key->text);
        problem_add(ctx, &d);
}

/* The section runtime, in which the simple dialect has on_marked_down, makes the threshold 1 by
 * being there. Somebody who wants that says so. */
static void check_single_failure(const struct context *ctx, const struct plan_pool *p) {
        const struct value *close = p->on_marked_down, *fall = &p->check->unhealthy_threshold;
        struct diag d;

        if (!in_file(close) || close->u == 0 || !value_good(&p->check->type) ||
            p->check->type.u == CONFIG_CHECK_NONE || !value_good(fall) || in_file(fall) ||
            fall->u > 1)
                return;

        d = problem(ctx, DIAG_W012, NULL, close->node);
        free(d.path);
        d.path = str_printf("%s%s%s", p->path, *p->path ? "." : "runtime.", close->key->text);
        d.message = strdup("a single failed check would close all sessions of a backend");
        d.label = strdup("a backend is marked down by 1 failure");
        d.why_likely = strdup("beside 'runtime' the default of unhealthy_threshold is 1");
        d.do_this_now = strdup("write health_check: { unhealthy_threshold: 2 }, or 1 if that is "
                               "meant");
        problem_add(ctx, &d);
}

/* True: every frontend of the pool chooses so, and there is one. */
static bool all_choose(const struct plan *plan, const struct plan_pool *p, const char *method) {
        bool any = false;

        for (size_t i = 0; i < plan->n_frontends; i++) {
                const struct plan_frontend *f = &plan->frontends[i];

                if (!plan_uses(f, (size_t)(p - plan->pools)))
                        continue;
                if (!value_good(f->method) ||
                    strcmp(f->method_field->choices[f->method->u], method) != 0)
                        return false;
                any = true;
        }
        return any;
}

/* A smaller share is still a share: `first` looks no further than that. */
static void check_slow_start(const struct context *ctx,
                             const struct plan *plan,
                             const struct plan_pool *p) {
        const struct value *slow = p->slow_start;
        struct diag d;

        if (!in_file(slow) || slow->u == 0 || !all_choose(plan, p, "first"))
                return;

        d = problem(ctx, DIAG_W011, NULL, slow->node);
        free(d.path);
        d.path = str_printf("%s%s%s", p->path, *p->path ? "." : "runtime.", slow->key->text);
        d.message = str_printf("%s has no effect: backends are chosen by 'first'", d.path);
        d.brief = str_printf("'%s' has no effect with 'first'", slow->key->text);
        d.label = strdup("'first' gives all sessions to one backend, at once");
        d.do_this_now =
                str_printf("remove '%s', or choose backends in another way", slow->key->text);
        problem_add(ctx, &d);
}

/* The connect_timeout of the frontend that has the least; NULL: not known. */
static const struct value *least_timeout(const struct plan *plan, const struct plan_pool *p) {
        const struct value *least = NULL;

        for (size_t i = 0; i < plan->n_frontends; i++) {
                const struct plan_frontend *f = &plan->frontends[i];
                const struct value *v =
                        f->connects_as_pool ? p->connect_timeout : f->connect_timeout;

                if (!plan_uses(f, (size_t)(p - plan->pools)))
                        continue;
                if (!value_good(v))
                        return NULL;
                if (!least || v->u < least->u)
                        least = v;
        }
        return least ? least : p->connect_timeout;
}

/* A connect stays open for connect_timeout in any case, and a slow one for as long as its client
 * waits for a backend. */
static void check_deadline(const struct context *ctx,
                           const struct plan *plan,
                           const struct plan_pool *p) {
        const struct value *deadline = p->connect_deadline, *timeout = least_timeout(plan, p),
                           *at_least = timeout;
        const char *name = *p->path ? "connect_timeout" : "backend_connect_timeout_ms";
        struct diag d;

        if (!in_file(deadline) || !value_good(timeout) || !value_good(p->hold))
                return;
        if (p->hold->u > timeout->u) {
                at_least = p->hold;
                name = *p->path ? "hold" : "hold_ms";
        }
        if (deadline->u >= at_least->u)
                return;

        d = problem(ctx, DIAG_W016, NULL, deadline->node);
        free(d.path);
        d.path = str_printf("%s%s%s", p->path, *p->path ? "." : "runtime.", deadline->key->text);
        d.message =
                str_printf("%s (%llu ms) has no effect: it is below %s (%llu ms)", d.path,
                           (unsigned long long)deadline->u, name, (unsigned long long)at_least->u);
        d.brief = str_printf("'%s' below '%s' has no effect", deadline->key->text, name);
        d.label = str_printf("a slow connect has %llu ms in any case",
                             (unsigned long long)at_least->u);
        if (in_file(at_least) && at_least->node->line != deadline->node->line)
                problem_other(ctx, &d, at_least->node, "the greater time");
        d.do_this_now = str_printf("write more than %llu ms, shorten '%s', or remove '%s'",
                                   (unsigned long long)at_least->u, name, deadline->key->text);
        problem_add(ctx, &d);
}

static void check_unix_ports(const struct context *ctx, const struct plan_pool *p) {
        for (size_t i = 0; i < p->n_servers; i++) {
                const struct plan_server *s = &p->servers[i];
                struct diag d;

                if (!s->port || !s->port->key || !s->name || !host_is_unix(&s->host))
                        continue;
                d = problem(ctx, DIAG_E038, NULL, s->port->key);
                free(d.path);
                d.path = str_printf("%s[%zu].port", p->list, i);
                d.message = str_printf("%s[%zu] is a Unix socket and has no port", p->list, i);
                d.brief = strdup("a Unix socket has no port");
                d.label = strdup("no port here");
                d.do_this_now = str_printf("remove 'port' in line %u", s->port->key->line);
                problem_add(ctx, &d);
        }
}

static void report_same_server(const struct context *ctx,
                               const struct plan_pool *p,
                               size_t first,
                               size_t again) {
        const struct plan_server *s = &p->servers[again];
        struct diag d = problem(ctx, DIAG_E034, NULL, s->address->node);
        _cleanup_(str_freep) char *q = quoted(s->name);

        free(d.path);
        d.path = str_printf("%s[%zu]", p->list, again);
        d.message = str_printf("backend %s is given twice in %s", q, p->list);
        d.brief = str_printf("backend %s is given twice, first in line %u", q,
                             p->servers[first].address->line);
        d.label = str_printf("the same as %s[%zu]", p->list, first);
        problem_other(ctx, &d, p->servers[first].address->node, "first given here");
        d.do_this_now = strdup("remove one of the two; for a greater share raise its weight");
        problem_add(ctx, &d);
}

/* By sorting: a pool may have thousands. */
static int check_same_servers(const struct context *ctx,
                              struct arena *a,
                              const struct plan_pool *p) {
        struct named *spots = arena_alloc(a, (p->n_servers + 1) * sizeof(*spots));
        size_t n = 0;

        if (!spots)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_servers; i++) {
                if (p->servers[i].name)
                        spots[n++] = (struct named){ p->servers[i].name, i };
        }
        named_sort(spots, n);

        for (size_t i = 1, first = 0; i < n && !problems_enough(ctx); i++) {
                if (strcmp(spots[first].name, spots[i].name) != 0)
                        first = i;
                else
                        report_same_server(ctx, p, spots[first].index, spots[i].index);
        }
        return 0;
}

static void warn_pool(const struct context *ctx,
                      const struct plan_pool *p,
                      enum diag_code code,
                      const struct node *at,
                      const char *label,
                      const char *do_this_now) {
        struct diag d = problem(ctx, code, NULL, at);
        const char *name = p->name_value ? p->name : NULL;

        free(d.path);
        d.path = strdup(p->path);
        d.message = name ? str_printf("%s: pool '%s'", diag_info(code)->title, name)
                         : strdup(diag_info(code)->title);
        d.label = strdup(label);
        d.do_this_now = strdup(do_this_now);
        problem_add(ctx, &d);
}

static void check_shares(const struct context *ctx, const struct plan_pool *p) {
        bool weight = false, ordinary = false;

        for (size_t i = 0; i < p->n_servers; i++) {
                const struct plan_server *s = &p->servers[i];

                if (!value_good(s->weight) || !value_good(s->backup))
                        return;
                weight |= s->weight->u > 0;
                ordinary |= s->backup->u == 0;
        }
        if (p->n_servers == 0)
                return;

        if (!weight)
                warn_pool(ctx, p, DIAG_W006, p->servers[0].weight->node, "every weight is 0",
                          "give one backend a weight of 1 or more");
        if (!ordinary)
                warn_pool(ctx, p, DIAG_W007, p->servers[0].backup->node,
                          "every backend is a backup",
                          "remove 'backup: true' from at least one backend");
}

/* A frontend whose pool is not known may well mean one of those that seem idle. */
static bool all_linked(const struct plan *plan) {
        for (size_t i = 0; i < plan->n_frontends; i++) {
                const struct plan_frontend *f = &plan->frontends[i];

                if (f->pool == SIZE_MAX)
                        return false;
                for (size_t k = 0; k < f->n_routes; k++) {
                        if (f->routes[k].raw->backend.key && f->routes[k].pool == SIZE_MAX)
                                return false;
                }
        }
        return plan->n_frontends > 0;
}

static int check_pool(const struct context *ctx,
                      struct arena *a,
                      const struct plan *plan,
                      const struct plan_pool *p) {
        check_backoff(ctx, p);
        check_type(ctx, p);
        check_marked_down(ctx, p);
        check_single_failure(ctx, p);
        check_slow_start(ctx, plan, p);
        check_deadline(ctx, plan, p);
        cross_passive(ctx, plan, p);
        check_unix_ports(ctx, p);
        if (p->whole)
                check_shares(ctx, p);
        if (!p->used && p->name && all_linked(plan))
                warn_pool(ctx, p, DIAG_W004, p->name_value->node,
                          "no frontend and no route names it",
                          "name it in 'backend' of a frontend, or remove it");
        return check_same_servers(ctx, a, p);
}

int cross_check(const struct context *ctx, struct arena *a, const struct plan *plan) {
        int r;

        for (size_t i = 0; i < plan->n_pools && !problems_enough(ctx); i++) {
                r = check_pool(ctx, a, plan, &plan->pools[i]);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < plan->n_frontends && !problems_enough(ctx); i++) {
                cross_http(ctx, &plan->frontends[i]);
                r = cross_routes(ctx, a, &plan->frontends[i]);
                if (r < 0)
                        return r;
        }

        r = cross_addresses(ctx, a, plan);
        if (r < 0)
                return r;
        cross_wildcard(ctx, plan);
        return 0;
}
