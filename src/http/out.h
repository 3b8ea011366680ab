/* SPDX-License-Identifier: MIT */
/* http/out.h - writes a head into a buffer of the caller; what does not fit is remembered. */
#pragma once

#include "http/rules.h"

struct http_out {
        char *p;
        size_t n, room;
        bool full; /* something did not fit: what stands here is not a head */
};

/* Where n bytes may be written; NULL: there is no room for them. */
static inline char *http_out_take(struct http_out *o, size_t n) {
        char *p = o->p + o->n;

        if (o->full || n > o->room - o->n) {
                o->full = true;
                return NULL;
        }
        o->n += n;
        return p;
}

/* Inline, because most of what is written is literals, whose copies then are a move or two. */
static inline void http_out_bytes(struct http_out *o, const char *p, size_t n) {
        char *to = n > 0 ? http_out_take(o, n) : NULL;

        if (to)
                memcpy(to, p, n);
}

static inline void http_out_text(struct http_out *o, const char *text) {
        http_out_bytes(o, text, strlen(text));
}

static inline void http_out_span(struct http_out *o, struct span s) {
        http_out_bytes(o, s.p, s.n);
}

void http_out_number(struct http_out *o, uint64_t v);

/* "Name: value\r\n" of a head that was read, whose bytes are known to be good. */
void http_out_field(struct http_out *o, struct span name, struct span value);

/* From here on values never break out of their line: a control byte in one is left out. */
void http_out_value(struct http_out *o, struct span value);
void http_out_template(struct http_out *o,
                       const struct http_template *t,
                       const struct http_values *v);
/* "Name: value\r\n" */
void http_out_header(struct http_out *o, struct span name, struct span value);
/* The same, but nothing when rules set or remove that header. rules may be NULL. */
void http_out_own(struct http_out *o,
                  const struct http_rules *rules,
                  struct span name,
                  struct span value);
/* Date (RFC 9110 6.6.1), likewise; unix_s: CLOCK_REALTIME. */
void http_out_date(struct http_out *o, const struct http_rules *rules, uint64_t unix_s);
/* What rules set and add, but for Host, which has its own place. rules may be NULL. */
void http_out_rules(struct http_out *o,
                    const struct http_rules *rules,
                    const struct http_values *v);
