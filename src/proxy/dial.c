/* SPDX-License-Identifier: MIT */
/*
 * The way to a backend: pick one, try its addresses, and when they fail the next one, until one
 * answers or all were tried.
 */

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "net/sock.h"
#include "proxy/http_session.h"
#include "proxy/session.h"
#include "proxy/worker.h"

#define LOG_MODULE "session"

#define UNIX_RETRY_MS 5

#define PROTECTED_RETRIES 1 /* of a session in a protected pool */

static struct endpoint_counters *endpoint_counters(const struct session *s) {
        return &s->endpoint->endpoint->per_worker[s->worker->index];
}

static void log_cooling(const struct session *s, int error) {
        struct endpoint *e = s->endpoint->endpoint;

        if (!endpoint_may_tell(e, error != 0, session_now_ms(s)))
                return;
        if (error != 0)
                log_warn(backend_state, "the backend failed and gets no new sessions for now",
                         F_STR("pool", e->pool), F_STR("backend", e->name), F_STR("from", "up"),
                         F_STR("to", "cool"), F_STR("reason", failure_word(error)),
                         error < 0 ? F_ERR(error) : F_I64("status", error));
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

void session_drop_server(struct session *s) {
        struct server *server = take_ptr(s->server);

        if (!server)
                return;
        io_forget(&server->side.io);
        fd_close(server->side.fd);
        if (s->http)
                free(warm_of(server));
        else
                free(server);
}

/* Gives the endpoint back; who waits for one of its places may try. */
void session_drop_endpoint(struct session *s) {
        if (!s->endpoint)
                return;
        COUNTER_ADD(endpoint_counters(s)->sessions_now, -1);
        upstream_release(s->endpoint);
        s->endpoint = NULL;
        worker_place_free(s->worker);
}

void session_endpoint_works(struct session *s) {
        if (!endpoint_worked(s->endpoint->endpoint))
                return;
        log_cooling(s, 0);
        session_tell_endpoint(s);
}

void session_endpoint_broke(struct session *s, int failure) {
        const struct upstream_pool *pool = s->target->pool;

        if (endpoint_failed(s->endpoint->endpoint, pool->config, pool_protected(pool->pool),
                            session_now_ms(s), failure))
                log_cooling(s, failure);
        session_tell_endpoint(s);
}

bool session_mark_tried(struct session *s) {
        const struct upstream_pool *pool = s->target->pool;
        size_t i = (size_t)(s->endpoint - pool->endpoints);

        if (!s->tried)
                s->tried = calloc(pool->n_endpoints / 64 + 1, sizeof(uint64_t));
        if (!s->tried)
                return false;
        s->n_tried++;
        s->tried[i / 64] |= UINT64_C(1) << (i % 64);
        return true;
}

void session_forget_tried(struct session *s) {
        free(take_ptr(s->tried));
        s->n_tried = 0;
}

/* All addresses of the endpoint have failed, the last one with error. False: the session is
 * gone. */
static bool session_endpoint_failed(struct session *s, int error) {
        struct endpoint *e = s->endpoint->endpoint;
        bool ok;

        COUNTER_ADD(endpoint_counters(s)->failed[connect_failure_of(error)], 1);
        atomic_store_explicit(&endpoint_counters(s)->last_connect_ms, session_now_ms(s),
                              memory_order_relaxed);
        if (endpoint_failed(e, s->target->pool->config, pool_protected(s->target->pool->pool),
                            session_now_ms(s), error))
                log_cooling(s, error);
        session_tell_endpoint(s);

        ok = session_mark_tried(s);
        session_drop_endpoint(s);
        if (!ok)
                session_fail(s, CLOSE_RESOURCES);
        return ok;
}

/* The address in use has failed. True: there is another one of this endpoint. */
static bool session_next_addr(struct session *s) {
        s->addr = (uint8_t)((s->addr + 1u) % s->endpoint->n_addrs);
        s->n_addrs_tried++;
        s->active_ms = session_now_ms(s);
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
                session_fail(s, CLOSE_RESOURCES);
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

        if ((endpoint_cooling(e) || is_down(e)) && sock_met_itself(s->server->side.fd)) {
                session_connect_failed(s, -ECONNREFUSED);
                return;
        }
        atomic_store_explicit(&endpoint_counters(s)->last_connect_ms, session_now_ms(s),
                              memory_order_relaxed);
        if (s->addr != atomic_load_explicit(&e->good_addr, memory_order_relaxed))
                atomic_store_explicit(&e->good_addr, s->addr, memory_order_relaxed);
        COUNTER_ADD(endpoint_counters(s)->connected, 1);
        frontend_connected(&s->frontend->frontend->per_worker[s->worker->index],
                           (uint32_t)clock_mono_us() - s->chosen_us);
        /* passive checks judge by the answer */
        if (!s->http || !s->target->pool->config->check.passive)
                session_endpoint_works(s);
        if (is_down(e))
                session_tell_endpoint(s); /* a last hope that came true */
        if (s->http) {
                http_connected(s);
                return;
        }
        session_forget_tried(s);
        session_start_relay(s);
}

void session_connect_ready(struct session *s) {
        const struct io *io = &s->server->side.io;
        int r = io->ready & (EPOLLERR | EPOLLHUP) ? sock_error(io->fd) : 0;

        if (r < 0)
                session_connect_failed(s, r);
        else
                session_on_connected(s);
}

void session_connect_late(struct session *s) {
        if (s->server)
                session_connect_failed(s, -ETIMEDOUT);
        else
                session_connect_next(s); /* the same address again */
}

static bool is_shortage(int r) {
        return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM;
}

/* A Unix socket whose queue is full says so at once, and nothing tells when there is room; TCP
 * would knock again by itself. So this asks again after 5, 5, 10, 20 ... ms while there is time. */
static int session_connect_later(struct session *s) {
        uint64_t elapsed = session_now_ms(s) - s->active_ms;
        uint64_t wait = elapsed < UNIX_RETRY_MS ? UNIX_RETRY_MS : elapsed;
        uint64_t patience = s->target->connect_timeout_ms;

        if (elapsed >= patience)
                return -ETIMEDOUT;
        if (wait > patience - elapsed)
                wait = patience - elapsed;
        s->phase = SESSION_CONNECT;
        timer_set(s->worker->loop, &s->timer, session_now_ms(s) + wait);
        return 0;
}

static struct server *server_new(const struct session *s) {
        struct server *server;
        struct warm *warm;

        if (s->http) {
                warm = calloc(1, sizeof(*warm));
                if (!warm)
                        return NULL;
                warm_init(warm, s->worker);
                server = &warm->server;
        } else {
                server = calloc(1, sizeof(*server));
                if (!server)
                        return NULL;
        }
        io_init(&server->side.io);
        return server;
}

/* One of HTTP rests between many requests; one of TCP may be over before it needs any of it. */
static void server_tune(struct side *side, const struct session *s) {
        side->delays = !s->http;
        if (!s->http)
                return;
        sock_no_delay(side->fd);
        sock_keep_alive(side->fd, s->frontend->config->idle_timeout_ms);
}

/* A connection under way. 0, or a negative errno. */
static int server_connect(struct server **ret, struct session *s) {
        const struct addr *a = &s->endpoint->addrs[s->addr];
        struct server *server;
        int fd, r, k;

        r = sock_connect(&fd, a);
        if (r < 0 && r != -EINPROGRESS)
                return r;
        server = server_new(s);
        if (!server) {
                fd_close(fd);
                return -ENOMEM;
        }
        server->session = s;
        server->side.fd = fd;
        server->side.is_unix = a->sa.sa_family == AF_UNIX;
        if (!server->side.is_unix)
                server_tune(&server->side, s);

        *ret = server;
        /* also when it is connected already, as Unix sockets are: the first event says so */
        k = io_attach_connecting(&server->side.io, s->worker->loop, fd, session_on_server);
        return k < 0 ? -ENOBUFS : 0;
}

/* Begins to connect to the address in use. 0; or why that address is out. */
static int session_connect(struct session *s) {
        bool is_unix = s->endpoint->addrs[s->addr].sa.sa_family == AF_UNIX;
        int r = server_connect(&s->server, s);

        if (is_shortage(r) && warm_relieve(s->worker)) {
                session_drop_server(s);
                r = server_connect(&s->server, s);
        }
        if (r == -EAGAIN && is_unix)
                return session_connect_later(s);
        if (r < 0) {
                session_drop_server(s);
                return r;
        }

        s->phase = SESSION_CONNECT;
        io_want(&s->server->side.io, EPOLLOUT | EPOLLERR | EPOLLHUP);
        timer_set(s->worker->loop, &s->timer, session_now_ms(s) + s->target->connect_timeout_ms);
        return 0;
}

static void session_use(struct session *s, const struct upstream_endpoint *e) {
        uint32_t good = atomic_load_explicit(&e->endpoint->good_addr, memory_order_relaxed);

        s->endpoint = e;
        s->addr = good < e->n_addrs ? (uint8_t)good : 0;
        s->failure = 0;
        s->n_addrs_tried = 0;
        s->active_ms = session_now_ms(s);
        s->chosen_ms = s->active_ms;
        s->chosen_us = (uint32_t)clock_mono_us();
        COUNTER_ADD(endpoint_counters(s)->sessions_total, 1);
        COUNTER_ADD(endpoint_counters(s)->sessions_now, 1);
}

enum upstream_pick session_pick(struct session *s) {
        const struct upstream_ask ask = {
                .target = s->target,
                .balance = s->frontend->config->balance,
                .state = view_state(s->view, s->frontend, s->target),
                .room = s->worker->room,
                .client_hash = s->http ? http_client_hash(s) : addr_hash_host(&s->peer.sa),
                .random = worker_random(s->worker),
                .now_ms = session_now_ms(s),
                .tried = s->tried,
        };
        enum upstream_pick pick;
        size_t i;

        pick = upstream_pick(&ask, &i);
        if (pick == PICK_ENDPOINT)
                session_use(s, &s->target->pool->endpoints[i]);
        return pick;
}

/* A pool that fails as a whole shall not get every session's every try. */
static bool session_tried_enough(const struct session *s) {
        return s->n_tried > PROTECTED_RETRIES && pool_protected(s->target->pool->pool);
}

/* No backend is usable, or all were tried. */
void session_give_up(struct session *s) {
        struct pool *pool = s->target->pool->pool;

        if (s->no_ports) {
                session_fail(s, CLOSE_RESOURCES);
                return;
        }
        COUNTER_ADD(pool->per_worker[s->worker->index].unavailable, 1);
        atomic_store_explicit(&pool->news, true, memory_order_release);
        crew_news(s->worker->crew);
        session_fail(s, s->tried ? CLOSE_CONNECT_FAILED : CLOSE_NO_BACKEND);
}

/* Picks, unless an endpoint is chosen already, and connects, until one connect is under way. */
void session_connect_next(struct session *s) {
        enum upstream_pick pick;
        int r;

        for (;;) {
                if (!s->endpoint && session_tried_enough(s)) {
                        session_fail(s, CLOSE_CONNECT_FAILED);
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

                if (s->http && http_take_warm(s))
                        return;
                r = session_connect(s);
                if (r == 0)
                        return;
                if (is_shortage(r)) {
                        session_fail(s, CLOSE_RESOURCES);
                        return;
                }
                if (!session_addr_failed(s, r))
                        return;
        }
}
