/* SPDX-License-Identifier: MIT */

#include "config/settings_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

#define NAMES_MAX 4 /* that are told; the rest is counted */

/* --- equal or not --------------------------------------------------------------------------- */

static bool equal_spans(const struct span *a, size_t n_a, const struct span *b, size_t n_b) {
        bool same = n_a == n_b;

        for (size_t i = 0; i < n_a && same; i++)
                same = span_equal(a[i], b[i]);
        return same;
}

static bool equal_templates(const struct http_template *a, const struct http_template *b) {
        bool same = a->n == b->n;

        for (size_t i = 0; i < a->n && same; i++)
                same = a->pieces[i].variable == b->pieces[i].variable &&
                       span_equal(a->pieces[i].text, b->pieces[i].text);
        return same;
}

static bool equal_matches(const struct http_route *a, const struct http_route *b) {
        bool same = a->path_kind == b->path_kind && span_equal(a->path, b->path) &&
                    equal_spans(a->hosts, a->n_hosts, b->hosts, b->n_hosts) &&
                    equal_spans(a->methods, a->n_methods, b->methods, b->n_methods) &&
                    a->n_headers == b->n_headers;

        for (size_t i = 0; i < a->n_headers && same; i++)
                same = span_equal(a->headers[i].name, b->headers[i].name) &&
                       span_equal(a->headers[i].value, b->headers[i].value);
        return same;
}

static bool equal_routes(const struct settings_ends *e,
                         const struct config_route *b,
                         const struct config_route *a) {
        if (a->action != b->action || !equal_matches(&a->match, &b->match))
                return false;
        switch (a->action) {
        case CONFIG_TO_POOL:
                return strcmp(e->before->pools[b->pool].name, e->after->pools[a->pool].name) == 0;
        case CONFIG_REDIRECT:
                return a->status == b->status && equal_templates(&a->to, &b->to);
        default:
                return a->status == b->status && span_equal(a->body, b->body) &&
                       strcmp(a->content_type, b->content_type) == 0;
        }
}

/* --- names ---------------------------------------------------------------------------------- */

struct names {
        char *text; /* owned; "" at the start; NULL: out of memory */
        size_t n;
};

static void names_add(struct names *names, const char *mark, struct span name) {
        char *longer;

        names->n++;
        if (names->n > NAMES_MAX || !names->text)
                return;
        longer = str_printf("%s%s%s%.*s", names->text, names->n > 1 ? ", " : "", mark, (int)name.n,
                            name.p);
        free(names->text);
        names->text = longer;
}

/* Appends "KEY changed (NAMES)", if there are any; takes the names. */
static int names_tell(char **text, const char *key, struct names *names) {
        _cleanup_(str_freep) char *list = names->text, *more = NULL;
        char *longer;

        if (!list || names->n == 0)
                return list ? 0 : -ENOMEM;
        more = names->n > NAMES_MAX ? str_printf(" and %zu more", names->n - NAMES_MAX)
                                    : strdup("");
        longer = more ? str_printf("%s%s%s changed (%s%s)", *text, **text ? ", " : "", key, list,
                                   more)
                      : NULL;
        if (!longer)
                return -ENOMEM;
        free(*text);
        *text = longer;
        return 0;
}

/* --- the lists ------------------------------------------------------------------------------ */

static const struct http_rule *rule_find(const struct http_rules *rules,
                                         const struct http_rule *like) {
        for (size_t i = 0; i < rules->n; i++) {
                if (rules->rules[i].op == like->op &&
                    span_equal_nocase(rules->rules[i].name, like->name))
                        return &rules->rules[i];
        }
        return NULL;
}

static void add_rule(struct names *names, const struct http_rule *r) {
        static const char *const marks[] = {
                [HTTP_RULE_SET] = "", [HTTP_RULE_ADD] = "+", [HTTP_RULE_REMOVE] = "-"
        };

        names_add(names, marks[r->op], r->name);
}

