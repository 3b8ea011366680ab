/* SPDX-License-Identifier: MIT */
/*
 * A leaver without sessions may get one again: a client that waits in a queue, or whose connect
 * fails, chooses within the generation it was born under. So it is let go of only when the
 * reference here is the last one: then no generation has it, and its counters have their final
 * values.
 */

#include "control/leaving.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"

#define LOG_MODULE "reload"

#define LINES_MAX 50 /* in the log, at a time: a ring holds some hundreds */

struct leaver {
        struct link link;
        struct endpoint *endpoint; /* referenced */
        uint64_t since_us;         /* CLOCK_REALTIME */
        bool busy;                 /* had sessions when it was looked at last */
};

void leaving_init(struct leaving *l) {
        *l = (struct leaving){ 0 };
        link_init(&l->list);
}

static struct leaver *leaver_free(struct leaver *x) {
        link_remove(&x->link);
        endpoint_unref(x->endpoint);
        free(x);
        return NULL;
}

void leaving_done(struct leaving *l) {
        while (!link_idle(&l->list))
                leaver_free(container_of(l->list.next, struct leaver, link));
}

static void failed_add(uint64_t sum[static CONNECT_FAILURES_COUNT], const struct endpoint *e) {
        struct endpoint_totals t;

        endpoint_sum(e, &t);
        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                sum[f] += t.failed[f];
}

void leaving_failed(const struct leaving *l, uint64_t sum[static CONNECT_FAILURES_COUNT]) {
        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                sum[f] += l->failed[f];
        list_for_each(each, &l->list)
                failed_add(sum, container_of(each, struct leaver, link)->endpoint);
}

/* Returns its sessions. */
static uint32_t leaver_new(struct leaving *l, struct endpoint *e) {
        struct leaver *x = malloc(sizeof(*x));
        uint32_t active = endpoint_active(e);

        if (!x) { /* it leaves all the same, nobody will say when */
                failed_add(l->failed, e);
                return 0;
        }
        *x = (struct leaver){ .endpoint = endpoint_ref(e),
                              .since_us = clock_real_us(),
                              .busy = active > 0 };
        link_before(&l->list, &x->link);
        return active;
}

/* All endpoints of a generation get its number; those of the one before that have an older one
 * stayed behind. */
static void mark(const struct upstream *u) {
        for (size_t i = 0; i < u->config->n_pools; i++)
                for (size_t j = 0; j < u->pools[i].n_endpoints; j++)
                        u->pools[i].endpoints[j].endpoint->generation = u->number;
}

static int by_identity(const struct endpoint *a, const struct endpoint *b) {
        int r = strcmp(a->pool, b->pool);

        return r != 0 ? r : strcmp(a->name, b->name);
}

static int leavers_compare(const void *a, const void *b) {
        struct leaver *const *x = a, *const *y = b;

        return by_identity((*x)->endpoint, (*y)->endpoint);
}

static int leaver_find(const void *key, const void *element) {
        struct leaver *const *x = element;

        return by_identity(key, (*x)->endpoint);
}

/* All of them, sorted; the caller frees. NULL: out of memory. */
static struct leaver **leavers_sorted(const struct leaving *l, size_t *ret_n) {
        struct leaver **sorted;
        size_t n = 0;

        list_for_each(each, &l->list)
                n++;
        sorted = malloc((n + 1) * sizeof(struct leaver *));
        *ret_n = 0;
        if (!sorted)
                return NULL;
        list_for_each(each, &l->list)
                sorted[(*ret_n)++] = container_of(each, struct leaver, link);
        qsort(sorted, n, sizeof(struct leaver *), leavers_compare);
        return sorted;
}

/* It has rested: no sample was taken, no check was made. Up until there is a verdict, like any. */
static void wake(struct endpoint *e) {
        struct endpoint_totals t;
        uint64_t failed = 0;

        endpoint_sum(e, &t);
        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                failed += t.failed[f];
        for (size_t i = 0; i < ENDPOINT_SAMPLES; i++)
                e->samples[i] =
                        (struct endpoint_sample){ (uint32_t)t.sessions_total, (uint32_t)failed };
        if (atomic_load_explicit(&e->down, memory_order_relaxed))
                endpoint_mark_up(e, clock_mono_ms());
}

