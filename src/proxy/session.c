/* SPDX-License-Identifier: MIT */
/*
 * Birth, slots, waiting and death of a session. Every path ends in session_close(), which undoes
 * whatever there is by then.
 *
 * Slots. A session has a slot while it is counted in the gates of the daemon and of its frontend.
 *
 * Waiting. A session waits for a slot of its frontend (SESSION_ENTER), for a full backend
 * (SESSION_PICK; overload_policy: queue decides whether it may), or for any backend that can take
 * it (SESSION_HOLD). Each frontend of a view has a list for the first, and a list for each of its
 * pools for the other two, oldest first, so a request whose pool is full does not hold up those of
 * other pools, nor connections that no pool is needed for. A session of TCP that waits for a full
 * backend gives its slot back and waits in the frontend's list.
 *
 * The lists are walked from the loop only: after a slot became free or a backend works again
 * (worker_slot_free() posts that to every worker with sessions that wait), and when the timer of
 * the oldest session in a list runs. At most ADMIT_BATCH sessions of a list go on at a time, the
 * next ones ADMIT_MS later: a backend that has just come back is not run over.
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

#define ADMIT_BATCH  8
#define ROOM_LOOKS   64 /* sessions of a list that are looked at for one that may go */
#define ADMIT_MS     2
#define ADMIT_SKIP   64  /* sessions with a late connect that are passed over */
#define WAIT_LOOK_MS 250 /* a session that waits looks so often by itself */

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

static struct pool_counters *pool_counters(const struct session *s) {
        return &s->target->pool->pool->per_worker[s->worker->index];
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

enum session_step session_end(struct session *s, enum close_reason reason) {
        s->reason = (uint8_t)reason;
        return STEP_GONE;
}

/* ---- generations ---- */

static const struct upstream_frontend *newest_frontend(const struct session *s,
                                                       const struct upstream *u) {
        for (size_t i = 0; i < u->config->n_frontends; i++) {
                const struct upstream_frontend *f = &u->frontends[i];

                if (f->frontend == s->frontend->frontend &&
                    f->config->protocol == s->frontend->config->protocol)
                        return f;
        }
        return NULL;
}

static const struct upstream_target *target_with(const struct upstream_frontend *f,
                                                 const struct pool *pool) {
        for (size_t i = 0; i < f->n_targets; i++)
                if (!pool || f->targets[i].pool->pool == pool)
                        return &f->targets[i];
        return NULL;
}

bool session_renew(struct session *s, const struct pool *pool) {
        struct view *newest = s->worker->view, *before = s->view;
        const struct upstream_frontend *f;
        const struct upstream_target *target;

        assert(!s->endpoint);
        if (!newest || before == newest)
                return newest;
        f = newest_frontend(s, newest->upstream);
        target = f ? target_with(f, pool) : NULL;
        if (!target)
                return false;

        session_stop_waiting(s); /* of the old generation */
        session_drop_late(s);    /* likewise */
        session_forget_tried(s);
        s->view = newest;
        s->frontend = f;
        s->target = target;
        if (s->http)
                http_renewed(s);
        newest->n_sessions++;
        before->n_sessions--;
        view_settle(s->worker, before);
        return true;
}

/* ---- slots ---- */

static bool session_take_slot(struct session *s) {
        if (!gate_enter(&daemon_of(s)->gate))
                return false;
        if (!gate_enter(&s->frontend->frontend->gate)) {
                gate_leave(&daemon_of(s)->gate);
                return false;
        }
        s->has_slot = true;
        return true;
}

/* Without a word to the sessions that wait. */
static void session_put_slot(struct session *s) {
        s->has_slot = false;
        gate_leave(&s->frontend->frontend->gate);
        gate_leave(&daemon_of(s)->gate);
}

static void session_leave(struct session *s) {
        if (!s->has_slot)
                return;

        session_put_slot(s);
        worker_slot_free(s->worker);
}

/* ---- waiting ---- */

static struct link *pool_list(const struct session *s) {
        const struct view_frontend *vf = &s->view->frontends[frontend_index(s)];

