/* SPDX-License-Identifier: MIT */
/*
 * What bal sends on means what it has read: a head is forwarded, read again, and compared. For the
 * unit tests and the fuzz targets, so it says what differs; NULL: nothing.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "http/forward.h"

#define AGAIN_ROOM  (192U * 1024)
#define AGAIN_ADDED 16 /* headers that bal and the rules add, at most */

/* What a backend takes, which is more than bal does. */
static const struct http_limits again_limits = {
        .line_max = 16384,
        .header_max = 128 * 1024,
        .headers_max = 160 * 1024,
        .n_headers = HTTP_HEADERS_MAX,
};

static inline bool again_same(struct span a, struct span b) {
        return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool again_ruled(const struct http_rules *rules, struct span name) {
        for (size_t i = 0; rules && i < rules->n; i++)
                if (span_equal_nocase(rules->rules[i].name, name))
                        return true;
        return false;
}

/* Headers that bal writes on its own, or not at all: each is looked at by itself. */
static inline bool again_own(const struct http_header *h) {
        switch (h->id) {
        case HTTP_FIELD_HOST:
        case HTTP_FIELD_X_FORWARDED:
        case HTTP_FIELD_FORWARDED:
        case HTTP_FIELD_X_REAL_IP:
        case HTTP_FIELD_X_REQUEST_ID:
        case HTTP_FIELD_VIA:
        case HTTP_FIELD_DATE:
                return true;
        default:
                return http_field_flags(h->id) & FIELD_HOP;
        }
}

static inline bool again_hidden(const struct http_forward *f, const struct http_header *h) {
        if (h->id != HTTP_FIELD_OTHER || !memchr(h->name.p, '_', h->name.n))
                return false;
        return f->drop_underscore || (f->head->status == 0 && http_field_resembles(h->name));
}

static inline bool again_passes(const struct http_forward *f, const struct http_header *h) {
        return !h->drop && !again_own(h) && !again_ruled(f->rules, h->name) && !again_hidden(f, h);
}

/* The headers that pass, in their order. */
static inline const char *again_headers(const struct http_forward *f, const struct http_head *g) {
        const struct http_head *h = f->head;
        bool chunkless = http_forward_unchunks(h, f->client_minor) && h->status > 0;
        size_t at = 0;

        for (size_t i = 0; i < h->n_headers; i++) {
                const struct http_header *a = &h->headers[i], *b;

                if (!again_passes(f, a) || (chunkless && a->id == HTTP_FIELD_TRAILER))
                        continue;
                while (at < g->n_headers && !again_passes(f, &g->headers[at]))
                        at++;
                if (at == g->n_headers)
                        return "a header is lost";
                b = &g->headers[at++];
                if (!again_same(a->name, b->name))
                        return "the name of a header";
                if (a->id != HTTP_FIELD_CONTENT_LENGTH && !again_same(a->value, b->value))
                        return "the value of a header";
        }
        for (; at < g->n_headers; at++)
                if (again_passes(f, &g->headers[at]))
                        return "a header too many";
        return NULL;
}

static inline unsigned again_count(const struct http_head *g, const char *name) {
        unsigned n = 0;

        for (size_t i = 0; i < g->n_headers; i++)
                n += span_is(g->headers[i].name, name) ? 1 : 0;
        return n;
}

/* A stranger does not get through with what only a trusted peer may say. */
static inline const char *again_origin(const struct http_forward *f, const struct http_head *g) {
        for (size_t i = 0; i < g->n_headers; i++) {
                const struct http_header *h = &g->headers[i];

                if (f->trusted || again_ruled(f->rules, h->name))
                        continue;
                if (span_is(h->name, "X-Forwarded-For") && !again_same(h->value, f->peer_ip))
                        return "X-Forwarded-For";
                if (span_is(h->name, "X-Forwarded-Proto") && !again_same(h->value, f->scheme))
                        return "X-Forwarded-Proto";
                if (h->id == HTTP_FIELD_FORWARDED && !f->forwarded)
                        return "Forwarded";
        }
        if (!f->trusted && !again_ruled(f->rules, (struct span){ "X-Real-IP", 9 }) &&
            again_count(g, "X-Real-IP") != (f->peer_ip.n > 0 ? 1 : 0))
                return "X-Real-IP";
        if (f->peer_ip.n > 0 && !again_ruled(f->rules, (struct span){ "X-Forwarded-For", 15 }) &&
            again_count(g, "X-Forwarded-For") != 1)
                return "not one X-Forwarded-For";
        return NULL;
}

static inline const char *again_compare_request(const struct http_forward *f,
                                                const struct http_head *g) {
        const struct http_head *h = f->head;
        bool host = h->authority.text.n > 0 && !again_ruled(f->rules, (struct span){ "Host", 4 });
        const char *differs;

        if (!again_same(h->method, g->method) || !again_same(h->target, g->target))
                return "method or target";
        if (h->form != g->form || !again_same(h->path, g->path) || !again_same(h->query, g->query))
                return "form, path or query";
        if (host && (!again_same(h->authority.text, g->authority.text) ||
                     h->authority.port != g->authority.port))
                return "the host";
        if (h->framing != g->framing || h->length != g->length)
                return "the framing";
        if (g->minor != 1 || !g->keep_alive)
                return "version or keep-alive";
        if (h->upgrade != g->upgrade || g->h2c)
                return "upgrade";
        if (h->expect_continue != g->expect_continue)
                return "Expect";
        if (g->te_trailers != (h->te_trailers && h->minor > 0))
                return "TE";
        if (again_count(g, "Host") != 1)
                return "not one Host";
        differs = again_origin(f, g);
        return differs ? differs : again_headers(f, g);
}

static inline const char *again_compare_response(const struct http_forward *f,
                                                 const struct http_head *g) {
        const struct http_head *h = f->head;
        bool unchunks = http_forward_unchunks(h, f->client_minor);
        enum http_framing framing = unchunks ? HTTP_FRAMING_UNTIL_CLOSE : h->framing;
        bool ends = framing == HTTP_FRAMING_UNTIL_CLOSE || framing == HTTP_FRAMING_TUNNEL;

        if (h->status != g->status || !again_same(h->reason, g->reason))
                return "status or reason";
        if (g->framing != framing || g->length != h->length)
                return "the framing";
        if (h->interim != g->interim || g->minor != 1)
                return "interim or version";
        if (g->keep_alive != (h->interim || !(f->close || ends)))
                return "keep-alive";
        if (g->upgrade != (h->upgrade && !h->interim) || g->h2c)
                return "upgrade";
        return again_headers(f, g);
}

/* Forwards, and puts what was written into memory of just that size, which the caller frees. */
static inline char *again_write(const struct http_forward *f, size_t *ret_n) {
        struct http_out o = { .p = malloc(AGAIN_ROOM), .room = AGAIN_ROOM };
        bool request = f->head->status == 0;
        char *exact;

        if (!o.p || !(request ? http_forward_request(&o, f) : http_forward_response(&o, f))) {
                free(o.p);
                return NULL;
        }
        exact = realloc(o.p, o.n);
        *ret_n = o.n;
        return exact ? exact : o.p;
}

/* asked counts for a response only. */
static inline const char *again(const struct http_forward *f, struct http_asked asked) {
        struct http_scan s = { 0 };
        struct http_head g;
        enum http_verdict v;
        const char *differs;
        size_t n = 0;
        char *text;

        if (f->head->n_headers + AGAIN_ADDED > HTTP_HEADERS_MAX)
                return NULL; /* more than bal itself would read */
        text = again_write(f, &n);
        if (!text)
                return "it does not fit";
        v = f->head->status == 0 ? http_read_request(&g, &s, text, n, &again_limits)
                                 : http_read_response(&g, &s, text, n, &again_limits, asked);
        if (v != HTTP_OK)
                differs = http_verdict_text(v);
        else if (g.size != n)
                differs = "a head, and something behind it";
        else
                differs = f->head->status == 0 ? again_compare_request(f, &g)
                                               : again_compare_response(f, &g);
        free(text);
        return differs;
}
