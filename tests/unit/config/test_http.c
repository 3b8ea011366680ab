/* SPDX-License-Identifier: MIT */
/* Protocol http: the model that a text becomes, the files of error pages, large input. */

#include "rig.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/diff.h"
#include "config/page.h"

static bool is(struct span s, const char *text) {
        return s.n == strlen(text) && memcmp(s.p ? s.p : "", text, s.n) == 0;
}

/* --- the model ------------------------------------------------------------------------------ */

static void test_defaults(void **state) {
        struct config *c = load_good("protocol: http\nbackends: [ { host: a, port: 1 } ]\n");
        const struct config_http *h = c->frontends[0].http;

        (void)state;
        assert_int_equal(c->frontends[0].protocol, CONFIG_HTTP);
        assert_non_null(h);
        assert_memory_equal(&h->limits, &http_request_limits, sizeof(h->limits));
        assert_int_equal(h->max_body_bytes, 0);
        assert_int_equal(h->head_timeout_ms, 10000);
        assert_int_equal(h->keep_alive_ms, 60000);
        assert_int_equal(h->response_ms, 60000);
        assert_int_equal(h->warm_ms, 30000);
        assert_int_equal(h->access_log, CONFIG_ACCESS_ERRORS);
        assert_int_equal(h->access_sample, 1);
        assert_false(h->allow_connect || h->drop_underscore || h->via || h->forwarded);
        assert_false(h->serve_half_closed);
        assert_int_equal(h->request_headers.n + h->response_headers.n + h->n_trusted, 0);
        assert_int_equal(h->n_pages + h->n_routes, 0);
        assert_false(c->pools[0].check.passive);
        config_unref(c);
}

static void test_tcp_has_none(void **state) {
        struct config *c = load_good("backends: [ { host: a, port: 1 } ]\n");

        (void)state;
        assert_null(c->frontends[0].http);
        config_unref(c);
}

static const char full[] =
        "frontends:\n"
        "  - name: web\n"
        "    listen: '127.0.0.1:1'\n"
        "    protocol: http\n"
        "    backend: app\n"
        "    http:\n"
        "      request_headers: { X-Real-IP: $client_ip, +Via-Bal: 'a $$ $host', -Cookie: '' }\n"
        "      response_headers: { X-By: 'b:$backend_name/$backend_addr' }\n"
        "      trusted_proxies: [ 10.0.0.0/8, '::ffff:10.1.0.0/112', 'unix:' ]\n"
        "      access_log: { sample: 100 }\n"
        "      max_body_bytes: 3g\n"
        "      head_timeout: 1s\n"
        "      keep_alive_timeout: 2s\n"
        "      response_timeout: 3s\n"
        "      backend_keep_alive: 0s\n"
        "      max_request_line: 1k\n"
        "      max_header: 2k\n"
        "      max_headers_size: 4000\n"
        "      max_header_count: 7\n"
        "      allow_connect: true\n"
        "      drop_underscore_headers: true\n"
        "      via: true\n"
        "      forwarded: true\n"
        "      half_close: serve\n"
        "    routes:\n"
        "      - { host: [ WWW.Example, '*.X.example' ], path: '/a/../%62%2f', backend: api }\n"
        "      - path_segments: /v1/\n"
        "        method: [ GET, HEAD ]\n"
        "        headers: { X-A: b, x-c: '' }\n"
        "        redirect: { to: 'https://$host:8443$uri', code: 308 }\n"
        "      - { path_prefix: /p/, respond: { status: 503, body: 'no', content_type: a/b } }\n"
        "      - { path_segments: /, respond: { status: 404 } }\n"
        "backends:\n"
        "  - { name: api, servers: [ { address: 'a:1' } ], connect_timeout: 7s,"
        " health_check: { passive: true } }\n"
        "  - { name: app, servers: [ { address: 'b:1' } ], connect_timeout: 8s }\n"
        "  - { name: idle, servers: [ { address: 'c:1' } ] }\n";

static struct config *load_full(void) { /* the pool that nobody uses is a warning */
        struct config *c;
        struct diags d;