        return &vf->waiting[s->target - s->frontend->targets];
}

static struct link *waiting_list(const struct session *s) {
        return s->enters ? &s->view->frontends[frontend_index(s)].entering : pool_list(s);
}

static void session_count_waiting(struct session *s, int n) {
        struct frontend *f = s->frontend->frontend;

        COUNTER_ADD(s->worker->counters.n_waiting, (unsigned)n);
        atomic_fetch_add(&f->waiting, (unsigned)n);
        atomic_fetch_add(&daemon_of(s)->waiting, (unsigned)n);
        atomic_fetch_add(&f->waiting_for[s->waits_for], (unsigned)n);
        if (s->enters)
                atomic_fetch_add(&f->entering, (unsigned)n);
}

void session_stop_waiting(struct session *s) {
        if (link_idle(&s->wait_link))
                return;

        link_remove(&s->wait_link);
        session_count_waiting(s, -1);
        s->waited_ms = (uint32_t)(session_now_ms(s) - s->asked_ms);
}

/* Once for each request. It counts until it has a backend, also while it tries one. */
static void session_count_held(struct session *s) {
        if (s->held)
                return;
        s->held = true;
        COUNTER_ADD(pool_counters(s)->held, 1);
        atomic_fetch_add(&s->target->pool->pool->holding, 1);
}

static void session_holds_no_more(struct session *s, bool in_vain) {
        if (!s->held)
                return;
        s->held = false;
        pool_hold_ended(pool_counters(s), s->waited_ms, in_vain);
        atomic_fetch_sub(&s->target->pool->pool->holding, 1);
}

void session_served(struct session *s) {
        if (!s->waited)
                return;
        s->waited = false;
        frontend_waited(frontend_counters(s), (uint64_t)s->waited_ms * 1000);
        session_holds_no_more(s, false);
        s->waited_ms = 0;
}

static enum wait_failure wait_failure_of(const struct session *s, enum close_reason reason) {
        if (reason == CLOSE_CLIENT_RESET || reason == CLOSE_CLIENT_GONE)
                return WAIT_FAILED_CLIENT;
        if (reason == CLOSE_QUEUE_TIMEOUT)
                return WAIT_FAILED_QUEUE;
        if (s->held &&
            (reason == CLOSE_NO_BACKEND || reason == CLOSE_CONNECT_FAILED || reason == CLOSE_LIMIT))
                return WAIT_FAILED_HOLD;
        return WAIT_FAILED_OTHER;
}

void session_unserved(struct session *s, enum close_reason reason) {
        session_stop_waiting(s);
        if (!s->waited)
                return;
        s->waited = false;
        COUNTER_ADD(frontend_counters(s)->waits_failed[wait_failure_of(s, reason)], 1);
        session_holds_no_more(s, true);
}

/* Than the one at l. */
static bool is_older(const struct session *s, struct link *l, const struct link *head) {
        return l != head && s->asked_ms < container_of(l, struct session, wait_link)->asked_ms;
}

/* In the list that it is in. */
static void session_wait_for(struct session *s, enum wait_kind kind) {
        struct frontend *f = s->frontend->frontend;

        atomic_fetch_sub(&f->waiting_for[s->waits_for], 1);
        s->waits_for = (uint8_t)kind;
        atomic_fetch_add(&f->waiting_for[kind], 1);
}

/* By age: a session that comes back from a vain try stands where it stood. */
static void session_enlist(struct session *s, bool enters, enum wait_kind kind) {
        struct link *head, *before;

        if (!link_idle(&s->wait_link)) {
                if (s->enters == enters && s->waits_for == kind)
                        return;
                if (s->enters == enters) {
                        session_wait_for(s, kind);
                        return;
                }
                session_stop_waiting(s);
        }
        s->enters = enters;
        s->waits_for = (uint8_t)kind;
        s->waited = true;
        head = waiting_list(s);
        before = is_older(s, head->next, head) ? head : head->prev;
        while (is_older(s, before, head))
                before = before->prev;
        link_after(before, &s->wait_link);
        session_count_waiting(s, 1);
        if (s->http)
                http_watch_client(s);
        /* what became free before it was counted woke nobody: the list is walked once more */
        worker_wake(s->worker);
}

static uint64_t hold_until_ms(const struct session *s) {
        const struct config_pool *pool = s->target->pool->config;
        uint64_t ms = pool->hold_ms;

        if (s->late.server && pool->connect_deadline_ms > ms)
                ms = pool->connect_deadline_ms;
        return s->wanted_ms + ms;
}

static uint64_t wait_until_ms(const struct session *s) {
        return s->phase == SESSION_HOLD ? hold_until_ms(s)
                                        : s->asked_ms + s->frontend->config->queue_timeout_ms;
}

/* A wake-up may come at any time; that a rest or a claim is over nobody says, so it looks. */
static enum session_step session_wait(struct session *s, uint64_t look_ms) {
        uint64_t until = wait_until_ms(s), now_ms = session_now_ms(s);

