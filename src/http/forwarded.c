/* SPDX-License-Identifier: MIT */
/* Read from its end: what a stranger wrote at the beginning costs nothing. */

#include <string.h>

#include "http/forward.h"

/* The last element of *rest, trimmed, which becomes what is before it; false: there is none. */
static bool element_last(struct span *rest, struct span *ret) {
        const char *comma;
        size_t from;

        if (!rest->p)
                return false;
        comma = rest->n > 0 ? memrchr(rest->p, ',', rest->n) : NULL;
        from = comma ? (size_t)(comma - rest->p) + 1 : 0;
        *ret = span_trim((struct span){ rest->p + from, rest->n - from });
        *rest = comma ? (struct span){ rest->p, from - 1 } : (struct span){ NULL, 0 };
        return true;
}

/* "[v6]", "[v6]:port" and "v4:port" are seen as well as the bare addresses. */
static struct span address_bare(struct span e) {
        const char *end;

        if (e.n > 0 && e.p[0] == '[') {
                end = memchr(e.p, ']', e.n);
                return end ? (struct span){ e.p + 1, (size_t)(end - e.p) - 1 } : e;
        }
        end = e.n > 0 ? memchr(e.p, ':', e.n) : NULL;
        if (end && end == memrchr(e.p, ':', e.n))
                e.n = (size_t)(end - e.p);
        return e;
}

struct span http_forwarded_client(const struct http_head *h,
                                  bool (*trusts)(struct span address, void *arg),
                                  void *arg) {
        struct span client = { NULL, 0 };

        for (size_t i = h->n_headers; i-- > 0;) {
                struct span rest = h->headers[i].value, element;

                if (h->headers[i].id != HTTP_FIELD_X_FORWARDED ||
                    !span_is(h->headers[i].name, "X-Forwarded-For"))
                        continue;
                while (element_last(&rest, &element)) {
                        if (element.n == 0)
                                continue;
                        client = address_bare(element);
                        if (!trusts(client, arg))
                                return client;
                }
        }
        return client;
}
