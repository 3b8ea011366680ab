/* SPDX-License-Identifier: MIT */
/* Routes: each says one thing to do, and none stands behind one that takes all of its requests. */

#include <stdlib.h>
#include <string.h>

#include "config/build_parts.h"
#include "config/cross.h"
#include "config/schema_rows.h"
#include "core/str.h"

/* --- one route ------------------------------------------------------------------------------ */

static void report_action(const struct context *ctx,
                          const struct plan_route *r,
                          const struct value *first,
                          const struct value *again) {
        struct diag d = problem(ctx, DIAG_E049, NULL, again ? again->key : r->node);

        free(d.path);
        d.path = strdup(r->path);
        if (again) {
                d.message = str_printf("%s says two things to do", r->path);
                d.brief = str_printf("a second thing to do, beside '%s'", first->key->text);
                d.label = strdup("a second thing to do");
                problem_other(ctx, &d, first->key, "the first");
                d.do_this_now = strdup("keep one of backend, redirect and respond");
        } else {
                d.at.end_column = 0;
                d.message = str_printf("%s says nothing to do", r->path);
                d.brief = strdup("a route without backend, redirect or respond");
                d.label = strdup("backend, redirect or respond is missing");
                d.do_this_now = strdup("add backend: POOL, redirect: { to: ... } or respond: { "
                                       "status: ... }");
        }
        problem_add(ctx, &d);
}

/* Reported already, and perhaps it was what the route is to do. */
static bool has_unknown_key(const struct plan_route *r) {
        for (const struct node *key = r->node->first; key; key = key->next) {
                if (key->kind != NODE_SCALAR || !section_find(&schema_route, key->text))
                        return true;
        }
        return false;
}

static void check_action(const struct context *ctx, const struct plan_route *r) {
        const struct value *all[] = { &r->raw->backend, &r->raw->redirect, &r->raw->respond };
        const struct value *first = NULL;

        for (size_t i = 0; i < ELEMENTS(all); i++) {
                if (!all[i]->key)
                        continue;
                if (first)
                        report_action(ctx, r, first, all[i]);
                else
                        first = all[i];
        }
        if (!first && !ctx->partial && !has_unknown_key(r))
                report_action(ctx, r, NULL, NULL);
}

static void check_paths(const struct context *ctx, const struct plan_route *r) {
        const struct value *all[] = { &r->raw->path, &r->raw->path_prefix, &r->raw->path_segments };
        const struct value *first = NULL;

        for (size_t i = 0; i < ELEMENTS(all); i++) {
                struct diag d;

                if (!all[i]->key)
                        continue;
                if (!first) {
                        first = all[i];
                        continue;
                }
                d = problem(ctx, DIAG_E038, NULL, all[i]->key);
                free(d.path);
                d.path = str_printf("%s.%s", r->path, all[i]->key->text);
                d.message = str_printf("%s compares the path in two ways", r->path);
                d.brief = str_printf("'%s' beside '%s'", all[i]->key->text, first->key->text);
                d.label = strdup("the path is compared already");
                problem_other(ctx, &d, first->key, "here");
                d.do_this_now = strdup("keep one of path, path_prefix and path_segments");
                problem_add(ctx, &d);
        }
}

static void check_respond(const struct context *ctx, const struct plan_route *r) {
        const struct raw_respond *respond = r->raw->respond.section;
        struct diag d;

        if (!respond || !respond->content_type.key || respond->body.key)
                return;

        d = problem(ctx, DIAG_E038, NULL, respond->content_type.key);
        free(d.path);
        d.path = str_printf("%s.respond.content_type", r->path);
        d.message = str_printf("%s needs a body", d.path);
        d.brief = strdup("'content_type' needs a body");
        d.label = strdup("only with a body");
        d.do_this_now = strdup("add body: ..., or remove 'content_type'");
        problem_add(ctx, &d);
}

static void check_route(const struct context *ctx, const struct plan_route *r) {
        const struct raw_redirect *redirect = r->raw->redirect.section;
        _cleanup_(str_freep) char *path = str_printf("%s.redirect.to", r->path);

        check_action(ctx, r);
        check_paths(ctx, r);
        check_respond(ctx, r);
        if (path && redirect && value_good(&redirect->to))
                cross_variables(ctx, &(struct variables){ &redirect->to, path, false });
}

/* --- a route behind another ----------------------------------------------------------------- */

static bool starts(struct span s, struct span with) {
        return with.n == 0 || (s.n >= with.n && memcmp(s.p, with.p, with.n) == 0);
}

