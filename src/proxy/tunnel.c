/* SPDX-License-Identifier: MIT */
/*
 * Bytes both ways without a look: protocol tcp, and what HTTP calls a tunnel.
 *
 * Death of a side. What a dead server had sent before is still worth delivering (one that refuses
 * an upload answers and resets), so the session flushes that lane and ends then. A dead client ends
 * it at once: the server might wait for that client to read, and would never take the rest.
 */

#include "net/sock.h"
#include "proxy/passive.h"
#include "proxy/session.h"
#include "proxy/worker.h"

#define RELAY_ROUNDS 8    /* reads of one lane per turn, fairness */
#define ACK_WAIT_MS  1    /* for the first bytes of both sides, see sock_ack_late() */
#define SETTLE_MS    5000 /* most sessions are over by then, see sock_keep_alive() */

/* It is the other lane that has something to do. */
static bool lane_sleeps(const struct lane *lane) {
        const struct io *from = &lane->from->io;

        return lane->held == 0 && (from->wanted & ~from->ready & EPOLLIN);
}

/* Runs a lane; what it moved is counted, and counts as a sign of life. */
static enum relay_result session_run_lane(struct session *s, struct lane *lane) {
        uint64_t before = lane->bytes, moved;
        bool open = !lane->from->eof;
        enum relay_result result;

        if (lane_sleeps(lane))
                return RELAY_WAIT;
        result = relay_run(lane, &s->worker->stock, RELAY_ROUNDS);
        moved = lane->bytes - before;
        if (lane == &s->down)
                passive_heard(s, before, open);
        if (moved > 0 || result == RELAY_FINISHED)
                session_moved(s, lane, moved);
        return result;
}

static enum session_step session_server_reset(struct session *s) {
        passive_reset(s);
        return session_end(s, CLOSE_SERVER_RESET);
}

enum session_step session_flush(struct session *s) {
        return session_run_lane(s, &s->down) == RELAY_WAIT ? STEP_WAIT : session_server_reset(s);
}

/* The server is dead. What it had sent goes to the client, then the session ends. */
static enum session_step session_server_died(struct session *s) {
        s->phase = SESSION_FLUSH;
        lane_drop(&s->up, &s->worker->stock);
        io_unwant(&s->client.io, UINT32_MAX);
        io_unwant(&s->server->side.io, UINT32_MAX);
        io_want(&s->client.io, EPOLLERR);
        /* whether bytes or the error are next, a read will tell */
        io_assume(&s->server->side.io, EPOLLIN);
        return STEP_AGAIN;
}

/* A call that meets the error of a socket takes it away, and reads meet an EOF from then on. So
 * nothing is sent to a server that was reset: a read shall find the error. */
static enum relay_result session_run_up(struct session *s) {
        const struct side *server = &s->server->side;

        return side_is_dead(server) && !server->shut ? RELAY_TO_GONE : session_run_lane(s, &s->up);
}

enum session_step session_relay(struct session *s) {
        enum relay_result up = session_run_up(s);
        enum relay_result down = session_run_lane(s, &s->down);

        if (up == RELAY_FINISHED && down == RELAY_FINISHED)
                return session_end(s, CLOSE_DONE);
        if (up == RELAY_NO_ROOM || down == RELAY_NO_ROOM)
                return session_end(s, CLOSE_RESOURCES);
        if (up == RELAY_FROM_GONE || down == RELAY_TO_GONE || side_is_dead(&s->client))
                return session_end(s, CLOSE_CLIENT_RESET);
        if (down == RELAY_FROM_GONE) /* the EOF that another read would meet is none */
                return session_server_reset(s);
        if (up == RELAY_TO_GONE || side_is_dead(&s->server->side))
                return session_server_died(s);
        return STEP_WAIT;
}

/* What the client has said, and the last ACK of the server's handshake, which a server that speaks
 * first waits for: as nothing went their way yet, it is acknowledged now. */
static void session_ack(const struct session *s) {
        if (s->down.bytes == 0 && !s->client.is_unix)
                sock_ack_now(s->client.fd);
        if (s->up.bytes == 0 && !s->server->side.is_unix)
                sock_ack_now(s->server->side.fd);
}

uint64_t session_settle(struct session *s, uint64_t due) {
        uint64_t settles = s->chosen_ms + SETTLE_MS;

        if (s->phase != SESSION_RELAY || s->http || s->settled)
                return due;
        if (session_now_ms(s) < settles) {
                session_ack(s);
                return settles < due ? settles : due;
        }

        if (!s->server->side.is_unix)
                sock_keep_alive(s->server->side.fd, s->frontend->config->idle_timeout_ms);
        passive_settled(s);
        s->settled = true;
        return due;
}

enum session_step session_start_relay(struct session *s) {
        struct side *server = &s->server->side;

        s->up = (struct lane){ .from = &s->client, .to = server, .left = UINT64_MAX };
        s->down = (struct lane){ .from = server, .to = &s->client, .left = UINT64_MAX };
        s->phase = SESSION_RELAY;
        s->active_ms = session_now_ms(s);
        io_unwant(&server->io, EPOLLOUT | EPOLLHUP); /* what relaying wants, the lanes say */
        /* first to see whether there were bytes for the ACKs to ride on */
        timer_set(s->worker->loop, &s->timer, s->active_ms + ACK_WAIT_MS);
        return STEP_AGAIN;
}
