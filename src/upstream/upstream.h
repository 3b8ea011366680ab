/* SPDX-License-Identifier: MIT */
/*
 * upstream/upstream.h - one generation of all frontends and pools, built from one configuration.
 *
 * A reload makes the next generation; sessions keep the one they were born under. Immutable once
 * published, but for the addresses of names, and reference-counted. What must survive (endpoints
 * with counters and cooldown, frontends with counters and limits) is shared between generations.
 *
 * A new answer of the resolver makes no generation, since names may rotate every few seconds while
 * sessions live for days: the control thread puts a new array in place of the old one. A session
 * has a reference to the array that it dials by, so an old one goes with its last session.
 */
#pragma once

#include "balance/balance.h"
#include "upstream/endpoint.h"
#include "upstream/traffic.h"

/* Why a frontend turns clients away: a contract of the metrics. X(enum, word) */
#define REJECT_REASONS(X)                                                                          \
        X(MAX_CONNECTIONS, "max_connections") /* a limit, at once or after a wait for a place */   \
        X(NO_BACKEND, "no_backend")           /* none served it */                                 \
        X(PROTECTION, "protection")           /* likewise, in a pool that is protected */          \
        X(NO_PORTS, "no_ports")               /* this machine had no source port for a connect */  \
        X(RESOURCES, "resources")             /* it had no descriptor, buffer or memory */

enum reject_reason {
#define X(id, word) REJECT_##id,
        REJECT_REASONS(X)
#undef X
                REJECT_REASONS_COUNT
};
const char *reject_reason_word(enum reject_reason r);

/* How long connects to backends take: the upper bounds of the buckets, in microseconds. */
#define CONNECT_BOUNDS_US                                                                          \
        500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000
#define CONNECT_BUCKETS 13 /* the last one: what took longer than all bounds */
extern const uint64_t connect_bounds_us[CONNECT_BUCKETS - 1];

/* What clients wait for: a contract of status and metrics. X(enum, word) */
#define WAIT_KINDS(X)                                                                              \
        X(SLOT, "slot")                 /* one of the frontend or of the daemon */                 \
        X(BACKEND_FULL, "backend_full") /* a slot of a backend */                                  \
        X(BACKEND_DOWN, "backend_down") /* a backend that can take them: they hold */

enum wait_kind {
#define X(id, word) WAIT_##id,
        WAIT_KINDS(X)
#undef X
                WAIT_KINDS_COUNT
};
const char *wait_kind_word(enum wait_kind k);

/* How a wait ends in vain: a contract of the metrics. X(enum, word) */
#define WAIT_FAILURES(X)                                                                           \
        X(QUEUE, "queue_timeout")                                                                  \
        X(HOLD, "hold_timeout")                                                                    \
        X(CLIENT, "client_left")                                                                   \
        X(OTHER, "other") /* a stop, an operator, a shortage, a backend that failed afterwards */

enum wait_failure {
#define X(id, word) WAIT_FAILED_##id,
        WAIT_FAILURES(X)
#undef X
                WAIT_FAILURES_COUNT
};
const char *wait_failure_word(enum wait_failure f);

/* How long clients wait: the upper bounds of the buckets, in microseconds. */
#define WAIT_BOUNDS_US                                                                             \
        1000, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,        \
                10000000, 30000000
#define WAIT_BUCKETS 14
extern const uint64_t wait_bounds_us[WAIT_BUCKETS - 1];

struct frontend_counters { /* cache lines of each worker's own, as in endpoint.h */
        _Alignas(64) _Atomic uint64_t sessions_total;
        _Atomic uint64_t rejected[REJECT_REASONS_COUNT];
        _Atomic uint64_t connects[CONNECT_BUCKETS]; /* that worked, by how long they took */
        _Atomic uint64_t connects_us;               /* together */
        _Atomic uint64_t waits[WAIT_BUCKETS];       /* not in vain, by how long they took */
        _Atomic uint64_t waits_us;                  /* together */
        _Atomic uint64_t waits_failed[WAIT_FAILURES_COUNT];
};

/* A connect that worked, by the worker whose counters they are. */
void frontend_connected(struct frontend_counters *c, uint64_t took_us);
/* A client that had to wait has a slot or a backend, likewise. */
void frontend_waited(struct frontend_counters *c, uint64_t took_us);

