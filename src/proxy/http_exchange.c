/* SPDX-License-Identifier: MIT */
/*
 * A request out and its response back. Both run at the same time, as far as the sockets let them.
 *
 * Once more. A request is sent again when its connection fails before a byte of the response, if
 * that cannot do it twice: the method is idempotent (RFC 9110 9.2.2), or nothing was sent at all.
 * And if all of it is still here: a body that streams through is not kept. A connection that rested
 * says nothing about its backend, so the same one is asked over a new one; then another.
 */

#include <errno.h>
#include <sys/socket.h>

#include "core/log.h"
#include "proxy/http_parts.h"

#define LOG_MODULE "http"

#define ROUNDS 8 /* reads of one body per turn, fairness */

#define RESTED_MS 500 /* a backend that closes an idle connection sooner does so for the request */

#define CLOSED_PAUSE_MS 100 /* before the only backend is asked once more */

#define PROTECTED_RETRIES 1 /* in a protected pool, beside that of a connection that rested */

static const char http_closed_text[] =
        "it closed the connection before it answered; does it speak TLS, or does the request "
        "make it fail?";

/* ---- begin ---- */

bool http_take_warm(struct session *s) {
        struct exchange *x = s->http->x;
        struct warm *warm;

        if (x->n_tries > 0 || endpoint_cooling(s->endpoint->endpoint))
                return false;
        /* a body that streams through is gone with the connection */
        warm = warm_take(s->worker, s->endpoint, s->addrs,
                         !x->idempotent || !http_body_complete(&x->up));
        if (!warm)
                return false;

        warm->server.session = s;
        s->server = &warm->server;
        s->addr = warm->addr;
        x->reused = true;
        x->rested = session_now_ms(s) - warm->since_ms >= RESTED_MS;
        return true;
}

enum session_step http_connected(struct session *s) {
        struct exchange *x = s->http->x;
        struct side *server = &s->server->side;
        struct warm *warm = warm_of(s->server);
        int r;

        s->up = (struct lane){ .from = &s->client, .to = server, .bytes = s->up.bytes };
        s->down = (struct lane){ .from = server, .to = &s->client, .bytes = s->down.bytes };
        s->phase = SESSION_EXCHANGE;
        s->active_ms = session_now_ms(s);
        server->io.fn = session_on_server;
        io_unwant(&server->io, UINT32_MAX);
        io_want(&server->io, EPOLLERR);
        warm->addr = s->addr;
        warm->serial = s->addrs->serial;

        session_served(s);
        x->served_by = s->endpoint;
        x->queue_ms = s->chosen_ms - s->asked_ms;
        x->connect_ms = s->active_ms - s->chosen_ms;
        x->up_over = false;
        x->sent_ms = 0;
        x->up_base = s->up.bytes;
        x->scan = (struct http_scan){ .line = 0 };
        r = http_request_put(s);
        if (r < 0) {
                http_log_response(s, "the request does not fit into a buffer with what is added");
                return http_answer(s, r == -ENOBUFS ? 503 : 431);
        }
        http_look_at(s, s->active_ms + s->frontend->config->idle_timeout_ms);
        return STEP_AGAIN;
}

/* ---- once more ---- */

static bool may_retry(const struct session *s) {
        const struct exchange *x = s->http->x;
        bool sent = s->up.bytes > x->up_base;
        unsigned max = pool_protected(s->target->pool->pool) ? PROTECTED_RETRIES + x->stale
                                                             : HTTP_TRIES_MAX;

        return x->answer_ms == 0 && !x->streamed && (x->idempotent || !sent) && x->n_tries < max &&
               x->n_closed < HTTP_CLOSED_MAX;
}

static enum session_step http_retry(struct session *s) {
        struct exchange *x = s->http->x;
        bool same = x->reused && x->rested, ok = true;

        x->n_tries++;
        x->stale = x->stale || x->reused;
        x->reused = false;
        lane_drop(&s->up, &s->worker->stock);
        inflow_drop(&x->in, &s->worker->stock);
        session_drop_server(s);
        s->active_ms = session_now_ms(s); /* the next connect begins here */
        if (same) {                       /* its connections that rest may all be as old */
                s->phase = SESSION_DIAL;
                return STEP_AGAIN;
        }
        x->closed = true;
        ok = session_mark_tried(s);
        session_drop_endpoint(s);
        s->phase = SESSION_PICK;
        return ok ? STEP_AGAIN : http_answer(s, 503);
}

void http_connect_failed(struct session *s) {
        s->http->x->closed = false;
}

bool http_was_closed_on(const struct session *s) {
        return s->http->x->closed;
}