        if (load(&c, &d, full) < 0)
                fail_msg("%s", nth(&d, 0)->message);
        assert_int_equal(d.n_warnings, 1);
        diags_done(&d);
        return c;
}

static void test_scalars(void **state) {
        struct config *c = load_full();
        const struct config_http *h = c->frontends[0].http;
        struct addr a;

        (void)state;
        assert_int_equal(h->limits.line_max, 1024);
        assert_int_equal(h->limits.header_max, 2048);
        assert_int_equal(h->limits.headers_max, 4000);
        assert_int_equal(h->limits.n_headers, 7);
        assert_true(h->max_body_bytes == 3ULL << 30);
        assert_int_equal(h->head_timeout_ms, 1000);
        assert_int_equal(h->keep_alive_ms, 2000);
        assert_int_equal(h->response_ms, 3000);
        assert_int_equal(h->warm_ms, 0);
        assert_int_equal(h->access_log, CONFIG_ACCESS_ALL);
        assert_int_equal(h->access_sample, 100);
        assert_true(h->allow_connect && h->drop_underscore && h->via && h->forwarded);
        assert_true(h->serve_half_closed);
        assert_true(c->pools[0].check.passive && !c->pools[1].check.passive);

        assert_int_equal(h->n_trusted, 3);
        assert_int_equal(addr_parse(&a, "10.1.2.3:1"), 0);
        assert_true(addr_net_has(&h->trusted[0], &a.sa) && !addr_net_has(&h->trusted[2], &a.sa));
        config_unref(c);
}

static void test_rules(void **state) {
        struct config *c = load_full();
        const struct http_rule *r = c->frontends[0].http->request_headers.rules;
        const struct http_rules *back = &c->frontends[0].http->response_headers;

        (void)state;
        assert_int_equal(c->frontends[0].http->request_headers.n, 3);
        assert_int_equal(r[0].op, HTTP_RULE_SET);
        assert_true(is(r[0].name, "X-Real-IP"));
        assert_int_equal(r[0].id, HTTP_FIELD_X_REAL_IP);
        assert_int_equal(r[0].value.n, 1);
        assert_int_equal(r[0].value.pieces[0].variable, HTTP_VAR_CLIENT_IP);
        assert_int_equal(r[1].op, HTTP_RULE_ADD);
        assert_true(is(r[1].name, "Via-Bal"));
        assert_true(is(r[1].value.pieces[0].text, "a $"));
        assert_int_equal(r[1].value.pieces[r[1].value.n - 1].variable, HTTP_VAR_HOST);
        assert_int_equal(r[2].op, HTTP_RULE_REMOVE);
        assert_true(is(r[2].name, "Cookie"));
        assert_int_equal(back->n, 1);
        assert_int_equal(back->rules[0].value.n, 4);
        config_unref(c);
}

static void test_routes(void **state) {
        struct config *c = load_full();
        const struct config_frontend *f = c->frontends;
        const struct config_route *r = f->http->routes;

        (void)state;
        assert_int_equal(f->http->n_routes, 4);
        assert_int_equal(r[0].match.n_hosts, 2);
        assert_true(is(r[0].match.hosts[0], "www.example"));
        assert_true(is(r[0].match.hosts[1], "*.x.example"));
        assert_int_equal(r[0].match.path_kind, HTTP_PATH_EXACT);
        assert_true(is(r[0].match.path, "/b%2F"));
        assert_int_equal(r[0].action, CONFIG_TO_POOL);
        assert_int_equal(r[0].pool, 0);
        assert_int_equal(r[0].connect_timeout_ms, 7000);
        assert_int_equal(f->connect_timeout_ms, 8000);
        assert_int_equal(r[0].line, 26);

        assert_int_equal(r[1].match.path_kind, HTTP_PATH_SEGMENTS);
        assert_true(is(r[1].match.path, "/v1"));
        assert_int_equal(r[1].match.n_methods, 2);
        assert_true(is(r[1].match.methods[1], "HEAD"));
        assert_int_equal(r[1].match.n_headers, 2);
        assert_true(is(r[1].match.headers[0].name, "X-A"));
        assert_true(is(r[1].match.headers[0].value, "b"));
        assert_true(is(r[1].match.headers[1].value, ""));
        assert_int_equal(r[1].action, CONFIG_REDIRECT);
        assert_int_equal(r[1].status, 308);
        assert_int_equal(r[1].to.n, 4);
        assert_int_equal(r[1].to.pieces[3].variable, HTTP_VAR_URI);

        assert_int_equal(r[2].match.path_kind, HTTP_PATH_PREFIX);
        assert_true(is(r[2].match.path, "/p/"));
        assert_int_equal(r[2].action, CONFIG_RESPOND);
        assert_int_equal(r[2].status, 503);
        assert_true(is(r[2].body, "no"));
        assert_string_equal(r[2].content_type, "a/b");
        assert_true(is(r[3].match.path, "/"));
        assert_null(r[3].body.p);
        assert_string_equal(r[3].content_type, "text/plain; charset=utf-8");

        assert_true(config_uses(f, 0) && config_uses(f, 1) && !config_uses(f, 2));
        config_unref(c);
}