        if (look_ms == 0 || look_ms > now_ms + WAIT_LOOK_MS)
                look_ms = now_ms + WAIT_LOOK_MS;
        if (s->tried && s->retry_ms > now_ms && s->retry_ms < look_ms)
                look_ms = s->retry_ms;
        timer_set(s->worker->loop, &s->timer, look_ms < until ? look_ms : until);
        return STEP_WAIT;
}

static bool has_room_to_wait(const struct session *s) {
        return !link_idle(&s->wait_link) ||
               atomic_load(&s->frontend->frontend->waiting) < SESSION_WAITING_MAX;
}

bool session_others_queue(const struct session *s) {
        const struct link *head = pool_list(s);
        const struct session *first = container_of(head->next, struct session, wait_link);

        return !link_idle(head) && first->phase == SESSION_PICK && !first->tried &&
               !first->late.server;
}

bool session_hold_is_over(const struct session *s) {
        return session_now_ms(s) >= hold_until_ms(s);
}

bool session_may_hold(const struct session *s) {
        return !session_hold_is_over(s) && (s->late.server || has_room_to_wait(s));
}

enum session_step session_hold(struct session *s, uint64_t look_ms, enum close_reason reason) {
        s->phase = SESSION_HOLD;
        s->reason = (uint8_t)reason;
        session_count_held(s);
        session_enlist(s, false, WAIT_BACKEND_DOWN);
        return session_wait(s, look_ms);
}

static bool may_queue(const struct session *s) {
        return s->frontend->config->overload == CONFIG_QUEUE && has_room_to_wait(s);
}

/* It has no slot. */
static enum session_step session_queue_slot(struct session *s, enum wait_kind kind) {
        if (!may_queue(s))
                return session_fail(s, CLOSE_LIMIT);
        s->phase = SESSION_ENTER;
        session_enlist(s, true, kind);
        return session_wait(s, 0);
}

enum session_step session_queue(struct session *s) {
        bool holds = s->phase == SESSION_HOLD || (!may_queue(s) && s->late.server);

        if (holds && session_may_hold(s))
                return session_hold(s, 0, CLOSE_LIMIT);
        if (!may_queue(s)) {
                worker_slot_free(s->worker); /* one it held for a moment, in trying */
                return session_fail(s, CLOSE_LIMIT);
        }
        if (s->http || s->late.server) {
                session_enlist(s, false, WAIT_BACKEND_FULL);
                return session_wait(s, 0);
        }