struct frontend { /* outlives generations; its name is its identity */
        _Atomic unsigned refs;
        char *name; /* owned; NULL: the whole daemon */
        unsigned n_workers;
        struct gate gate;          /* max_connections */
        _Atomic uint32_t waiting;  /* clients that wait for a slot or a backend */
        _Atomic uint32_t entering; /* of these: in the frontend's list */
        _Atomic uint32_t waiting_for[WAIT_KINDS_COUNT]; /* all that wait */
        uint64_t told[REJECT_REASONS_COUNT];  /* rejected in the log so far; the control thread's */
        struct frontend_counters *per_worker; /* owned */
};

struct frontend_totals { /* sums over the workers */
        uint64_t sessions_total, rejected[REJECT_REASONS_COUNT];
        uint64_t connects[CONNECT_BUCKETS], connects_us;
        uint64_t waits[WAIT_BUCKETS], waits_us, waits_failed[WAIT_FAILURES_COUNT];
};
void frontend_sum(const struct frontend *f, struct frontend_totals *ret);

/* Why a pool is protected: a contract of status, logs and metrics. X(enum, word) */
#define PROTECTION_REASONS(X)                                                                      \
        X(STORM, "timeout_or_refused_storm")                                                       \
        X(UNAVAILABLE, "all_backends_unavailable")

enum protection_reason {
        PROTECTION_OFF,
#define X(id, word) PROTECTION_##id,
        PROTECTION_REASONS(X)
#undef X
                PROTECTION_REASONS_COUNT
};
const char *protection_reason_word(enum protection_reason r); /* NULL: off */

struct pool_counters {                             /* one cache line per worker */
        _Alignas(64) _Atomic uint64_t unavailable; /* sessions that found no backend at all */
        _Atomic uint64_t held;                     /* that had to hold */
        _Atomic uint64_t held_in_vain;             /* of these: got no backend */
        _Atomic uint64_t held_longest_ms;          /* the control thread sets it to 0 */
};

struct pool_holds {       /* what the log has been told of clients that hold; control/holds.h */
        bool told;        /* that they do, and not yet that it is over */
        uint64_t told_ms; /* when, the last time; 0: never */
        uint64_t seen;    /* pool_held.total at the last look */
        uint64_t before;  /* the same at the last end that was told */
        uint64_t in_vain; /* likewise */
        uint64_t n;       /* held from that start to that end */
};

struct pool { /* outlives generations; its name is its identity */
        _Atomic unsigned refs;
        char *name; /* owned */
        unsigned n_workers;
        _Atomic uint32_t protection;      /* enum protection_reason; the control thread's */
        _Atomic bool news;                /* a session found no backend */
        _Atomic uint32_t holding;         /* sessions that hold, also while they try a backend */
        struct pool_counters *per_worker; /* owned */
        struct guard *guard;              /* of health/, the control thread's own; NULL: none */
        struct pool_holds holds;          /* the control thread's own */
};
struct pool *pool_ref(struct pool *p);   /* any thread */
struct pool *pool_unref(struct pool *p); /* any thread; returns NULL */
DEFINE_CLEANUP(struct pool *, pool_unref);
uint64_t pool_unavailable(const struct pool *p);

struct pool_held { /* sums over the workers */
        uint64_t total, in_vain;
};
void pool_held_sum(const struct pool *p, struct pool_held *ret);
/* A session holds no longer; by the worker whose counters they are. */
void pool_hold_ended(struct pool_counters *c, uint64_t waited_ms, bool in_vain);
/* The longest that one has held that holds no longer, since the call before; the control thread. */
uint64_t pool_held_longest_ms(struct pool *p);
bool pool_protected(const struct pool *p);

struct upstream_addrs { /* of an endpoint; immutable */
        _Atomic unsigned refs;
        uint64_t serial;             /* no other one has it */
        uint64_t endpoint_id;        /* whose they are */
        struct upstream_addrs *next; /* of those that were replaced; the control thread's */
        size_t n;                    /* 1 or more */
        struct addr at[];
};

struct upstream_endpoint {         /* one generation's view of an endpoint */
        struct endpoint *endpoint; /* referenced */
        const struct config_endpoint *config;
        /* Referenced; the name's or the one of the file. NULL: the name has no answer yet, and once
         * there was one it stays or is replaced. Others than the control thread take a reference
         * by upstream_addrs_get(). */
        struct upstream_addrs *_Atomic addrs;
};

/* The addresses in force, with a new reference; NULL: none yet. In a worker it is safe because what
 * is replaced is kept until each worker has been through a turn of its loop. */
struct upstream_addrs *upstream_addrs_get(const struct upstream_endpoint *e);
struct upstream_addrs *upstream_addrs_unref(struct upstream_addrs *a); /* any; returns NULL */
DEFINE_CLEANUP(struct upstream_addrs *, upstream_addrs_unref);
bool upstream_has_addrs(const struct upstream_endpoint *e); /* any thread */