/* The leaver that e is, with or without a sorted array of them; NULL: none. */
static struct leaver *leaver_of(const struct leaving *l,
                                const struct endpoint *e,
                                struct leaver **sorted,
                                size_t n) {
        struct leaver **found;

        if (sorted) {
                found = bsearch(e, sorted, n, sizeof(struct leaver *), leaver_find);
                return found ? *found : NULL;
        }
        list_for_each(each, &l->list) {
                struct leaver *x = container_of(each, struct leaver, link);

                if (by_identity(e, x->endpoint) == 0)
                        return x;
        }
        return NULL;
}

static void take_back(const struct leaving *l,
                      struct upstream_pool *pool,
                      struct leaver **sorted,
                      size_t n) {
        for (size_t j = 0; j < pool->n_endpoints; j++) {
                struct upstream_endpoint *u = &pool->endpoints[j];
                struct leaver *found;

                if (u->endpoint->generation > 0)
                        continue; /* it was never away */
                found = leaver_of(l, u->endpoint, sorted, n);
                if (!found)
                        continue;
                endpoint_unref(u->endpoint);
                u->endpoint = endpoint_ref(found->endpoint);
                wake(u->endpoint);
        }
}

/* An operator's mark must not depend on memory: without the array the search is only slower. */
void leaving_take_back(struct leaving *l, struct upstream *next) {
        struct leaver **sorted;
        size_t n;

        if (link_idle(&l->list))
                return;
        sorted = leavers_sorted(l, &n);
        for (size_t i = 0; i < next->config->n_pools; i++)
                take_back(l, &next->pools[i], sorted, n);
        free(sorted);
}

static void forget_who_is_back(struct leaving *l, uint64_t number) {
        for (struct link *each = l->list.next, *next; each != &l->list; each = next) {
                struct leaver *x = container_of(each, struct leaver, link);

                next = each->next;
                if (x->endpoint->generation == number)
                        leaver_free(x);
        }
}

void leaving_note(struct leaving *l, const struct upstream *before, const struct upstream *after) {
        size_t n_busy = 0;

        mark(after);
        forget_who_is_back(l, after->number);
        for (size_t i = 0; before && i < before->config->n_pools; i++)
                for (size_t j = 0; j < before->pools[i].n_endpoints; j++) {
                        struct endpoint *e = before->pools[i].endpoints[j].endpoint;
                        uint32_t active = e->generation < after->number ? leaver_new(l, e) : 0;

                        if (active > 0 && ++n_busy <= LINES_MAX)
                                log_info(backend_leaving,
                                         "a removed backend keeps its connections until they end",
                                         F_STR("pool", e->pool), F_STR("backend", e->name),
                                         F_U64("connections", active));
                }
        if (n_busy > LINES_MAX)
                log_info(backend_leaving, "so do more removed backends",
                         F_U64("more", n_busy - LINES_MAX));
}

static void leaver_look(struct leaver *x) {
        bool busy = endpoint_active(x->endpoint) > 0;

        if (x->busy && !busy)
                log_info(backend_left, "the last connection to a removed backend has ended",
                         F_STR("pool", x->endpoint->pool), F_STR("backend", x->endpoint->name),
                         F_U64("after_ms", (clock_real_us() - x->since_us) / 1000));
        x->busy = busy;
}

void leaving_tick(struct leaving *l) {
        size_t n_ended = 0;

        for (struct link *each = l->list.next, *next; each != &l->list; each = next) {
                struct leaver *x = container_of(each, struct leaver, link);
                bool was_busy = x->busy;

                next = each->next;
                if (was_busy && n_ended == LINES_MAX)
                        continue; /* a second later */
                leaver_look(x);
                n_ended += was_busy && !x->busy;
                if (!x->busy &&
                    atomic_load_explicit(&x->endpoint->refs, memory_order_acquire) == 1) {
                        failed_add(l->failed, x->endpoint);
                        leaver_free(x);
                }
        }
}

void leaving_describe(const struct leaving *l, struct jsontext *t, const char *key) {
        size_t n = 0;

        jsontext_open(t, key, '[');
        list_for_each(each, &l->list) {
                const struct leaver *x = container_of(each, struct leaver, link);
                uint32_t active = endpoint_active(x->endpoint);

                if (active == 0 || n++ >= LEAVING_SHOWN_MAX)
                        continue;
                jsontext_open(t, NULL, '{');
                jsontext_string(t, "pool", x->endpoint->pool);
                jsontext_string(t, "name", x->endpoint->name);
                jsontext_number(t, "active_connections", active);
                jsontext_time(t, "since", x->since_us);
                jsontext_close(t, '}');
        }
        jsontext_close(t, ']');
}
