/* SPDX-License-Identifier: MIT */
/* Names: given once, and which pool is meant by those that frontends and routes name. */

#include <stdlib.h>
#include <string.h>

#include "config/named.h"
#include "config/plan_parts.h"
#include "core/str.h"

static void report_twice(const struct context *ctx,
                         const char *what,
                         const struct value *first,
                         const struct value *again) {
        struct diag p = problem(ctx, DIAG_E029, NULL, again->node);
        _cleanup_(str_freep) char *q = quoted(again->s);

        free(p.path);
        p.path = str_printf("%s.%s.name", what, again->s);
        p.message = str_printf("the name %s is given twice in %s", q, what);
        p.brief = str_printf("the name %s is given twice, first in line %u", q, first->line);
        p.label = strdup("given again");
        problem_other(ctx, &p, first->node, "first given here");
        p.do_this_now = str_printf("choose another name in line %u", again->line);
        problem_add(ctx, &p);
}

/* Sorts the names, reports each that is not the first of its kind. */
static void sort_names(const struct context *ctx,
                       struct named *names,
                       size_t n,
                       const char *what,
                       const struct value *(*value_of)(const void *, size_t),
                       const void *list) {
        named_sort(names, n);
        for (size_t i = 1, first = 0; i < n; i++) {
                if (strcmp(names[first].name, names[i].name) != 0)
                        first = i;
                else
                        report_twice(ctx, what, value_of(list, names[first].index),
                                     value_of(list, names[i].index));
        }
}

static const struct value *pool_name(const void *pools, size_t i) {
        return ((const struct plan_pool *)pools)[i].name_value;
}

static const struct value *frontend_name(const void *frontends, size_t i) {
        return ((const struct plan_frontend *)frontends)[i].name_value;
}

static char *unknown_pool_advice(const struct plan *plan, const char *closest) {
        if (closest)
                return str_printf("write backend: %s", closest);
        if (plan->dialect == CONFIG_SIMPLE)
                return strdup("write backend: main, which is the only pool of the simple dialect");
        return strdup("add a pool of that name to backends, or name one of those");
}

static void report_unknown_pool(const struct context *ctx,
                                const struct plan *plan,
                                const char *path,
                                const struct value *value) {
        struct diag p = problem(ctx, DIAG_E030, NULL, value->node);
        const char *names[257] = { NULL }, *closest;
        _cleanup_(str_freep) char *q = quoted(value->s);
        size_t n = 0;

        for (size_t i = 0; i < plan->n_pools && n < ELEMENTS(names) - 1; i++) {
                if (plan->pools[i].name)
                        names[n++] = plan->pools[i].name;
        }
        closest = str_closest(value->s, names);

        free(p.path);
        p.path = str_printf("%s.backend", path);
        p.message = str_printf("no pool is named %s", q);
        p.label = closest ? str_printf("did you mean '%s'?", closest) : strdup("no such pool");
        p.brief = closest ? str_printf("no pool is named %s, did you mean '%s'?", q, closest)
                          : str_printf("no pool is named %s", q);
        p.do_this_now = unknown_pool_advice(plan, closest);
        problem_add(ctx, &p);
}

struct linker {
        struct plan *plan;
        const struct context *ctx;
        struct named *names; /* of the pools, sorted */
        size_t n;
        bool whole; /* all pools are there: who names another one is wrong */
};

/* The pool, and it is in use; SIZE_MAX: none of that name, which is reported. */
static size_t link_name(const struct linker *l, const char *path, const struct value *value) {
        const struct named *names = l->names;
        size_t low = 0, high = l->n, pool = SIZE_MAX;

        if (!value_good(value))
                return SIZE_MAX;
        while (low < high) {
                size_t mid = (low + high) / 2;

                if (strcmp(names[mid].name, value->s) < 0)
                        low = mid + 1;
                else
                        high = mid;
        }
        for (; low < l->n && strcmp(names[low].name, value->s) == 0; low++) {
                pool = pool == SIZE_MAX ? names[low].index : pool;
                l->plan->pools[names[low].index].used = true; /* those given twice, too */
        }
        if (pool == SIZE_MAX && l->whole)
                report_unknown_pool(l->ctx, l->plan, path, value);
        return pool;
}

static int link_pools(struct plan *plan, const struct context *ctx, struct arena *a, bool whole) {
        struct linker l = { .plan = plan, .ctx = ctx, .whole = whole };

        l.names = arena_alloc(a, (plan->n_pools + 1) * sizeof(*l.names));
        if (!l.names)
                return -ENOMEM;
        for (size_t i = 0; i < plan->n_pools; i++) {
                if (plan->pools[i].name)
                        l.names[l.n++] = (struct named){ plan->pools[i].name, i };
                else
                        l.whole = false;
        }
        if (plan->dialect == CONFIG_FULL)
                sort_names(ctx, l.names, l.n, "backends", pool_name, plan->pools);

        for (size_t i = 0; i < plan->n_frontends; i++) {
                struct plan_frontend *f = &plan->frontends[i];

                if (f->pool_value)
                        f->pool = link_name(&l, f->path, f->pool_value);
                for (size_t k = 0; k < f->n_routes && !problems_enough(ctx); k++)
                        f->routes[k].pool =
                                link_name(&l, f->routes[k].path, &f->routes[k].raw->backend);
        }
        return 0;
}

static int check_frontend_names(struct plan *plan, const struct context *ctx, struct arena *a) {
        struct named *names = arena_alloc(a, (plan->n_frontends + 1) * sizeof(*names));
        size_t n = 0;

        if (!names)
                return -ENOMEM;
        for (size_t i = 0; i < plan->n_frontends; i++) {
                if (plan->frontends[i].name)
                        names[n++] = (struct named){ plan->frontends[i].name, i };
        }
        sort_names(ctx, names, n, "frontends", frontend_name, plan->frontends);
        return 0;
}

int plan_link(struct plan *plan, const struct context *ctx, struct arena *a, bool pools_whole) {
        int r = 0;

        if (plan->dialect == CONFIG_FULL)
                r = check_frontend_names(plan, ctx, a);
        return r < 0 ? r : link_pools(plan, ctx, a, pools_whole);
}