/* What stands in the file, and what it is compared as. */
static void test_paths(void **state) {
        static const struct {
                const char *key, *path, *wanted;
        } paths[] = {
                { "path", "/a/./b", "/a/b" },
                { "path", "/a/..", "/" },
                { "path", "/.", "/" },
                { "path", "/%7euser", "/~user" },
                { "path", "/a%2fb", "/a%2Fb" },
                { "path_prefix", "/.", "/." }, /* that of /.git, and not of everything */
                { "path_prefix", "/%2e", "/." },
                { "path_prefix", "/..", "/.." },
                { "path_prefix", "/a/../b/.", "/b/." },
                { "path_prefix", "/a/./", "/a/" },
                { "path_prefix", "/", "/" },
                { "path_prefix", "/a%4", "/a%4" },
                { "path_segments", "/a/b//", "/a/b" },
                { "path_segments", "/a/", "/a" },
                { "path_segments", "/a/.", "/a" },
                { "path_segments", "/", "/" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                char text[256];
                struct config *c;

                snprintf(text, sizeof(text),
                         "protocol: http\nroutes: [ { %s: '%s', respond: { status: 404 } } ]\n"
                         "backends: [ { host: a, port: 1 } ]\n",
                         paths[i].key, paths[i].path);
                c = load_good(text);
                if (!is(c->frontends[0].http->routes[0].match.path, paths[i].wanted))
                        fail_msg("%s %s", paths[i].key, paths[i].path);
                config_unref(c);
        }
}

/* What the frontend says holds for all of its pools. */
static void test_connect_timeout(void **state) {
        struct config *c = load_good(
                "frontends: [ { name: f, listen: '127.0.0.1:1', protocol: http, backend: p,\n"
                "  tcp: { connect_timeout: 3s }, routes: [ { path: /, backend: q } ] } ]\n"
                "backends:\n"
                "  - { name: p, servers: [ { address: 'a:1' } ], connect_timeout: 4s }\n"
                "  - { name: q, servers: [ { address: 'b:1' } ], connect_timeout: 5s }\n");

        (void)state;
        assert_int_equal(c->frontends[0].connect_timeout_ms, 3000);
        assert_int_equal(c->frontends[0].http->routes[0].connect_timeout_ms, 3000);
        config_unref(c);

        c = load_good("protocol: http\nroutes: [ { path: /, backend: main } ]\n"
                      "runtime: { backend_connect_timeout_ms: 77 }\n"
                      "backends: [ { host: a, port: 1 } ]\n");
        assert_int_equal(c->frontends[0].http->routes[0].connect_timeout_ms, 77);
        assert_int_equal(c->pools[0].check.fall, 1); /* the routes are not what tunes a pool */
        config_unref(c);
}

/* The number of backends tunes, not that of routes. */
static void test_tuning(void **state) {
        struct config *c = load_good("protocol: http\n"
                                     "routes: [ { path: /a, backend: main },"
                                     " { path: /b, backend: main }, { path: /c, backend: main },"
                                     " { path: /d, backend: main } ]\n"
                                     "backends: [ { host: a, port: 1 } ]\n");

        (void)state;
        assert_int_equal(c->pools[0].check.interval_ms, 500);
        config_unref(c);
}

/* Where a route sends, the order of `first` counts, too. */
static void count(const struct config_difference *d, void *userdata) {
        (void)d;
        ++*(unsigned *)userdata;
}

static void test_order_behind_a_route(void **state) {
        static const char text[] =
                "frontends: [ { name: f, listen: '127.0.0.1:1', protocol: http, backend: p,\n"
                "  algorithm: first, routes: [ { path: /, backend: q } ] } ]\n"
                "backends:\n"
                "  - { name: p, servers: [ { address: 'a:1' } ] }\n"
                "  - { name: q, servers: [ { address: '%c:1' }, { address: '%c:1' } ] }\n";
        char one[512], two[512];
        struct config *b, *a;
        unsigned n = 0;

        (void)state;
        snprintf(one, sizeof(one), text, 'b', 'c');
        snprintf(two, sizeof(two), text, 'c', 'b');
        b = load_good(one);
        a = load_good(two);
        assert_int_equal(config_diff(b, a, count, &n), 0);
        assert_int_equal(n, 1);
        config_unref(a);
        config_unref(b);
}

/* --- error pages ---------------------------------------------------------------------------- */

static char folder[] = "/tmp/bal-pages-XXXXXX";

static char *in_folder(const char *name) {
        static char path[256];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        return path;
}

static void put(const char *name, const char *text, size_t n) {
        FILE *f = fopen(in_folder(name), "w");

        assert_non_null(f);
        assert_int_equal(fwrite(text, 1, n, f), n);
        assert_int_equal(fclose(f), 0);
}

static void put_text(const char *name, const char *text) {
        put(name, text, strlen(text));
}

static int make_folder(void **state) {
        (void)state;
        return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
        static const char *const names[] = { "c.yaml", "503.html", "a.JSON", "a.txt" };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(names); i++)
                unlink(in_folder(names[i]));
        return rmdir(folder);
}

