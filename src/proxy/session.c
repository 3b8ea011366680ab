/* SPDX-License-Identifier: MIT */
/*
 * Birth, places and death of a session. Every path ends in session_close(), which undoes whatever
 * there is by then.
 *
 * Places. A session has a place while it is counted in the gates of the daemon and of its frontend.
 * Without one, or with every backend at its own limit, it is turned away or waits, as
 * overload_policy says; who waits holds no place. A place that becomes free wakes whoever waits, in
 * all workers.
 */

#include "proxy/session.h"

#include <assert.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/log.h"
#include "net/sock.h"
#include "proxy/http_session.h"
#include "proxy/listener.h"
#include "proxy/worker.h"

#define LOG_MODULE "session"

#define ADMIT_SKIP   64  /* requests whose pool is full that are passed over */
#define WAIT_LOOK_MS 250 /* who waits for a place looks so often by himself */

const char *close_reason_word(enum close_reason r) {
        static const char *const words[] = {
#define REASON(id, word, text) word,
#include "proxy/reasons.h"
        };

        return words[r];
}

const char *session_phase_word(enum session_phase p) {
        static const char *const words[] = {
#define X(id, word) word,
                SESSION_PHASES(X)
#undef X
        };

        return words[p];
}

struct addr session_peer_addr(const union session_peer *p) {
        struct addr a = { .len = sizeof(sa_family_t), .sa.sa_family = AF_UNIX };

        if (p->sa.sa_family == AF_INET || p->sa.sa_family == AF_INET6) {
                memcpy(&a.in6, p, sizeof(*p));
                a.len = p->sa.sa_family == AF_INET ? sizeof(a.in4) : sizeof(a.in6);
        }
        return a;
}

uint64_t session_now_ms(const struct session *s) {
        return loop_now_ms(s->worker->loop);
}

uint64_t session_public_id(const struct session *s) {
        return s->id * crew_size(s->worker->crew) + s->worker->index;
}

static struct endpoint_counters *endpoint_counters(const struct session *s) {
        return &s->endpoint->endpoint->per_worker[s->worker->index];
}

static struct frontend_counters *frontend_counters(const struct session *s) {
        return &s->frontend->frontend->per_worker[s->worker->index];
}

static struct frontend *daemon_of(const struct session *s) {
        return s->view->upstream->all;
}

static size_t frontend_index(const struct session *s) {
        return (size_t)(s->frontend - s->view->upstream->frontends);
}

void session_moved(struct session *s, const struct lane *lane, uint64_t n) {
        s->active_ms = session_now_ms(s);
        if (n > 0 && s->endpoint && lane == &s->up)
                COUNTER_ADD(endpoint_counters(s)->bytes_in, n);
        else if (n > 0 && s->endpoint)
                COUNTER_ADD(endpoint_counters(s)->bytes_out, n);
}

/* ---- places ---- */

static bool session_enter(struct session *s) {
        if (!gate_enter(&daemon_of(s)->gate))
                return false;
        if (!gate_enter(&s->frontend->frontend->gate)) {
                gate_leave(&daemon_of(s)->gate);
                return false;
        }
        s->has_place = true;
        return true;
}

static void session_step_back(struct session *s) {
        s->has_place = false;
        gate_leave(&s->frontend->frontend->gate);
        gate_leave(&daemon_of(s)->gate);
}

static void session_leave(struct session *s) {
        if (!s->has_place)
                return;

        session_step_back(s);
        worker_place_free(s->worker);
}

static void session_count_waiting(struct session *s, int n) {
        COUNTER_ADD(s->worker->counters.n_waiting, (unsigned)n);
        atomic_fetch_add(&s->frontend->frontend->waiting, (unsigned)n);
        atomic_fetch_add(&daemon_of(s)->waiting, (unsigned)n);
}

static void session_stop_waiting(struct session *s) {
        if (link_idle(&s->wait_link))
                return;

        link_remove(&s->wait_link);
        session_count_waiting(s, -1);
}