        if (link_idle(&s->wait_link))
                session_leave(s);
        else
                session_put_slot(s); /* wakes nobody: they would wake each other */
        return session_queue_slot(s, WAIT_BACKEND_FULL);
}

/* SESSION_ENTER */
static enum session_step session_enter(struct session *s) {
        if (!s->has_slot && !session_take_slot(s))
                return session_queue_slot(s, s->enters ? s->waits_for : WAIT_SLOT);
        if (s->http) {
                session_stop_waiting(s);
                session_served(s);
                return http_start(s);
        }
        s->wanted_ms = session_now_ms(s);
        s->phase = SESSION_PICK;
        return STEP_AGAIN;
}

static bool is_protected(const struct session *s) {
        return s->target && pool_protected(s->target->pool->pool);
}

static void session_count_rejected(struct session *s, enum close_reason reason) {
        enum reject_reason why = is_protected(s) ? REJECT_PROTECTION : REJECT_NO_BACKEND;

        if (reason == CLOSE_LIMIT || reason == CLOSE_QUEUE_TIMEOUT)
                why = REJECT_MAX_CONNECTIONS;
        else if (reason == CLOSE_RESOURCES)
                why = s->no_port ? REJECT_NO_PORTS : REJECT_RESOURCES;
        else if (reason != CLOSE_NO_BACKEND && reason != CLOSE_CONNECT_FAILED)
                return;
        COUNTER_ADD(frontend_counters(s)->rejected[why], 1);
}

enum session_step session_fail(struct session *s, enum close_reason reason) {
        session_unserved(s, reason);
        session_count_rejected(s, reason);
        return s->http ? http_unserved(s, reason) : session_end(s, reason);
}

/* ---- the driver ---- */

static enum session_step session_step(struct session *s) {
        switch ((enum session_phase)s->phase) {
        case SESSION_ENTER:
                return session_enter(s);
        case SESSION_IDLE:
        case SESSION_HEAD:
                return http_read(s);
        case SESSION_LINGER:
                return http_linger(s);
        case SESSION_ANSWER:
                return http_answer_run(s);
        case SESSION_PICK:
        case SESSION_HOLD:
                return session_pick(s);
        case SESSION_DIAL:
                return session_dial(s);
        case SESSION_CONNECT:
                return STEP_WAIT;
        case SESSION_RELAY:
                return session_relay(s);
        case SESSION_EXCHANGE:
                return http_exchange(s);
        case SESSION_FLUSH:
                return session_flush(s);
        }
        return STEP_WAIT;
}

/* What holds for each session between two events. */
static void session_assert(const struct session *s) {
        bool waits __attribute__((unused)) = !link_idle(&s->wait_link);

        assert(waits ==
               (s->phase == SESSION_PICK || s->phase == SESSION_HOLD || s->phase == SESSION_ENTER));
        assert(!waits || (!s->endpoint && !s->server && timer_is_set(&s->timer)));
        assert(waits || s->phase == SESSION_CONNECT || !s->late.server);
        assert(!waits || s->waited);
        assert(!s->waited || waits || s->phase == SESSION_CONNECT);
        assert(!s->held || s->waited);
        assert(s->phase != SESSION_DIAL);
        assert(s->phase != SESSION_CONNECT || s->endpoint);
        assert(!s->server || s->endpoint);
        assert((s->phase != SESSION_RELAY && s->phase != SESSION_EXCHANGE) || s->server);
        assert(s->has_slot || s->phase == SESSION_ENTER || s->phase == SESSION_ANSWER ||
               s->phase == SESSION_LINGER);
        assert(!s->late.server == !s->late.endpoint);
}

static void session_drive(struct session *s, enum session_step step) {
        while (step == STEP_AGAIN)
                step = session_step(s);
        if (step == STEP_GONE)
                session_close(s, s->reason);
        else
                session_assert(s);
}

static inline void session_go_on(struct session *s, enum session_step step) {
        if (step != STEP_WAIT) /* most events are dealt with in one step */
                session_drive(s, step);
        else
                session_assert(s);
}

/* ---- waking ---- */

/* The one behind the first skip of a list; NULL: there are no more. */
static struct session *waiting_after(struct link *head, size_t skip) {
        struct link *l = head->next;

