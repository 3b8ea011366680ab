/* SPDX-License-Identifier: MIT */
/* What protocol http adds to a frontend. All of it was read before without an error. */

#include <string.h>

#include "config/build_parts.h"
#include "config/value_http.h"
#include "core/str.h"

/* --- header rules --------------------------------------------------------------------------- */

static bool copy_span(struct span *ret, struct arena *a, struct span s) {
        *ret = (struct span){ arena_copy(a, s.p ? s.p : "", s.n), s.n };
        return ret->p;
}

static bool text_span(struct span *ret, struct arena *a, const char *s) {
        return copy_span(ret, a, span_of(s));
}

static bool build_template(struct http_template *ret, struct arena *a, const char *s) {
        struct http_piece *pieces;
        struct span text, bad;

        if (!text_span(&text, a, s))
                return false;
        pieces = arena_alloc(a, http_template_room(text) * sizeof(*pieces));
        return pieces && http_template_read(ret, pieces, text, &bad) == 0;
}

static bool build_rules(struct http_rules *ret,
                        struct arena *a,
                        enum http_side side,
                        const struct value *map) {
        const struct pair *pairs = map->list.items;
        size_t n = map->source == VALUE_FILE ? map->list.n : 0;

        ret->rules = arena_alloc(a, n * sizeof(*ret->rules));
        if (!ret->rules)
                return false;
        for (; ret->n < n; ret->n++) {
                const struct pair *p = &pairs[ret->n];
                struct http_rule *rule = &ret->rules[ret->n];
                struct span key;

                if (!text_span(&key, a, p->key) || http_rule_read(rule, side, key) < 0 ||
                    !build_template(&rule->value, a, p->value.s))
                        return false;
        }
        return true;
}

/* --- routes --------------------------------------------------------------------------------- */

static void lower(struct span s) {
        char *p = (char *)s.p; /* a copy of ours */

        for (size_t i = 0; i < s.n; i++) {
                if (p[i] >= 'A' && p[i] <= 'Z')
                        p[i] = (char)(p[i] - 'A' + 'a');
        }
}

static bool build_texts(struct span **ret, size_t *ret_n, struct arena *a, const struct value *v) {
        const struct value *items = v->list.items;
        struct span *texts;

        *ret = NULL;
        *ret_n = 0;
        if (v->source != VALUE_FILE)
                return true;
        texts = arena_alloc(a, v->list.n * sizeof(*texts));
        for (size_t i = 0; texts && i < v->list.n; i++) {
                if (!text_span(&texts[i], a, items[i].s))
                        return false;
        }
        *ret = texts;
        *ret_n = v->list.n;
        return texts;
}

static bool build_headers(struct http_route *r, struct arena *a, const struct value *map) {
        const struct pair *pairs = map->list.items;

        if (map->source != VALUE_FILE)
                return true;
        r->headers = arena_alloc(a, map->list.n * sizeof(*r->headers));
        if (!r->headers)
                return false;
        for (; r->n_headers < map->list.n; r->n_headers++) {
                struct http_match *m = &r->headers[r->n_headers];

                if (!text_span(&m->name, a, pairs[r->n_headers].key) ||
                    !text_span(&m->value, a, pairs[r->n_headers].value.s))
                        return false;
        }
        return true;
}

/* As paths of requests are compared. The end of a prefix may be the middle of a segment, "/." that
 * of "/.git": a letter behind it keeps it from being a dot segment, which would leave "/". */
static bool build_path(struct http_route *r, struct arena *a, const struct raw_route *raw) {
        const struct value *v = raw->path.source == VALUE_FILE            ? &raw->path
                                : raw->path_prefix.source == VALUE_FILE   ? &raw->path_prefix
                                : raw->path_segments.source == VALUE_FILE ? &raw->path_segments
                                                                          : NULL;
        bool prefix = v == &raw->path_prefix;
        _cleanup_(str_freep) char *text = NULL;
        char *buf;

        if (!v)
                return true;
        text = str_printf("%s%s", v->s, prefix ? "x" : "");
        buf = text ? arena_alloc(a, strlen(text) + 1) : NULL;
        if (!buf)
                return false;

        r->path_kind = v == &raw->path ? HTTP_PATH_EXACT
                       : prefix        ? HTTP_PATH_PREFIX
                                       : HTTP_PATH_SEGMENTS;
        r->path = http_path_normalise(buf, span_of(text));
        if (prefix)
                r->path.n--;
        else if (v == &raw->path_segments && r->path.n > 1 && r->path.p[r->path.n - 1] == '/')
                r->path.n--; /* /v1/ and /v1 are the same segments */
        return true;
}

bool build_match(struct http_route *ret, struct arena *a, const struct raw_route *raw) {
        *ret = (struct http_route){ .n_hosts = 0 };
        if (!build_texts(&ret->hosts, &ret->n_hosts, a, &raw->host) ||
            !build_texts(&ret->methods, &ret->n_methods, a, &raw->method) ||
            !build_headers(ret, a, &raw->headers) || !build_path(ret, a, raw))
                return false;
        for (size_t i = 0; i < ret->n_hosts; i++)
                lower(ret->hosts[i]);
        return true;
}

