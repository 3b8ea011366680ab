/* SPDX-License-Identifier: MIT */
/* Protocol http: settings that fit the protocol and each other, rules for headers, variables. */

#include <stdlib.h>
#include <string.h>

#include "config/cross.h"
#include "config/value_http.h"
#include "core/str.h"

/* What bal makes of a head has room behind it for this and for what bal adds, in 64 KiB. */
#define HEAD_MAX  (48 * 1024)
#define RULES_MAX (8 * 1024) /* of it, names and values as they stand in the file */

static char *path_of(const struct plan_frontend *f, const char *key) {
        return str_printf("%s%s%s", f->path, *f->path ? "." : "", key);
}

/* --- the protocol --------------------------------------------------------------------------- */

/* A header that was to be set and is not may be what keeps somebody out. */
static void refuse_beside_tcp(const struct context *ctx,
                              const struct plan_frontend *f,
                              const struct value *v) {
        struct diag d;

        if (!v->key)
                return;

        d = problem(ctx, DIAG_E043, NULL, v->key);
        free(d.path);
        d.path = path_of(f, v->key->text);
        d.message = str_printf("%s needs protocol: http", d.path);
        d.brief = str_printf("'%s' needs protocol: http", v->key->text);
        if (f->protocol->key) {
                d.label = strdup("only with protocol: http");
                problem_other(ctx, &d, f->protocol->node, "this protocol has no use for it");
        } else {
                d.label = strdup("without a protocol it is tcp");
        }
        d.why_likely = strdup("with protocol tcp bal does not look into what it carries");
        d.do_this_now = str_printf("write protocol: http, or remove '%s'", v->key->text);
        problem_add(ctx, &d);
}

/* --- limits --------------------------------------------------------------------------------- */

static void check_limits(const struct context *ctx, const struct plan_frontend *f) {
        const struct value *line = &f->http->max_request_line,
                           *headers = &f->http->max_headers_size,
                           *at = headers->key ? headers : line;
        struct diag d;

        if (!value_good(line) || !value_good(headers) || line->u + headers->u <= HEAD_MAX)
                return;

        d = problem(ctx, DIAG_E039, NULL, at->node);
        free(d.path);
        d.path = str_printf("%s%shttp.%s", f->path, *f->path ? "." : "", at->key->text);
        d.message = str_printf("max_request_line and max_headers_size are %llu bytes together",
                               (unsigned long long)(line->u + headers->u));
        d.label = strdup("at most 48k together");
        if (line->key && at != line)
                problem_other(ctx, &d, line->node, "the first line comes before");
        d.do_this_now =
                str_printf("use %llu or less here",
                           (unsigned long long)(HEAD_MAX - (at == line ? headers->u : line->u)));
        problem_add(ctx, &d);
}

/* --- variables ------------------------------------------------------------------------------ */

static const char *const variable_names[] = {
#define X(id, name) [HTTP_VAR_##id] = name,
        HTTP_VARIABLES(X)
#undef X
                NULL
};

/* Where the text stands as it is written, one character a byte, the piece; else all of it. */
static struct node node_of(const struct node *n, struct span piece) {
        unsigned quote = n->style == NODE_QUOTED;
        struct node at = *n;

        if (n->end_line != n->line || n->end_column - n->column != n->n + 2 * quote)
                return at;
        at.column += quote + (unsigned)(piece.p - n->text);
        at.end_column = at.column + (unsigned)piece.n;
        return at;
}

static void report_variable(const struct context *ctx,
                            const struct variables *v,
                            struct span piece,
                            bool known) {
        struct node at = node_of(v->value->node, piece);
        struct diag d = problem(ctx, DIAG_E044, NULL, &at);
        _cleanup_(str_freep) char *name = strndup(piece.p, piece.n < 64 ? piece.n : 64),
                                  *q = name ? quoted(name) : NULL,
                                  *all = words_joined("$", variable_names);
        const char *closest = name && !known ? str_closest(name + 1, variable_names) : NULL;

        free(d.path);
        d.path = strdup(v->path);
        if (known) {
                d.message = str_printf("%s has no value in %s", q, v->path);
                d.label = strdup("there is no backend here");
                d.do_this_now = strdup("use variables of the request: $host $uri $client_ip");
        } else {
                d.message = str_printf("unknown variable %s in %s", q, v->path);
                d.label = closest ? str_printf("did you mean '$%s'?", closest)
                                  : strdup("not a variable");
                d.do_this_now =
                        str_printf("use one of: %s; for the character itself write $$", all);
        }
        d.brief = known ? str_printf("%s has no value here", q)
                        : str_printf("unknown variable %s", q);
        problem_add(ctx, &d);
}

static bool needs_backend(const struct http_piece *p) {
        return p->variable == HTTP_VAR_BACKEND_NAME || p->variable == HTTP_VAR_BACKEND_ADDR;
}

void cross_variables(const struct context *ctx, const struct variables *v) {
        struct span text = span_of(v->value->s), bad;
        struct http_piece *pieces = calloc(http_template_room(text), sizeof(*pieces));
        struct http_template t;

        if (!pieces)
                return; /* building comes to the same end, and says so */
        if (http_template_read(&t, pieces, text, &bad) < 0) {
                report_variable(ctx, v, bad, false);
        } else {
                for (size_t i = 0; i < t.n && !v->backend; i++) {
                        struct span s = t.pieces[i].text;

                        if (needs_backend(&t.pieces[i]))
                                report_variable(ctx, v, (struct span){ s.p - 1, s.n + 1 }, true);
                }
        }
        free(pieces);
}