/* A backend that restarts closes what it has, too, but soon refuses connects; and then the request
 * may wait for it. So where there is no other backend it is asked once more, after a moment in
 * which a process that ends has closed its listener. By then others may have found out that it
 * refuses, and one of them may be trying it: the request waits on. */
enum session_step http_closed_on(struct session *s, uint64_t again_ms) {
        bool again = s->http->x->n_closed < HTTP_CLOSED_MAX && s->n_tried <= 1;

        if (again && session_may_hold(s)) {
                if (link_idle(&s->wait_link))
                        s->retry_ms = session_now_ms(s) + CLOSED_PAUSE_MS;
                return session_hold(s, s->tried ? s->retry_ms : again_ms, CLOSE_CONNECT_FAILED);
        }
        if (again && s->n_tried > 0) {
                session_forget_tried(s);
                s->phase = SESSION_PICK;
                return STEP_AGAIN;
        }
        session_unserved(s, CLOSE_CONNECT_FAILED);
        http_log_response(s, http_closed_text);
        return http_answer(s, 502);
}

/* ---- both directions ---- */

static void tell_moved(struct session *s, const struct lane *lane, uint64_t before) {
        if (lane->bytes > before)
                session_moved(s, lane, lane->bytes - before);
}

/* The request is out, or cannot get out: from here on the response is waited for. */
static void http_up_over(struct session *s) {
        s->http->x->up_over = true;
        http_look_at(s, session_now_ms(s) + http_config(s)->response_ms);
}

static enum relay_result http_run_up(struct session *s) {
        struct exchange *x = s->http->x;
        struct stream stream = { .lane = &s->up, .in = &s->http->in, .body = &x->up };
        uint64_t before = s->up.bytes;
        enum relay_result result;

        if (!http_body_complete(&x->up))
                x->streamed = true;
        result = stream_run(&stream, &s->worker->stock, ROUNDS);
        tell_moved(s, &s->up, before);
        if (result == RELAY_FINISHED) {
                x->sent_ms = session_now_ms(s);
                http_up_over(s);
        }
        return result;
}

/* Why no head has come, in the terms of the lane that would carry the body behind it. */
static enum relay_result relay_result_of(enum head_step step) {
        switch (step) {
        case HEAD_READ:
        case HEAD_WAIT:
                return RELAY_WAIT;
        case HEAD_DONE:
                return RELAY_FINISHED;
        case HEAD_CUT:
                return RELAY_CUT;
        case HEAD_BAD:
                return RELAY_BAD;
        case HEAD_NO_ROOM:
                return RELAY_NO_ROOM;
        case HEAD_SERVER_GONE:
                return RELAY_FROM_GONE;
        case HEAD_CLIENT_GONE:
                return RELAY_TO_GONE;
        }
        return RELAY_BAD;
}

static enum relay_result http_run_down(struct session *s) {
        struct exchange *x = s->http->x;
        struct stream stream = { .lane = &s->down, .in = &x->in, .body = &x->down };
        uint64_t before = s->down.bytes;
        enum relay_result result = RELAY_FINISHED;

        if (!x->head_out)
                result = relay_result_of(http_response_head(s));
        if (result == RELAY_FINISHED) {
                stream.unchunk = x->unchunk;
                stream.closes = !x->keep;
                result = stream_run(&stream, &s->worker->stock, ROUNDS);
        }
        tell_moved(s, &s->down, before);
        return result;
}

/* The request cannot get out. What the backend has said before it hung up still counts. */
static enum relay_result http_up_died(struct session *s) {
        http_up_over(s);
        lane_drop(&s->up, &s->worker->stock);
        io_unwant(&s->client.io, EPOLLIN);
        io_unwant(&s->server->side.io, EPOLLOUT);
        io_assume(&s->server->side.io, EPOLLIN);
        return http_run_down(s);
}

static enum session_step http_server_failed(struct session *s, enum relay_result down) {
        struct exchange *x = s->http->x;

        if (x->head_out) {
                http_log_response(s, down == RELAY_BAD ? http_verdict_text(x->down.verdict)
                                                       : "it ended before its body did");
                return session_end(s, CLOSE_SERVER_RESET);
        }
        x->n_closed += !x->reused || !x->rested;
        if (!x->reused) /* one that rested says nothing about its backend */
                http_judge(s, down == RELAY_BAD ? failure_of_verdict(x->verdict) : FAILURE_CLOSED);
        if (down != RELAY_BAD && may_retry(s))
                return http_retry(s);
        if (down == RELAY_BAD)
                http_log_response(s, http_verdict_text(x->verdict));
        else
                http_log_response(s, x->answer_ms > 0 ? "it ended before its head did"
                                                      : http_closed_text);
        return http_answer(s, 502);
}