struct upstream_pool {
        const struct config_pool *config;
        struct pool *pool;                   /* referenced */
        struct upstream_endpoint *endpoints; /* owned */
        size_t n_endpoints;
};

struct upstream_target {                  /* a pool that a frontend sends to */
        const struct upstream_pool *pool; /* of the same generation */
        struct traffic *traffic;          /* referenced; NULL: protocol tcp */
        uint32_t connect_timeout_ms;
};

struct upstream_frontend {
        const struct config_frontend *config;
        struct frontend *frontend;       /* referenced */
        struct upstream_target *targets; /* each pool once, the frontend's own first; owned */
        size_t n_targets;
        size_t *route_targets;   /* of config->http->routes: which target; owned */
        struct traffic *nowhere; /* what never got a pool; referenced; NULL: protocol tcp */
};

struct upstream {
        _Atomic unsigned refs;
        uint64_t number;                     /* 1, 2, ... */
        struct config *config;               /* referenced */
        struct frontend *all;                /* referenced; global.max_connections */
        struct upstream_frontend *frontends; /* config->n_frontends; owned */
        struct upstream_pool *pools;         /* config->n_pools; owned */
        size_t max_endpoints;                /* of the largest pool */
};

struct upstream_names { /* the resolver's answer for one host name */
        const char *host;
        const struct addr *addrs; /* the port is not set; borrowed */
        size_t n_addrs;
};

/* Builds the next generation; what stays is taken over from prev (which may be NULL). names is
 * sorted by host and ends with host NULL; an endpoint whose name has no answer is there without an
 * address. Publishing it, with the new limits in force, is upstream_publish(). -ENOMEM. */
int upstream_new(struct upstream **ret,
                 struct config *config,
                 const struct upstream_names *names,
                 struct upstream *prev,
                 unsigned n_workers);
/* Limits and weights of this generation from now on; a weight that was set live stays unless the
 * file's has changed since. max_sessions: what the descriptors carry. */
void upstream_publish(struct upstream *u, uint32_t max_sessions);

struct upstream_moves {
        size_t n;                       /* endpoints that have other addresses now */
        struct upstream_addrs *retired; /* what they had, linked by next */
};

/* Endpoints of u, which is published, get the addresses that names says they have by now; one whose
 * name has no answer keeps its own. ret->retired is to be kept until each worker has been through a
 * turn of its loop, for upstream_retired_free(). -ENOMEM: some have them, *ret is set. */
int upstream_move(struct upstream *u,
                  const struct upstream_names *names,
                  struct upstream_moves *ret);
void upstream_retired_free(struct upstream_addrs *list);

struct upstream *upstream_ref(struct upstream *u);   /* any thread */
struct upstream *upstream_unref(struct upstream *u); /* any thread; returns NULL */
DEFINE_CLEANUP(struct upstream *, upstream_unref);

struct upstream_ask {
        const struct upstream_target *target;
        const struct balance_ops *balance;
        void *state;            /* the worker's, of balance->state_size and so on */
        struct candidate *room; /* the worker's, for max_endpoints */
        uint64_t client_hash;   /* addr_hash_host() of the client */
        uint64_t random;
        uint64_t now_ms;
        const uint64_t *tried; /* a bit per endpoint of the pool; NULL: none yet */
        bool queues;           /* a full endpoint is waited for rather than a last hope tried */
        bool in_health;        /* only endpoints that have not failed, as far as is known */
        bool insists;          /* the session cannot wait: it joins tries of other sessions */
};

struct upstream_choice {
        size_t index;      /* PICK_ENDPOINT */
        bool hope;         /* PICK_ENDPOINT: a last hope, which fails more likely than not */
        uint64_t again_ms; /* PICK_LATER: CLOCK_MONOTONIC */
};

enum upstream_pick {
        PICK_ENDPOINT, /* ret->index is reserved: give it back with upstream_release() */
        PICK_FULL,     /* none, but one would do as soon as a session on it ends */
        PICK_LATER,    /* none, but one may be tried from ret->again_ms on */
        PICK_NOBODY,   /* none is in service, or all were tried */
};

/* Primaries first, then backups; then the last hope: those that are cooling, then those that are
 * marked down, each claimed (endpoint.h) so that no storm of sessions meets them. */
enum upstream_pick upstream_pick(const struct upstream_ask *ask, struct upstream_choice *ret);
void upstream_release(const struct upstream_endpoint *e);