/* A place that becomes free wakes who waits; that a cooldown is over nobody says, so they look. */
static void session_wait_on(struct session *s) {
        uint64_t until = s->asked_ms + s->frontend->config->queue_timeout_ms;
        uint64_t look = session_now_ms(s) + WAIT_LOOK_MS;

        timer_set(s->worker->loop, &s->timer, look < until ? look : until);
}

/* There is no place now. Says whether the session waits for one; else it may be gone. A request
 * that waits for a backend keeps the place of its session. */
static bool session_wait(struct session *s) {
        const struct config_frontend *config = s->frontend->config;
        struct view_frontend *vf = &s->view->frontends[frontend_index(s)];
        uint32_t waiting = atomic_load(&s->frontend->frontend->waiting);

        if (!http_asks(s))
                session_leave(s);
        if (config->overload == CONFIG_REJECT || waiting >= SESSION_WAITING_MAX) {
                worker_place_free(s->worker); /* one it held for a moment, in trying */
                session_fail(s, CLOSE_LIMIT);
                return false;
        }

        s->phase = SESSION_WAIT;
        session_forget_tried(s); /* what failed cools down now, and may do when it has */
        link_before(&vf->waiting, &s->wait_link);
        session_count_waiting(s, 1);
        session_wait_on(s);
        return true;
}

/* False: still no place for it. */
static bool session_try(struct session *s) {
        enum upstream_pick pick;

        if (!s->has_place && !session_enter(s))
                return false;
        if (s->http && !http_asks(s)) {
                session_stop_waiting(s);
                http_start(s);
                return true;
        }

        pick = session_pick(s);
        if (pick == PICK_FULL) {
                if (!s->http)
                        session_step_back(s); /* wakes nobody: they would wake each other */
                return false;
        }

        session_stop_waiting(s);
        if (pick == PICK_NOBODY)
                session_give_up(s);
        else
                session_connect_next(s);
        return true;
}

/* The one behind the first skip of those who wait; NULL: there are no more. */
static struct session *waiting_after(struct link *head, size_t skip) {
        struct link *l = head->next;

        for (; skip > 0 && l != head; skip--)
                l = l->next;
        return l == head ? NULL : container_of(l, struct session, wait_link);
}

/* The oldest of those who wait, as long as there are places. Requests wait for one pool or another:
 * one whose pool is full does not hold up those behind it. Each try may change the list. */
static void view_admit(struct worker *w, struct view *view, size_t frontend) {
        struct link *head = &view->frontends[frontend].waiting;
        size_t max = view->upstream->frontends[frontend].n_targets > 1 ? ADMIT_SKIP : 0, skip = 0;
        struct session *s;

        view->n_sessions++; /* it shall outlive its last session until we are through */
        while ((s = waiting_after(head, skip)))
                if (!session_try(s) && skip++ >= max)
                        break;
        view->n_sessions--;
        view_settle(w, view);
}

/* Who waits has said so by now, so a place that becomes free from here on wakes it. One that became
 * free just before is found by looking once more; it goes to whoever waits longest. */
void session_queue(struct session *s) {
        struct worker *w = s->worker;
        struct view *view = s->view;
        size_t frontend = frontend_index(s);

        if (session_wait(s))
                view_admit(w, view, frontend);
}

void session_retry_waiting(struct worker *w) {
        for (struct link *l = w->views.next, *next; l != &w->views; l = next) {
                struct view *view = container_of(l, struct view, link);

                next = l->next;
                view->n_sessions++; /* or the first of the calls below could free it */
                for (size_t i = 0; i < view->upstream->config->n_frontends; i++)
                        view_admit(w, view, i);
                view->n_sessions--;
                view_settle(w, view);
        }
}

