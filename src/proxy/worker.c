/* SPDX-License-Identifier: MIT */

#include "proxy/worker.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/log.h"
#include "proxy/http_session.h"
#include "proxy/listener.h"

#define LOG_MODULE "worker"

/* ---- views ---- */

static struct view *view_free(struct view *view) {
        if (!view)
                return NULL;

        for (size_t i = 0; i < view->upstream->config->n_frontends; i++) {
                struct view_frontend *f = &view->frontends[i];

                for (size_t k = 0; f->states && k < view->upstream->frontends[i].n_targets; k++)
                        free(f->states[k]);
                free(f->states);
                free(f->waiting);
        }
        upstream_unref(view->upstream);
        free(view);
        return NULL;
}
DEFINE_CLEANUP(struct view *, view_free);

static int view_frontend_init(struct view_frontend *vf, const struct upstream_frontend *f) {
        const struct balance_ops *balance = f->config->balance;

        vf->states = calloc(f->n_targets, sizeof(*vf->states));
        vf->waiting = malloc(f->n_targets * sizeof(*vf->waiting));
        if (!vf->states || !vf->waiting)
                return -ENOMEM;
        for (size_t i = 0; i < f->n_targets; i++)
                link_init(&vf->waiting[i]);
        for (size_t i = 0; i < f->n_targets; i++) {
                size_t n = f->targets[i].pool->n_endpoints;
                size_t size = balance->state_size + balance->state_each * n;

                if (size == 0)
                        continue;
                vf->states[i] = calloc(1, size);
                if (!vf->states[i])
                        return -ENOMEM;
        }
        return 0;
}

void *view_state(const struct view *view,
                 const struct upstream_frontend *f,
                 const struct upstream_target *t) {
        return view->frontends[f - view->upstream->frontends].states[t - f->targets];
}

static int view_new(struct view **ret, struct upstream *u) {
        size_t n = u->config->n_frontends;
        _cleanup_(view_freep) struct view *view = NULL;

        view = calloc(1, sizeof(*view) + n * sizeof(struct view_frontend));
        if (!view)
                return -ENOMEM;
        view->upstream = upstream_ref(u);
        link_init(&view->link);

        for (size_t i = 0; i < n; i++)
                link_init(&view->frontends[i].entering);
        for (size_t i = 0; i < n; i++) {
                int r = view_frontend_init(&view->frontends[i], &u->frontends[i]);

                if (r < 0)
                        return r;
        }
        *ret = take_ptr(view);
        return 0;
}

/* The room in which candidates are chosen from, for the largest pool so far. */
static int worker_make_room(struct worker *w, size_t n) {
        struct candidate *room;

        if (n <= w->n_room)
                return 0;
        room = realloc(w->room, n * sizeof(*room));
        if (!room)
                return -ENOMEM;
        w->room = room;
        w->n_room = n;
        return 0;
}

struct view *worker_view(struct worker *w, struct upstream *u) {
        struct view *view;

        if (w->view && w->view->upstream == u)
                return w->view;
        list_for_each(l, &w->views) {
                view = container_of(l, struct view, link);
                if (view->upstream == u)
                        return view;
        }

        if (worker_make_room(w, u->max_endpoints) < 0 || view_new(&view, u) < 0)
                return NULL;
        link_before(&w->views, &view->link);
        return view;
}

void view_settle(struct worker *w, struct view *view) {
        if (view->n_sessions > 0 || view == w->view || view == w->next_view)
                return;
        link_remove(&view->link);
        view_free(view);
}

/* ---- what the control thread asks for ---- */

static struct listener *listener_find(struct link *listeners, int fd) {
        list_for_each(l, listeners) {
                struct listener *listener = container_of(l, struct listener, link);

                if (listener->fd == fd)
                        return listener;
        }
        return NULL;
}

static void listeners_mark(struct worker *w) {
        list_for_each(l, &w->listeners)
                container_of(l, struct listener, link)->seen = false;
}

static void listeners_sweep(struct worker *w) {
        for (struct link *l = w->listeners.next, *next; l != &w->listeners; l = next) {
                struct listener *listener = container_of(l, struct listener, link);

                next = l->next;
                if (!listener->seen)
                        listener_stop(listener);
        }
}

int worker_prepare(struct worker *w, struct upstream *u, const struct crew_listen *l, size_t n) {
        int r = http_prepare(w, u->config);

        assert(!w->next_view && link_idle(&w->next_listeners));
        if (r < 0)
                return r;
        w->next_view = worker_view(w, u);
        if (!w->next_view)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                if (listener_find(&w->listeners, l[i].fd))
                        continue;
                r = listener_prepare(w, l[i].fd);
                if (r < 0) {
                        worker_abandon(w);
                        return r;
                }
        }
        return 0;
}

