/* SPDX-License-Identifier: MIT */

#include "http/route.h"

#include "feed.h"

static const struct path_row {
        const char *path, *want, *why;
} paths[] = {
        { "/", "/", "the root" },
        { "", "/", "of http://host" },
        { "*", "*", "of OPTIONS" },
        { "/a/b", "/a/b", "as it is" },
        { "/a/", "/a/", "a slash at the end" },
        { "//a//b", "/a/b", "empty segments do not count" },
        { "///", "/", "nothing but slashes" },
        { "/a///", "/a/", "a run at the end" },
        { "/a/%2f/b", "/a/%2F/b", "an encoded slash is in no run" },
        { "/%//a", "/%/a", "behind half an escape" },
        { "/%61%7e%2D%5F%30", "/a~-_0", "unreserved bytes are decoded" },
        { "/%2f%3a%25%00%c3%a4", "/%2F%3A%25%00%C3%A4", "others are not" },
        { "/a+b;c=d,e", "/a+b;c=d,e", "nor is anything encoded" },
        { "/\\..\\a", "/\\..\\a", "the wrong slash is none" },
        { "/a/./b", "/a/b", "a dot segment" },
        { "/a/../b", "/b", "two dots" },
        { "/a/b/../../c", "/c", "twice" },
        { "/a/.", "/a/", "at the end" },
        { "/a/..", "/", "two at the end" },
        { "/a/b/..", "/a/", "likewise" },
        { "/..", "/", "above the root" },
        { "/.", "/", "nothing but a dot" },
        { "/../../a", "/a", "far above it" },
        { "/./././", "/", "several" },
        { "//..", "/", "an empty segment is not one to go up from" },
        { "/a//../b", "/b", "likewise" },
        { "/a/.//../b", "/b", "nor is a dot" },
        { "/a/b/..//../c", "/c", "between dots" },
        { "/a//%2e%2e//b", "/b", "nor before encoded dots" },
        { "/..//a", "/a", "behind dots" },
        { "/a/..//", "/", "at the end" },
        { "/a/%2e%2E/b", "/b", "encoded dots are dots" },
        { "/a/.%2e", "/", "half of them" },
        { "/a/%252e%252e/b", "/a/%252e%252e/b", "but not twice" },
        { "/a/..%2fb", "/a/..%2Fb", "an encoded slash separates nothing" },
        { "/.../..a/a../.a", "/.../..a/a../.a", "names with dots" },
        { "/%", "/%", "no escape" },
        { "/%4", "/%4", "half of one" },
        { "/%zz%4g", "/%zz%4g", "no digits" },
        { "/%%32e%%32e/a", "/%%32e%%32e/a", "none that comes out of two" },
        { "/%2%65", "/%2%65", "likewise" },
        { "/%%7e", "/%~", "what is no digit is decoded" },
        { "/%25%32%65", "/%252e", "an encoded percent is an escape of its own" },
        { "/%a%61", "/%a%61", "the second digit" },
        { "/%a/%61", "/%a/a", "a slash ends it" },
        { "/%ab%61", "/%ABa", "a whole escape ends it" },
};

static void test_paths(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                size_t n = strlen(paths[i].path);
                char *buf = malloc(n + 1), *twice = malloc(n + 2);
                struct span got, again;

                assert_true(buf && twice);
                buf[n] = '!'; /* the room ends there */
                got = http_path_normalise(buf, span_of(paths[i].path));
                assert_int_equal(buf[n], '!');
                if (got.n != strlen(paths[i].want) || memcmp(got.p, paths[i].want, got.n) != 0)
                        fail_msg("%s: %.*s", paths[i].why, (int)got.n, got.p);
                again = http_path_normalise(twice, got);
                if (again.n != got.n || memcmp(again.p, got.p, got.n) != 0)
                        fail_msg("%s: a second time it is %.*s", paths[i].why, (int)again.n,
                                 again.p);
                free(buf);
                free(twice);
        }
}

