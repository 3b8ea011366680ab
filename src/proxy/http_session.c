/* SPDX-License-Identifier: MIT */
/*
 * An HTTP session between two requests: reads heads, knows how long to wait for them, and ends.
 *
 * A session that waits for its next request holds no buffer. What has come of a head lies in one;
 * so does what a client has sent behind its request, until that request is answered.
 */

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/sock.h"
#include "proxy/http_parts.h"

#define LINGER_MS       5000      /* after the client's last byte, when the last response is out */
#define LINGER_MAX_MS   30000     /* and in all */
#define LINGER_BYTES    (1 << 20) /* thrown away at a time */
#define ROOM_IDLE_MS    250  /* a client is silent for so long before its slot may go to another */
#define ROOM_LINGER_MS  1000 /* and so long after the last response, which may be under way */
#define ROOM_LOOKS      64
#define TURNED_AWAY_MAX 64   /* of one worker: they get their 503, and time to read it */
#define DRAIN_MS        1000 /* between two requests while the worker ends; see http_drain() */

struct http_session {
        struct session session;
        struct http http;
};

struct session *http_session_new(void) {
        struct http_session *hs = malloc(sizeof(*hs));

        if (!hs)
                return NULL;
        hs->http = (struct http){ .reason = CLOSE_DONE };
        link_init(&hs->http.idle_link);
        link_init(&hs->http.linger_link);
        hs->session.http = &hs->http;
        return &hs->session;
}

void http_look_at(struct session *s, uint64_t at_ms) {
        if (!timer_is_set(&s->timer) || s->timer.at_ms > at_ms)
                timer_set(s->worker->loop, &s->timer, at_ms);
}

/* ---- idle sessions ---- */

static void http_idle(struct session *s) {
        struct worker *w = s->worker;

        if (!link_idle(&s->http->idle_link))
                return;
        link_before(&w->idle, &s->http->idle_link);
        COUNTER_ADD(w->counters.n_idle, 1);
}

static void http_busy(struct session *s) {
        if (link_idle(&s->http->idle_link))
                return;
        link_remove(&s->http->idle_link);
        COUNTER_ADD(s->worker->counters.n_idle, -1);
}