static int tell_rules(char **text,
                      const char *key,
                      const struct http_rules *before,
                      const struct http_rules *after) {
        struct names names = { .text = strdup("") };

        for (size_t i = 0; i < after->n; i++) {
                const struct http_rule *a = &after->rules[i], *b = rule_find(before, a);

                if (!b || !equal_templates(&a->value, &b->value))
                        add_rule(&names, a);
        }
        for (size_t i = 0; i < before->n; i++) {
                if (!rule_find(after, &before->rules[i]))
                        add_rule(&names, &before->rules[i]);
        }
        return names_tell(text, key, &names);
}

static bool has_net(const struct config_http *h, const struct addr_net *net) {
        for (size_t i = 0; i < h->n_trusted; i++) {
                const struct addr_net *n = &h->trusted[i];

                if (n->family == net->family && n->prefix == net->prefix &&
                    memcmp(n->bits, net->bits, sizeof(n->bits)) == 0)
                        return true;
        }
        return false;
}

static void add_nets(struct names *names,
                     const char *mark,
                     const struct config_http *of,
                     const struct config_http *without) {
        char text[ADDR_NET_TEXT_MAX];

        for (size_t i = 0; i < of->n_trusted; i++) {
                if (has_net(without, &of->trusted[i]))
                        continue;
                addr_net_text(&of->trusted[i], text);
                names_add(names, mark, span_of(text));
        }
}

static int tell_trusted(char **text, const struct config_http *b, const struct config_http *a) {
        struct names names = { .text = strdup("") };

        add_nets(&names, "+", a, b);
        add_nets(&names, "-", b, a);
        return names_tell(text, "http.trusted_proxies", &names);
}

static const struct config_page *page_find(const struct config_http *h, int status) {
        for (size_t i = 0; i < h->n_pages; i++) {
                if (h->pages[i].status == status)
                        return &h->pages[i];
        }
        return NULL;
}

static void add_page(struct names *names, const struct config_page *p) {
        char text[16];

        snprintf(text, sizeof(text), "%d", p->status);
        names_add(names, "", span_of(text));
}

/* By what the files held when each configuration was read. */
static int tell_pages(char **text,
                      const struct config_http *before,
                      const struct config_http *after) {
        struct names names = { .text = strdup("") };

        for (size_t i = 0; i < after->n_pages; i++) {
                const struct config_page *a = &after->pages[i], *b = page_find(before, a->status);

                if (!b || !span_equal(a->body, b->body) ||
                    strcmp(a->content_type, b->content_type) != 0)
                        add_page(&names, a);
        }
        for (size_t i = 0; i < before->n_pages; i++) {
                if (!page_find(after, before->pages[i].status))
                        add_page(&names, &before->pages[i]);
        }
        return names_tell(text, "http.error_pages", &names);
}

/* Their order is behaviour. */
static int tell_routes(char **text,
                       const struct settings_ends *e,
                       const struct config_http *before,
                       const struct config_http *after) {
        bool same = before->n_routes == after->n_routes;
        char *longer;

        for (size_t i = 0; i < after->n_routes && same; i++)
                same = equal_routes(e, &before->routes[i], &after->routes[i]);
        if (same)
                return 0;
        longer = before->n_routes == after->n_routes
                         ? str_printf("%s%sroutes changed", *text, **text ? ", " : "")
                         : str_printf("%s%sroutes changed (%zu -> %zu)", *text, **text ? ", " : "",
                                      before->n_routes, after->n_routes);
        if (!longer)
                return -ENOMEM;
        free(*text);
        *text = longer;
        return 0;
}

int settings_of_http(char **ret, const struct settings_ends *e) {
        const struct config_http *b = e->before->frontends[e->index_before].http;
        const struct config_http *a = e->after->frontends[e->index_after].http;
        _cleanup_(str_freep) char *text = strdup("");
        int r = text ? 0 : -ENOMEM;

        if (r == 0 && a && b) {
                r = tell_rules(&text, "http.request_headers", &b->request_headers,
                               &a->request_headers);
                if (r == 0)
                        r = tell_rules(&text, "http.response_headers", &b->response_headers,
                                       &a->response_headers);
                if (r == 0)
                        r = tell_trusted(&text, b, a);
                if (r == 0)
                        r = tell_pages(&text, b, a);
                if (r == 0)
                        r = tell_routes(&text, e, b, a);
        }
        if (r < 0)
                return r;
        *ret = take_ptr(text);
        return 0;
}