void session_dial(struct session *s) {
        enum upstream_pick pick = session_pick(s);

        if (pick == PICK_FULL)
                session_queue(s);
        else if (pick == PICK_NOBODY)
                session_give_up(s);
        else
                session_connect_next(s);
}

static bool is_protected(const struct session *s) {
        return s->target && pool_protected(s->target->pool->pool);
}

static void session_count_rejected(struct session *s, enum close_reason reason) {
        enum reject_reason why = is_protected(s) ? REJECT_PROTECTION : REJECT_NO_BACKEND;

        if (reason == CLOSE_LIMIT || reason == CLOSE_QUEUE_TIMEOUT)
                why = REJECT_MAX_CONNECTIONS;
        else if (reason != CLOSE_NO_BACKEND && reason != CLOSE_CONNECT_FAILED)
                return;
        COUNTER_ADD(frontend_counters(s)->rejected[why], 1);
}

void session_fail(struct session *s, enum close_reason reason) {
        session_count_rejected(s, reason);
        if (s->http)
                http_unserved(s, reason);
        else
                session_close(s, reason);
}

/* ---- events, timers ---- */

void session_on_server(struct io *io) {
        struct session *s = container_of(io, struct server, side.io)->session;

        if (s->phase == SESSION_RELAY)
                session_relay(s);
        else if (s->phase == SESSION_FLUSH)
                session_flush(s);
        else if (s->phase == SESSION_EXCHANGE)
                http_run(s);
        else
                session_connect_ready(s);
}

static void session_on_client(struct io *io) {
        struct session *s = container_of(io, struct session, client.io);

        if (s->http && s->phase != SESSION_RELAY && s->phase != SESSION_FLUSH)
                http_on_client(s);
        else if (s->phase == SESSION_RELAY)
                session_relay(s);
        else if (s->phase == SESSION_FLUSH)
                session_flush(s);
        else /* only errors are wanted before: nobody is there to serve any more */
                session_close(s, CLOSE_CLIENT_RESET);
}

/* The oldest one tries for all; s may be gone then. */
static void session_on_wait_timer(struct session *s) {
        struct view *view = s->view;
        size_t frontend = frontend_index(s);

        if (session_now_ms(s) >= s->asked_ms + s->frontend->config->queue_timeout_ms) {
                session_stop_waiting(s);
                session_fail(s, CLOSE_QUEUE_TIMEOUT);
                return;
        }
        session_wait_on(s);
        if (view->frontends[frontend].waiting.next == &s->wait_link)
                view_admit(s->worker, view, frontend);
}

static void session_on_timer(struct timer *t) {
        struct session *s = container_of(t, struct session, timer);
        uint64_t due = s->active_ms + s->frontend->config->idle_timeout_ms;

        if (s->phase == SESSION_WAIT)
                session_on_wait_timer(s);
        else if (s->phase == SESSION_CONNECT)
                session_connect_late(s);
        else if (s->phase != SESSION_RELAY && s->phase != SESSION_FLUSH)
                http_on_timer(s);
        else if (session_now_ms(s) < due)
                timer_set(s->worker->loop, &s->timer, session_settle(s, due));
        else
                session_close(s, s->phase == SESSION_FLUSH ? CLOSE_SERVER_RESET : CLOSE_IDLE);
}

/* ---- birth and death ---- */