void worker_abandon(struct worker *w) {
        struct view *view = take_ptr(w->next_view);

        while (!link_idle(&w->next_listeners))
                listener_stop(container_of(w->next_listeners.next, struct listener, link));
        if (view)
                view_settle(w, view);
}

void worker_commit(struct worker *w, struct upstream *u, const struct crew_listen *l, size_t n) {
        struct view *before = w->view;

        (void)u; /* it was prepared */
        assert(w->next_view && w->next_view->upstream == u);
        w->view = take_ptr(w->next_view);
        if (before && before != w->view)
                view_settle(w, before);

        listeners_mark(w);
        for (size_t i = 0; i < n; i++) {
                struct listener *listener = listener_find(&w->listeners, l[i].fd);

                if (listener) {
                        listener->frontend = l[i].frontend;
                        listener->seen = true;
                } else {
                        listener = listener_find(&w->next_listeners, l[i].fd);
                        assert(listener);
                        listener_start(listener, l[i].frontend);
                }
        }
        assert(link_idle(&w->next_listeners));
        listeners_sweep(w);
        warm_trim(w);             /* limits may have been lowered */
        session_retry_waiting(w); /* limits may have been raised */
}

void worker_close_sessions(struct worker *w) {
        while (!link_idle(&w->sessions))
                session_close(container_of(w->sessions.next, struct session, link), CLOSE_SHUTDOWN);
}

void worker_forget_listeners(struct worker *w) {
        listeners_mark(w);
        listeners_sweep(w);
}

static void listeners_resume(struct worker *w) {
        list_for_each(l, &w->listeners)
                listener_resume(container_of(l, struct listener, link));
}

void worker_session_gone(struct worker *w) {
        listeners_resume(w);
        worker_drain_check(w);
}

/* ---- slots ---- */

static void worker_on_poke(struct mail *m, void *owner) {
        struct worker *w = owner;

        (void)m;
        atomic_flag_clear(&w->poked); /* before looking: a slot that is freed now posts again */
        if (w->stop)
                return;
        session_retry_waiting(w);
        listeners_resume(w);
}

void worker_wake(struct worker *w) {
        if (!atomic_flag_test_and_set(&w->poked))
                mailbox_post(w->mailbox, &w->poke);
}

void worker_slot_free(struct worker *w) {
        if (!w->view || atomic_load(&w->view->upstream->all->waiting) == 0)
                return;
        for (unsigned i = 0; i < crew_size(w->crew); i++) {
                struct worker *other = crew_worker(w->crew, i);

                if (atomic_load(&other->counters.n_waiting) > 0)
                        worker_wake(other);
        }
}

/* ---- descriptors ---- */

bool worker_take_descriptor(struct worker *w) {
        return gate_enter(crew_descriptors(w->crew));
}

void worker_give_descriptor(struct worker *w) {
        gate_leave(crew_descriptors(w->crew));
}

bool worker_may_relieve(const struct worker *w) {
        return !link_idle(&w->warm) || !link_idle(&w->lingering);
}

bool worker_relieve(struct worker *w) {
        if (warm_relieve(w))
                return true;
        if (link_idle(&w->lingering))
                return false;
        http_end_linger(w);
        return true;
}

void worker_count_client(struct worker *w) {
        gate_add(crew_descriptors(w->crew));
        while (gate_is_over(crew_descriptors(w->crew)) && worker_relieve(w))
                ;
}

static void worker_on_trim(struct mail *m, void *owner) {
        struct worker *w = owner;
        bool relieved = false;

        (void)m;
        atomic_flag_clear(&w->trimmed); /* before looking: who asks from now on posts again */
        if (w->stop)
                return;
        warm_trim(w);
        if (!atomic_exchange(&w->relief_wanted, false))
                return;
        for (int i = 0; i < LISTENER_BATCH && worker_relieve(w); i++)
                relieved = true;
        for (unsigned i = 0; relieved && i < crew_size(w->crew); i++)
                worker_wake(crew_worker(w->crew, i));
}

void worker_trim(struct worker *w) {
        if (!atomic_flag_test_and_set(&w->trimmed))
                mailbox_post(w->mailbox, &w->trim);
}

void worker_ask_relief(struct worker *w) {
        for (unsigned i = 0; i < crew_size(w->crew); i++) {
                struct worker *other = crew_worker(w->crew, i);

                if (other == w || atomic_exchange(&other->relief_wanted, true))
                        continue;
                worker_trim(other);
        }
}

/* ---- company ---- */

static uint32_t sessions_of(const struct worker *w) {
        return atomic_load_explicit(&w->counters.sessions_now, memory_order_relaxed);
}

