/* SPDX-License-Identifier: MIT */
/*
 * The head of a response: read, judged, written anew. It goes in front of the part of its body that
 * came with it, into the same buffer, so that one send() carries both and nothing else is copied.
 */

#include <string.h>

#include "core/clock.h"
#include "http/forward.h"
#include "proxy/http_parts.h"

/* The head is parsed on the desk, where the request's may lie: that is read again if need be. */
static enum http_verdict response_read(struct session *s) {
        struct http_desk *desk = s->worker->desk;
        struct exchange *x = s->http->x;

        desk->head_of = NULL;
        return http_read_response(&desk->head, &x->scan, inflow_bytes(&x->in), x->in.n,
                                  &http_response_limits, x->asked);
}

/* Does the client's connection live on? Then the end of this response has to be seen in it. */
static bool keeps(const struct session *s, const struct http_head *h) {
        const struct exchange *x = s->http->x;

        return x->keep && http_goes_on(s) && !x->unchunk &&
               h->framing != HTTP_FRAMING_UNTIL_CLOSE && h->framing != HTTP_FRAMING_TUNNEL &&
               http_body_complete(&x->up);
}

/* Keep-Alive: timeout=N, in seconds: so long the backend keeps the connection (RFC 2068 19.7.1). */
static uint32_t keep_alive_ms(const struct http_head *h) {
        HTTP_HEADERS_OF(h, HTTP_FIELD_KEEP_ALIVE, i) {
                struct span v = h->headers[i].value;
                uint32_t seconds = 0;

                if (!span_starts(v, "timeout="))
                        continue;
                for (size_t k = 8; k < v.n && http_is_digit(v.p[k]) && seconds < 100000; k++)
                        seconds = seconds * 10 + (uint32_t)(v.p[k] - '0');
                return seconds > 0 ? seconds * 1000 : 1;
        }
        return 0;
}

static bool response_write(struct session *s, struct http_out *o) {
        const struct config_http *config = http_config(s);
        struct exchange *x = s->http->x;
        struct http_values values;
        struct http_texts texts;
        struct http_forward f = {
                .head = &s->worker->desk->head,
                .values = &values,
                .rules = &config->response_headers,
                .request_id = { x->id, x->id_n },
                .via = config->via,
                .drop_underscore = config->drop_underscore,
                .client_minor = x->minor,
                .close = !x->keep,
                .now_s = clock_real_us() / 1000000,
        };

        if (config->response_headers.n > 0)
                http_values_fill(s, &values, &texts);
        return http_forward_response(o, &f);
}

/* In front of what the lane holds; behind comes what is still raw. */
static int lane_prepend(struct lane *lane, struct stock *stock, const struct http_out *o) {
        struct buffer *b = lane->buffer;

        if (!b)
                return lane_put(lane, stock, o->p, o->n);
        if (o->n > b->start) {
                if (lane->held + o->n > sizeof(b->data))
                        return -ENOBUFS;
                memmove(b->data + o->n, b->data + b->start, lane->held);
                b->start = o->n;
        }
        b->start -= o->n;
        memcpy(b->data + b->start, o->p, o->n);
        lane->held += o->n;
        return 0;
}

static enum head_step response_bad(struct exchange *x, enum http_verdict v) {
        x->verdict = v;
        return HEAD_BAD;
}

/* 1xx: goes on, and the next head follows. HTTP/1.0 knows none of them. */
static enum head_step response_interim(struct session *s, struct http_out *o) {
        struct exchange *x = s->http->x;

        if (++x->n_interim > HTTP_INTERIM_MAX)
                return response_bad(x, HTTP_STATUS_LINE);
        inflow_use(&x->in, &s->worker->stock, s->worker->desk->head.size);
        x->scan = (struct http_scan){ .line = 0 };
        if (x->minor > 0 && lane_put(&s->down, &s->worker->stock, o->p, o->n) < 0)
                return HEAD_NO_ROOM;
        return HEAD_READ;
}

/* The final head, with what has come of the body. */
static enum head_step response_final(struct session *s, struct http_out *o) {
        const struct http_head *h = &s->worker->desk->head;
        struct exchange *x = s->http->x;
        struct stream stream = {
                .lane = &s->down, .in = &x->in, .body = &x->down, .unchunk = x->unchunk
        };
        int r;

        x->status = h->status;
        x->keep_server = h->keep_alive;
        warm_of(s->server)->limit_ms = keep_alive_ms(h);
        http_body_init(&x->down, h->framing, h->length);
        inflow_use(&x->in, &s->worker->stock, h->size);
        r = stream_take(&stream, &s->worker->stock);
        if (r == 0)
                r = lane_prepend(&s->down, &s->worker->stock, o);
        if (r < 0) /* nothing of it is out yet */
                lane_drop(&s->down, &s->worker->stock);
        if (r == -EBADMSG)
                return response_bad(x, x->down.verdict);
        if (r < 0)
                return HEAD_NO_ROOM;
        x->head_out = true;
        http_judge(s, http_failure_of(h->status));
        return HEAD_DONE;
}

/* A whole head lies on the desk. */
static enum head_step response_take(struct session *s) {
        struct http_desk *desk = s->worker->desk;
        const struct http_head *h = &desk->head;
        struct exchange *x = s->http->x;
        struct http_out o = { .p = desk->out, .room = sizeof(desk->out) };

        if (!h->interim) {
                x->unchunk = http_forward_unchunks(h, x->minor);
                x->keep = keeps(s, h);
        }
        if (!response_write(s, &o))
                return response_bad(x, HTTP_HEADERS_LONG);
        return h->interim ? response_interim(s, &o) : response_final(s, &o);
}

/* One read. */
static enum head_step response_more(struct session *s) {
        struct exchange *x = s->http->x;
        struct side *server = &s->server->side;
        ssize_t n;

        if (server->eof)
                return x->in.n > 0 ? HEAD_CUT : HEAD_SERVER_GONE;
        if (!(server->io.ready & EPOLLIN))
                return HEAD_WAIT;
        n = inflow_read(&x->in, server, &s->worker->stock);
        if (n == -EMSGSIZE)
                return response_bad(x, HTTP_HEADERS_LONG);
        if (n == -ENOBUFS)
                return HEAD_NO_ROOM;
        if (n == -EAGAIN)
                return HEAD_WAIT;
        if (n < 0)
                return HEAD_SERVER_GONE;
        if (n > 0 && x->answer_ms == 0)
                x->answer_ms = session_now_ms(s);
        return HEAD_READ;
}

static enum head_step response_go(struct session *s) {
        struct exchange *x = s->http->x;
        enum head_step step;

        for (;;) {
                if (lane_flush(&s->down, &s->worker->stock) < 0)
                        return HEAD_CLIENT_GONE;
                if (s->down.held > 0)
                        return HEAD_WAIT; /* an interim head, which the client does not take */
                if (x->in.n > 0) {
                        enum http_verdict v = response_read(s);

                        if (v == HTTP_OK) {
                                step = response_take(s);
                                if (step != HEAD_READ)
                                        return step;
                                continue;
                        }
                        if (v != HTTP_MORE)
                                return response_bad(x, v);
                }
                step = response_more(s);
                if (step != HEAD_READ)
                        return step;
        }
}

enum head_step http_response_head(struct session *s) {
        enum head_step step = response_go(s);

        lane_want(&s->down, step == HEAD_WAIT ? RELAY_WAIT : RELAY_FINISHED);
        return step;
}
