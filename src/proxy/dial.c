/* SPDX-License-Identifier: MIT */
/*
 * The way to a backend: SESSION_PICK chooses an endpoint, SESSION_DIAL begins to connect to one of
 * its addresses, SESSION_CONNECT waits for the outcome. What fails goes back to SESSION_PICK, with
 * one endpoint more in s->tried; where none is left the session waits (SESSION_HOLD) or fails.
 *
 * A connect that is slow. The kernel repeats a lost SYN after a second, so most slow connects work
 * in the end. After connect_timeout the session turns to another backend and leaves the slow
 * connect open (s->late); whichever answers first is used. Where no other backend is left it waits
 * for the slow one, up to connect_deadline. The endpoint is blamed for it only if no other connect
 * to it has worked in the meantime: a lost packet must not take a backend out.
 */

#include <assert.h>
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
#define TRIM_RETRY_MS 1   /* until a connection that rests in another worker is closed */
#define TRIM_MS       100 /* no longer than that */

#define PROTECTED_RETRIES 1 /* of a session in a protected pool */

static struct endpoint_counters *counters_of(const struct session *s,
                                             const struct upstream_endpoint *e) {
        return &e->endpoint->per_worker[s->worker->index];
}

static bool is_ready(const struct endpoint *e) {
        return atomic_load_explicit(&e->admin, memory_order_relaxed) == ADMIN_READY;
}

static bool is_down(const struct endpoint *e) {
        return atomic_load_explicit(&e->down, memory_order_relaxed);
}

/* ---- what an endpoint is told ---- */

static void log_cooling(const struct session *s, struct endpoint *e, int error) {
        char text[FAILURE_TEXT_MAX];

        if (!endpoint_may_tell(e, error != 0, session_now_ms(s)))
                return;
        if (error != 0)
                log_warn(backend_state, "the backend failed and gets no new sessions for now",
                         F_STR("pool", e->pool), F_STR("backend", e->name), F_STR("from", "up"),
                         F_STR("to", "cool"), F_STR("reason", failure_word(error)),
                         F_STR("text", failure_text(error, text)),
                         error < 0 ? F_ERR(error) : F_I64("status", error));
        else
                log_info(backend_state, "the backend answers again", F_STR("pool", e->pool),
                         F_STR("backend", e->name), F_STR("from", "cool"), F_STR("to", "up"));
}

/* The control thread wants to know: it counts towards down, and towards protection. */
static void tell_control(const struct session *s, struct endpoint *e) {
        atomic_store_explicit(&e->news, true, memory_order_release);
        crew_news(s->worker->crew);
}

static void endpoint_fails(struct session *s, struct endpoint *e, int failure) {
        const struct upstream_pool *pool = s->target->pool;

        if (endpoint_failed(e, pool->config, pool_protected(pool->pool), session_now_ms(s),
                            failure))
                log_cooling(s, e, failure);
        tell_control(s, e);
}

void session_endpoint_broke(struct session *s, int failure) {
        endpoint_fails(s, s->endpoint->endpoint, failure);
}

void session_endpoint_works(struct session *s) {
        struct endpoint *e = s->endpoint->endpoint;

        if (!endpoint_worked(e))
                return;
        log_cooling(s, e, 0);
        tell_control(s, e);
        worker_slot_free(s->worker); /* sessions that wait for a backend have one again */
}

void session_unclaim(struct session *s) {
        struct endpoint *e = s->endpoint->endpoint;

        if (!s->hopes && !endpoint_cooling(e))
                return;
        endpoint_unclaim(e);
        worker_slot_free(s->worker);
}

/* A connect has failed: counted, and held against the endpoint. */
static void connect_counts(struct session *s,
                           const struct upstream_endpoint *e,
                           bool hope,
                           int error) {
        struct endpoint_counters *c = counters_of(s, e);
        enum connect_failure kind = connect_failure_of(error);

        COUNTER_ADD(c->failed[kind], 1);
        /* that a known failure goes on, or that many sessions meet the same one, is no news */
        if (!hope && endpoint_warm(e->endpoint, session_now_ms(s)) &&
            (kind == CONNECT_TIMEOUT || kind == CONNECT_REFUSED))
                COUNTER_ADD(c->storm, 1);
        atomic_store_explicit(&c->last_connect_ms, session_now_ms(s), memory_order_relaxed);
        endpoint_fails(s, e->endpoint, error);
}

/* ---- what a session has of a backend ---- */

static void server_close(struct session *s, struct server *server) {
        if (!server)
                return;
        io_forget(&server->side.io);
        fd_close(server->side.fd);
        if (s->http)
                free(warm_of(server));
        else
                free(server);
}

