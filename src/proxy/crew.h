/* SPDX-License-Identifier: MIT */
/*
 * proxy/crew.h - all workers, as the control thread sees them.
 *
 * Everything here is called by the control thread and returns at once; what takes time posts to the
 * workers' mailboxes and answers by a callback in the control thread, through crew_fd().
 */
#pragma once

#include "proxy/session.h"

struct crew;
struct survey;
struct survey_query;
struct upstream;

struct crew_options {
        unsigned n_workers;
        unsigned max_pipes;      /* per worker, see proxy/stock.h */
        void (*news)(void *arg); /* in the control thread: an endpoint or a pool has news */
        void *arg;
};

struct crew_listen {     /* a listening socket and whose it is */
        int fd;          /* borrowed until an adoption without it is done */
        size_t frontend; /* index in the generation that is adopted */
};

/* r: 0, or the first worker's error. */
typedef void (*crew_done_fn)(int r, void *arg);

int crew_new(struct crew **ret, const struct crew_options *o); /* starts the threads */
struct crew *crew_free(struct crew *crew); /* ends and joins them; remaining sessions are closed */
DEFINE_CLEANUP(struct crew *, crew_free);

int crew_fd(const struct crew *crew); /* readable: call crew_dispatch() */
void crew_dispatch(struct crew *crew);

/* A change of generation: the one for sessions from now on, and the listening sockets to accept
 * from. It has two phases. In the first each worker allocates what it needs and registers the new
 * sockets, and still serves the old generation alone. When a worker fails, all of them drop what
 * they have prepared, and done() gets the error. After done(0) crew_commit() is to be called; it
 * cannot fail. What the adoption has is copied. -ENOMEM: nothing was posted. One at a time. */
struct crew_adoption {
        struct upstream *next;
        const struct crew_listen *listens;
        size_t n_listens;
};
int crew_prepare(struct crew *crew, const struct crew_adoption *a, crew_done_fn done, void *arg);
void crew_commit(struct crew *crew, crew_done_fn done, void *arg);
/* Both phases in one call, where nothing has to happen between them. */
int crew_adopt(struct crew *crew,
               struct upstream *next,
               const struct crew_listen *listens,
               size_t n_listens,
               crew_done_fn done,
               void *arg);

/* Sessions are to end, HTTP sessions with their next response. done() is called when what is waited
 * for has happened, or at until_ms (CLOCK_MONOTONIC). A later call must not name a later moment. */
enum crew_drain {
        /* the end of the sessions of the moment of the first call; new clients are accepted */
        CREW_DRAIN_OLD,
        /* no listeners any more; until newer sessions have ended or are at rest */
        CREW_DRAIN_BUSY,
        /* no listeners any more; until all have ended. The rest is closed then: CLOSE_SHUTDOWN */
        CREW_DRAIN_ALL,
        CREW_DRAINS
};
int crew_drain(struct crew *crew,
               enum crew_drain what,
               uint64_t until_ms,
               crew_done_fn done,
               void *arg);

/* A backend can take sessions again: those that wait for one try. */
void crew_wake(struct crew *crew);

/* Marks of endpoints have changed. Sessions whose endpoint has a deadline, or was marked down in a
 * pool that closes them then, are looked after from now on until there are none; those that wait
 * for a place try again, for an endpoint may have come back. */
void crew_mind(struct crew *crew);

/* Looks at the sessions, or closes some (survey.h). Takes what is in q, also on failure. done()
 * gets the answer, borrowed; it is not called for -ENOMEM. */
typedef void (*crew_survey_fn)(const struct survey *answer, void *arg);
int crew_survey(struct crew *crew, struct survey_query *q, crew_survey_fn done, void *arg);

/* done() when every worker's loop has turned once more; never, while one of them hangs. -ENOMEM. */
int crew_ping(struct crew *crew, crew_done_fn done, void *arg);

/* Descriptors that clients and resting connections to backends may have together, over all workers;
 * 0: no limit. A connection to a backend that is in use does not count, because each session that
 * max_connections lets in has one set aside for it. */
void crew_set_descriptors(struct crew *crew, uint32_t max);
bool crew_has_descriptor(const struct crew *crew); /* one more client may be accepted */

/* A connection the control thread has accepted itself. Takes fd, also on failure. */
void crew_give(struct crew *crew, struct upstream *u, size_t frontend, int fd);

struct crew_totals {
        uint64_t opened, closed[CLOSE_REASONS], accept_pauses;
        uint32_t sessions_now;
};
void crew_sum(const struct crew *crew, struct crew_totals *ret);
