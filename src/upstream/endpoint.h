/* SPDX-License-Identifier: MIT */
/*
 * upstream/endpoint.h - what is known of one backend server at run time; outlives generations.
 *
 * Who writes what: the control thread weight, health and the operator's marks; each worker its own
 * counters; all workers, and only when a connect fails or works again, the cooldown. All is read
 * relaxed. A worker that reads an old value makes one choice that was right a microsecond ago.
 *
 * What a worker learns of a backend's health it does not judge: it leaves it here and says that
 * there is news. The control thread looks, and alone marks backends up and down (health/health.h).
 */
#pragma once

#include "config/config.h"
#include "core/list.h"
#include "upstream/failure.h"
#include "upstream/gate.h"

/* What the operator has said of it. X(enum, word) */
#define ADMIN_STATES(X)                                                                            \
        X(READY, "ready") /* in service */                                                         \
        X(DRAIN, "drain") /* no new sessions, the old ones stay; checked */                        \
        X(MAINT, "maint") /* no new sessions; not checked */

/* What the screen calls its state, worst first; one word for everything that is known. */
#define ENDPOINT_STATES(X)                                                                         \
        X(DOWN, "down") /* checks fail, or its name has no address */                              \
        X(COOL, "cool") /* connects failed, retried after a back-off */                            \
        X(DRAIN, "drain")                                                                          \
        X(MAINT, "maint")                                                                          \
        X(UP, "up")

enum endpoint_admin {
#define X(id, word) ADMIN_##id,
        ADMIN_STATES(X)
#undef X
                ADMIN_STATES_COUNT
};

enum endpoint_state {
#define X(id, word) ENDPOINT_##id,
        ENDPOINT_STATES(X)
#undef X
                ENDPOINT_STATES_COUNT
};

/* One cache line per worker. _Alignas stands before one declarator: it would align each of many. */
struct endpoint_counters {
        _Alignas(64) _Atomic uint64_t sessions_total;
        _Atomic uint64_t connected;           /* connects that worked */
        _Atomic uint64_t bytes_in, bytes_out; /* from clients, to clients */
        _Atomic uint64_t failed[CONNECT_FAILURES_COUNT];
        _Atomic uint64_t storm; /* time-outs and refusals, but for those of last-hope tries */
        _Atomic uint64_t last_connect_ms; /* the newest verdict, good or bad; 0: none yet */
        _Atomic uint64_t last_good_ms;    /* the newest connect that worked; 0: none yet */
        _Atomic uint32_t sessions_now;    /* connecting ones too */
        _Atomic uint64_t oldest_ms;       /* birth of its oldest session; true while it drains */
        _Atomic uint32_t n_warm;          /* connections that rest (proxy/warm.c) */
        /* the worker's own */
        uint32_t round, left, quota; /* while it minds them (proxy/mind.c) */
        uint32_t rest_ms;            /* the backend was seen to close them after so long; 0: not */
        uint64_t rest_seen_ms;       /* when */
        struct link warm;            /* the newest first */
};

#define ENDPOINT_SAMPLES 11 /* rates look ten seconds back */

struct endpoint {
        /* what every choice reads: one cache line */
        _Atomic unsigned refs;
        _Atomic uint32_t weight;
        _Atomic uint32_t admin;         /* enum endpoint_admin; the control thread's */
        _Atomic bool down;              /* marked down; the control thread's */
        _Atomic bool news;              /* a connect failed, or worked after one that failed */
        _Atomic bool unserved;          /* see endpoint_unserved() */
        _Atomic uint64_t cool_until_ms; /* CLOCK_MONOTONIC; it rests until then */
        _Atomic uint64_t up_at_ms;      /* slow_start counts from here; 0: never came back */
        uint64_t id;
        char *pool, *name; /* owned; together they are its identity */
        unsigned n_workers;
        _Atomic uint32_t let_down; /* sessions in a row, see proxy/passive.h; 0: none */

        _Atomic int32_t down_why;        /* a failure (failure.h), while down */
        _Atomic uint64_t down_at_ms;     /* CLOCK_MONOTONIC of the last mark */
        _Atomic uint64_t deadline_ms;    /* drain, maint: its sessions are closed then; 0: never */
        _Atomic uint64_t since_us;       /* CLOCK_REALTIME of the last change of state */
        _Atomic uint64_t claim_until_ms; /* no session but the one that claimed it tries before */
        _Atomic uint64_t failing_ms;     /* since when it fails; true while streak > 0 */
        _Atomic uint32_t streak;    /* failed connects since the last good one; 0: not cooling */
        _Atomic int32_t last_error; /* the last failure (failure.h) that sessions met */
        _Atomic uint32_t good_addr; /* index of the address that answered last */
        _Atomic uint64_t told_ms;   /* cooling was last told in the log; see endpoint_may_tell() */
        _Atomic bool told;          /* this time, too */
        struct gate gate;           /* max_connections */
        struct endpoint_counters *per_worker; /* n_workers; owned */

        /* the control thread's own */
        uint64_t reported[CONNECT_FAILURES_COUNT]; /* told in the log */
        uint32_t file_weight;                      /* what the file said last */
        uint64_t generation;                       /* the newest one that has it */
        struct endpoint_sample {
                uint32_t sessions, failed; /* the low bits of its totals, one a second */
        } samples[ENDPOINT_SAMPLES];
        struct check *check;     /* of health/; NULL: none */
        struct history *history; /* of control/; owned, one block; NULL: none yet */
};

/* New, with one reference; NULL: out of memory. */
struct endpoint *endpoint_new(const char *pool,
                              const struct config_endpoint *c,
                              unsigned n_workers);