/* Gives the slot back; a session that waits for it may try. */
static void endpoint_leave(struct session *s, const struct upstream_endpoint *e) {
        if (!e)
                return;
        COUNTER_ADD(counters_of(s, e)->sessions_now, -1);
        upstream_release(e);
        worker_slot_free(s->worker);
}

void session_drop_server(struct session *s) {
        server_close(s, take_ptr(s->server));
}

void session_drop_endpoint(struct session *s) {
        endpoint_leave(s, take_ptr(s->endpoint));
}

void session_drop_late(struct session *s) {
        if (!s->late.server)
                return;
        server_close(s, take_ptr(s->late.server));
        endpoint_leave(s, take_ptr(s->late.endpoint));
        s->late.addrs = upstream_addrs_unref(s->late.addrs);
}

static bool mark_tried(struct session *s, const struct upstream_endpoint *e) {
        const struct upstream_pool *pool = s->target->pool;
        size_t i = (size_t)(e - pool->endpoints);

        assert(i < pool->n_endpoints);
        if (!s->tried)
                s->tried = calloc(pool->n_endpoints / 64 + 1, sizeof(uint64_t));
        if (!s->tried)
                return false;
        s->n_tried++;
        s->tried[i / 64] |= UINT64_C(1) << (i % 64);
        s->retry_ms = session_now_ms(s) + ENDPOINT_RETRY_MIN_MS;
        return true;
}

bool session_mark_tried(struct session *s) {
        return mark_tried(s, s->endpoint);
}

void session_forget_tried(struct session *s) {
        free(take_ptr(s->tried));
        s->n_tried = 0;
}

/* What was tried may work now, but for the connect that is still open. */
static bool try_anew(struct session *s) {
        session_forget_tried(s);
        return !s->late.server || mark_tried(s, s->late.endpoint);
}

/* ---- SESSION_PICK ---- */

static void session_use(struct session *s, const struct upstream_choice *choice) {
        const struct upstream_endpoint *e = &s->target->pool->endpoints[choice->index];
        uint32_t good = atomic_load_explicit(&e->endpoint->good_addr, memory_order_relaxed);

        assert(!s->endpoint && !s->server);
        s->endpoint = e;
        s->hopes = choice->hope;
        s->insisted |= choice->hope;
        upstream_addrs_unref(s->addrs);
        s->addrs = upstream_addrs_get(e); /* it has some, or it would not have been chosen */
        s->addr = good < s->addrs->n ? (uint8_t)good : 0;
        s->failure = 0;
        s->n_addrs_tried = 0;
        s->active_ms = session_now_ms(s);
        s->chosen_ms = s->active_ms;
        s->chosen_us = (uint32_t)clock_mono_us();
        COUNTER_ADD(counters_of(s, e)->sessions_total, 1);
        COUNTER_ADD(counters_of(s, e)->sessions_now, 1);
        s->phase = SESSION_DIAL;
}

/* It wants a backend for longer than hold: those that may well fail are not tried any more. */
static bool session_is_late(const struct session *s) {
        return s->target->pool->config->hold_ms > 0 && session_hold_is_over(s);
}

static enum upstream_pick session_ask(struct session *s, struct upstream_choice *ret) {
        const struct upstream_ask ask = {
                .target = s->target,
                .balance = s->frontend->config->balance,
                .state = view_state(s->view, s->frontend, s->target),
                .room = s->worker->room,
                .client_hash = s->http ? http_client_hash(s) : addr_hash_host(&s->peer.sa),
                .random = worker_random(s->worker),
                .now_ms = session_now_ms(s),
                .tried = s->tried,
                .queues = s->frontend->config->overload == CONFIG_QUEUE,
                .in_health = s->n_tried > 0 && session_is_late(s),
                .insists = s->target->pool->config->hold_ms == 0 && !s->insisted,
        };

        return upstream_pick(&ask, ret);
}

/* Why it fails, if it does now. */
static enum close_reason session_why(const struct session *s) {
        if (s->short_here)
                return CLOSE_RESOURCES;
        return s->n_tried > 0 || s->reason == CLOSE_CONNECT_FAILED ? CLOSE_CONNECT_FAILED
                                                                   : CLOSE_NO_BACKEND;
}

/* No backend can take it: it waits for one, or fails. */
static enum session_step session_none(struct session *s, uint64_t again_ms) {
        struct pool *pool = s->target->pool->pool;
        enum close_reason why = session_why(s);

        if (s->http && http_was_closed_on(s))
                return http_closed_on(s, again_ms);
        if (session_may_hold(s))
                return session_hold(s, again_ms, why);

