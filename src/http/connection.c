/* SPDX-License-Identifier: MIT */

#include "http/parts.h"

/* Each one costs a walk over the headers, so a stranger may not send thousands. */
#define OPTIONS_MAX 32

struct options {
        unsigned n;
        bool close, keep_alive, upgrade;
};

/* A header that Connection nominates goes no further than bal. That would let a client take away
 * what bal itself or the framing adds, so those may not be named. */
static enum http_verdict nominate(struct http_head *h, struct span name) {
        if (http_field_flags(http_field_find(name)) & FIELD_PASSES)
                return HTTP_NOMINATED;
        for (size_t i = 0; i < h->n_headers; i++)
                if (span_equal_nocase(h->headers[i].name, name))
                        h->headers[i].drop = true;
        return HTTP_OK;
}

static enum http_verdict option_read(struct http_head *h, struct options *o, struct span option) {
        if (option.n == 0)
                return HTTP_OK; /* RFC 9110 5.6.1.2: empty elements are to be ignored */
        if (!span_is_token(option) || ++o->n > OPTIONS_MAX)
                return HTTP_CONNECTION;

        if (span_is(option, "close"))
                o->close = true;
        else if (span_is(option, "keep-alive"))
                o->keep_alive = true;
        else if (span_is(option, "upgrade"))
                o->upgrade = true;
        else
                return nominate(h, option);
        return HTTP_OK;
}

static enum http_verdict options_read(struct http_head *h, struct options *o) {
        HTTP_HEADERS_OF(h, HTTP_FIELD_CONNECTION, i) {
                struct span rest = h->headers[i].value, option;

                while (span_element(&rest, &option)) {
                        enum http_verdict v = option_read(h, o, option);

                        if (v != HTTP_OK)
                                return v;
                }
        }
        return HTTP_OK;
}

static bool list_has(const struct http_head *h, enum http_field id, const char *word) {
        HTTP_HEADERS_OF(h, id, i) {
                struct span rest = h->headers[i].value, element;

                while (span_element(&rest, &element))
                        if (span_is(element, word))
                                return true;
        }
        return false;
}

static bool has(const struct http_head *h, enum http_field id) {
        HTTP_HEADERS_OF(h, id, i)
                if (h->headers[i].value.n > 0)
                        return true;
        return false;
}

/* Upgrade counts only if Connection names it, and not in HTTP/1.0 (RFC 9110 7.8). A list that has
 * h2c (RFC 7540 3.2, withdrawn by 9113) is dropped whole: its frames would pass bal unread. */
static void upgrade_read(struct http_head *h, const struct options *o) {
        if (!o->upgrade || h->minor == 0 || !has(h, HTTP_FIELD_UPGRADE))
                return;
        h->h2c = list_has(h, HTTP_FIELD_UPGRADE, "h2c");
        h->upgrade = !h->h2c;
        if (!h->upgrade)
                return;
        HTTP_HEADERS_OF(h, HTTP_FIELD_UPGRADE, i)
                h->headers[i].drop = false;
}

enum http_verdict http_connection_read(struct http_head *h) {
        struct options o = { .n = 0 };
        enum http_verdict v = options_read(h, &o);

        if (v != HTTP_OK)
                return v;
        h->keep_alive = !o.close && (h->minor > 0 || o.keep_alive); /* RFC 9112 9.3 */
        h->te_trailers = list_has(h, HTTP_FIELD_TE, "trailers");
        upgrade_read(h, &o);
        return HTTP_OK;
}
