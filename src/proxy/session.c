/* SPDX-License-Identifier: MIT */
/*
 * The life of a session, from top to bottom. Every path ends in session_close(), which undoes
 * whatever there is by then.
 *
 * Places. A session has a place while it is counted in the gates of the daemon and of its frontend.
 * Without one, or with every backend at its own limit, it is turned away or waits, as
 * overload_policy says; who waits holds no place. A place that becomes free wakes whoever waits, in
 * all workers.
 *
 * Death of a side. What a dead server had sent before is still worth delivering (one that refuses
 * an upload answers and resets), so the session flushes that lane and ends then. A dead client ends
 * it at once: the server might wait for that client to read, and would never take the rest.
 */

#include "proxy/session.h"

#include <assert.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/log.h"
#include "net/sock.h"
#include "proxy/listener.h"
#include "proxy/worker.h"

#define LOG_MODULE "session"

#define RELAY_ROUNDS  8 /* reads of one lane per turn, fairness */
#define UNIX_RETRY_MS 5

#define ACK_WAIT_MS  1   /* for the first bytes of the client, see sock_ack_now() */
#define WAIT_LOOK_MS 250 /* who waits for a place looks so often by himself */

#define PROTECTED_RETRIES 1 /* of a session in a protected pool */

static void session_connect_next(struct session *s);
static void session_queue(struct session *s);

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