        session_stop_waiting(s);
        if (why != CLOSE_RESOURCES) {
                COUNTER_ADD(pool->per_worker[s->worker->index].unavailable, 1);
                atomic_store_explicit(&pool->news, true, memory_order_release);
                crew_news(s->worker->crew);
        }
        return session_fail(s, why);
}

/* A pool that fails as a whole shall not get every session's every try at once. */
static bool session_tried_enough(const struct session *s) {
        return s->n_tried > PROTECTED_RETRIES && pool_protected(s->target->pool->pool);
}

/* A session that waits goes on in the newest generation, where a backend may have another address,
 * or be a new one. */
static void session_follow(struct session *s) {
        if (s->view != s->worker->view)
                session_renew(s, s->target->pool->pool);
}

enum session_step session_pick(struct session *s) {
        struct upstream_choice choice = { .again_ms = 0 };
        bool waits = !link_idle(&s->wait_link);

        if (waits)
                session_follow(s);
        else if (s->http && s->n_tried == 0 && session_others_queue(s))
                return session_queue(s);

        if (waits && s->tried && session_now_ms(s) >= s->retry_ms && !try_anew(s))
                return session_fail(s, CLOSE_RESOURCES);
        if (session_tried_enough(s) && session_may_hold(s))
                return session_hold(s, 0, session_why(s));

        switch (session_ask(s, &choice)) {
        case PICK_ENDPOINT:
                session_stop_waiting(s);
                session_use(s, &choice);
                return STEP_AGAIN;
        case PICK_FULL:
                return session_queue(s);
        case PICK_LATER:
        case PICK_NOBODY:
                break;
        }
        return session_none(s, choice.again_ms);
}

/* ---- SESSION_DIAL ---- */

/* The endpoint in use is out for this session: on to another one. */
static enum session_step session_next(struct session *s) {
        bool ok = session_mark_tried(s);

        session_drop_endpoint(s);
        s->phase = SESSION_PICK;
        return ok ? STEP_AGAIN : session_fail(s, CLOSE_RESOURCES);
}

static bool is_shortage(int r) {
        return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM;
}

static void session_lacks(struct session *s, int error) {
        s->short_here = true;
        s->no_port |= error == -EADDRNOTAVAIL;
}

/* All addresses of the endpoint have failed. Where it was reached before, a missing port or source
 * address is this machine's matter, not the endpoint's: another endpoint may be reached. */
static enum session_step session_endpoint_failed(struct session *s, int error) {
        if (is_shortage(error) ||
            (error == -EADDRNOTAVAIL && endpoint_has_worked(s->endpoint->endpoint)))
                session_lacks(s, error);
        else
                connect_counts(s, s->endpoint, s->hopes, error);
        if (s->http)
                http_connect_failed(s);
        return session_next(s);
}

/* The address in use has failed: on to the next address, or to the next endpoint. */
static enum session_step session_addr_failed(struct session *s, int error) {
        if (error != -EADDRNOTAVAIL && !is_shortage(error))
                s->failure = (int16_t)failure_of_both(s->failure, error);
        s->addr = (uint8_t)((s->addr + 1u) % s->addrs->n);
        s->active_ms = session_now_ms(s);
        s->phase = SESSION_DIAL;
        if (++s->n_addrs_tried < s->addrs->n)
                return STEP_AGAIN;
        return session_endpoint_failed(s, s->failure != 0 ? s->failure : error);
}

static void session_connect_in(struct session *s, uint64_t ms) {
        s->phase = SESSION_CONNECT;
        timer_set(s->worker->loop, &s->timer, session_now_ms(s) + ms);
}

/* max_connections counts resting connections, too. One of another worker that is in the way is
 * closed first, unless that worker takes too long. */
static bool session_must_wait(const struct session *s) {
        return session_now_ms(s) - s->active_ms < TRIM_MS &&
               !warm_make_room(s->worker, s->endpoint->endpoint);
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
        session_connect_in(s, wait);
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
        const struct addr *a = &s->addrs->at[s->addr];
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
        bool is_unix = s->addrs->at[s->addr].sa.sa_family == AF_UNIX;
        int r;

        if (session_must_wait(s)) {
                session_connect_in(s, TRIM_RETRY_MS);
                return 0;
        }
        r = server_connect(&s->server, s);
        if (is_shortage(r) && worker_relieve(s->worker)) {
                session_drop_server(s);
                r = server_connect(&s->server, s);
        }
        if (r == -EAGAIN && is_unix)
                return session_connect_later(s);
        if (r < 0) {
                session_drop_server(s);
                return r;
        }

        session_connect_in(s, s->target->connect_timeout_ms);
        io_want(&s->server->side.io, EPOLLOUT | EPOLLERR | EPOLLHUP);
        return 0;
}

