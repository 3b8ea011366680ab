/* SPDX-License-Identifier: MIT */
/*
 * proxy/worker.h - one thread: loop, listeners, sessions, stock. Shares nothing hot.
 *
 * This header is the proxy floor's own; the control thread knows workers only as a crew (crew.h).
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "net/mailbox.h"
#include "proxy/crew.h"
#include "proxy/stock.h"
#include "upstream/upstream.h"

struct view_frontend {        /* what one worker keeps of one frontend of one generation */
        void **states;        /* of the balancing algorithm, one per target; owned */
        struct link entering; /* sessions that wait for a slot of it, oldest first */
        struct link *waiting; /* a list per target: that wait for a backend; owned */
};

struct view { /* one worker's side of one generation; lives as long as a session needs it */
        struct link link;
        struct upstream *upstream; /* referenced once for all sessions */
        unsigned n_sessions;
        struct view_frontend frontends[];
};

struct worker_counters {
        _Alignas(64) _Atomic uint64_t opened;
        _Atomic uint64_t closed[CLOSE_REASONS];
        _Atomic uint64_t accept_pauses;
        _Atomic uint32_t sessions_now; /* written by the worker; read by who looks for the idlest */
        _Atomic uint32_t n_idle;    /* HTTP sessions between two requests, see http_make_room() */
        _Atomic uint32_t n_waiting; /* sessions of this worker that wait, see session.c */
};

struct drain { /* see drain.c */
        struct timer timer;
        struct mail *answers[CREW_DRAINS]; /* owed; NULL: none */
        uint64_t until_ms[CREW_DRAINS];
        uint64_t first_new; /* id of the first session that began after the drain */
        bool on;
};

struct worker {
        struct worker_counters counters;
        unsigned index;
        struct crew *crew; /* borrowed */
        struct loop *loop;
        struct mailbox *mailbox;
        struct stock stock;
        struct view *view; /* of the newest generation; NULL before the first */
        struct link views; /* all that still have sessions, and the newest */
        struct link listeners;
        struct link sessions;
        struct link idle;      /* HTTP sessions that may make room for new ones, oldest first */
        struct link lingering; /* HTTP sessions that only wait for the client's end, oldest first */
        unsigned n_turned_away; /* HTTP sessions without a slot that get their 503 */
        struct link warm;       /* connections to backends that rest, oldest first */
        unsigned n_warm;
        struct http_desk *desk; /* of HTTP sessions; owned; NULL: there was none yet */
        struct candidate *room; /* for choosing; of the largest pool seen so far */
        size_t n_room;
        uint64_t next_session; /* from 1; ids: that times the number of workers, plus index */
        uint64_t random;       /* xorshift state */
        struct timer mind_timer, admit_timer;
        uint32_t mind_round; /* of the minder, see mind.c */
        struct drain drain;
        struct mail poke; /* sessions that wait may try; posted at most once at a time */
        atomic_flag poked;
        struct mail trim; /* another worker needs what this one keeps; likewise */
        atomic_flag trimmed;
        _Atomic bool relief_wanted; /* descriptors are short; else only max_connections matters */
        pthread_t thread;
        bool started, stop;

        /* prepared for the next generation, see worker_prepare() */
        struct view *next_view;     /* one of views; NULL: nothing is prepared */
        struct link next_listeners; /* registered, but they accept nothing yet */
};

#define WORKER_STACK ((size_t)256 * 1024) /* bytes; tests/callgraph.py: a fourth will do */

int worker_new(struct worker **ret,
               struct crew *crew,
               unsigned index,
               const struct crew_options *o);
int worker_run(struct worker *w);             /* starts the thread */
struct worker *worker_free(struct worker *w); /* after its thread was joined, or never started */

/* The view of a generation, made if need be; NULL: out of memory. */
struct view *worker_view(struct worker *w, struct upstream *u);
void view_settle(struct worker *w, struct view *view); /* frees it if nobody needs it any more */
/* The algorithm's state for one target of a frontend of that generation; NULL: it needs none. */
void *view_state(const struct view *view,
                 const struct upstream_frontend *f,
                 const struct upstream_target *t);

uint64_t worker_random(struct worker *w);

/* The least busy of all workers, if w is clearly busier; else w. */
struct worker *worker_idlest(struct worker *w);
/* One with HTTP sessions that may make room for a new one; w itself if it has any; NULL: none. */
struct worker *worker_with_idle(struct worker *w);

/* A slot may be free, or a backend works again: the sessions that wait try, in the next turn of
 * their worker's loop. In this worker, or in all workers that have any; any thread. */
void worker_wake(struct worker *w);
void worker_slot_free(struct worker *w);

/* A descriptor for a connection that is to rest (crew_set_descriptors()). False: none is left. */
bool worker_take_descriptor(struct worker *w);
/* That of a connection that rests no more, or of a client whose connection is closed. */
void worker_give_descriptor(struct worker *w);
/* A client was accepted. Where that exceeds the limit, w closes something else for it. */
void worker_count_client(struct worker *w);
/* Descriptors are short: closes the connection of w that is missed least, which is the oldest that
 * rests, else the session that lingers longest. False: w has neither. */
bool worker_relieve(struct worker *w);
bool worker_may_relieve(const struct worker *w); /* it has one or the other */
/* w has nothing to close, but others may: they are asked, and paused listeners try again then. */
void worker_ask_relief(struct worker *w);
/* Connections that rest in w exceed the limit of an endpoint: w closes them. Any thread. */
void worker_trim(struct worker *w);

/* After a session of w has ended: paused listeners look again, a drain may be over. */
void worker_session_gone(struct worker *w);

/* Who else there is; all workers exist before the first of them runs. */
unsigned crew_size(const struct crew *crew);
struct worker *crew_worker(const struct crew *crew, unsigned index);
struct gate *crew_descriptors(struct crew *crew);
/* Any worker: an endpoint or a pool has news for the control thread. */
void crew_news(struct crew *crew);
/* A part of a call to the crew is done; r: 0, or a negative errno. Takes m. */
void crew_answer(struct crew *crew, struct mail *m, int r);

/* As parts of the crew's calls, in the worker's thread. */

/* The first phase of an adoption allocates everything that the second needs: 0, or why the worker
 * cannot take the generation over, and then it is as before. The commit cannot fail. */
int worker_prepare(struct worker *w, struct upstream *u, const struct crew_listen *l, size_t n);
void worker_commit(struct worker *w, struct upstream *u, const struct crew_listen *l, size_t n);
void worker_abandon(struct worker *w); /* drops what is prepared; idempotent */
void worker_mind(struct worker *w);    /* mind.c */
void worker_on_mind_timer(struct timer *t);
void worker_forget_listeners(struct worker *w);
void worker_close_sessions(struct worker *w); /* for CLOSE_SHUTDOWN */

/* drain.c: the drain, whose answer comes when it is over; a session has ended; no answer is to be
 * waited for any more. */
void worker_drain_init(struct worker *w);
void worker_drain(struct worker *w, enum crew_drain what, uint64_t until_ms, struct mail *answer);
void worker_drain_check(struct worker *w);
void worker_drain_cancel(struct worker *w);
void worker_on_drain_timer(struct timer *t);