static int session_new(struct session **ret, struct worker *w, const struct accepted *a) {
        struct view *view = worker_view(w, a->upstream);
        const struct upstream_frontend *f = &a->upstream->frontends[a->frontend];
        bool http = f->config->protocol == CONFIG_HTTP;
        struct session *s = http ? http_session_new() : malloc(sizeof(*s));
        struct http *h = http && s ? s->http : NULL;
        int r;

        if (!view || !s) {
                if (view)
                        view_settle(w, view);
                free(s);
                return -ENOMEM;
        }

        *s = (struct session){
                .id = w->next_session,
                .worker = w,
                .view = view,
                .frontend = f,
                .target = &f->targets[0],
                .http = h,
                .client = { .fd = a->fd, .is_unix = a->peer.sa.sa_family == AF_UNIX },
                .born_ms = loop_now_ms(w->loop),
                .asked_ms = loop_now_ms(w->loop),
                .active_ms = loop_now_ms(w->loop),
                .timer.fn = session_on_timer,
                .peer = a->peer,
        };
        link_init(&s->link);
        link_init(&s->wait_link);
        link_init(&s->timer.link);

        r = io_attach(&s->client.io, w->loop, a->fd, session_on_client);
        if (r < 0) {
                view_settle(w, view);
                free(s);
                return r;
        }
        io_want(&s->client.io, EPOLLERR);
        *ret = s;
        return 0;
}

/* Nobody overtakes those who came before. */
static bool others_wait(const struct session *s) {
        return s->frontend->config->overload == CONFIG_QUEUE &&
               atomic_load_explicit(&s->frontend->frontend->waiting, memory_order_relaxed) > 0;
}

void session_accept(struct worker *w, const struct accepted *a) {
        struct session *s;

        COUNTER_ADD(w->counters.opened, 1);
        if (session_new(&s, w, a) < 0) {
                fd_close(a->fd);
                COUNTER_ADD(w->counters.closed[CLOSE_RESOURCES], 1);
                return;
        }

        w->next_session++;
        s->view->n_sessions++;
        link_before(&w->sessions, &s->link);
        COUNTER_ADD(w->counters.sessions_now, 1);
        COUNTER_ADD(frontend_counters(s)->sessions_total, 1);
        if (others_wait(s) || !session_try(s))
                session_queue(s);
}

static void log_closed(const struct session *s, enum close_reason reason) {
        char client[ADDR_TEXT_MAX];
        struct addr peer;

        if (!log_enabled(LOG_LEVEL_DEBUG))
                return;
        peer = session_peer_addr(&s->peer);
        log_debug(session_closed, "a session has ended", F_U64("session", session_public_id(s)),
                  F_STR("frontend", s->frontend->config->name),
                  F_STR("client", addr_text(&peer, client)),
                  F_STR("backend", s->endpoint ? s->endpoint->config->name : NULL),
                  F_STR("reason", close_reason_word(reason)), F_U64("bytes_in", s->up.bytes),
                  F_U64("bytes_out", s->down.bytes),
                  F_U64("duration_ms", session_now_ms(s) - s->born_ms));
}

/* The other end of a connection that was reset shall not take what it got for all there was: a
 * reset is passed on, unless bytes under way would be lost with it. */
static void side_pass_reset(const struct side *side) {
        int queued;

        if (side->fd >= 0 && ioctl(side->fd, SIOCOUTQ, &queued) == 0 && queued == 0)
                sock_reset_at_close(side->fd);
}

static void session_close_sides(struct session *s, enum close_reason reason) {
        if (reason == CLOSE_SERVER_RESET)
                side_pass_reset(&s->client);
        else if (reason == CLOSE_CLIENT_RESET && s->server)
                side_pass_reset(&s->server->side);

        io_forget(&s->client.io);
        s->client.fd = fd_close(s->client.fd);
        session_drop_server(s);
}

void session_close(struct session *s, enum close_reason reason) {
        struct worker *w = s->worker;

        log_closed(s, reason);
        COUNTER_ADD(w->counters.closed[reason], 1);
        COUNTER_ADD(w->counters.sessions_now, -1);

        wheel_cancel(&s->timer);
        if (s->http)
                http_over(s, reason);
        lane_drop(&s->up, &w->stock);
        lane_drop(&s->down, &w->stock);
        session_close_sides(s, reason);
        session_stop_waiting(s);
        session_drop_endpoint(s);
        session_leave(s);

        link_remove(&s->link);
        s->view->n_sessions--;
        view_settle(w, s->view);
        free(s->tried);
        free(s);
        worker_session_gone(w);
}