enum session_step session_dial(struct session *s) {
        int r;

        assert(s->endpoint && !s->server);
        if (s->http && http_take_warm(s)) {
                session_drop_late(s);
                return http_connected(s);
        }
        r = session_connect(s);
        return r == 0 ? STEP_WAIT : session_addr_failed(s, r);
}

/* ---- SESSION_CONNECT ---- */

static enum session_step session_connect_failed(struct session *s, int error) {
        session_drop_server(s);
        return session_addr_failed(s, error);
}

static enum session_step session_connected(struct session *s) {
        struct endpoint *e = s->endpoint->endpoint;
        struct endpoint_counters *c = counters_of(s, s->endpoint);
        uint64_t now_ms = session_now_ms(s);

        if ((endpoint_cooling(e) || is_down(e)) && sock_met_itself(s->server->side.fd))
                return session_connect_failed(s, -ECONNREFUSED);
        session_drop_late(s);
        atomic_store_explicit(&c->last_connect_ms, now_ms, memory_order_relaxed);
        atomic_store_explicit(&c->last_good_ms, now_ms, memory_order_relaxed);
        if (s->addr != atomic_load_explicit(&e->good_addr, memory_order_relaxed))
                atomic_store_explicit(&e->good_addr, s->addr, memory_order_relaxed);
        COUNTER_ADD(c->connected, 1);
        frontend_connected(&s->frontend->frontend->per_worker[s->worker->index],
                           (uint32_t)clock_mono_us() - s->chosen_us);
        if (!endpoint_unserved(e)) /* then it is the answer that counts */
                session_endpoint_works(s);
        if (is_down(e)) { /* a last hope that came true */
                tell_control(s, e);
                worker_slot_free(s->worker);
        }
        if (s->http)
                return http_connected(s);
        session_served(s);
        session_forget_tried(s);
        return session_start_relay(s);
}

/* The kernel's answer to a connect: 0, or a negative errno. */
static int server_error(const struct server *server) {
        const struct io *io = &server->side.io;

        return io->ready & (EPOLLERR | EPOLLHUP) ? sock_error(io->fd) : 0;
}

enum session_step session_connect_ready(struct session *s) {
        int r = server_error(s->server);

        return r < 0 ? session_connect_failed(s, r) : session_connected(s);
}

/* The connect stays open while the session goes on to another endpoint. Where one is open already,
 * that one is nearer to its answer. */
static enum session_step session_leave_late(struct session *s) {
        bool lost = endpoint_worked_since(s->endpoint->endpoint, s->chosen_ms);

        if (!lost)
                connect_counts(s, s->endpoint, s->hopes, -ETIMEDOUT);
        if (s->late.server) {
                session_drop_server(s);
                return session_next(s);
        }
        if (!session_mark_tried(s))
                return session_connect_failed(s, -ETIMEDOUT);
        s->late = (struct late){ .server = take_ptr(s->server),
                                 .endpoint = take_ptr(s->endpoint),
                                 .addrs = take_ptr(s->addrs),
                                 .chosen_ms = s->chosen_ms,
                                 .chosen_us = s->chosen_us,
                                 .addr = s->addr,
                                 .counted = !lost };
        s->phase = SESSION_PICK;
        return STEP_AGAIN;
}

enum session_step session_connect_late(struct session *s) {
        if (!s->server) { /* a Unix socket: the same address again */
                s->phase = SESSION_DIAL;
                return STEP_AGAIN;
        }
        if (s->n_addrs_tried + 1u < s->addrs->n)
                return session_connect_failed(s, -ETIMEDOUT);
        return session_leave_late(s);
}

enum session_step session_late_ready(struct session *s) {
        int r = server_error(s->late.server);

        if (r == 0 && !is_ready(s->late.endpoint->endpoint))
                r = -ECANCELED; /* drained, or in maintenance since then */
        if (r < 0) {
                if (!s->late.counted && r != -ECANCELED)
                        connect_counts(s, s->late.endpoint, false, r);
                session_drop_late(s);
                return link_idle(&s->wait_link) ? STEP_WAIT : STEP_AGAIN;
        }
        session_stop_waiting(s);
        if (s->endpoint)
                session_unclaim(s);
        session_drop_server(s);
        session_drop_endpoint(s);
        s->server = take_ptr(s->late.server);
        s->endpoint = take_ptr(s->late.endpoint);
        upstream_addrs_unref(s->addrs);
        s->addrs = take_ptr(s->late.addrs);
        s->chosen_ms = s->late.chosen_ms;
        s->chosen_us = s->late.chosen_us;
        s->addr = s->late.addr;
        s->hopes = false;
        return session_connected(s);
}