static void test_two_readings(void **state) {
        static const char *const two[] = { "//..",    "/a//../b",   "/a//b/../..", "//%2e%2E",
                                           "//.%2e/", "/a//%2e./b", "///../x" },
                                 *const one[] = { "",        "/",        "//",
                                                  "*",       "/../a//b", "//...",
                                                  "//.",     "//a..",    "//%2e%2e%2e",
                                                  "//%2e",   "/a//b.",   "//.%2f.",
                                                  "/..%2f.." };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(two); i++)
                if (!http_path_ambiguous(span_of(two[i])))
                        fail_msg("%s", two[i]);
        for (size_t i = 0; i < ELEMENTS(one); i++)
                if (http_path_ambiguous(span_of(one[i])))
                        fail_msg("%s", one[i]);
}

/* All paths of up to seven bytes out of those that mean something: no dot segment and no empty one
 * stays, it gets no longer, and a second time changes nothing. */
static void test_all_short_paths(void **state) {
        static const char bytes[] = "/.%2eE"; /* %2e and %2E are dots, %2 and %E are none */
        enum { BASE = sizeof(bytes) - 1, LONGEST = 7 };
        char path[LONGEST + 1] = "/", buf[LONGEST], twice[LONGEST], ends[LONGEST + 2];

        (void)state;
        for (size_t n = 1; n <= LONGEST; n++) {
                unsigned count = 1;

                for (size_t i = 1; i < n; i++)
                        count *= BASE;
                for (unsigned k = 0; k < count; k++) {
                        struct span got, again;
                        unsigned rest = k;

                        for (size_t i = 1; i < n; i++, rest /= BASE)
                                path[i] = bytes[rest % BASE];
                        got = http_path_normalise(buf, (struct span){ path, n });
                        again = http_path_normalise(twice, got);
                        snprintf(ends, sizeof(ends), "%.*s", (int)got.n, got.p);
                        if (strstr(ends, "//"))
                                fail_msg("%.*s: %s", (int)n, path, ends);
                        snprintf(ends, sizeof(ends), "%.*s/", (int)got.n, got.p);
                        if (got.n > n || got.n == 0 || got.p[0] != '/' || again.n != got.n ||
                            memcmp(got.p, again.p, got.n) != 0 || strstr(ends, "/./") ||
                            strstr(ends, "/../"))
                                fail_msg("%.*s: %.*s, %.*s", (int)n, path, (int)got.n, got.p,
                                         (int)again.n, again.p);
                }
        }
}

struct wanted {
        const char *hosts[3], *methods[3];
        enum http_path_kind kind;
        const char *path;
        const char *headers[5]; /* name, value, name, value */
};