static bool body_too_long(const struct session *s) {
        uint64_t max = http_config(s)->max_body_bytes;
        const struct exchange *x = s->http->x;

        return max > 0 && x->up.chunks > max;
}

/* The request turns out to be bad while it is under way. */
static enum session_step http_refuse_body(struct session *s, enum http_verdict v) {
        struct exchange *x = s->http->x;

        x->verdict = v;
        http_log_refused(s);
        s->http->last = true;
        if (x->head_out)
                return session_end(s, CLOSE_CLIENT_RESET);
        return http_answer(s, http_verdict_status(v, false));
}

/* The request that asked for it is over, and bytes go both ways from here. */
static enum session_step http_start_tunnel(struct session *s) {
        struct http *h = s->http;
        struct inflow *in = &h->in;

        if (in->n > 0) {
                s->up.buffer = take_ptr(in->buffer);
                s->up.held = in->n;
                in->n = 0;
        }
        io_unwant(&s->client.io, EPOLLRDHUP); /* half-closed is a state again */
        s->up.left = s->down.left = UINT64_MAX;
        s->up.last = s->down.last = false;
        s->phase = SESSION_RELAY;
        return STEP_AGAIN;
}

/* Not before the request is out: what the client sends until then belongs to its body. */
static bool is_tunnel(const struct exchange *x) {
        return x->head_out && x->down.framing == HTTP_FRAMING_TUNNEL && x->up_over;
}

/* It leaves although its response is not out: by default nobody is there to read it. */
static bool has_left(const struct session *s) {
        return s->client.io.ready & s->client.io.wanted & EPOLLRDHUP;
}

enum session_step http_exchange(struct session *s) {
        struct exchange *x = s->http->x;
        enum relay_result up = RELAY_FINISHED, down;

        if (side_is_dead(&s->client))
                return session_end(s, CLOSE_CLIENT_RESET);
        if (has_left(s))
                return http_client_gone(s);
        if (!x->up_over)
                up = http_run_up(s);
        if (body_too_long(s))
                return http_refuse_body(s, HTTP_BODY_LONG);
        if (side_is_dead(&s->server->side)) {
                /* bytes, or the error: a read will tell, as soon as there is one */
                io_assume(&s->server->side.io, EPOLLIN);
                io_unwant(&s->server->side.io, EPOLLERR);
        }
        down = up == RELAY_TO_GONE ? http_up_died(s) : http_run_down(s);

        if (up == RELAY_CUT)
                return http_client_gone(s);
        if (up == RELAY_FROM_GONE || down == RELAY_TO_GONE)
                return session_end(s, CLOSE_CLIENT_RESET);
        if (up == RELAY_BAD)
                return http_refuse_body(s, x->up.verdict);
        if (down == RELAY_FROM_GONE || down == RELAY_CUT || down == RELAY_BAD)
                return http_server_failed(s, down);
        if ((up == RELAY_NO_ROOM || down == RELAY_NO_ROOM) && x->head_out)
                return session_end(s, CLOSE_RESOURCES);
        if (up == RELAY_NO_ROOM || down == RELAY_NO_ROOM)
                return http_answer(s, 503);
        if (is_tunnel(x))
                return http_start_tunnel(s);
        return down == RELAY_FINISHED ? http_finish(s) : STEP_WAIT;
}

/* ---- end ---- */

/* A read of the last bytes of a body, and no more, does not say whether something follows. */
static bool is_drained(struct side *side) {
        char byte;

        if (!(side->io.ready & EPOLLIN))
                return true;
        if (recv(side->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN)
                return false;
        io_spent(&side->io, EPOLLIN);
        return true;
}

static bool is_reusable(const struct session *s) {
        const struct exchange *x = s->http->x;
        struct side *side = &s->server->side;

        return x->keep_server && x->sent_ms > 0 && http_body_complete(&x->up) && x->in.n == 0 &&
               !side->eof && !(side->io.ready & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) &&
               http_config(s)->warm_ms > 0 && !s->worker->drain.on && is_drained(side);
}

enum session_step http_finish(struct session *s) {
        struct exchange *x = s->http->x;

        http_log_request(s, CLOSE_DONE);
        if (s->server && is_reusable(s))
                warm_put(s->worker, warm_of(take_ptr(s->server)), s->endpoint,
                         http_config(s)->warm_ms);
        session_drop_server(s);
        lane_drop(&s->up, &s->worker->stock); /* a request that the backend did not want whole */
        inflow_drop(&x->in, &s->worker->stock);
        session_drop_endpoint(s);
        return http_next(s);
}