/* --- rules ---------------------------------------------------------------------------------- */

static void report_rule(const struct context *ctx, const struct pair *p, const char *path) {
        struct diag d = problem(ctx, DIAG_E045, NULL, p->value.key);
        _cleanup_(str_freep) char *q = quoted(p->key);

        free(d.path);
        d.path = strdup(path);
        d.message = str_printf("%s is a header that bal itself answers for", q);
        d.label = strdup("bal itself answers for it");
        d.why_likely =
                strdup("it says how the message goes over this connection, or where it ends");
        d.do_this_now = str_printf("remove %s", q);
        problem_add(ctx, &d);
}

static void check_rules(const struct context *ctx,
                        const struct plan_frontend *f,
                        enum http_side side,
                        const struct value *map,
                        const char *name) {
        const struct pair *pairs = map->list.items;

        for (size_t i = 0; map->key && i < map->list.n && !problems_enough(ctx); i++) {
                const struct pair *p = &pairs[i];
                _cleanup_(str_freep) char *path =
                        str_printf("%s%shttp.%s.%s", f->path, *f->path ? "." : "", name, p->key);
                struct http_rule rule;

                if (!path)
                        return;
                if (http_rule_read(&rule, side, span_of(p->key)) < 0)
                        report_rule(ctx, p, path);
                else if (value_good(&p->value))
                        cross_variables(ctx, &(struct variables){ &p->value, path, true });
        }
}

/* --- who is trusted ------------------------------------------------------------------------- */

static void check_trusted(const struct context *ctx, const struct plan_frontend *f) {
        const struct value *list = &f->http->trusted_proxies, *items = list->list.items;

        for (size_t i = 0; list->key && i < list->list.n; i++) {
                struct addr_net net;
                struct diag d;

                if (!value_good(&items[i]) || addr_net_parse(&net, items[i].s) < 0 ||
                    net.family == AF_UNIX || net.prefix > 0)
                        continue;
                d = problem(ctx, DIAG_W015, NULL, items[i].node);
                free(d.path);
                d.path = str_printf("%s%shttp.trusted_proxies", f->path, *f->path ? "." : "");
                d.message = strdup("trusted_proxies: every client may say who it is");
                d.label = strdup("everybody");
                d.do_this_now = strdup("list the proxies that clients come through");
                problem_add(ctx, &d);
        }
}

/* Each may be long and there may be many, but they have to fit behind a head. */
static void check_rules_size(const struct context *ctx,
                             const struct plan_frontend *f,
                             const struct value *map) {
        const struct pair *pairs = map->list.items;
        size_t n = 0;
        struct diag d;

        for (size_t i = 0; map->key && i < map->list.n; i++)
                n += value_good(&pairs[i].value) ? strlen(pairs[i].key) + strlen(pairs[i].value.s)
                                                 : 0;
        if (n <= RULES_MAX)
                return;

        d = problem(ctx, DIAG_E027, NULL, map->key);
        free(d.path);
        d.path = str_printf("%s%shttp.%s", f->path, *f->path ? "." : "", map->key->text);
        d.message = str_printf("the headers of %s are too large together", d.path);
        d.label = str_printf("%zu bytes, at most %d", n, RULES_MAX);
        d.brief = strdup(d.label ? d.label : "");
        d.do_this_now = strdup("use fewer or shorter headers");
        problem_add(ctx, &d);
}

void cross_http(const struct context *ctx, const struct plan_frontend *f) {
        if (!value_good(f->protocol))
                return;
        if (!plan_is_http(f)) {
                refuse_beside_tcp(ctx, f, f->http_value);
                refuse_beside_tcp(ctx, f, f->routes_value);
                return;
        }
        check_limits(ctx, f);
        check_trusted(ctx, f);
        check_rules_size(ctx, f, &f->http->request_headers);
        check_rules_size(ctx, f, &f->http->response_headers);
        check_rules(ctx, f, HTTP_REQUEST, &f->http->request_headers, "request_headers");
        check_rules(ctx, f, HTTP_RESPONSE, &f->http->response_headers, "response_headers");
}

/* --- passive checks ------------------------------------------------------------------------- */

void cross_passive(const struct context *ctx, const struct plan *plan, const struct plan_pool *p) {
        const struct value *passive = &p->check->passive;
        struct diag d;

        if (passive->source != VALUE_FILE || passive->u == 0)
                return;
        for (size_t i = 0; i < plan->n_frontends; i++) {
                const struct plan_frontend *f = &plan->frontends[i];

                if (!value_good(f->protocol) ||
                    (plan_is_http(f) && plan_uses(f, (size_t)(p - plan->pools))))
                        return;
        }

        d = problem(ctx, DIAG_W014, NULL, passive->node);
        free(d.path);
        d.path = str_printf("%s.passive", p->check_path);
        d.message =
                str_printf("%s has no effect: no frontend of protocol http uses the pool", d.path);
        d.brief = strdup("'passive' has no effect here");
        d.label = strdup("bal sees no responses of these backends");
        d.do_this_now = strdup("write protocol: http in the frontend, or remove 'passive'");
        problem_add(ctx, &d);
}
