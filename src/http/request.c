/* SPDX-License-Identifier: MIT */

#include <string.h>

#include "http/parts.h"
#include "http/target.h"

/* RFC 9112 3: method SP target SP version, one blank each. The version stands behind the last
 * blank, so what has too many of them is a bad target. */
static enum http_verdict line_split(struct http_head *h, struct span line, struct span *version) {
        const char *first = memchr(line.p, ' ', line.n);
        const char *last = memrchr(line.p, ' ', line.n);

        if (!first || first == last)
                return HTTP_REQUEST_LINE;
        h->method = (struct span){ line.p, (size_t)(first - line.p) };
        h->target = (struct span){ first + 1, (size_t)(last - first - 1) };
        *version = (struct span){ last + 1, line.n - h->method.n - h->target.n - 2 };
        return HTTP_OK;
}

/* Methods are case-sensitive, unknown ones pass (RFC 9110 9.1), too long is 501 (RFC 9112 3). */
static enum http_verdict method_check(struct span method) {
        if (!span_is_token(method))
                return HTTP_METHOD;
        return method.n > HTTP_METHOD_MAX ? HTTP_METHOD_LONG : HTTP_OK;
}

static enum http_verdict line_read(struct http_head *h, struct span line) {
        struct span version;
        enum http_verdict v;

        if (span_is_exact(line, "PRI * HTTP/2.0")) /* RFC 9113 3.4 */
                return HTTP_PREFACE;
        v = line_split(h, line, &version);
        if (v == HTTP_OK)
                v = method_check(h->method);
        if (v == HTTP_OK)
                v = http_version_read(&h->minor, version);
        if (v == HTTP_OK)
                v = http_target_read(h);
        return v;
}

/* RFC 9112 3.2: one valid Host, none only in HTTP/1.0. A target with an authority wins (3.2.2). */
static enum http_verdict host_read(struct http_head *h) {
        struct http_authority host = { .port = 0 };
        bool found = false;

        HTTP_HEADERS_OF(h, HTTP_FIELD_HOST, i) {
                if (found)
                        return HTTP_HOST_TWICE;
                if (http_authority_read(&host, h->headers[i].value) != HTTP_OK)
                        return HTTP_HOST;
                found = true;
        }
        if (!found && h->minor > 0)
                return HTTP_HOST_MISSING;
        if (h->authority.text.n > 0)
                http_headers_drop(h, HTTP_FIELD_HOST);
        else
                h->authority = host;
        return HTTP_OK;
}

/* RFC 9110 10.1.1: 100-continue is the only one there is, and in HTTP/1.0 it is ignored. */
static enum http_verdict expect_read(struct http_head *h) {
        if (h->minor == 0) {
                http_headers_drop(h, HTTP_FIELD_EXPECT);
                return HTTP_OK;
        }
        HTTP_HEADERS_OF(h, HTTP_FIELD_EXPECT, i) {
                if (!span_is(h->headers[i].value, "100-continue"))
                        return HTTP_EXPECTATION;
                h->expect_continue = true;
        }
        return HTTP_OK;
}

/* 1*DIGIT. No way is as long as the greatest, so greater ones are that one. */
static bool hops_parse(uint32_t *ret, struct span text) {
        uint32_t v = 0;

        for (size_t i = 0; i < text.n; i++) {
                if (!http_is_digit(text.p[i]))
                        return false;
                v = v > HTTP_HOPS_MAX / 10 ? HTTP_HOPS_MAX : v * 10 + (uint32_t)(text.p[i] - '0');
        }
        *ret = v < HTTP_HOPS_MAX ? v : HTTP_HOPS_MAX;
        return text.n > 0;
}

/* RFC 9110 7.6.2. What ends loops must have one reading; and nominated by Connection, so that it
 * does not pass, it counts all the same. */
static enum http_verdict hops_read(struct http_head *h) {
        if (!span_is_exact(h->method, "OPTIONS") && !span_is_exact(h->method, "TRACE"))
                return HTTP_OK;
        HTTP_HEADERS_OF(h, HTTP_FIELD_MAX_FORWARDS, i) {
                if (h->counts_hops || !hops_parse(&h->hops, h->headers[i].value))
                        return HTTP_MAX_FORWARDS;
                h->counts_hops = true;
        }
        return HTTP_OK;
}

/* CONNECT has no content (RFC 9110 9.3.6): would it be a body, or the tunnel's first bytes? */
static enum http_verdict body_read(struct http_head *h) {
        bool framed;
        enum http_verdict v = http_framing_read(h, &framed);

        if (v == HTTP_OK && framed && h->form == HTTP_FORM_AUTHORITY)
                return HTTP_CONNECT_BODY;
        return v;
}

/* What is wrong in several ways is named by the first of these, framing before expectations. */
static enum http_verdict headers_read(struct http_head *h,
                                      struct span text,
                                      struct http_asked asked) {
        enum http_verdict v = http_headers_read(h, text);

        (void)asked;
        if (v == HTTP_OK)
                v = host_read(h);
        if (v == HTTP_OK)
                v = body_read(h);
        if (v == HTTP_OK)
                v = http_connection_read(h);
        if (v == HTTP_OK)
                v = expect_read(h);
        if (v == HTTP_OK)
                v = hops_read(h);
        return v;
}

enum http_verdict http_read_request(struct http_head *ret,
                                    struct http_scan *s,
                                    const char *buf,
                                    size_t n,
                                    const struct http_limits *l) {
        static const struct http_reading how = { HTTP_REQUEST, line_read, headers_read, { 0 } };

        return http_head_read(ret, s, (struct span){ buf, n }, l, &how);
}

struct http_asked http_asked_by(const struct http_head *request) {
        return (struct http_asked){
                .head = span_is_exact(request->method, "HEAD"),
                .connect = request->form == HTTP_FORM_AUTHORITY,
                .upgrade = request->upgrade,
        };
}
