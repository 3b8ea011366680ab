/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a configuration: an answer with reasons, never a crash, a hang or a leak. Each one
 * that is sound is compared with the sound one before it, there and back.
 */

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/diff.h"
#include "config/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(x)                                                                                 \
        do {                                                                                       \
                if (!(x))                                                                          \
                        abort();                                                                   \
        } while (0)

static void require_value(const struct config_value *v, void *userdata) {
        size_t *n = userdata;

        REQUIRE(v->path && v->value && v->source);
        (*n)++;
}

static void require_rules(const struct http_rules *rules) {
        for (size_t i = 0; i < rules->n; i++) {
                REQUIRE(span_is_token(rules->rules[i].name));
                for (size_t k = 0; k < rules->rules[i].value.n; k++)
                        REQUIRE(rules->rules[i].value.pieces[k].text.n > 0);
        }
}

static void require_route(const struct config *c, const struct config_route *r) {
        REQUIRE(r->line > 0);
        REQUIRE((r->match.path_kind == HTTP_PATH_ANY) == (r->match.path.n == 0));
        REQUIRE(r->match.path.n == 0 || r->match.path.p[0] == '/');
        for (size_t i = 0; i < r->match.n_hosts; i++)
                REQUIRE(http_route_host_ok(r->match.hosts[i]));
        if (r->action == CONFIG_TO_POOL)
                REQUIRE(r->pool < c->n_pools && r->connect_timeout_ms > 0);
        else if (r->action == CONFIG_REDIRECT)
                REQUIRE(r->status / 100 == 3 && r->to.n > 0);
        else
                REQUIRE(r->status >= 200 && r->status / 100 != 3 && *r->content_type);
}

static void require_http(const struct config *c, const struct config_frontend *f) {
        const struct config_http *h = f->http;

        REQUIRE((f->protocol == CONFIG_HTTP) == (h != NULL));
        if (!h)
                return;
        REQUIRE(h->limits.line_max + h->limits.headers_max <= 48 * 1024);
        REQUIRE(h->limits.n_headers > 0 && h->limits.n_headers <= HTTP_HEADERS_MAX);
        REQUIRE(h->head_timeout_ms > 0 && h->keep_alive_ms > 0 && h->response_ms > 0);
        REQUIRE(h->access_sample > 0 &&
                (h->access_sample == 1 || h->access_log == CONFIG_ACCESS_ALL));
        require_rules(&h->request_headers);
        require_rules(&h->response_headers);
        for (size_t i = 0; i < h->n_pages; i++)
                REQUIRE(h->pages[i].status >= 400 && h->pages[i].body.p &&
                        *h->pages[i].content_type);
        for (size_t i = 0; i < h->n_routes; i++)
                require_route(c, &h->routes[i]);
}

static void require_model(const struct config *c) {
        size_t n = 0;

        REQUIRE(c->n_frontends > 0 && c->n_pools > 0 && c->workers > 0);
        for (size_t i = 0; i < c->n_frontends; i++) {
                REQUIRE(c->frontends[i].pool < c->n_pools && c->frontends[i].balance);
                REQUIRE(c->frontends[i].n_listen > 0 && c->frontends[i].backlog > 0);
        }
        for (size_t i = 0; i < c->n_frontends; i++)
                require_http(c, &c->frontends[i]);
        for (size_t i = 0; i < c->n_pools; i++) {
                const struct config_check *check = &c->pools[i].check;

                REQUIRE(c->pools[i].n_endpoints > 0 && c->pools[i].endpoints[0].name);
                REQUIRE(check->n_status > 0 && check->n_status <= CONFIG_STATUS_MAX);
                for (size_t k = 0; k < check->n_status; k++)
                        REQUIRE(check->status[k].first >= 100 && check->status[k].last <= 599 &&
                                check->status[k].first <= check->status[k].last);
        }

        config_values(c, require_value, &n);
        REQUIRE(n > 0);
}

struct differences {
        size_t n[3]; /* by action */
};

static void count_difference(const struct config_difference *d, void *userdata) {
        struct differences *n = userdata;

        REQUIRE(d->name && d->text && (d->action != CONFIG_CHANGED || *d->text));
        n->n[d->action]++;
}

static struct differences count_differences(const struct config *a, const struct config *b) {
        struct differences n = { .n = { 0 } };

        REQUIRE(config_diff(a, b, count_difference, &n) == 0);
        return n;
}

/* What one way adds the other one removes. What is changed may differ: a switch that is off hides
 * what is behind it. */
static void require_differences(const struct config *a, const struct config *b) {
        struct differences same = count_differences(b, b), there = count_differences(a, b),
                           back = count_differences(b, a);

        REQUIRE(same.n[0] + same.n[1] + same.n[2] == 0);
        REQUIRE(there.n[CONFIG_ADDED] == back.n[CONFIG_REMOVED]);
        REQUIRE(there.n[CONFIG_REMOVED] == back.n[CONFIG_ADDED]);
}

static void require_problems(const struct diags *d) {
        json_t *list = report_diagnostics(d);
        unsigned line = 0;

        REQUIRE(list); /* NULL would mean texts that are not UTF-8 */
        json_decref(list);
        list_for_each(l, &d->list) {
                const struct diag *p = container_of(l, struct diag, link);

                REQUIRE(p->at.line >= line);
                REQUIRE(*p->message && *p->brief && *p->do_this_now);
                REQUIRE(strlen(p->message) < 4096 && strlen(p->do_this_now) < 4096);
                line = p->at.line;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct config *before;
        struct config *c = NULL;
        struct diags d;
        int r;

        diags_init(&d);
        r = config_load_text(&c, "fuzz.yaml", (const char *)data, size, &d);
        REQUIRE((r == 0) == (c != NULL));
        REQUIRE(r == 0 || d.n_errors > 0);
        if (c)
                require_model(c);
        require_problems(&d);
        if (c && before)
                require_differences(before, c);
        if (c) {
                config_unref(before);
                before = c;
        }
        diags_done(&d);
        return 0;
}