        for (; skip > 0 && l != head; skip--)
                l = l->next;
        return l == head ? NULL : container_of(l, struct session, wait_link);
}

/* Sessions of one list go on, oldest first, until one has to wait on: then those behind it have to,
 * too. Not so behind one with a late connect, which may not use the endpoint that others may. */
static void admit(struct worker *w, struct link *head) {
        unsigned n_admitted = 0;
        struct session *s, *after;
        size_t skip = 0;

        while ((s = waiting_after(head, skip))) {
                bool has_late = s->late.server;
                uint64_t id = s->id;

                if (n_admitted++ == ADMIT_BATCH) {
                        timer_set(w->loop, &w->admit_timer, loop_now_ms(w->loop) + ADMIT_MS);
                        return;
                }
                session_go_on(s, STEP_AGAIN);
                after = waiting_after(head, skip);
                if (!after || after->id != id)
                        continue;
                if (!has_late || skip++ >= ADMIT_SKIP)
                        return;
                n_admitted--; /* it was not: no backend has more to do for it */
        }
}

static void view_admit(struct worker *w, struct view *view) {
        const struct upstream *u = view->upstream;

        view->n_sessions++; /* it shall outlive its last session until all lists are walked */
        for (size_t i = 0; i < u->config->n_frontends; i++) {
                for (size_t k = 0; k < u->frontends[i].n_targets; k++)
                        admit(w, &view->frontends[i].waiting[k]);
                admit(w, &view->frontends[i].entering);
        }
        view->n_sessions--;
}

void session_retry_waiting(struct worker *w) {
        if (atomic_load_explicit(&w->counters.n_waiting, memory_order_relaxed) == 0)
                return;
        for (struct link *l = w->views.next, *next; l != &w->views; l = next) {
                struct view *view = container_of(l, struct view, link);

                view_admit(w, view);
                next = l->next;
                view_settle(w, view);
        }
}

void session_on_admit_timer(struct timer *t) {
        session_retry_waiting(container_of(t, struct worker, admit_timer));
}

/* ---- events, timers ---- */

void session_on_server(struct io *io) {
        struct server *server = container_of(io, struct server, side.io);
        struct session *s = server->session;
        enum session_step step;

        if (server == s->late.server)
                step = session_late_ready(s);
        else if (s->phase == SESSION_CONNECT)
                step = session_connect_ready(s);
        else
                step = session_step(s);
        session_go_on(s, step);
}

/* Only a reset is wanted before there is a backend, and of HTTP a FIN: nobody is left to serve. */
static enum session_step session_lost_client(struct session *s) {
        if (s->http && !side_is_dead(&s->client))
                return http_client_gone(s);
        return session_end(s, CLOSE_CLIENT_RESET);
}

static void session_on_client(struct io *io) {
        struct session *s = container_of(io, struct session, client.io);
        bool waits = !link_idle(&s->wait_link) || s->phase == SESSION_CONNECT;

        session_go_on(s, waits ? session_lost_client(s) : session_step(s));
}

static enum session_step session_waited(struct session *s) {
        if (session_now_ms(s) >= wait_until_ms(s)) {
                worker_wake(s->worker); /* the next in the list is its oldest now */
                if (s->phase != SESSION_HOLD)
                        return session_fail(s, CLOSE_QUEUE_TIMEOUT);
                s->phase = SESSION_PICK; /* for the last time */
                return STEP_AGAIN;
        }
        session_wait(s, 0);
        return waiting_list(s)->next == &s->wait_link ? STEP_AGAIN : STEP_WAIT;
}

static enum session_step session_idled(struct session *s) {
        uint64_t due = s->active_ms + s->frontend->config->idle_timeout_ms;