static const struct route_row {
        struct wanted route;
        const char *line, *headers; /* of the request */
        bool matches;
        const char *why;
} routes[] = {
        /* clang-format off */
        { { .kind = HTTP_PATH_ANY }, "GET /a", "Host: a\r\n", true, "everything" },

        { { .hosts = { "a.example" } }, "GET /", "Host: a.example\r\n", true, "a host" },
        { { .hosts = { "a.example" } }, "GET /", "Host: A.Example:8080\r\n", true, "in other letters, with a port" },
        { { .hosts = { "a.example" } }, "GET /", "Host: a.example.\r\n", true, "with a dot at the end" },
        { { .hosts = { "a.example" } }, "GET /", "Host: b.a.example\r\n", false, "one below" },
        { { .hosts = { "a.example" } }, "GET /", "Host: ba.example\r\n", false, "something in front" },
        { { .hosts = { "a.example" } }, "GET /", "", false, "HTTP/1.0 without" },
        { { .hosts = { "b", "a.example" } }, "GET /", "Host: a.example\r\n", true, "one of two" },
        { { .hosts = { "a.example" } }, "GET http://a.example/", "Host: b\r\n", true, "the target's counts" },
        { { .hosts = { "b" } }, "GET http://a.example/", "Host: b\r\n", false, "and that of Host does not" },
        { { .hosts = { "[::1]" } }, "GET /", "Host: [::1]:80\r\n", true, "IPv6" },
        { { .hosts = { "*.example" } }, "GET /", "Host: a.EXAMPLE\r\n", true, "below a name" },
        { { .hosts = { "*.example" } }, "GET /", "Host: a.b.example:1\r\n", true, "far below" },
        { { .hosts = { "*.example" } }, "GET /", "Host: a.example.\r\n", true, "with a dot at the end" },
        { { .hosts = { "*.example" } }, "GET /", "Host: example\r\n", false, "the name itself" },
        { { .hosts = { "*.example" } }, "GET /", "Host: .example\r\n", false, "nothing before the dot" },
        { { .hosts = { "*.example" } }, "GET /", "Host: aexample\r\n", false, "no dot" },
        { { .hosts = { "*.example" } }, "GET /", "Host: a.example.b\r\n", false, "in the middle" },

        { { .kind = HTTP_PATH_EXACT, .path = "/a" }, "GET /a", "Host: x\r\n", true, "exact" },
        { { .kind = HTTP_PATH_EXACT, .path = "/a" }, "GET /a?b=/c", "Host: x\r\n", true, "with a query" },
        { { .kind = HTTP_PATH_EXACT, .path = "/a" }, "GET http://y/a?b", "Host: x\r\n", true, "absolute form" },
        { { .kind = HTTP_PATH_EXACT, .path = "/" }, "GET http://y?b", "Host: x\r\n", true, "without a path" },
        { { .kind = HTTP_PATH_EXACT, .path = "/a" }, "GET /b/..//../%61", "Host: x\r\n", true, "normalised" },
        { { .kind = HTTP_PATH_EXACT, .path = "/a" }, "GET /a/", "Host: x\r\n", false, "a slash at the end" },
        { { .kind = HTTP_PATH_EXACT, .path = "/a" }, "GET /A", "Host: x\r\n", false, "case counts" },
        { { .kind = HTTP_PATH_EXACT, .path = "*" }, "OPTIONS *", "Host: x\r\n", true, "asterisk form" },
        { { .kind = HTTP_PATH_PREFIX, .path = "/v1" }, "GET /v1", "Host: x\r\n", true, "prefix" },
        { { .kind = HTTP_PATH_PREFIX, .path = "/v1" }, "GET /v10/a", "Host: x\r\n", true, "by bytes" },
        { { .kind = HTTP_PATH_PREFIX, .path = "/v1" }, "GET /v", "Host: x\r\n", false, "too short" },
        { { .kind = HTTP_PATH_PREFIX, .path = "/" }, "OPTIONS *", "Host: x\r\n", false, "asterisk form has no path" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/v1" }, "GET /v1", "Host: x\r\n", true, "segments" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/v1" }, "GET /v1/a", "Host: x\r\n", true, "below" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/v1" }, "GET /v1/", "Host: x\r\n", true, "a slash at the end" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/v1" }, "GET /v10", "Host: x\r\n", false, "not by bytes" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/v1" }, "GET /v1%2Fa", "Host: x\r\n", false, "an encoded slash" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/v1" }, "GET /v1/../v2", "Host: x\r\n", false, "out of it again" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/v1" }, "GET /v2/%2e%2e/v1", "Host: x\r\n", true, "into it from elsewhere" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/v1" }, "GET //v1/a", "Host: x\r\n", true, "behind two slashes" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/v1" }, "GET /x//../v1", "Host: x\r\n", true, "up from an empty segment" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/v1" }, "GET http://y//v1", "Host: x\r\n", true, "in the absolute form" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/v1/" }, "GET /v1/a", "Host: x\r\n", true, "a slash at its end" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/v1/" }, "GET /v1", "Host: x\r\n", false, "means what is below" },
        { { .kind = HTTP_PATH_SEGMENTS, .path = "/" }, "GET /a", "Host: x\r\n", true, "all of them" },

        { { .methods = { "GET", "HEAD" } }, "HEAD /", "Host: x\r\n", true, "a method" },
        { { .methods = { "GET", "HEAD" } }, "POST /", "Host: x\r\n", false, "another one" },
        { { .methods = { "GET" } }, "get /", "Host: x\r\n", false, "case counts" },

        { { .headers = { "X-A", "b" } }, "GET /", "Host: x\r\nx-a:  b \r\n", true, "a header" },
        { { .headers = { "X-A", "b" } }, "GET /", "Host: x\r\nX-A: B\r\n", false, "case counts in a value" },
        { { .headers = { "X-A", "b" } }, "GET /", "Host: x\r\nX-A: c\r\nX-A: b\r\n", true, "the second of that name" },
        { { .headers = { "X-A", "b" } }, "GET /", "Host: x\r\nX-A: bc\r\n", false, "something behind" },
        { { .headers = { "X-A", "b" } }, "GET /", "Host: x\r\n", false, "it is not there" },
        { { .headers = { "X-A", "" } }, "GET /", "Host: x\r\nX-A:\r\n", true, "an empty value" },
        { { .headers = { "X-A", "" } }, "GET /", "Host: x\r\n", false, "is not none" },
        { { .headers = { "X-A", "b", "X-C", "d" } }, "GET /", "Host: x\r\nX-C: d\r\nX-A: b\r\n", true, "two" },
        { { .headers = { "X-A", "b", "X-C", "d" } }, "GET /", "Host: x\r\nX-A: b\r\n", false, "of which one is missing" },

        { { .hosts = { "a" }, .methods = { "GET" }, .kind = HTTP_PATH_EXACT, .path = "/a", .headers = { "B", "c" } },
          "GET /a", "Host: a\r\nB: c\r\n", true, "all together" },
        { { .hosts = { "a" }, .methods = { "GET" }, .kind = HTTP_PATH_EXACT, .path = "/a", .headers = { "B", "c" } },
          "GET /a", "Host: b\r\nB: c\r\n", false, "all but one" },
        /* clang-format on */
};