static bool build_action(struct config_route *r,
                         struct arena *a,
                         const struct config *c,
                         const struct plan_frontend *f,
                         const struct plan_route *plan) {
        const struct raw_redirect *redirect = plan->raw->redirect.section;
        const struct raw_respond *respond = plan->raw->respond.section;

        if (redirect) {
                r->action = CONFIG_REDIRECT;
                r->status = schema_status(schema_redirects, &redirect->code);
                return build_template(&r->to, a, redirect->to.s);
        }
        if (respond) {
                r->action = CONFIG_RESPOND;
                r->status = schema_status(schema_statuses, &respond->status);
                if (respond->body.source == VALUE_FILE && !text_span(&r->body, a, respond->body.s))
                        return false;
                r->content_type =
                        arena_copy(a, respond->content_type.s, strlen(respond->content_type.s));
                return r->content_type;
        }
        r->action = CONFIG_TO_POOL;
        r->pool = plan->pool;
        r->connect_timeout_ms = f->connects_as_pool ? c->pools[plan->pool].connect_timeout_ms
                                                    : (uint32_t)f->connect_timeout->u;
        return true;
}

static bool build_routes(struct config_http *h,
                         struct arena *a,
                         const struct config *c,
                         const struct plan_frontend *f) {
        h->routes = arena_alloc(a, f->n_routes * sizeof(*h->routes));
        if (!h->routes)
                return false;
        for (; h->n_routes < f->n_routes; h->n_routes++) {
                const struct plan_route *plan = &f->routes[h->n_routes];
                struct config_route *r = &h->routes[h->n_routes];

                r->line = plan->node->line;
                if (!build_match(&r->match, a, plan->raw) || !build_action(r, a, c, f, plan))
                        return false;
        }
        return true;
}

/* --- the rest ------------------------------------------------------------------------------- */

static bool build_trusted(struct config_http *h, struct arena *a, const struct value *list) {
        const struct value *items = list->list.items;
        size_t n = list->source == VALUE_FILE ? list->list.n : 0;

        h->trusted = arena_alloc(a, n * sizeof(*h->trusted));
        for (; h->trusted && h->n_trusted < n; h->n_trusted++) {
                if (addr_net_parse(&h->trusted[h->n_trusted], items[h->n_trusted].s) < 0)
                        return false;
        }
        return h->trusted;
}

static bool build_pages(struct config_http *h, struct arena *a, const struct plan_frontend *f) {
        h->pages = arena_alloc(a, f->n_pages * sizeof(*h->pages));
        for (; h->pages && h->n_pages < f->n_pages; h->n_pages++) {
                const struct plan_page *plan = &f->pages[h->n_pages];
                struct config_page *p = &h->pages[h->n_pages];
                const char *type = plan->page.content_type;

                p->status = plan->status;
                p->content_type = arena_copy(a, type, strlen(type));
                if (!p->content_type || !copy_span(&p->body, a, plan->page.body))
                        return false;
        }
        return h->pages;
}

static void build_scalars(struct config_http *h, const struct raw_http *raw) {
        static const struct field log = { .min = 1, .max = UINT32_MAX };

        h->limits = (struct http_limits){
                .line_max = (uint32_t)raw->max_request_line.u,
                .header_max = (uint32_t)raw->max_header.u,
                .headers_max = (uint32_t)raw->max_headers_size.u,
                .n_headers = (uint32_t)raw->max_header_count.u,
        };
        h->max_body_bytes = raw->max_body_bytes.u;
        h->head_timeout_ms = (uint32_t)raw->head_timeout.u;
        h->keep_alive_ms = (uint32_t)raw->keep_alive_timeout.u;
        h->response_ms = (uint32_t)raw->response_timeout.u;
        h->warm_ms = (uint32_t)raw->backend_keep_alive.u;
        h->allow_connect = raw->allow_connect.u;
        h->drop_underscore = raw->drop_underscore_headers.u;
        h->via = raw->via.u;
        h->serve_half_closed = raw->half_close.u;
        h->forwarded = raw->forwarded.u;
        value_parse_access(&h->access_log, &h->access_sample, &log, raw->access_log.s);
}

int build_http(struct config_frontend *f,
               struct arena *a,
               const struct config *c,
               const struct plan_frontend *plan) {
        struct config_http *h;

        if (f->protocol != CONFIG_HTTP)
                return 0;
        h = arena_alloc(a, sizeof(*h));
        if (!h)
                return -ENOMEM;

        f->http = h;
        build_scalars(h, plan->http);
        if (!build_rules(&h->request_headers, a, HTTP_REQUEST, &plan->http->request_headers) ||
            !build_rules(&h->response_headers, a, HTTP_RESPONSE, &plan->http->response_headers) ||
            !build_trusted(h, a, &plan->http->trusted_proxies) || !build_pages(h, a, plan) ||
            !build_routes(h, a, c, plan))
                return -ENOMEM;
        return 0;
}