struct worker *worker_idlest(struct worker *w) {
        uint32_t least = sessions_of(w);
        struct worker *best = w;

        for (unsigned i = 0; i < crew_size(w->crew); i++) {
                struct worker *other = crew_worker(w->crew, i);

                if (sessions_of(other) < least) {
                        least = sessions_of(other);
                        best = other;
                }
        }
        return sessions_of(w) >= least + LISTENER_SLACK ? best : w;
}

static bool has_idle(const struct worker *w) {
        return atomic_load_explicit(&w->counters.n_idle, memory_order_relaxed) > 0;
}

struct worker *worker_with_idle(struct worker *w) {
        if (has_idle(w))
                return w;
        for (unsigned i = 0; i < crew_size(w->crew); i++)
                if (has_idle(crew_worker(w->crew, i)))
                        return crew_worker(w->crew, i);
        return NULL;
}

uint64_t worker_random(struct worker *w) {
        w->random ^= w->random << 13;
        w->random ^= w->random >> 7;
        w->random ^= w->random << 17;
        return w->random;
}

/* ---- the thread ---- */

static void worker_end(struct worker *w) {
        worker_abandon(w);
        worker_forget_listeners(w);
        worker_close_sessions(w);
        warm_sweep(w, true);
        wheel_cancel(&w->drain.timer);
        wheel_cancel(&w->mind_timer);
        wheel_cancel(&w->admit_timer);
        mailbox_detach(w->mailbox);
}

static void *worker_main(void *arg) {
        struct worker *w = arg;
        char name[16];
        int r;

        snprintf(name, sizeof(name), "bal-w%u", w->index);
        pthread_setname_np(pthread_self(), name);
        r = log_thread_init();
        if (r < 0)
                fprintf(stderr, "bal: worker %u has no log: %s\n", w->index, strerrordesc_np(-r));

        while (!w->stop) {
                r = loop_turn(w->loop);
                if (r < 0) {
                        log_error(internal_error, "waiting for events failed; the worker ends",
                                  F_U64("worker", w->index), F_ERR(r));
                        break;
                }
        }
        worker_end(w);
        log_thread_done();
        return NULL;
}

static int worker_init(struct worker *w, struct crew *crew, unsigned index) {
        int r;

        w->index = index;
        w->next_session = 1; /* so that no public id is 0 */
        w->crew = crew;
        w->poke.fn = worker_on_poke;
        w->trim.fn = worker_on_trim;
        worker_drain_init(w);
        timer_init(&w->mind_timer, worker_on_mind_timer);
        timer_init(&w->admit_timer, session_on_admit_timer);
        link_init(&w->poke.link);
        link_init(&w->trim.link);
        link_init(&w->views);
        link_init(&w->listeners);
        link_init(&w->next_listeners);
        link_init(&w->sessions);
        link_init(&w->idle);
        link_init(&w->lingering);
        link_init(&w->warm);

        if (getrandom(&w->random, sizeof(w->random), 0) < 0)
                return -errno;
        w->random |= 1; /* xorshift never leaves zero */

        r = loop_new(&w->loop);
        if (r < 0)
                return r;
        r = mailbox_new(&w->mailbox, w);
        if (r < 0)
                return r;
        return mailbox_attach(w->mailbox, w->loop);
}

int worker_new(struct worker **ret,
               struct crew *crew,
               unsigned index,
               const struct crew_options *o) {
        struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);
        int r;

        if (!w)
                return -ENOMEM;
        *w = (struct worker){ 0 };
        /* A lane holds one buffer at most, so the limits on sessions bound them, and those may be
         * raised by a reload. */
        stock_init(&w->stock, UINT_MAX, o->max_pipes);

        r = worker_init(w, crew, index);
        if (r < 0) {
                if (w->mailbox)
                        mailbox_detach(w->mailbox);
                worker_free(w);
                return r;
        }
        *ret = w;
        return 0;
}

int worker_run(struct worker *w) {
        pthread_attr_t attr;
        int r;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, WORKER_STACK);
        r = -pthread_create(&w->thread, &attr, worker_main, w);
        pthread_attr_destroy(&attr);
        w->started = r == 0;
        return r;
}

struct worker *worker_free(struct worker *w) {
        if (!w)
                return NULL;

        w->stop = true;
        if (w->mailbox)
                mailbox_run(w->mailbox); /* what came too late: connections are closed */
        if (w->view)
                view_settle(w, take_ptr(w->view));
        mailbox_free(w->mailbox);
        loop_free(w->loop);
        stock_done(&w->stock);
        free(w->room);
        free(w->desk);
        free(w);
        return NULL;
}