static bool matches(const struct wanted *w, const struct http_head *h, struct span path) {
        struct span hosts[3], methods[3];
        struct http_match headers[2];
        struct http_route r = {
                .hosts = hosts,
                .methods = methods,
                .headers = headers,
                .path_kind = w->kind,
                .path = span_of(w->path ? w->path : ""),
        };

        for (; w->hosts[r.n_hosts]; r.n_hosts++)
                hosts[r.n_hosts] = span_of(w->hosts[r.n_hosts]);
        for (; w->methods[r.n_methods]; r.n_methods++)
                methods[r.n_methods] = span_of(w->methods[r.n_methods]);
        for (; w->headers[r.n_headers * 2]; r.n_headers++)
                headers[r.n_headers] =
                        (struct http_match){ span_of(w->headers[r.n_headers * 2]),
                                             span_of(w->headers[r.n_headers * 2 + 1]) };
        return http_route_matches(&r, h, path);
}

static void test_routes(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(routes); i++) {
                const struct route_row *row = &routes[i];
                char text[256], buf[256];
                struct http_scan s = { 0 };
                struct http_head h;
                struct span path;
                int n = snprintf(text, sizeof(text), "%s HTTP/1.%d\r\n%s\r\n", row->line,
                                 *row->headers ? 1 : 0, row->headers);

                assert_int_equal(http_read_request(&h, &s, text, (size_t)n, &http_request_limits),
                                 HTTP_OK);
                path = http_path_normalise(buf, h.path);
                if (matches(&row->route, &h, path) != row->matches)
                        fail_msg("%s: %s", row->why, row->matches ? "no match" : "a match");
        }
}

static void test_hosts(void **state) {
        static const char *const good[] = { "a",     "a.example", "*.example", "*.a.example",
                                            "[::1]", "10.0.0.1",  "A-b_c.D",   "*.a" };
        static const char *const bad[] = { "",     "*",       "*.",  "a:80", "a.*",
                                           "*a.b", "a.",      ".a",  "a..b", "*..a",
                                           "[::1", "*.[::1]", "a b", "a/b",  "*.a." };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(good); i++)
                if (!http_route_host_ok(span_of(good[i])))
                        fail_msg("%s", good[i]);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (http_route_host_ok(span_of(bad[i])))
                        fail_msg("%s", bad[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_paths),        cmocka_unit_test(test_all_short_paths),
                cmocka_unit_test(test_two_readings), cmocka_unit_test(test_routes),
                cmocka_unit_test(test_hosts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