struct endpoint *endpoint_ref(struct endpoint *e);
struct endpoint *endpoint_unref(struct endpoint *e);
DEFINE_CLEANUP(struct endpoint *, endpoint_unref);

/* Its rest is over; before that it is tried last. */
bool endpoint_warm(const struct endpoint *e, uint64_t now_ms);
bool endpoint_cooling(const struct endpoint *e); /* its last connect failed */

/* It cools because it let sessions down that were connected. That it can be connected to is no news
 * then: only a session that is served ends this, or checks, after one that has failed. So it gets
 * one session at a time to try it, even while it is marked down. */
bool endpoint_unserved(const struct endpoint *e);
/* Marked down, and checks will say when it is over. */
bool endpoint_is_out(const struct endpoint *e);

/* How it shows; and may it get sessions in the ordinary way, as far as health and marks go? */
enum endpoint_state endpoint_state(const struct endpoint *e);
const char *endpoint_state_word(enum endpoint_state s);
const char *admin_state_word(enum endpoint_admin a);
int admin_state_find(const char *word); /* -ENOENT */

/* Its share now: weight x SLOW_SCALE, or less of it while it starts slowly; never 0 but for a
 * weight of 0. Without slow_start the weight itself. */
#define SLOW_SCALE 100u
uint32_t endpoint_share(const struct endpoint *e, const struct config_pool *pool, uint64_t now_ms);

/* An endpoint that has failed is tried by one session at a time: the others avoid it until it has
 * answered, for at most patience_ms. After a failure it is claimed again only after a pause that
 * grows with the outage, from ENDPOINT_RETRY_MIN_MS to ENDPOINT_RETRY_MAX_MS: a short restart is
 * noticed at once, and a long outage costs the endpoint a few connects a second at most. False: it
 * is claimed, or pauses, until endpoint_retry_ms(). */
#define ENDPOINT_RETRY_MIN_MS 10
#define ENDPOINT_RETRY_MAX_MS 250
bool endpoint_claim(struct endpoint *e, uint64_t now_ms, uint32_t patience_ms);
void endpoint_unclaim(struct endpoint *e);            /* the session that claimed it has gone */
uint64_t endpoint_retry_ms(const struct endpoint *e); /* CLOCK_MONOTONIC; 0: at any time */

/* A connect failed or worked, or a session was let down or served; hard: the pool is protected,
 * rests are twice as long. True: the endpoint's state has changed, and somebody should say so.
 * Failures during a cooldown do not lengthen it. A connect or a check ends a cooldown by
 * endpoint_worked(), too, unless endpoint_unserved(). */
bool endpoint_failed(struct endpoint *e,
                     const struct config_pool *pool,
                     bool hard,
                     uint64_t now_ms,
                     int error);
bool endpoint_worked(struct endpoint *e);
/* A check has failed, too: from now on they say what is known of the endpoint. */
void endpoint_leave_to_checks(struct endpoint *e);
/* A check has failed on an endpoint that is cooling: it rests once more as long, so that no client
 * is the next to find out. Not one that is not cooling. */
void endpoint_still_cool(struct endpoint *e,
                         const struct config_pool *pool,
                         bool hard,
                         uint64_t now_ms);

/* May the log be told that it begins (cooling) or ends to cool? A backend that flaps does so many
 * times a second: once in ENDPOINT_TELL_MS is enough, and an end is told whose beginning was. */
#define ENDPOINT_TELL_MS 10000
bool endpoint_may_tell(struct endpoint *e, bool cooling, uint64_t now_ms);

/* The control thread's marks. Back into service after maintenance begins slowly, as after down.
 * deadline_ms: CLOCK_MONOTONIC, 0: none. */
void endpoint_set_admin(struct endpoint *e,
                        enum endpoint_admin admin,
                        uint64_t deadline_ms,
                        uint64_t now_ms);
void endpoint_mark_down(struct endpoint *e, int why, uint64_t now_ms);
void endpoint_mark_up(struct endpoint *e, uint64_t now_ms); /* begins a slow start */

/* Sums over the workers; whoever asks gets one moment's numbers of each worker. */
struct endpoint_totals {
        uint64_t sessions_total, connected, bytes_in, bytes_out, failed[CONNECT_FAILURES_COUNT];
        uint64_t storm;
        uint64_t last_connect_ms, oldest_ms; /* 0: none */
        uint32_t sessions_now, resting;      /* resting: connections, see endpoint_resting() */
};
void endpoint_sum(const struct endpoint *e, struct endpoint_totals *ret);
uint32_t endpoint_active(const struct endpoint *e);
uint32_t endpoint_resting(const struct endpoint *e); /* connections, over all workers */
/* So many connections in use and at rest are beyond max_connections. Each worker that adds one, be
 * it a session (gate_enter()) or one at rest (a sequentially consistent n_warm), asks afterwards,
 * so of two that add the last one at once at least one is told. */
uint32_t endpoint_excess(const struct endpoint *e);
bool endpoint_has_worked(const struct endpoint *e); /* a connect did, ever */
/* A connect of any worker has worked at since_ms or later: a connect that began then and is still
 * open has lost a packet, and says nothing about the endpoint. */
bool endpoint_worked_since(const struct endpoint *e, uint64_t since_ms);

/* Zeroed counters for so many workers, each on cache lines of its own; NULL: out of memory. */
void *counters_new(unsigned n_workers, size_t each);

/* For counters with one writer: no locked instruction is needed. */
#define COUNTER_ADD(counter, n)                                                                    \
        atomic_store_explicit(&(counter),                                                          \
                              atomic_load_explicit(&(counter), memory_order_relaxed) + (n),        \
                              memory_order_relaxed)
