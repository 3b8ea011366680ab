/* SPDX-License-Identifier: MIT */

#include "http/target.h"

#include <string.h>

static struct span span_from(struct span s, size_t at) {
        return (struct span){ s.p + at, s.n - at };
}

/* Bytes before the first one that is a or b. */
static size_t span_before(struct span s, char a, char b) {
        size_t i = 0;

        while (i < s.n && s.p[i] != a && s.p[i] != b)
                i++;
        return i;
}

/* A narrower grammar than RFC 3986 3.2.2: unreserved bytes only. What a comma or a percent sign in
 * a host means differs from reader to reader. */
static bool is_name_byte(char c) {
        return http_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
               c == '.' || c == '_' || c == '~';
}

static bool is_ipv6_byte(char c) {
        return http_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' ||
               c == '.';
}

/* Bytes of the name at the start of text; 0: there is none. */
static size_t host_name(struct span text) {
        size_t i = 0;

        if (text.n > 0 && text.p[0] == '[') {
                for (i = 1; i < text.n && is_ipv6_byte(text.p[i]);)
                        i++;
                return i >= 3 && i < text.n && text.p[i] == ']' ? i + 1 : 0;
        }
        while (i < text.n && is_name_byte(text.p[i]))
                i++;
        return i;
}

/* 1..65535; a colon with nothing behind it is the default port (RFC 3986 3.2.3). */
static bool port_read(uint16_t *ret, struct span digits) {
        unsigned port = 0;

        for (size_t i = 0; i < digits.n; i++) {
                if (!http_is_digit(digits.p[i]))
                        return false;
                port = port * 10 + (unsigned)(digits.p[i] - '0');
                if (port > UINT16_MAX)
                        return false;
        }
        *ret = (uint16_t)port;
        return port > 0 || digits.n == 0;
}

/* An empty host is refused: RFC 9110 4.2.1 has no http URI without one. */
enum http_verdict http_authority_read(struct http_authority *ret, struct span text) {
        size_t n = host_name(text);
        uint16_t port = 0;

        if (n == 0)
                return HTTP_HOST;
        if (n < text.n && (text.p[n] != ':' || !port_read(&port, span_from(text, n + 1))))
                return HTTP_HOST;

        ret->text = text;
        ret->host = (struct span){ text.p, n };
        ret->port = port;
        return HTTP_OK;
}

static void path_read(struct http_head *h, struct span text) {
        size_t n = span_before(text, '?', '?');

        h->path = (struct span){ text.p, n };
        if (n < text.n)
                h->query = span_from(text, n + 1);
}

/* RFC 9112 3.2.2. Other schemes than these two would ask for a proxy, which bal is not. The path
 * may be empty, and means "/", or "*" with OPTIONS (3.2.4). */
static enum http_verdict absolute_read(struct http_head *h) {
        size_t scheme = span_starts(h->target, "http://")    ? strlen("http://")
                        : span_starts(h->target, "https://") ? strlen("https://")
                                                             : 0;
        struct span rest, authority;

        if (scheme == 0)
                return HTTP_TARGET;
        rest = span_from(h->target, scheme);
        authority = (struct span){ rest.p, span_before(rest, '/', '?') };
        if (memchr(authority.p, '@', authority.n))
                return HTTP_USERINFO; /* RFC 9110 4.2.4 */
        h->form = HTTP_FORM_ABSOLUTE;
        path_read(h, span_from(rest, authority.n));
        return http_authority_read(&h->authority, authority);
}

/* RFC 9112 3.2.3: CONNECT's alone, and it needs its port. */
static enum http_verdict authority_read(struct http_head *h) {
        if (memchr(h->target.p, '@', h->target.n))
                return HTTP_USERINFO;
        h->form = HTTP_FORM_AUTHORITY;
        if (http_authority_read(&h->authority, h->target) != HTTP_OK || h->authority.port == 0)
                return HTTP_TARGET;
        return HTTP_OK;
}

/* Visible ASCII without "#": the fragment is the client's own (RFC 9110 7.1). */
static bool target_is_plain(struct span t) {
        for (size_t i = 0; i < t.n; i++)
                if (t.p[i] <= ' ' || t.p[i] > '~' || t.p[i] == '#')
                        return false;
        return t.n > 0;
}

enum http_verdict http_target_read(struct http_head *h) {
        if (!target_is_plain(h->target))
                return HTTP_TARGET;
        if (span_is_exact(h->method, "CONNECT"))
                return authority_read(h);
        if (h->target.p[0] == '/') {
                h->form = HTTP_FORM_ORIGIN;
                path_read(h, h->target);
                return HTTP_OK;
        }
        if (span_is_exact(h->target, "*")) {
                h->form = HTTP_FORM_ASTERISK;
                h->path = h->target;
                return span_is_exact(h->method, "OPTIONS") ? HTTP_OK : HTTP_TARGET;
        }
        return absolute_read(h);
}