/* "*.x" takes "a.x", "a.b.x" and "*.b.x". */
static bool host_covers(struct span by, struct span host) {
        struct span end = { by.p + 1, by.n - 1 };

        if (span_equal(by, host))
                return true;
        return by.p[0] == '*' && host.n > end.n &&
               span_equal((struct span){ host.p + host.n - end.n, end.n }, end);
}

static bool any_covers(const struct span *by,
                       size_t n_by,
                       struct span one,
                       bool (*covers)(struct span, struct span)) {
        for (size_t i = 0; i < n_by; i++) {
                if (covers(by[i], one))
                        return true;
        }
        return false;
}

static bool all_covered(const struct span *by,
                        size_t n_by,
                        const struct span *list,
                        size_t n,
                        bool (*covers)(struct span, struct span)) {
        if (n_by == 0)
                return true;
        for (size_t i = 0; i < n; i++) {
                if (!any_covers(by, n_by, list[i], covers))
                        return false;
        }
        return n > 0;
}

static bool path_covers(const struct http_route *by, const struct http_route *r) {
        bool starts_so = r->path_kind != HTTP_PATH_ANY && starts(r->path, by->path);
        bool slash = by->path.n > 0 && by->path.p[by->path.n - 1] == '/';
        bool at_segment =
                starts_so && (slash || (r->path.n > by->path.n && r->path.p[by->path.n] == '/'));

        switch (by->path_kind) {
        case HTTP_PATH_ANY:
                return true;
        case HTTP_PATH_PREFIX:
                return starts_so;
        case HTTP_PATH_SEGMENTS:
                return at_segment ||
                       (r->path_kind != HTTP_PATH_PREFIX && starts_so && r->path.n == by->path.n);
        default:
                return r->path_kind == HTTP_PATH_EXACT && span_equal(by->path, r->path);
        }
}

/* Each header that is asked for is asked for by the other one, too. */
static bool headers_cover(const struct http_route *by, const struct http_route *r) {
        for (size_t i = 0; i < by->n_headers; i++) {
                bool found = false;

                for (size_t k = 0; k < r->n_headers && !found; k++)
                        found = span_equal_nocase(by->headers[i].name, r->headers[k].name) &&
                                span_equal(by->headers[i].value, r->headers[k].value);
                if (!found)
                        return false;
        }
        return true;
}

static bool route_covers(const struct http_route *by, const struct http_route *r) {
        return path_covers(by, r) &&
               all_covered(by->hosts, by->n_hosts, r->hosts, r->n_hosts, host_covers) &&
               all_covered(by->methods, by->n_methods, r->methods, r->n_methods, span_equal) &&
               headers_cover(by, r);
}

static void warn_covered(const struct context *ctx,
                         const struct plan_route *by,
                         const struct plan_route *r) {
        struct diag d = problem(ctx, DIAG_W013, NULL, r->node);

        free(d.path);
        d.path = strdup(r->path);
        d.at.end_column = 0;
        d.message = str_printf("%s never matches: an earlier route takes its requests", r->path);
        d.brief = str_printf("a route that never matches; line %u takes its requests",
                             by->node->line);
        d.label = strdup("never matches");
        problem_other(ctx, &d, by->node, "takes all of its requests");
        d.do_this_now =
                str_printf("move it before the route in line %u, or remove it", by->node->line);
        problem_add(ctx, &d);
}

/* 256 routes are compared with each other: most pairs differ in their path already. */
static int check_order(const struct context *ctx, struct arena *a, const struct plan_frontend *f) {
        struct http_route *matches = arena_alloc(a, f->n_routes * sizeof(*matches));

        if (!matches)
                return -ENOMEM;
        for (size_t i = 0; i < f->n_routes; i++) {
                if (!build_match(&matches[i], a, f->routes[i].raw))
                        return -ENOMEM;
        }
        for (size_t i = 1; i < f->n_routes && !problems_enough(ctx); i++) {
                for (size_t k = 0; k < i; k++) {
                        if (!route_covers(&matches[k], &matches[i]))
                                continue;
                        warn_covered(ctx, &f->routes[k], &f->routes[i]);
                        break;
                }
        }
        return 0;
}

int cross_routes(const struct context *ctx, struct arena *a, const struct plan_frontend *f) {
        unsigned before = ctx->diags->n_errors;

        if (!plan_is_http(f) || f->n_routes == 0)
                return 0;
        for (size_t i = 0; i < f->n_routes && !problems_enough(ctx); i++) {
                if (f->routes[i].node->kind == NODE_MAP && !f->routes[i].node->reported)
                        check_route(ctx, &f->routes[i]);
        }
        /* what one means is not sure while something in it is wrong */
        if (ctx->diags->n_errors > before || ctx->errors_before < before)
                return 0;
        return check_order(ctx, a, f);
}
