/* SPDX-License-Identifier: MIT */

#include "proxy/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/stock.h"

#define UNSEEN_MIN ((uint64_t)16 * 1024) /* less of a chunk than that comes in with what follows */

#define PACK_MAX 4096 /* bytes; a whole head fits mostly */

/* What was used in front of it makes room for more: a few bytes can lie at the very end. */
static void inflow_settle(struct inflow *in) {
        struct buffer *b = in->buffer;
        size_t room = sizeof(b->data) - (b->start + in->n);

        if (in->n > 0 && (b->start <= STOCK_HEADROOM || room >= UNSEEN_MIN))
                return;
        memmove(b->data + STOCK_HEADROOM, b->data + b->start, in->n);
        b->start = STOCK_HEADROOM;
}

ssize_t inflow_read(struct inflow *in, struct side *side, struct stock *stock) {
        size_t end, room;
        ssize_t n;

        if (!in->buffer) {
                in->buffer = stock_take_buffer(stock);
                if (!in->buffer)
                        return -ENOBUFS;
                in->n = 0;
        }

        inflow_settle(in);
        end = in->buffer->start + in->n;
        room = sizeof(in->buffer->data) - end;
        if (room == 0)
                return -EMSGSIZE;
        n = side_recv(side, in->buffer->data + end, room);
        if (n == 0)
                side->eof = true;
        if (n > 0)
                in->n += (uint32_t)n;
        else if (in->n == 0)
                inflow_drop(in, stock);
        return n;
}

void inflow_use(struct inflow *in, struct stock *stock, size_t n) {
        assert(n <= in->n);
        in->n -= (uint32_t)n;
        if (in->n == 0)
                inflow_drop(in, stock);
        else
                in->buffer->start += n;
}

void inflow_drop(struct inflow *in, struct stock *stock) {
        in->n = 0;
        free(take_ptr(in->packed));
        if (in->buffer)
                stock_put_buffer(stock, take_ptr(in->buffer));
}

void inflow_pack(struct inflow *in, struct stock *stock) {
        char *packed;

        if (!in->buffer || in->n > PACK_MAX)
                return;
        packed = malloc(in->n);
        if (!packed)
                return;
        memcpy(packed, inflow_bytes(in), in->n);
        stock_put_buffer(stock, take_ptr(in->buffer));
        in->packed = packed;
}

int inflow_unpack(struct inflow *in, struct stock *stock) {
        if (!in->packed)
                return 0;
        in->buffer = stock_take_buffer(stock);
        if (!in->buffer)
                return -ENOBUFS;
        in->buffer->start = STOCK_HEADROOM;
        memcpy(inflow_bytes(in), in->packed, in->n);
        free(take_ptr(in->packed));
        return 0;
}

struct judged {
        size_t used; /* bytes of the inflow that were looked at and are done with */
        size_t kept; /* of these, what goes on; moved together at the inflow's start */
        bool bad;
};

static struct judged stream_judge(struct stream *st) {
        char *p = inflow_bytes(st->in);
        struct judged j = { .used = 0 };

        for (;;) {
                size_t k;
                enum http_body_step step =
                        http_body_next(st->body, p + j.used, st->in->n - j.used, &k);

                if (step == HTTP_BODY_DATA || (step == HTTP_BODY_FRAME && !st->unchunk)) {
                        if (j.kept != j.used)
                                memmove(p + j.kept, p + j.used, k);
                        j.kept += k;
                } else if (step != HTTP_BODY_SKIP && step != HTTP_BODY_FRAME) {
                        j.bad = step == HTTP_BODY_BAD;
                        return j;
                }
                j.used += k;
        }
}

