/* SPDX-License-Identifier: MIT */
/*
 * upstream/endpoint.h - what is known of one backend server at run time; outlives generations.
 *
 * Who writes what: the control thread weight; each worker its own counters; all workers, and only
 * when a connect fails or works again, the cooldown. All is read relaxed. A worker that reads an
 * old value makes one choice that was right a microsecond ago.
 */
#pragma once

#include "config/config.h"
#include "upstream/gate.h"

/* Why connects fail: a contract of status, logs and metrics. X(enum, word) */
#define CONNECT_FAILURES(X)                                                                        \
        X(TIMEOUT, "timeout")                                                                      \
        X(REFUSED, "refused")                                                                      \
        X(OTHER, "other")

enum connect_failure {
#define X(id, word) CONNECT_##id,
        CONNECT_FAILURES(X)
#undef X
                CONNECT_FAILURES_COUNT
};
const char *connect_failure_word(enum connect_failure f);
enum connect_failure connect_failure_of(int r); /* negative errno of a connect */

/* One cache line per worker. _Alignas stands before one declarator: it would align each of many. */
struct endpoint_counters {
        _Alignas(64) _Atomic uint64_t sessions_total;
        _Atomic uint64_t bytes_in, bytes_out; /* from clients, to clients */
        _Atomic uint64_t failed[CONNECT_FAILURES_COUNT];
        _Atomic uint64_t last_connect_ms; /* the newest verdict, good or bad; 0: none yet */
        _Atomic uint32_t sessions_now;    /* connecting ones too */
};

struct endpoint {
        _Atomic unsigned refs;
        char *pool, *name; /* owned; together with the addresses' text they are its identity */
        uint64_t id;
        unsigned n_workers;
        _Atomic uint32_t weight;
        _Atomic uint64_t since_us;       /* CLOCK_REALTIME of the last change of state */
        _Atomic uint64_t cool_until_ms;  /* CLOCK_MONOTONIC; no new session before */
        _Atomic uint64_t claim_until_ms; /* one session tries it, others better not */
        _Atomic uint32_t streak;    /* failed connects since the last good one; 0: not cooling */
        _Atomic int32_t last_error; /* negative errno of the last failed connect */
        _Atomic uint32_t good_addr; /* index of the address that answered last */
        struct gate gate;           /* max_connections */
        uint64_t reported[CONNECT_FAILURES_COUNT]; /* told in the log; the control thread's */
        struct endpoint_counters *per_worker;      /* n_workers; owned */
};

/* New, with one reference; NULL: out of memory. */
struct endpoint *endpoint_new(const char *pool,
                              const struct config_endpoint *c,
                              unsigned n_workers);
struct endpoint *endpoint_ref(struct endpoint *e);
struct endpoint *endpoint_unref(struct endpoint *e);
DEFINE_CLEANUP(struct endpoint *, endpoint_unref);

/* May it get a session at now_ms, as far as cooldown goes? */
bool endpoint_warm(const struct endpoint *e, uint64_t now_ms);
bool endpoint_cooling(const struct endpoint *e); /* its last connect failed */

/* After a cooldown one session shall try alone while the others avoid the endpoint until it has
 * answered, for at most patience_ms. False: another session is trying already. */
bool endpoint_claim(struct endpoint *e, uint64_t now_ms, uint32_t patience_ms);

/* A connect failed or worked. True: the endpoint's state has changed, and somebody should say so.
 * Failures during a cooldown do not lengthen it. */
bool endpoint_failed(struct endpoint *e,
                     const struct config_pool *pool,
                     uint64_t now_ms,
                     int error);
bool endpoint_worked(struct endpoint *e);

/* Sums over the workers; whoever asks gets one moment's numbers of each worker. */
struct endpoint_totals {
        uint64_t sessions_total, bytes_in, bytes_out, failed[CONNECT_FAILURES_COUNT];
        uint64_t last_connect_ms;
        uint32_t sessions_now;
};
void endpoint_sum(const struct endpoint *e, struct endpoint_totals *ret);
uint32_t endpoint_active(const struct endpoint *e);

/* For counters with one writer: no locked instruction is needed. */
#define COUNTER_ADD(counter, n)                                                                    \
        atomic_store_explicit(&(counter),                                                          \
                              atomic_load_explicit(&(counter), memory_order_relaxed) + (n),        \
                              memory_order_relaxed)
