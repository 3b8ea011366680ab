/* SPDX-License-Identifier: MIT */
/*
 * proxy/stream.h - moves one message body along a lane, and knows where it ends.
 *
 * Most of a body needs no look, and goes as relay.h moves it; what stands between chunks flows
 * through http/body.h. An inflow is what was read from a side and is not used up: a head that is
 * not whole, the start of a body, the next message. It lies behind a headroom, so that a head that
 * grows in rewriting still fits in front of the body it came with.
 */
#pragma once

#include "http/body.h"
#include "proxy/relay.h"
#include "proxy/stock.h"

struct inflow {
        struct buffer *buffer; /* borrowed from the stock; NULL: n is 0 */
        char *packed;          /* owned; instead of the buffer, see inflow_pack() */
        uint32_t n;            /* bytes from buffer->start on */
};

static inline char *inflow_bytes(const struct inflow *in) {
        return in->buffer->data + in->buffer->start;
}

/* One read behind what is there. Bytes read; 0: EOF, and side->eof is set; -EAGAIN; -ENOBUFS: no
 * buffer; -EMSGSIZE: it is full; else the peer is gone. */
ssize_t inflow_read(struct inflow *in, struct side *side, struct stock *stock);
void inflow_use(struct inflow *in, struct stock *stock, size_t n); /* the first n are done with */
void inflow_drop(struct inflow *in, struct stock *stock);

/* Little that waits for more gives its buffer back: a thousand clients that never end their heads
 * shall not hold a thousand buffers. Nothing else may be done with it before it is unpacked, which
 * is idempotent: 0, or -ENOBUFS. */
void inflow_pack(struct inflow *in, struct stock *stock);
int inflow_unpack(struct inflow *in, struct stock *stock);

struct stream {
        struct lane *lane;
        struct inflow *in; /* of lane->from */
        struct http_body *body;
        bool unchunk; /* the receiver knows no chunks */
        bool closes;  /* the end of the body is the end of the connection to the receiver */
};

/* What has flowed in of the body goes behind what the lane holds. 0; -ENOBUFS; -EBADMSG: see
 * body->verdict, what came before it is in the lane. */
int stream_take(struct stream *st, struct stock *stock);

/* As relay_run(), to the end of the body: RELAY_FINISHED; RELAY_CUT: EOF came first; RELAY_BAD. */
enum relay_result stream_run(struct stream *st, struct stock *stock, unsigned max_rounds);