/* Its next request has come, and nobody has read it. */
static bool is_asking(const struct session *s) {
        char byte;

        return recv(s->client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static bool may_make_room(const struct session *s, const struct frontend *f) {
        uint64_t silent_ms = session_now_ms(s) - s->active_ms;

        if (!s->has_slot || (f && s->frontend->frontend != f))
                return false;
        return s->phase == SESSION_IDLE ? silent_ms >= ROOM_IDLE_MS && !is_asking(s)
                                        : silent_ms >= ROOM_LINGER_MS;
}

static bool close_first(struct link *list, size_t offset, const struct frontend *f) {
        unsigned n = 0;

        list_for_each(l, list) {
                struct http *h = (struct http *)((char *)l - offset);
                struct session *s = &container_of(h, struct http_session, http)->session;

                if (may_make_room(s, f)) {
                        session_close(s, s->phase == SESSION_IDLE ? CLOSE_IDLE : h->reason);
                        return true;
                }
                if (++n == ROOM_LOOKS)
                        break;
        }
        return false;
}

void http_make_room(struct worker *w, const struct upstream *u, const struct frontend *f) {
        if (!gate_is_full(&f->gate) && !gate_is_full(&u->all->gate))
                return;
        if (!gate_is_full(&f->gate))
                f = NULL; /* any frontend's will do */
        if (!close_first(&w->lingering, offsetof(struct http, linger_link), f))
                close_first(&w->idle, offsetof(struct http, idle_link), f);
}

/* ---- heads ---- */

/* How long it may be silent between two requests. */
static uint64_t http_patience_ms(const struct session *s) {
        uint64_t ms = http_config(s)->keep_alive_ms;

        return s->worker->drain.on && ms > DRAIN_MS ? DRAIN_MS : ms;
}

void http_watch_client(struct session *s) {
        if (!http_config(s)->serve_half_closed)
                io_want(&s->client.io, EPOLLRDHUP);
}

static enum session_step http_rest(struct session *s) {
        const struct config_http *config = http_config(s);
        struct http *h = s->http;

        s->phase = h->in.n > 0 ? SESSION_HEAD : SESSION_IDLE;
        if (h->in.n == 0) {
                inflow_drop(&h->in, &s->worker->stock);
                http_idle(s);
        } else {
                http_busy(s);
        }
        io_unwant(&s->client.io, EPOLLRDHUP); /* the next read meets it */
        io_want(&s->client.io, EPOLLIN | EPOLLERR);
        if (s->phase == SESSION_HEAD)
                http_look_at(s, h->first_ms + config->head_timeout_ms);
        else
                http_look_at(s, s->active_ms + http_patience_ms(s));
        return STEP_WAIT;
}

static enum http_verdict http_read_head(struct session *s) {
        struct http_desk *desk = s->worker->desk;
        struct http *h = s->http;

        desk->head_of = NULL;
        return http_read_request(&desk->head, &h->scan, inflow_bytes(&h->in), h->in.n,
                                 &http_config(s)->limits);
}

/* The client has closed, or reset: between two requests that is how it ends. */
static enum session_step http_client_left(struct session *s, ssize_t n) {
        return session_end(s, n == 0 ? CLOSE_DONE : CLOSE_CLIENT_RESET);
}

/* Reads until a head is whole, or there is nothing to read. */
enum session_step http_read(struct session *s) {
        struct http *h = s->http;
        ssize_t n;

        if (inflow_unpack(&h->in, &s->worker->stock) < 0)
                return session_end(s, CLOSE_RESOURCES);
        for (;;) {
                if (h->in.n > 0) {
                        enum http_verdict v = http_read_head(s);

                        if (h->first_ms == 0)
                                h->first_ms = session_now_ms(s);
                        if (v != HTTP_MORE)
                                http_busy(s);
                        if (v == HTTP_OK)
                                return http_request(s);
                        if (v != HTTP_MORE)
                                return http_refuse(s, v);
                }
                if (!(s->client.io.ready & (EPOLLIN | EPOLLERR)))
                        break;
                n = inflow_read(&h->in, &s->client, &s->worker->stock);
                if (n == -EAGAIN && !side_is_dead(&s->client))
                        break;
                if (n == -EMSGSIZE)
                        return http_refuse(s, HTTP_HEADERS_LONG);
                if (n == -ENOBUFS)
                        return session_end(s, CLOSE_RESOURCES);
                if (n <= 0)
                        return http_client_left(s, n);
        }
        if (h->in.n > 0)
                inflow_pack(&h->in, &s->worker->stock);
        return http_rest(s);
}

/* Its pages cost nothing before they are written. */
int http_prepare(struct worker *w, const struct config *c) {
        for (size_t i = 0; i < c->n_frontends && !w->desk; i++) {
                if (c->frontends[i].protocol != CONFIG_HTTP)
                        continue;
                w->desk = calloc(1, sizeof(*w->desk));
                if (!w->desk)
                        return -ENOMEM;
        }
        return 0;
}

enum session_step http_start(struct session *s) {
        assert(s->worker->desk); /* http_prepare() */
        return http_rest(s);
}

/* ---- the end ---- */

/* Throws away what still comes; a close() with bytes unread would reset the connection, and the
 * reset may overtake the response. */
enum session_step http_linger(struct session *s) {
        char away[1024]; /* only TCP throws away what it does not copy */
        ssize_t n;

        if (s->client.is_unix)
                n = recv(s->client.fd, away, sizeof(away), MSG_DONTWAIT);
        else
                n = recv(s->client.fd, NULL, LINGER_BYTES, MSG_TRUNC | MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN) || side_is_dead(&s->client))
                return session_end(s, s->http->reason);
        if (n < 0)
                io_spent(&s->client.io, EPOLLIN);
        else
                s->active_ms = session_now_ms(s);
        return STEP_WAIT;
}

static enum session_step http_end(struct session *s, bool unread) {
        struct http *h = s->http;

        if (!unread && h->in.n == 0 && !(s->client.io.ready & EPOLLIN))
                return session_end(s, h->reason);

        inflow_drop(&h->in, &s->worker->stock);
        if (h->hasty)
                return session_end(s, h->reason);
        shutdown(s->client.fd, SHUT_WR);
        s->client.shut = true;
        s->phase = SESSION_LINGER;
        link_before(&s->worker->lingering, &h->linger_link);
        h->until_ms = session_now_ms(s) + LINGER_MAX_MS;
        http_look_at(s, session_now_ms(s) + LINGER_MS);
        io_unwant(&s->client.io, EPOLLOUT | EPOLLRDHUP);
        io_want(&s->client.io, EPOLLIN | EPOLLERR);
        return STEP_WAIT;
}

/* Without a slot it is bound by no limit, so few of them get more than what is written at once. */
void http_turn_away(struct session *s) {
        struct worker *w = s->worker;

        if (s->has_slot || s->http->turned_away)
                return;
        s->http->hasty = w->n_turned_away >= TURNED_AWAY_MAX;
        s->http->turned_away = !s->http->hasty;
        w->n_turned_away += s->http->turned_away;
}

/* The next one may lie at the same address: the desk must not take it for this one. */
static void exchange_drop(struct session *s) {
        struct http *h = s->http;

        if (s->worker->desk && s->worker->desk->head_of == h->x)
                s->worker->desk->head_of = NULL;
        free(take_ptr(h->x));
}

enum session_step http_next(struct session *s) {
        struct http *h = s->http;
        bool keep = h->x->keep && http_goes_on(s);
        bool unread = !http_body_complete(&h->x->up);

        s->waited_ms = 0;
        exchange_drop(s);
        h->scan = (struct http_scan){ .line = 0 };
        s->active_ms = session_now_ms(s);
        h->first_ms = h->in.n > 0 ? s->active_ms : 0;
        session_forget_tried(s);
        if (!keep || unread)
                return http_end(s, unread);

        /* what came behind the request is looked at in the next turn: others want one, too */
        if (h->in.n > 0)
                io_assume(&s->client.io, EPOLLIN);
        return http_rest(s);
}

/* The end of a response that is not whole must not look like its end: where nothing but the end of
 * the connection says that it is whole, the client's is reset. */
static void http_cut(const struct session *s) {
        const struct exchange *x = s->http->x;

        if (x->head_out && (x->down.framing == HTTP_FRAMING_UNTIL_CLOSE || x->unchunk))
                sock_reset_at_close(s->client.fd);
}

void http_end_linger(struct worker *w) {
        struct http *h = container_of(w->lingering.next, struct http, linger_link);
        struct session *s = &container_of(h, struct http_session, http)->session;

        assert(!link_idle(&w->lingering) && s->phase == SESSION_LINGER);
        session_close(s, h->reason);
}

void http_over(struct session *s, enum close_reason reason) {
        struct http *h = s->http;

        http_busy(s);
        if (h->turned_away)
                s->worker->n_turned_away--;
        link_remove(&h->linger_link);
        inflow_drop(&h->in, &s->worker->stock);
        if (!h->x)
                return;
        if (h->x->status == 0 && (reason == CLOSE_CLIENT_GONE || reason == CLOSE_CLIENT_RESET))
                h->x->status = HTTP_CLIENT_LEFT;
        http_cut(s);
        http_log_request(s, reason);
        inflow_drop(&h->x->in, &s->worker->stock);
        exchange_drop(s);
}

/* Who asks all the time would lose a request that is on its way, and is told with the next response
 * that it was the last. So only who has been silent for a while is closed. */
void http_drain(struct worker *w) {
        for (struct link *l = w->sessions.next, *next; l != &w->sessions; l = next) {
                struct session *s = container_of(l, struct session, link);
                uint64_t due;

                next = l->next;
                if (!s->http || s->phase != SESSION_IDLE)
                        continue;
                due = s->active_ms + http_patience_ms(s);
                if (due > session_now_ms(s))
                        http_look_at(s, due);
                else if (!is_asking(s))
                        session_close(s, CLOSE_DONE);
        }
}

/* The client has sent its FIN before it had its response. */
enum session_step http_client_gone(struct session *s) {
        return session_end(s, CLOSE_CLIENT_GONE);
}

/* ---- timers ---- */

/* When the patience with it ends, and in which phase. */
static uint64_t http_due_ms(const struct session *s) {
        const struct config_http *config = http_config(s);
        const struct exchange *x = s->http->x;

        switch (s->phase) {
        case SESSION_IDLE:
                return s->active_ms + http_patience_ms(s);
        case SESSION_HEAD:
                return s->http->first_ms + config->head_timeout_ms;
        case SESSION_LINGER:
                return s->http->until_ms < s->active_ms + LINGER_MS ? s->http->until_ms
                                                                    : s->active_ms + LINGER_MS;
        default:
                if (s->phase != SESSION_ANSWER && x->up_over && !x->head_out && s->down.held == 0)
                        return s->active_ms + config->response_ms;
                return s->active_ms + s->frontend->config->idle_timeout_ms;
        }
}

/* A client that does not send what it has announced, or a backend that does not answer. */
static enum session_step http_exchange_late(struct session *s) {
        const struct exchange *x = s->http->x;

        if (x->head_out || s->phase == SESSION_ANSWER)
                return session_end(s, CLOSE_IDLE);
        return http_answer(s, !x->up_over && s->up.held == 0 ? 408 : 504);
}

enum session_step http_timer(struct session *s) {
        uint64_t due = http_due_ms(s);

        if (session_now_ms(s) < due) {
                timer_set(s->worker->loop, &s->timer, due);
                return STEP_WAIT;
        }
        switch (s->phase) {
        case SESSION_IDLE:
                if (is_asking(s))
                        return STEP_WAIT;
                return session_end(s, s->worker->drain.on ? CLOSE_DONE : CLOSE_IDLE);
        case SESSION_HEAD:
                if (inflow_unpack(&s->http->in, &s->worker->stock) < 0)
                        return session_end(s, CLOSE_RESOURCES);
                return http_refuse(s, HTTP_LATE);
        case SESSION_LINGER:
                return session_end(s, s->http->reason);
        default:
                return http_exchange_late(s);
        }
}