static const char pages[] = "protocol: http\n"
                            "http: { error_pages: { 503: 503.html, 404: a.JSON, 500: a.txt } }\n"
                            "backends: [ { host: a, port: 1 } ]\n";

static int load_pages(struct config **c, struct diags *d) {
        put_text("c.yaml", pages);
        *c = NULL;
        diags_init(d);
        return config_load(c, in_folder("c.yaml"), d);
}

static void test_pages(void **state) {
        struct config *c;
        struct diags d;
        const struct config_page *p;

        (void)state;
        put_text("503.html", "<p>soon</p>\n");
        put_text("a.JSON", "{}");
        put_text("a.txt", "");
        assert_int_equal(load_pages(&c, &d), 0);
        p = c->frontends[0].http->pages;
        assert_int_equal(c->frontends[0].http->n_pages, 3);
        assert_int_equal(p[0].status, 503);
        assert_true(is(p[0].body, "<p>soon</p>\n"));
        assert_string_equal(p[0].content_type, "text/html; charset=utf-8");
        assert_int_equal(p[1].status, 404);
        assert_string_equal(p[1].content_type, "application/json");
        assert_int_equal(p[2].body.n, 0);
        assert_non_null(p[2].body.p);
        assert_string_equal(p[2].content_type, "text/plain; charset=utf-8");
        config_unref(c);
        diags_done(&d);
}

static void expect_page_error(int line, const char *word) {
        struct config *c;
        struct diags d;

        assert_int_equal(load_pages(&c, &d), -EINVAL);
        assert_int_equal(d.n_errors, 1);
        assert_int_equal(nth(&d, 0)->code, DIAG_E048);
        assert_int_equal(nth(&d, 0)->at.line, line);
        if (!strstr(nth(&d, 0)->message, word))
                fail_msg("%s", nth(&d, 0)->message);
        diags_done(&d);
}

