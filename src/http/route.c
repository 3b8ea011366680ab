/* SPDX-License-Identifier: MIT */
/*
 * What a path is compared as has to be what a backend makes of it, or a route that keeps somebody
 * out is walked around. So it is normalised exactly once, to a form that normalising again does not
 * change: never twice decoded, nothing decoded to what separates. RFC 3986 lets empty segments
 * count, but most servers take a run of slashes for one, and before they look at dots: so "//admin"
 * and "/x//../admin" are what a route for "/admin" means.
 */

#include "http/route.h"

#include <string.h>

#include "http/target.h"

/* The byte that an escape at the start of s stands for; -1: there is no escape. */
static int escape_value(struct span s) {
        if (s.n < 3 || s.p[0] != '%' || http_hex_value(s.p[1]) < 0 || http_hex_value(s.p[2]) < 0)
                return -1;
        return http_hex_value(s.p[1]) * 16 + http_hex_value(s.p[2]);
}

/* RFC 3986 2.3 */
static bool is_unreserved(int c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_' || c == '~';
}

static char upper(char c) {
        return c >= 'a' && c <= 'f' ? (char)(c & ~0x20) : c;
}

/* A '%' that begins no escape stays, and must not become the beginning of one: in "%%32e" the 2 is
 * left encoded, else a second reader would see "%2e". near: bytes since such a '%'. */
static size_t path_decode(char *buf, struct span path) {
        size_t n = 0, near = 2;

        while (path.n > 0) {
                int c = escape_value(path);
                size_t used = c < 0 ? 1 : 3;

                if (path.p[0] == '/' && n > 0 && buf[n - 1] == '/') {
                        /* of a run one is left */
                } else if (c >= 0 &&
                           (!is_unreserved(c) || (near < 2 && http_hex_value((char)c) >= 0))) {
                        buf[n++] = '%';
                        buf[n++] = upper(path.p[1]);
                        buf[n++] = upper(path.p[2]);
                        near = 2;
                } else {
                        buf[n] = c >= 0 ? (char)c : path.p[0];
                        near = c < 0 && buf[n] == '%' ? 0 : near + 1;
                        n++;
                }
                path = (struct span){ path.p + used, path.n - used };
        }
        return n;
}

/* RFC 3986 5.2.4, in place: what is written never overtakes what is read. Each segment has its '/'
 * in front; a dot segment at the end leaves one. */
static size_t dots_resolve(char *buf, size_t n) {
        size_t out = 0;

        for (size_t at = 0, next; at < n; at = next) {
                const char *slash = memchr(buf + at + 1, '/', n - at - 1);
                struct span s = { buf + at, 0 };
                bool up;

                next = slash ? (size_t)(slash - buf) : n;
                s.n = next - at;
                up = span_is_exact(s, "/..");
                if (!up && !span_is_exact(s, "/.")) {
                        memmove(buf + out, s.p, s.n);
                        out += s.n;
                        continue;
                }
                while (up && out > 0 && buf[--out] != '/')
                        ;
                if (next == n)
                        buf[out++] = '/';
        }
        return out;
}

struct span http_path_normalise(char *buf, struct span path) {
        if (path.n == 0)
                return (struct span){ "/", 1 };
        if (path.p[0] != '/') {
                memcpy(buf, path.p, path.n);
                return (struct span){ buf, path.n };
        }
        return (struct span){ buf, dots_resolve(buf, path_decode(buf, path)) };
}

static bool is_up(struct span segment) {
        for (int i = 0; i < 2; i++) {
                size_t used = segment.n > 0 && segment.p[0] == '.' ? 1 : 0;

                if (escape_value(segment) == '.')
                        used = 3;
                if (used == 0)
                        return false;
                segment = (struct span){ segment.p + used, segment.n - used };
        }
        return segment.n == 0;
}

bool http_path_ambiguous(struct span path) {
        bool empty = false;

        while (path.n > 0 && path.p[0] == '/') {
                const char *slash = memchr(path.p + 1, '/', path.n - 1);
                size_t n = slash ? (size_t)(slash - path.p) : path.n;

                if (empty && is_up((struct span){ path.p + 1, n - 1 }))
                        return true;
                empty = empty || n == 1;
                path = (struct span){ path.p + n, path.n - n };
        }
        return false;
}

static bool is_wildcard(struct span host) {
        return host.n > 2 && host.p[0] == '*' && host.p[1] == '.';
}

static bool host_matches(struct span pattern, struct span host) {
        if (!is_wildcard(pattern))
                return span_equal_nocase(pattern, host);
        pattern = (struct span){ pattern.p + 1, pattern.n - 1 }; /* with its dot */
        if (host.n <= pattern.n)
                return false;
        return span_equal_nocase(pattern, (struct span){ host.p + host.n - pattern.n, pattern.n });
}

/* The dot at the end of a name only says that nothing is to be put behind it. */
static bool hosts_match(const struct http_route *r, struct span host) {
        if (host.n > 1 && host.p[host.n - 1] == '.')
                host.n--;
        for (size_t i = 0; i < r->n_hosts; i++)
                if (host_matches(r->hosts[i], host))
                        return true;
        return r->n_hosts == 0;
}

static bool methods_match(const struct http_route *r, struct span method) {
        for (size_t i = 0; i < r->n_methods; i++)
                if (span_equal(r->methods[i], method))
                        return true;
        return r->n_methods == 0;
}

static bool path_matches(const struct http_route *r, struct span path) {
        size_t n = r->path.n;

        if (r->path_kind == HTTP_PATH_ANY)
                return true;
        if (path.n < n || memcmp(path.p, r->path.p, n) != 0)
                return false;
        if (r->path_kind == HTTP_PATH_PREFIX || path.n == n)
                return true;
        return r->path_kind == HTTP_PATH_SEGMENTS &&
               (path.p[n] == '/' || (n > 0 && path.p[n - 1] == '/'));
}

static bool header_matches(const struct http_match *m, const struct http_head *h) {
        for (size_t i = 0; i < h->n_headers; i++)
                if (span_equal_nocase(h->headers[i].name, m->name) &&
                    span_equal(h->headers[i].value, m->value))
                        return true;
        return false;
}

bool http_route_matches(const struct http_route *r, const struct http_head *h, struct span path) {
        if (!path_matches(r, path) || !methods_match(r, h->method) ||
            !hosts_match(r, h->authority.host))
                return false;
        for (size_t i = 0; i < r->n_headers; i++)
                if (!header_matches(&r->headers[i], h))
                        return false;
        return true;
}

/* No empty label: "a..b" and ".a" match nothing that anybody means. */
static bool labels_ok(struct span name) {
        bool dot = true;

        for (size_t i = 0; i < name.n; i++) {
                if (dot && name.p[i] == '.')
                        return false;
                dot = name.p[i] == '.';
        }
        return !dot;
}

bool http_route_host_ok(struct span host) {
        struct http_authority a;

        if (is_wildcard(host)) {
                host = (struct span){ host.p + 2, host.n - 2 };
                if (host.p[0] == '[')
                        return false;
        }
        return http_authority_read(&a, host) == HTTP_OK && a.host.n == host.n && labels_ok(host);
}