        if (session_now_ms(s) < due) {
                timer_set(s->worker->loop, &s->timer, session_settle(s, due));
                return STEP_WAIT;
        }
        return session_end(s, s->phase == SESSION_FLUSH ? CLOSE_SERVER_RESET : CLOSE_IDLE);
}

static void session_on_timer(struct timer *t) {
        struct session *s = container_of(t, struct session, timer);
        enum session_step step;

        if (!link_idle(&s->wait_link))
                step = session_waited(s);
        else if (s->phase == SESSION_CONNECT)
                step = session_connect_late(s);
        else if (s->phase == SESSION_RELAY || s->phase == SESSION_FLUSH)
                step = session_idled(s);
        else
                step = http_timer(s);
        session_go_on(s, step);
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
                .reason = CLOSE_NO_BACKEND,
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

/* As many wait as may, and one more comes. A client that has closed its side gives its place: of
 * TCP that may be a way to ask, but it costs the client nothing to have a thousand such sessions
 * wait. */
static void make_room_to_wait(struct worker *w, const struct accepted *a) {
        const struct upstream_frontend *f = &a->upstream->frontends[a->frontend];
        struct link *head;
        unsigned n = 0;

        if (atomic_load_explicit(&f->frontend->waiting, memory_order_relaxed) <
                    SESSION_WAITING_MAX ||
            !w->view || w->view->upstream != a->upstream)
                return;
        head = &w->view->frontends[a->frontend].waiting[0];
        list_for_each(l, head) {
                struct session *s = container_of(l, struct session, wait_link);

                if (s->client.io.ready & EPOLLRDHUP) {
                        session_close(s, CLOSE_CLIENT_GONE);
                        return;
                }
                if (++n == ROOM_LOOKS)
                        return;
        }
}

/* Nobody overtakes those that came before. */
static bool others_enter(const struct session *s) {
        return s->frontend->config->overload == CONFIG_QUEUE &&
               atomic_load_explicit(&s->frontend->frontend->entering, memory_order_relaxed) > 0;
}

void session_accept(struct worker *w, const struct accepted *a) {
        struct session *s;

        COUNTER_ADD(w->counters.opened, 1);
        http_make_room(w, a->upstream, a->upstream->frontends[a->frontend].frontend);
        make_room_to_wait(w, a);
        if (session_new(&s, w, a) < 0) {
                accepted_drop(w, a);
                COUNTER_ADD(w->counters.closed[CLOSE_RESOURCES], 1);
                return;
        }

        w->next_session++;
        s->view->n_sessions++;
        link_before(&w->sessions, &s->link);
        COUNTER_ADD(w->counters.sessions_now, 1);
        COUNTER_ADD(frontend_counters(s)->sessions_total, 1);
        session_go_on(s, others_enter(s) ? session_queue_slot(s, WAIT_SLOT) : STEP_AGAIN);
}

/* Of protocol http it was the last request's. */
static uint64_t session_queue_ms(const struct session *s) {
        bool chosen = s->chosen_ms >= s->asked_ms;

        return chosen && s->chosen_ms - s->asked_ms > s->waited_ms ? s->chosen_ms - s->asked_ms
                                                                   : s->waited_ms;
}

static void log_closed(const struct session *s, enum close_reason reason) {
        char client[ADDR_TEXT_MAX];
        struct addr peer;

        if (!log_enabled(LOG_LEVEL_DEBUG))
                return;
        peer = session_peer_addr(&s->peer);
        log_debug(session_closed, "a session has ended", F_U64("session", session_public_id(s)),
                  F_STR("frontend", s->frontend->config->name), F_CLIENT(addr_text(&peer, client)),
                  F_STR("backend", s->endpoint ? s->endpoint->config->name : NULL),
                  F_STR("reason", close_reason_word(reason)), F_U64("bytes_in", s->up.bytes),
                  F_U64("bytes_out", s->down.bytes), F_U64("queue_ms", session_queue_ms(s)),
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
        worker_give_descriptor(s->worker);
        session_drop_server(s);
}

void session_close(struct session *s, enum close_reason reason) {
        struct worker *w = s->worker;

        session_unserved(s, reason);
        log_closed(s, reason);
        COUNTER_ADD(w->counters.closed[reason], 1);
        COUNTER_ADD(w->counters.sessions_now, -1);

        wheel_cancel(&s->timer);
        if (s->http)
                http_over(s, reason);
        lane_drop(&s->up, &w->stock);
        lane_drop(&s->down, &w->stock);
        session_close_sides(s, reason);
        if (s->phase == SESSION_CONNECT) /* it has not learned what it was to find out */
                session_unclaim(s);
        session_drop_endpoint(s);
        session_drop_late(s);
        session_leave(s);

        upstream_addrs_unref(s->addrs);
        link_remove(&s->link);
        s->view->n_sessions--;
        view_settle(w, s->view);
        free(s->tried);
        free(s);
        worker_session_gone(w);
}