static uint64_t now_ms(const struct session *s) {
        return loop_now_ms(s->worker->loop);
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

/* ---- relay ---- */

static uint64_t idle_timeout_ms(const struct session *s) {
        return s->frontend->config->idle_timeout_ms;
}

/* Runs a lane; what it moved is counted, and counts as a sign of life. */
static enum relay_result session_run_lane(struct session *s, struct lane *lane) {
        uint64_t before = lane->bytes;
        enum relay_result result = relay_run(lane, &s->worker->stock, RELAY_ROUNDS);
        uint64_t moved = lane->bytes - before;

        if (moved == 0 && result != RELAY_FINISHED)
                return result;
        s->active_ms = now_ms(s);
        if (moved > 0 && lane == &s->up)
                COUNTER_ADD(endpoint_counters(s)->bytes_in, moved);
        else if (moved > 0)
                COUNTER_ADD(endpoint_counters(s)->bytes_out, moved);
        return result;
}

static void session_flush(struct session *s) {
        if (session_run_lane(s, &s->down) != RELAY_WAIT)
                session_close(s, CLOSE_SERVER_RESET);
}

/* The server is dead. What it had sent goes to the client, then the session ends. */
static void session_server_died(struct session *s) {
        s->phase = SESSION_FLUSH;
        lane_drop(&s->up, &s->worker->stock);
        io_unwant(&s->client.io, UINT32_MAX);
        io_unwant(&s->server.io, UINT32_MAX);
        io_want(&s->client.io, EPOLLERR);
        s->server.io.ready |= EPOLLIN; /* whether bytes or the error are next, a read will tell */
        session_flush(s);
}

static bool is_dead(const struct side *side) {
        return side->io.ready & EPOLLERR;
}

static void session_relay(struct session *s) {
        enum relay_result up = session_run_lane(s, &s->up);
        enum relay_result down = session_run_lane(s, &s->down);

        if (up == RELAY_FINISHED && down == RELAY_FINISHED)
                session_close(s, CLOSE_DONE);
        else if (up == RELAY_NO_ROOM || down == RELAY_NO_ROOM)
                session_close(s, CLOSE_RESOURCES);
        else if (up == RELAY_FROM_GONE || down == RELAY_TO_GONE || is_dead(&s->client))
                session_close(s, CLOSE_CLIENT_RESET);
        else if (down == RELAY_FROM_GONE || up == RELAY_TO_GONE || is_dead(&s->server))
                session_server_died(s);
}

static void session_start_relay(struct session *s) {
        s->up = (struct lane){ .from = &s->client, .to = &s->server, .left = UINT64_MAX };
        s->down = (struct lane){ .from = &s->server, .to = &s->client, .left = UINT64_MAX };
        s->phase = SESSION_RELAY;
        s->active_ms = now_ms(s);
        io_unwant(&s->server.io, EPOLLOUT | EPOLLHUP); /* what relaying wants, the lanes say */
        /* first to see whether the client has said something for the last ACK to ride on */
        timer_set(s->worker->loop, &s->timer, s->active_ms + ACK_WAIT_MS);
        session_relay(s);
}

/* ---- connect ---- */

static void log_cooling(const struct session *s, int error) {
        struct endpoint *e = s->endpoint->endpoint;

        if (!endpoint_may_tell(e, error != 0, now_ms(s)))
                return;
        if (error != 0)
                log_warn(backend_state,
                         "a connect failed; the backend gets no new sessions for now",
                         F_STR("pool", e->pool), F_STR("backend", e->name), F_STR("from", "up"),
                         F_STR("to", "cool"), F_STR("reason", failure_word(error)), F_ERR(error));
        else
                log_info(backend_state, "the backend answers again", F_STR("pool", e->pool),
                         F_STR("backend", e->name), F_STR("from", "cool"), F_STR("to", "up"));
}

/* The control thread wants to know: it counts towards down, and towards protection. */
static void session_tell_endpoint(const struct session *s) {
        atomic_store_explicit(&s->endpoint->endpoint->news, true, memory_order_release);
        crew_news(s->worker->crew);
}

static bool is_down(const struct endpoint *e) {
        return atomic_load_explicit(&e->down, memory_order_relaxed);
}

static void session_drop_server(struct session *s) {
        io_forget(&s->server.io);
        s->server.fd = fd_close(s->server.fd);
}

/* Gives the endpoint back; who waits for one of its places may try. */
static void session_drop_endpoint(struct session *s) {
        COUNTER_ADD(endpoint_counters(s)->sessions_now, -1);
        upstream_release(s->endpoint);
        s->endpoint = NULL;
        worker_place_free(s->worker);
}

/* Remembers that the endpoint failed in this session. False: out of memory. */
static bool session_mark_tried(struct session *s) {
        const struct upstream_pool *pool = s->frontend->pool;
        size_t i = (size_t)(s->endpoint - pool->endpoints);

        if (!s->tried)
                s->tried = calloc(pool->n_endpoints / 64 + 1, sizeof(uint64_t));
        if (!s->tried)
                return false;
        s->n_tried++;
        s->tried[i / 64] |= UINT64_C(1) << (i % 64);
        return true;
}

/* All addresses of the endpoint have failed, the last one with error. False: the session is
 * gone. */
static bool session_endpoint_failed(struct session *s, int error) {
        struct endpoint *e = s->endpoint->endpoint;
        bool ok;

        COUNTER_ADD(endpoint_counters(s)->failed[connect_failure_of(error)], 1);
        atomic_store_explicit(&endpoint_counters(s)->last_connect_ms, now_ms(s),
                              memory_order_relaxed);
        if (endpoint_failed(e, s->frontend->pool->config, pool_protected(s->frontend->pool->pool),
                            now_ms(s), error))
                log_cooling(s, error);
        session_tell_endpoint(s);

        ok = session_mark_tried(s);
        session_drop_endpoint(s);
        if (!ok)
                session_close(s, CLOSE_RESOURCES);
        return ok;
}

/* The address in use has failed. True: there is another one of this endpoint. */
static bool session_next_addr(struct session *s) {
        s->addr = (uint8_t)((s->addr + 1u) % s->endpoint->n_addrs);
        s->n_addrs_tried++;
        s->active_ms = now_ms(s);
        return s->n_addrs_tried < s->endpoint->n_addrs;
}

/* This machine has no source port or address for any of its addresses. Where it was reached before,
 * ports have run out, which is not its fault: another endpoint may be reached. */
static bool session_endpoint_unreached(struct session *s) {
        bool ok;

        if (!endpoint_has_worked(s->endpoint->endpoint))
                return session_endpoint_failed(s, -EADDRNOTAVAIL);
        ok = session_mark_tried(s);
        s->no_ports = true;
        session_drop_endpoint(s);
        if (!ok)
                session_close(s, CLOSE_RESOURCES);
        return ok;
}

/* The address in use has failed. True: on to the next address or endpoint; false: s is gone. */
static bool session_addr_failed(struct session *s, int error) {
        if (error != -EADDRNOTAVAIL)
                s->failure = (int16_t)error;
        if (session_next_addr(s))
                return true;
        return s->failure != 0 ? session_endpoint_failed(s, s->failure)
                               : session_endpoint_unreached(s);
}

static void session_connect_failed(struct session *s, int error) {
        session_drop_server(s);
        if (session_addr_failed(s, error))
                session_connect_next(s);
}

static void session_on_connected(struct session *s) {
        struct endpoint *e = s->endpoint->endpoint;

        if ((endpoint_cooling(e) || is_down(e)) && sock_met_itself(s->server.fd)) {
                session_connect_failed(s, -ECONNREFUSED);
                return;
        }
        atomic_store_explicit(&endpoint_counters(s)->last_connect_ms, now_ms(s),
                              memory_order_relaxed);
        if (s->addr != atomic_load_explicit(&e->good_addr, memory_order_relaxed))
                atomic_store_explicit(&e->good_addr, s->addr, memory_order_relaxed);
        COUNTER_ADD(endpoint_counters(s)->connected, 1);
        if (endpoint_worked(e)) {
                log_cooling(s, 0);
                session_tell_endpoint(s);
        } else if (is_down(e)) {
                session_tell_endpoint(s); /* a last hope that came true */
        }
        free(take_ptr(s->tried));

        session_start_relay(s);
}

static void session_on_server(struct io *io) {
        struct session *s = container_of(io, struct session, server.io);
        int r;

        if (s->phase == SESSION_RELAY) {
                session_relay(s);
        } else if (s->phase == SESSION_FLUSH) {
                session_flush(s);
        } else {
                r = sock_error(io->fd);
                if (r < 0)
                        session_connect_failed(s, r);
                else
                        session_on_connected(s);
        }
}

static bool is_shortage(int r) {
        return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM;
}

/* A Unix socket whose queue is full says so at once, and nothing tells when there is room; TCP
 * would knock again by itself. So this asks again after 5, 5, 10, 20 ... ms while there is time. */
static int session_connect_later(struct session *s) {
        uint64_t elapsed = now_ms(s) - s->active_ms;
        uint64_t wait = elapsed < UNIX_RETRY_MS ? UNIX_RETRY_MS : elapsed;
        uint64_t patience = s->frontend->config->connect_timeout_ms;

        if (elapsed >= patience)
                return -ETIMEDOUT;
        if (wait > patience - elapsed)
                wait = patience - elapsed;
        s->phase = SESSION_CONNECT;
        timer_set(s->worker->loop, &s->timer, now_ms(s) + wait);
        return 0;
}

/* Begins to connect to the address in use. 0; or why that address is out. */
static int session_connect(struct session *s) {
        int r;

        s->server.is_unix = s->endpoint->addrs[s->addr].sa.sa_family == AF_UNIX;
        r = sock_connect(&s->server.fd, &s->endpoint->addrs[s->addr]);
        if (r == -EAGAIN && s->server.is_unix)
                return session_connect_later(s);
        if (r < 0 && r != -EINPROGRESS)
                return r;
        if (!s->server.is_unix)
                sock_set_user_timeout(s->server.fd, s->frontend->config->idle_timeout_ms);

        /* also when it is connected already, as Unix sockets are: the first event says so */
        r = io_attach_connecting(&s->server.io, s->worker->loop, s->server.fd, session_on_server);
        if (r < 0) {
                s->server.fd = fd_close(s->server.fd);
                return -ENOBUFS;
        }

        s->phase = SESSION_CONNECT;
        io_want(&s->server.io, EPOLLOUT | EPOLLERR | EPOLLHUP);
        timer_set(s->worker->loop, &s->timer, now_ms(s) + s->frontend->config->connect_timeout_ms);
        return 0;
}

static void session_use(struct session *s, const struct upstream_endpoint *e) {
        uint32_t good = atomic_load_explicit(&e->endpoint->good_addr, memory_order_relaxed);

        s->endpoint = e;
        s->addr = good < e->n_addrs ? (uint8_t)good : 0;
        s->failure = 0;
        s->n_addrs_tried = 0;
        s->active_ms = now_ms(s);
        s->chosen_ms = (uint32_t)(s->active_ms - s->born_ms);
        COUNTER_ADD(endpoint_counters(s)->sessions_total, 1);
        COUNTER_ADD(endpoint_counters(s)->sessions_now, 1);
}

static enum upstream_pick session_pick(struct session *s) {
        const struct upstream_ask ask = {
                .frontend = s->frontend,
                .state = s->view->frontends[frontend_index(s)].state,
                .room = s->worker->room,
                .client_hash = addr_hash_host(&s->peer.sa),
                .random = worker_random(s->worker),
                .now_ms = now_ms(s),
                .tried = s->tried,
        };
        enum upstream_pick pick;
        size_t i;

        pick = upstream_pick(&ask, &i);
        if (pick == PICK_ENDPOINT)
                session_use(s, &s->frontend->pool->endpoints[i]);
        return pick;
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
        uint64_t until = s->born_ms + s->frontend->config->queue_timeout_ms;
        uint64_t look = now_ms(s) + WAIT_LOOK_MS;

        timer_set(s->worker->loop, &s->timer, look < until ? look : until);
}

/* There is no place now. Says whether the session waits for one; else it is gone. */
static bool session_wait(struct session *s) {
        const struct config_frontend *config = s->frontend->config;
        struct view_frontend *vf = &s->view->frontends[frontend_index(s)];
        uint32_t waiting = atomic_load(&s->frontend->frontend->waiting);

        session_leave(s);
        if (config->overload == CONFIG_REJECT || waiting >= SESSION_WAITING_MAX) {
                worker_place_free(s->worker); /* one it held for a moment, in trying */
                session_close(s, CLOSE_LIMIT);
                return false;
        }

        s->phase = SESSION_WAIT;
        free(take_ptr(s->tried)); /* what failed cools down now, and may do when it has */
        s->n_tried = 0;
        link_before(&vf->waiting, &s->wait_link);
        session_count_waiting(s, 1);
        session_wait_on(s);
        return true;
}

/* A pool that fails as a whole shall not get every session's every try. */
static bool session_tried_enough(const struct session *s) {
        return s->n_tried > PROTECTED_RETRIES && pool_protected(s->frontend->pool->pool);
}

/* No backend is usable, or all were tried. */
static void session_give_up(struct session *s) {
        struct pool *pool = s->frontend->pool->pool;

        if (s->no_ports) {
                session_close(s, CLOSE_RESOURCES);
                return;
        }
        COUNTER_ADD(pool->per_worker[s->worker->index].unavailable, 1);
        atomic_store_explicit(&pool->news, true, memory_order_release);
        crew_news(s->worker->crew);
        session_close(s, s->tried ? CLOSE_CONNECT_FAILED : CLOSE_NO_BACKEND);
}

/* False: still no place for it. */
static bool session_try(struct session *s) {
        enum upstream_pick pick;

        if (!session_enter(s))
                return false;

        pick = session_pick(s);
        if (pick == PICK_FULL) {
                session_step_back(s); /* wakes nobody: who waits would wake who waits, for ever */
                return false;
        }

        session_stop_waiting(s);
        if (pick == PICK_NOBODY)
                session_give_up(s);
        else
                session_connect_next(s);
        return true;
}

/* Picks, unless an endpoint is chosen already, and connects, until one connect is under way. */
static void session_connect_next(struct session *s) {
        enum upstream_pick pick;
        int r;

        for (;;) {
                if (!s->endpoint && session_tried_enough(s)) {
                        session_close(s, CLOSE_CONNECT_FAILED);
                        return;
                }
                pick = s->endpoint ? PICK_ENDPOINT : session_pick(s);
                if (pick == PICK_FULL) {
                        session_queue(s);
                        return;
                }
                if (pick == PICK_NOBODY) {
                        session_give_up(s);
                        return;
                }

                r = session_connect(s);
                if (r == 0)
                        return;
                if (is_shortage(r)) {
                        session_close(s, CLOSE_RESOURCES);
                        return;
                }
                if (!session_addr_failed(s, r))
                        return;
        }
}

/* The oldest of those who wait, as long as there are places. */
static void view_admit(struct worker *w, struct view *view, size_t frontend) {
        struct link *head = &view->frontends[frontend].waiting;

        view->n_sessions++; /* it shall outlive its last session until we are through */
        while (!link_idle(head) && session_try(container_of(head->next, struct session, wait_link)))
                ;
        view->n_sessions--;
        view_settle(w, view);
}

/* Who waits has said so by now, so a place that becomes free from here on wakes it. One that became
 * free just before is found by looking once more; it goes to whoever waits longest. */
static void session_queue(struct session *s) {
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

/* ---- events of the client, timers ---- */

static void session_on_client(struct io *io) {
        struct session *s = container_of(io, struct session, client.io);

        if (s->phase == SESSION_RELAY)
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

        if (now_ms(s) >= s->born_ms + s->frontend->config->queue_timeout_ms) {
                session_close(s, CLOSE_QUEUE_TIMEOUT);
                return;
        }
        session_wait_on(s);
        if (view->frontends[frontend].waiting.next == &s->wait_link)
                view_admit(s->worker, view, frontend);
}

/* Not idle yet. A server that speaks first does not know of the connection before the last ACK. */
static void session_look_again(struct session *s, uint64_t due) {
        if (s->phase == SESSION_RELAY && s->up.bytes == 0 && !s->server.is_unix)
                sock_ack_now(s->server.fd);
        timer_set(s->worker->loop, &s->timer, due);
}

static void session_on_timer(struct timer *t) {
        struct session *s = container_of(t, struct session, timer);
        uint64_t due = s->active_ms + idle_timeout_ms(s);

        if (s->phase == SESSION_WAIT)
                session_on_wait_timer(s);
        else if (s->phase == SESSION_CONNECT && s->server.fd < 0)
                session_connect_next(s); /* the same address again */
        else if (s->phase == SESSION_CONNECT)
                session_connect_failed(s, -ETIMEDOUT);
        else if (now_ms(s) < due)
                session_look_again(s, due);
        else
                session_close(s, s->phase == SESSION_FLUSH ? CLOSE_SERVER_RESET : CLOSE_IDLE);
}

/* ---- birth and death ---- */

static int session_new(struct session **ret, struct worker *w, const struct accepted *a) {
        struct view *view = worker_view(w, a->upstream);
        struct session *s = malloc(sizeof(*s));
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
                .frontend = &view->upstream->frontends[a->frontend],
                .client = { .fd = a->fd, .is_unix = a->peer.sa.sa_family == AF_UNIX },
                .server.fd = -EBADF,
                .born_ms = loop_now_ms(w->loop),
                .active_ms = loop_now_ms(w->loop),
                .timer.fn = session_on_timer,
                .peer = a->peer,
        };
        link_init(&s->link);
        link_init(&s->wait_link);
        link_init(&s->timer.link);
        io_init(&s->server.io);

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
        struct addr peer = { 0 };

        if (!log_enabled(LOG_LEVEL_DEBUG))
                return;
        addr_of(&peer, &s->peer.sa,
                s->peer.sa.sa_family == AF_INET6  ? sizeof(s->peer.in6)
                : s->peer.sa.sa_family == AF_INET ? sizeof(s->peer.in4)
                                                  : sizeof(sa_family_t));
        log_debug(session_closed, "a session has ended",
                  F_U64("session", s->id * s->view->upstream->all->n_workers + s->worker->index),
                  F_STR("frontend", s->frontend->config->name),
                  F_STR("client", addr_text(&peer, client)),
                  F_STR("backend", s->endpoint ? s->endpoint->config->name : NULL),
                  F_STR("reason", close_reason_word(reason)), F_U64("bytes_in", s->up.bytes),
                  F_U64("bytes_out", s->down.bytes), F_U64("duration_ms", now_ms(s) - s->born_ms));
}

/* The other end of a connection that was reset shall not take what it got for all there was: a
 * reset is passed on, unless bytes under way would be lost with it. */
static void side_pass_reset(const struct side *side) {
        static const struct linger now = { .l_onoff = 1 };
        int queued;

        if (side->fd >= 0 && ioctl(side->fd, SIOCOUTQ, &queued) == 0 && queued == 0)
                setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void session_close_sides(struct session *s, enum close_reason reason) {
        if (reason == CLOSE_SERVER_RESET)
                side_pass_reset(&s->client);
        else if (reason == CLOSE_CLIENT_RESET)
                side_pass_reset(&s->server);

        io_forget(&s->client.io);
        s->client.fd = fd_close(s->client.fd);
        session_drop_server(s);
}

void session_close(struct session *s, enum close_reason reason) {
        struct worker *w = s->worker;

        log_closed(s, reason);
        COUNTER_ADD(w->counters.closed[reason], 1);
        COUNTER_ADD(w->counters.sessions_now, -1);
        if (reason == CLOSE_LIMIT || reason == CLOSE_QUEUE_TIMEOUT)
                COUNTER_ADD(frontend_counters(s)->rejected_total, 1);

        wheel_cancel(&s->timer);
        lane_drop(&s->up, &w->stock);
        lane_drop(&s->down, &w->stock);
        session_close_sides(s, reason);
        session_stop_waiting(s);
        if (s->endpoint)
                session_drop_endpoint(s);
        session_leave(s);

        link_remove(&s->link);
        s->view->n_sessions--;
        view_settle(w, s->view);
        free(s->tried);
        free(s);
        worker_session_gone(w);
}
