/* SPDX-License-Identifier: MIT */

#include <stdlib.h>
#include <string.h>

#include "config/plan_parts.h"
#include "core/str.h"

int plan_routes(struct plan_frontend *f, struct arena *a, const struct value *routes) {
        const struct raw_route *raw = routes->list.items;
        const struct node *node = routes->list.n > 0 ? routes->node->first : NULL;
        _cleanup_(str_freep) char *list = str_printf("%s%sroutes", f->path, *f->path ? "." : "");

        if (!list)
                return -ENOMEM;
        f->routes = arena_alloc(a, routes->list.n * sizeof(*f->routes));
        if (!f->routes)
                return -ENOMEM;

        f->n_routes = routes->list.n;
        for (size_t i = 0; i < f->n_routes; i++, node = node->next) {
                struct plan_route *r = &f->routes[i];

                *r = (struct plan_route){ .raw = &raw[i], .node = node, .pool = SIZE_MAX };
                r->path = plan_path(a, list, NULL, (unsigned)i, "");
                if (!r->path)
                        return -ENOMEM;
        }
        return 0;
}

bool plan_is_http(const struct plan_frontend *f) {
        return value_good(f->protocol) && f->protocol->u == CONFIG_HTTP;
}

bool plan_uses(const struct plan_frontend *f, size_t pool) {
        if (f->pool == pool)
                return true;
        for (size_t i = 0; i < f->n_routes && plan_is_http(f); i++) {
                if (f->routes[i].pool == pool)
                        return true;
        }
        return false;
}

/* --- error pages ---------------------------------------------------------------------------- */

static char *page_advice(int r) {
        if (r == -EFBIG)
                return str_printf("use a file of at most %d KiB", PAGE_MAX / 1024);
        if (r == -EISDIR || r == -ENODEV)
                return strdup("name a regular file");
        if (r == -EACCES)
                return strdup("let the user that bal runs as read it");
        return strdup("check the path; it starts at the folder of this file, or with '/'");
}

static void report_page(const struct context *ctx,
                        const struct plan_frontend *f,
                        const struct pair *page,
                        int r) {
        struct diag p = problem(ctx, DIAG_E048, NULL, page->value.node);
        _cleanup_(str_freep) char *q = quoted(page->value.s);
        const char *what = r == -EFBIG    ? "the file is too large"
                           : r == -ENODEV ? "not a regular file"
                                          : strerror(-r);

        free(p.path);
        p.path = str_printf("%s%shttp.error_pages.%s", f->path, *f->path ? "." : "", page->key);
        p.message = str_printf("the error page %s cannot be read: %s", q, what);
        p.brief = str_printf("error page %s: %s", q, what);
        p.label = strdup(what);
        p.do_this_now = page_advice(r);
        problem_add(ctx, &p);
}

static int frontend_pages(struct plan_frontend *f, const struct context *ctx, struct arena *a) {
        const struct value *map = &f->http->error_pages;
        const struct pair *pairs = map->list.items;

        if (!map->key || !plan_is_http(f))
                return 0;
        f->pages = arena_alloc(a, map->list.n * sizeof(*f->pages));
        if (!f->pages)
                return -ENOMEM;
        for (size_t i = 0; i < map->list.n && !problems_enough(ctx); i++) {
                struct plan_page *p = &f->pages[f->n_pages];
                int r;

                if (!value_good(&pairs[i].value))
                        continue;
                r = page_read(&p->page, a, ctx->text->file, pairs[i].value.s);
                if (r == -ENOMEM)
                        return r;
                p->status = atoi(pairs[i].key);
                if (r < 0)
                        report_page(ctx, f, &pairs[i], r);
                else
                        f->n_pages++;
        }
        return 0;
}

int plan_pages(struct plan *plan, const struct context *ctx, struct arena *a) {
        int r = 0;

        for (size_t i = 0; i < plan->n_frontends && r == 0; i++)
                r = frontend_pages(&plan->frontends[i], ctx, a);
        return r;
}
