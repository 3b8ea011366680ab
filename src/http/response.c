/* SPDX-License-Identifier: MIT */

#include "http/parts.h"

#define STATUS_SWITCHING 101
#define LINE_MIN         12 /* bytes of "HTTP/1.1 200" */

static bool status_is(const struct http_head *h, int hundreds) {
        return h->status / 100 == hundreds;
}

/* RFC 9112 4. That the blank before an empty reason is missing is common, and says nothing else. */
static enum http_verdict line_read(struct http_head *h, struct span line) {
        if (line.n < LINE_MIN || line.p[8] != ' ')
                return HTTP_STATUS_LINE;
        if (http_version_read(&h->minor, (struct span){ line.p, 8 }) != HTTP_OK)
                return HTTP_STATUS_LINE;
        for (size_t i = 9; i < LINE_MIN; i++) {
                if (!http_is_digit(line.p[i]))
                        return HTTP_STATUS_LINE;
                h->status = h->status * 10 + (line.p[i] - '0');
        }
        if (h->status < 100 || h->status > 599) /* RFC 9110 15 */
                return HTTP_STATUS_LINE;
        if (line.n == LINE_MIN)
                return HTTP_OK;
        if (line.p[LINE_MIN] != ' ')
                return HTTP_STATUS_LINE;
        h->reason = (struct span){ line.p + LINE_MIN + 1, line.n - LINE_MIN - 1 };
        return HTTP_OK;
}

static void framing_drop(struct http_head *h) {
        h->length = 0;
        http_headers_drop(h, HTTP_FIELD_CONTENT_LENGTH);
}

/* RFC 9112 6.3, the rules in their order. Framing that is bad stays bad where there is no body: the
 * next reader may not know that there is none. */
static enum http_verdict body_read(struct http_head *h, struct http_asked asked) {
        bool framed;
        enum http_verdict v = http_framing_read(h, &framed);

        if (v != HTTP_OK)
                return v;
        if (h->status == STATUS_SWITCHING || (asked.connect && status_is(h, 2))) {
                h->framing = HTTP_FRAMING_TUNNEL;
                framing_drop(h); /* RFC 9110 9.3.6 */
        } else if (status_is(h, 1) || h->status == 204) {
                h->framing = HTTP_FRAMING_NONE;
                framing_drop(h); /* RFC 9110 8.6: they must not have one */
        } else if (asked.head || h->status == 304) {
                h->framing = HTTP_FRAMING_NONE; /* the length is that of what was not sent */
                h->length = 0;
        } else if (!framed) {
                h->framing = HTTP_FRAMING_UNTIL_CLOSE;
        }
        return HTTP_OK;
}

static enum http_verdict headers_read(struct http_head *h,
                                      struct span text,
                                      struct http_asked asked) {
        enum http_verdict v = http_headers_read(h, text);

        if (v == HTTP_OK)
                v = body_read(h, asked);
        if (v == HTTP_OK)
                v = http_connection_read(h);
        if (v != HTTP_OK)
                return v;

        if (h->status == STATUS_SWITCHING && !(asked.upgrade && h->upgrade))
                return HTTP_UNASKED_SWITCH;
        h->interim = status_is(h, 1) && h->status != STATUS_SWITCHING;
        if (h->framing == HTTP_FRAMING_UNTIL_CLOSE || h->framing == HTTP_FRAMING_TUNNEL)
                h->keep_alive = false;
        return HTTP_OK;
}

enum http_verdict http_read_response(struct http_head *ret,
                                     struct http_scan *s,
                                     const char *buf,
                                     size_t n,
                                     const struct http_limits *l,
                                     struct http_asked asked) {
        const struct http_reading how = { HTTP_RESPONSE, line_read, headers_read, asked };

        return http_head_read(ret, s, (struct span){ buf, n }, l, &how);
}
