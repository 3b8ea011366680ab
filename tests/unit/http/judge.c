/* SPDX-License-Identifier: MIT */
/*
 * What bal makes of streams of messages, for comparing it with other readers.
 *
 * judge rows  prints the verdict tables, a case a line: KIND HEX
 * judge       reads such lines, and answers each with a line of JSON
 *
 * KIND is q (requests) or s, h, c, u (responses: plain, or to HEAD, CONNECT, an upgrade); of these
 * one is read to its end, with the interim ones before it. All texts are hexadecimal. "forward" is
 * what bal would send on; "end" says why it read no further.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/body.h"
#include "http/forward.h"
#include "request_rows.h"
#include "response_rows.h"

#define ROOM (1U << 20)

static void die(const char *why) {
        fprintf(stderr, "judge: %s\n", why);
        exit(1);
}

static void hex_print(const char *p, size_t n) {
        putchar('"');
        for (size_t i = 0; i < n; i++)
                printf("%02x", (unsigned char)p[i]);
        putchar('"');
}

static void span_print(const char *name, struct span s) {
        printf("\"%s\": ", name);
        hex_print(s.p, s.n);
}

struct stream {
        char kind;
        struct span left;
        struct http_out out;       /* what goes on */
        struct http_asked asked;   /* responses */
        struct http_values values; /* nothing */
        unsigned n_messages;
        const char *end;
};

static void head_print(const struct http_head *h) {
        printf("{\"minor\": %d, ", h->minor);
        if (h->status > 0) {
                printf("\"status\": %d, ", h->status);
                span_print("reason", h->reason);
        } else {
                span_print("method", h->method);
                printf(", ");
                span_print("target", h->target);
        }
        printf(", \"headers\": [");
        for (size_t i = 0; i < h->n_headers; i++) {
                printf("%s[", i > 0 ? ", " : "");
                hex_print(h->headers[i].name.p, h->headers[i].name.n);
                printf(", ");
                hex_print(h->headers[i].value.p, h->headers[i].value.n);
                putchar(']');
        }
        putchar(']');
}

static enum http_verdict head_read(struct stream *s, struct http_head *h) {
        struct http_scan scan = { 0 };

        if (s->kind == 'q')
                return http_read_request(h, &scan, s->left.p, s->left.n, &http_request_limits);
        return http_read_response(h, &scan, s->left.p, s->left.n, &http_response_limits, s->asked);
}

static void head_forward(struct stream *s, const struct http_head *h) {
        struct http_forward f = {
                .head = h,
                .values = &s->values,
                .peer_ip = { "192.0.2.1", 9 },
                .scheme = { "http", 4 },
                .client_minor = 1,
        };

        if (!(h->status == 0 ? http_forward_request : http_forward_response)(&s->out, &f))
                die("no room");
}

static void take(struct stream *s, size_t n) {
        s->left = (struct span){ s->left.p + n, s->left.n - n };
}

/* The body as it goes on, and its data printed. */
static enum http_body_step body_walk(struct stream *s, struct http_body *b) {
        printf(", \"body\": \"");
        for (;;) {
                size_t n;
                enum http_body_step step = http_body_next(b, s->left.p, s->left.n, &n);

                if (step == HTTP_BODY_MORE || step == HTTP_BODY_DONE || step == HTTP_BODY_BAD) {
                        putchar('"');
                        return step;
                }
                for (size_t i = 0; i < n && step == HTTP_BODY_DATA; i++)
                        printf("%02x", (unsigned char)s->left.p[i]);
                if (step != HTTP_BODY_SKIP)
                        http_out_bytes(&s->out, s->left.p, n);
                take(s, n);
        }
}

/* False: nothing follows. */
static bool message_walk(struct stream *s) {
        struct http_head h;
        struct http_body b;
        enum http_verdict v = head_read(s, &h);
        enum http_body_step step;
        bool complete, until_close;

        if (v != HTTP_OK) {
                s->end = http_verdict_word(v);
                return false;
        }
        printf("%s", s->n_messages++ > 0 ? ", " : "");
        head_print(&h);
        head_forward(s, &h);
        take(s, h.size);
        if (h.framing == HTTP_FRAMING_TUNNEL || h.form == HTTP_FORM_AUTHORITY) {
                printf(", \"body\": \"\", \"complete\": true}");
                s->end = "tunnel";
                return false;
        }
        http_body_init(&b, h.framing, h.length);
        step = body_walk(s, &b);
        until_close = h.framing == HTTP_FRAMING_UNTIL_CLOSE;
        complete = step == HTTP_BODY_DONE || until_close;
        printf(", \"complete\": %s}", complete ? "true" : "false");
        s->end = step == HTTP_BODY_BAD          ? http_verdict_word(b.verdict)
                 : !complete                    ? "more"
                 : h.upgrade                    ? "upgrade"
                 : s->kind != 'q' && !h.interim ? "final"
                 : h.keep_alive                 ? "ok"
                                                : "close";
        return strcmp(s->end, "ok") == 0 && s->left.n > 0;
}

static void judge(char kind, const char *bytes, size_t n) {
        static char room[ROOM];
        struct stream s = {
                .kind = kind,
                .left = { bytes, n },
                .out = { .p = room, .room = ROOM },
                .asked = { kind == 'h', kind == 'c', kind == 'u' },
                .end = "ok",
        };

        printf("{\"messages\": [");
        while (message_walk(&s))
                ;
        printf("], ");
        span_print("forward", (struct span){ s.out.p, s.out.n });
        printf(", \"end\": \"%s\"}\n", s.end);
        if (s.out.full)
                die("no room");
}

static int hex_value(char c) {
        const char *at = c ? strchr("0123456789abcdef", c) : NULL;

        if (!at)
                die("not hexadecimal");
        return (int)(at - "0123456789abcdef");
}

static void line_judge(char *line, size_t n) {
        char *bytes;

        if (n < 2 || line[1] != ' ' || !strchr("qshcu", line[0]) || n % 2 != 0)
                die("not KIND HEX");
        bytes = malloc(n); /* so that it ends where the memory does, see below */
        if (!bytes)
                die("out of memory");
        for (size_t i = 2; i < n; i += 2)
                bytes[(i - 2) / 2] = (char)(hex_value(line[i]) * 16 + hex_value(line[i + 1]));
        bytes = realloc(bytes, n > 2 ? (n - 2) / 2 : 1);
        if (!bytes)
                die("out of memory");
        judge(line[0], bytes, (n - 2) / 2);
        free(bytes);
}

#define ROWS_PRINT(kind, rows)                                                                     \
        for (size_t i = 0; i < ELEMENTS(rows); i++) {                                              \
                printf("%c ", kind);                                                               \
                for (size_t j = 0; j < (rows)[i].n; j++)                                           \
                        printf("%02x", (unsigned char)(rows)[i].text[j]);                          \
                putchar('\n');                                                                     \
        }

int main(int argc, char *argv[]) {
        char *line = NULL;
        size_t room = 0;
        ssize_t n;

        if (argc > 1 && strcmp(argv[1], "rows") == 0) {
                ROWS_PRINT('q', request_rows)
                ROWS_PRINT('s', response_rows)
                return 0;
        }
        while ((n = getline(&line, &room, stdin)) > 0)
                line_judge(line, (size_t)n - (line[n - 1] == '\n'));
        free(line);
        return 0;
}