/* The rest of the inflow gets a buffer of its own. */
static int inflow_move_rest(struct inflow *in, struct stock *stock, size_t used) {
        size_t rest = in->n - used;
        struct buffer *b;

        if (rest == 0) {
                *in = (struct inflow){ .n = 0 };
                return 0;
        }
        b = stock_take_buffer(stock);
        if (!b)
                return -ENOBUFS;
        b->start = STOCK_HEADROOM;
        memcpy(b->data + b->start, inflow_bytes(in) + used, rest);
        *in = (struct inflow){ .buffer = b, .n = (uint32_t)rest };
        return 0;
}

/* The lane holds nothing: the buffer itself goes over to it. */
static int stream_hand_over(struct stream *st, struct stock *stock, struct judged j) {
        struct lane *lane = st->lane;
        struct buffer *b = st->in->buffer;

        if (j.kept == 0) {
                inflow_use(st->in, stock, j.used);
                return 0;
        }
        if (inflow_move_rest(st->in, stock, j.used) < 0)
                return -ENOBUFS;
        lane->buffer = b;
        lane->held = j.kept;
        return 0;
}

int stream_take(struct stream *st, struct stock *stock) {
        struct lane *lane = st->lane;
        struct judged j;
        int r = 0;

        if (st->in->n == 0 || http_body_complete(st->body))
                return 0;
        if (lane->pipe || (lane->held > 0 && lane->buffer->start + lane->held + st->in->n >
                                                     sizeof(lane->buffer->data)))
                return 0; /* what is held goes first */

        j = stream_judge(st);
        if (lane->held == 0) {
                r = stream_hand_over(st, stock, j);
        } else {
                r = lane_put(lane, stock, inflow_bytes(st->in), j.kept);
                inflow_use(st->in, stock, j.used);
        }
        return r == 0 && j.bad ? -EBADMSG : r;
}

/* One read of a body that is not complete. 0, or a result that ends it. */
static int stream_read(struct stream *st, struct stock *stock, enum relay_result *ret) {
        struct lane *lane = st->lane;
        ssize_t n;

        if (st->in->n == 0 &&
            (st->body->framing != HTTP_FRAMING_CHUNKED || st->body->left >= UNSEEN_MIN)) {
                lane->left = st->body->left;
                n = lane_fill(lane, stock);
                if (n == 0)
                        http_body_passed(st->body, lane->held);
        } else {
                n = inflow_read(st->in, lane->from, stock);
                if (n == -EAGAIN)
                        n = 0;
        }
        if (n >= 0)
                return 0;
        *ret = n == -ENOBUFS ? RELAY_NO_ROOM : n == -EMSGSIZE ? RELAY_BAD : RELAY_FROM_GONE;
        return -1;
}

static enum relay_result stream_go(struct stream *st, struct stock *stock, unsigned max_rounds) {
        struct lane *lane = st->lane;
        enum relay_result result;

        for (unsigned round = 0;; round++) {
                uint32_t before = st->in->n;
                bool held = lane->held > 0;
                int r = stream_take(st, stock);

                lane->last = st->closes && http_body_complete(st->body);
                if (r == -ENOBUFS)
                        return RELAY_NO_ROOM;
                if (lane_flush(lane, stock) < 0)
                        return RELAY_TO_GONE;
                if (r == -EBADMSG)
                        return RELAY_BAD;
                if (lane->held > 0)
                        return RELAY_WAIT;
                if (http_body_complete(st->body))
                        return RELAY_FINISHED;
                if (st->in->n > 0 && (held || st->in->n != before))
                        continue; /* what was held took its room, or a part of it was taken */
                if (lane->from->eof)
                        return http_body_eof(st->body) == HTTP_OK ? RELAY_FINISHED : RELAY_CUT;
                if (round >= max_rounds || !(lane->from->io.ready & EPOLLIN))
                        return RELAY_WAIT;
                if (stream_read(st, stock, &result) < 0)
                        return result;
        }
}

enum relay_result stream_run(struct stream *st, struct stock *stock, unsigned max_rounds) {
        return lane_want(st->lane, stream_go(st, stock, max_rounds));
}
