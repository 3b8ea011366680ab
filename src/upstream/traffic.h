/* SPDX-License-Identifier: MIT */
/*
 * upstream/traffic.h - what one frontend's requests to one pool came to: counters for metrics.
 *
 * Survives reloads with the names of the two. Written by the workers, each its own cache lines.
 */
#pragma once

#include <stdatomic.h>

#include "core/base.h"

/* X(enum, label of the metric): RFC 9110 9.1 and PATCH; whatever else there is counts as other. */
#define TRAFFIC_METHODS(X)                                                                         \
        X(GET, "GET")                                                                              \
        X(HEAD, "HEAD")                                                                            \
        X(POST, "POST")                                                                            \
        X(PUT, "PUT")                                                                              \
        X(DELETE, "DELETE")                                                                        \
        X(CONNECT, "CONNECT")                                                                      \
        X(OPTIONS, "OPTIONS")                                                                      \
        X(TRACE, "TRACE")                                                                          \
        X(PATCH, "PATCH")                                                                          \
        X(OTHER, "other")

enum traffic_method {
#define X(id, label) TRAFFIC_##id,
        TRAFFIC_METHODS(X)
#undef X
                TRAFFIC_METHODS_COUNT
};
const char *traffic_method_label(enum traffic_method m);
enum traffic_method traffic_method_find(const char *method, size_t n); /* case counts */

#define TRAFFIC_CLASSES 5 /* of statuses: 1xx to 5xx */

/* Upper ends of the duration's buckets, in milliseconds; one more bucket has no end. */
#define TRAFFIC_BUCKETS 13
extern const unsigned traffic_bucket_ms[TRAFFIC_BUCKETS];

struct traffic_counters {
        _Alignas(64) _Atomic uint64_t requests[TRAFFIC_METHODS_COUNT][TRAFFIC_CLASSES];
        _Atomic uint64_t
                durations[TRAFFIC_BUCKETS + 1]; /* each its own, not the sum of those before */
        _Atomic uint64_t duration_ms;           /* the sum of all */
};

struct traffic {
        _Atomic unsigned refs;
        char *pool; /* owned; "": requests that bal answered before a pool was chosen */
        unsigned n_workers;
        struct traffic_counters *per_worker; /* owned */
};

struct traffic *traffic_new(const char *pool, unsigned n_workers); /* NULL: out of memory */
struct traffic *traffic_ref(struct traffic *t);
struct traffic *traffic_unref(struct traffic *t);
DEFINE_CLEANUP(struct traffic *, traffic_unref);

/* By worker number `worker`: a request has ended. */
void traffic_count(struct traffic *t,
                   unsigned worker,
                   enum traffic_method method,
                   int status,
                   uint64_t duration_ms);

struct traffic_totals {
        uint64_t requests[TRAFFIC_METHODS_COUNT][TRAFFIC_CLASSES];
        uint64_t durations[TRAFFIC_BUCKETS + 1];
        uint64_t duration_ms, n;
};
void traffic_sum(const struct traffic *t, struct traffic_totals *ret);
