/* SPDX-License-Identifier: MIT */

#include "upstream/traffic.h"

#include <stdlib.h>
#include <string.h>

#include "upstream/endpoint.h"

const unsigned traffic_bucket_ms[TRAFFIC_BUCKETS] = { 1,   2,   5,    10,   25,   50,   100,
                                                      250, 500, 1000, 2500, 5000, 10000 };

static const char *const labels[] = {
#define X(id, label) label,
        TRAFFIC_METHODS(X)
#undef X
};

const char *traffic_method_label(enum traffic_method m) {
        return labels[m];
}

enum traffic_method traffic_method_find(const char *method, size_t n) {
        for (int i = 0; i < TRAFFIC_OTHER; i++)
                if (strlen(labels[i]) == n && memcmp(labels[i], method, n) == 0)
                        return i;
        return TRAFFIC_OTHER;
}

struct traffic *traffic_new(const char *pool, unsigned n_workers) {
        _cleanup_(traffic_unrefp) struct traffic *t = calloc(1, sizeof(*t));

        if (!t)
                return NULL;

        t->refs = 1;
        t->n_workers = n_workers;
        t->pool = strdup(pool);
        t->per_worker = counters_new(n_workers, sizeof(*t->per_worker));
        if (!t->pool || !t->per_worker)
                return NULL;

        return take_ptr(t);
}

struct traffic *traffic_ref(struct traffic *t) {
        atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
        return t;
}

struct traffic *traffic_unref(struct traffic *t) {
        if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
                return NULL;

        free(t->pool);
        free(t->per_worker);
        free(t);
        return NULL;
}

static size_t bucket_of(uint64_t duration_ms) {
        size_t i = 0;

        while (i < TRAFFIC_BUCKETS && duration_ms > traffic_bucket_ms[i])
                i++;
        return i;
}

void traffic_count(struct traffic *t,
                   unsigned worker,
                   enum traffic_method method,
                   int status,
                   uint64_t duration_ms) {
        struct traffic_counters *c = &t->per_worker[worker];

        COUNTER_ADD(c->requests[method][status / 100 - 1], 1);
        COUNTER_ADD(c->durations[bucket_of(duration_ms)], 1);
        COUNTER_ADD(c->duration_ms, duration_ms);
}

void traffic_sum(const struct traffic *t, struct traffic_totals *ret) {
        *ret = (struct traffic_totals){ .n = 0 };
        for (unsigned w = 0; w < t->n_workers; w++) {
                struct traffic_counters *c = &t->per_worker[w];

                for (size_t m = 0; m < TRAFFIC_METHODS_COUNT; m++)
                        for (size_t k = 0; k < TRAFFIC_CLASSES; k++)
                                ret->requests[m][k] += atomic_load_explicit(&c->requests[m][k],
                                                                            memory_order_relaxed);
                for (size_t i = 0; i <= TRAFFIC_BUCKETS; i++) {
                        uint64_t n = atomic_load_explicit(&c->durations[i], memory_order_relaxed);

                        ret->durations[i] += n;
                        ret->n += n;
                }
                ret->duration_ms += atomic_load_explicit(&c->duration_ms, memory_order_relaxed);
        }
}