static void test_pages_refused(void **state) {
        static char large[PAGE_MAX + 1];
        struct config *c;
        struct diags d;

        (void)state;
        memset(large, 'x', sizeof(large));
        put("503.html", large, PAGE_MAX);
        put_text("a.JSON", "{}");
        put_text("a.txt", "");
        assert_int_equal(load_pages(&c, &d), 0);
        assert_int_equal(c->frontends[0].http->pages[0].body.n, PAGE_MAX);
        config_unref(c);
        diags_done(&d);

        put("503.html", large, PAGE_MAX + 1);
        expect_page_error(2, "too large");
        put_text("503.html", "");
        unlink(in_folder("a.txt"));
        expect_page_error(2, "No such file");
}

/* A FIFO nobody writes to keeps nobody waiting. */
static void test_fifo(void **state) {
        (void)state;
        put_text("503.html", "");
        put_text("a.JSON", "{}");
        unlink(in_folder("a.txt"));
        assert_int_equal(mkfifo(in_folder("a.txt"), 0600), 0);
        expect_page_error(2, "not a regular file");
}

/* A page that has changed in its file is a difference, though the configuration says the same. */
static void test_page_changes(void **state) {
        struct config *before, *after;
        struct diags d, e;
        unsigned n = 0;

        (void)state;
        put_text("503.html", "one");
        put_text("a.JSON", "{}");
        unlink(in_folder("a.txt"));
        put_text("a.txt", "");
        assert_int_equal(load_pages(&before, &d), 0);
        put_text("503.html", "two");
        assert_int_equal(load_pages(&after, &e), 0);
        assert_int_equal(config_diff(before, after, count, &n), 0);
        assert_int_equal(n, 1);
        config_unref(before);
        config_unref(after);
        diags_done(&d);
        diags_done(&e);
}

/* --- how much there may be ------------------------------------------------------------------ */

/* 64 frontends with 256 routes each, every one unlike the others but for its path's start. */
static void test_many_routes(void **state) {
        size_t size = 4 << 20, n = 0;
        char *text = malloc(size);
        struct timespec t0, t1;
        struct config *c;
        struct diags d;

        (void)state;
        assert_non_null(text);
        n += (size_t)snprintf(text + n, size - n, "frontends:\n");
        for (int i = 0; i < 64; i++) {
                n += (size_t)snprintf(text + n, size - n,
                                      "  - name: f%d\n    listen: 127.0.0.1:%d\n"
                                      "    protocol: http\n    backend: p\n    routes:\n",
                                      i, 1000 + i);
                for (int k = 0; k < 256; k++)
                        n += (size_t)snprintf(text + n, size - n,
                                              "      - { path_prefix: /aaaaaaaaaaaaaaaaaaaaaaaa,"
                                              " host: [ a, b, c, h%d.example ], method: [ GET, "
                                              "M%d ], respond: { status: 404 } }\n",
                                              k, k);
        }
        n += (size_t)snprintf(text + n, size - n,
                              "backends: [ { name: p, servers: [ { address: 'a:1' } ] } ]\n");
        assert_true(n < size - 1);

        clock_gettime(CLOCK_MONOTONIC, &t0);
        assert_int_equal(load(&c, &d, text), 0);
        clock_gettime(CLOCK_MONOTONIC, &t1);
        assert_int_equal(d.n_warnings, 0);
        assert_true(t1.tv_sec - t0.tv_sec < 20); /* half a second, and sanitizers are slow */
        config_unref(c);
        diags_done(&d);
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_tcp_has_none),
                cmocka_unit_test(test_scalars),
                cmocka_unit_test(test_rules),
                cmocka_unit_test(test_routes),
                cmocka_unit_test(test_paths),
                cmocka_unit_test(test_connect_timeout),
                cmocka_unit_test(test_tuning),
                cmocka_unit_test(test_order_behind_a_route),
                cmocka_unit_test(test_pages),
                cmocka_unit_test(test_pages_refused),
                cmocka_unit_test(test_fifo),
                cmocka_unit_test(test_page_changes),
                cmocka_unit_test(test_many_routes),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
