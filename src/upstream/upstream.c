/* SPDX-License-Identifier: MIT */

#include "upstream/upstream.h"

#include <stdlib.h>
#include <string.h>

static struct frontend *frontend_unref(struct frontend *f) {
        if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) > 1)
                return NULL;

        free(f->name);
        free(f->per_worker);
        free(f);
        return NULL;
}
DEFINE_CLEANUP(struct frontend *, frontend_unref);

static struct frontend *frontend_new(const char *name, unsigned n_workers) {
        _cleanup_(frontend_unrefp) struct frontend *f = aligned_alloc(64, sizeof(*f));

        if (!f)
                return NULL;

        memset(f, 0, sizeof(*f));
        f->refs = 1;
        f->n_workers = n_workers;
        f->name = name ? strdup(name) : NULL;
        f->per_worker = counters_new(n_workers, sizeof(*f->per_worker));
        if ((name && !f->name) || !f->per_worker)
                return NULL;

        return take_ptr(f);
}

static struct frontend *frontend_ref(struct frontend *f) {
        atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
        return f;
}

static const struct upstream_frontend *frontend_find(const struct upstream *u, const char *name) {
        for (size_t i = 0; u && i < u->config->n_frontends; i++)
                if (strcmp(u->frontends[i].frontend->name, name) == 0)
                        return &u->frontends[i];
        return NULL;
}

struct pool *pool_unref(struct pool *p) {
        if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) > 1)
                return NULL;

        free(p->name);
        free(p->per_worker);
        free(p);
        return NULL;
}

struct pool *pool_ref(struct pool *p) {
        atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
        return p;
}

uint64_t pool_unavailable(const struct pool *p) {
        uint64_t n = 0;

        for (unsigned i = 0; i < p->n_workers; i++)
                n += atomic_load_explicit(&p->per_worker[i].unavailable, memory_order_relaxed);
        return n;
}

void pool_held_sum(const struct pool *p, struct pool_held *ret) {
        *ret = (struct pool_held){ 0 };
        for (unsigned i = 0; i < p->n_workers; i++) {
                const struct pool_counters *c = &p->per_worker[i];

                ret->total += atomic_load_explicit(&c->held, memory_order_relaxed);
                ret->in_vain += atomic_load_explicit(&c->held_in_vain, memory_order_relaxed);
        }
}

void pool_hold_ended(struct pool_counters *c, uint64_t waited_ms, bool in_vain) {
        COUNTER_ADD(c->held_in_vain, in_vain);
        if (waited_ms > atomic_load_explicit(&c->held_longest_ms, memory_order_relaxed))
                atomic_store_explicit(&c->held_longest_ms, waited_ms, memory_order_relaxed);
}

uint64_t pool_held_longest_ms(struct pool *p) {
        uint64_t longest = 0;

        for (unsigned i = 0; i < p->n_workers; i++) {
                uint64_t ms = atomic_exchange(&p->per_worker[i].held_longest_ms, 0);

                longest = ms > longest ? ms : longest;
        }
        return longest;
}

bool pool_protected(const struct pool *p) {
        return atomic_load_explicit(&p->protection, memory_order_relaxed) != PROTECTION_OFF;
}

const char *protection_reason_word(enum protection_reason r) {
        static const char *const words[] = { NULL,
#define X(id, word) word,
                                             PROTECTION_REASONS(X)
#undef X
        };

        return words[r];
}

static struct pool *pool_new(const char *name, unsigned n_workers) {
        _cleanup_(pool_unrefp) struct pool *p = calloc(1, sizeof(*p));

        if (!p)
                return NULL;

        p->refs = 1;
        p->n_workers = n_workers;
        p->name = strdup(name);
        p->per_worker = counters_new(n_workers, sizeof(*p->per_worker));
        if (!p->name || !p->per_worker)
                return NULL;

        return take_ptr(p);
}

static const struct upstream_pool *pool_find(const struct upstream *u, const char *name) {
        for (size_t i = 0; u && i < u->config->n_pools; i++)
                if (strcmp(u->config->pools[i].name, name) == 0)
                        return &u->pools[i];
        return NULL;
}

struct build { /* what building a generation takes, besides its configuration */
        const struct upstream_names *names; /* sorted by host */
        size_t n_names;
        unsigned n_workers;
};

static int by_host(const void *a, const void *b) {
        const struct upstream_names *x = a, *y = b;

        return strcmp(x->host, y->host);
}

/* The address of the file, or the name's addresses with the port of the file. *ret is NULL where
 * the name has no answer. */
static int addrs_new(struct upstream_addrs **ret,
                     const struct config_endpoint *c,
                     const struct build *build) {
        static _Atomic uint64_t serial;
        const struct upstream_names one = { .addrs = &c->addr, .n_addrs = 1 },
                                    key = { .host = c->host };
        const struct upstream_names *answer = &one;
        struct upstream_addrs *a;

        *ret = NULL;
        if (c->host)
                answer = build->n_names == 0 ? NULL
                                             : bsearch(&key, build->names, build->n_names,
                                                       sizeof(key), by_host);
        if (!answer || answer->n_addrs == 0)
                return 0;

        a = malloc(sizeof(*a) + answer->n_addrs * sizeof(a->at[0]));
        if (!a)
                return -ENOMEM;
        *a = (struct upstream_addrs){
                .refs = 1, .serial = ++serial, .endpoint_id = c->id, .n = answer->n_addrs
        };
        memcpy(a->at, answer->addrs, a->n * sizeof(a->at[0]));
        for (size_t i = 0; c->host && i < a->n; i++)
                addr_set_port(&a->at[i], c->port);
        *ret = a;
        return 0;
}

static int endpoint_addrs(struct upstream_endpoint *e, const struct build *build) {
        struct upstream_addrs *a;
        int r = addrs_new(&a, e->config, build);

        atomic_init(&e->addrs, a);
        return r;
}

struct upstream_addrs *upstream_addrs_get(const struct upstream_endpoint *e) {
        struct upstream_addrs *a = atomic_load_explicit(&e->addrs, memory_order_acquire);

        if (a)
                atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
        return a;
}

struct upstream_addrs *upstream_addrs_unref(struct upstream_addrs *a) {
        if (a && atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) == 1)
                free(a);
        return NULL;
}

bool upstream_has_addrs(const struct upstream_endpoint *e) {
        return atomic_load_explicit(&e->addrs, memory_order_relaxed) != NULL;
}

/* Both lists sorted by name, so a pool of thousands does not cost its square. */
static int by_name(const void *a, const void *b) {
        const struct endpoint *const *x = a, *const *y = b;

        return strcmp((*x)->name, (*y)->name);
}

struct endpoint_index { /* the endpoints of a pool of the generation before, by name */
        struct endpoint **sorted;
        size_t n;
};

static int index_build(struct endpoint_index *ret, const struct upstream_pool *pool) {
        *ret = (struct endpoint_index){ .n = pool ? pool->n_endpoints : 0 };
        if (ret->n == 0)
                return 0;

        ret->sorted = malloc(ret->n * sizeof(struct endpoint *));
        if (!ret->sorted)
                return -ENOMEM;
        for (size_t i = 0; i < ret->n; i++)
                ret->sorted[i] = pool->endpoints[i].endpoint;
        qsort(ret->sorted, ret->n, sizeof(struct endpoint *), by_name);
        return 0;
}

static struct endpoint *index_find(const struct endpoint_index *index, char *name) {
        struct endpoint key = { .name = name }, *wanted = &key, **found;

        if (index->n == 0)
                return NULL;
        found = bsearch(&wanted, index->sorted, index->n, sizeof(struct endpoint *), by_name);
        return found ? *found : NULL;
}

static int pool_build(struct upstream_pool *pool,
                      const struct config_pool *config,
                      const struct upstream_pool *before,
                      const struct build *build) {
        struct endpoint_index index;
        int r;

        pool->config = config;
        pool->pool = before ? pool_ref(before->pool) : pool_new(config->name, build->n_workers);
        if (!pool->pool)
                return -ENOMEM;
        pool->endpoints = calloc(config->n_endpoints, sizeof(*pool->endpoints));
        if (!pool->endpoints)
                return -ENOMEM;
        r = index_build(&index, before);

        for (size_t i = 0; r == 0 && i < config->n_endpoints; i++) {
                struct upstream_endpoint *e = &pool->endpoints[i];
                struct endpoint *old;

                e->config = &config->endpoints[i];
                old = index_find(&index, config->endpoints[i].name);
                e->endpoint = old ? endpoint_ref(old)
                                  : endpoint_new(config->name, e->config, build->n_workers);
                pool->n_endpoints = i + 1;
                r = e->endpoint ? endpoint_addrs(e, build) : -ENOMEM;
        }
        free(index.sorted);
        return r;
}

/* Counters of the same frontend and pool go on, as long as two generations in a row have them. */
static struct traffic *traffic_of(const struct upstream_frontend *before,
                                  const char *pool,
                                  unsigned n_workers) {
        if (before && before->nowhere && !*pool)
                return traffic_ref(before->nowhere);
        for (size_t i = 0; before && before->nowhere && i < before->n_targets; i++)
                if (strcmp(before->targets[i].traffic->pool, pool) == 0)
                        return traffic_ref(before->targets[i].traffic);
        return traffic_new(pool, n_workers);
}

/* The target that is the pool of that index, made if need be; SIZE_MAX: out of memory. */
static size_t target_of(struct upstream_frontend *f,
                        const struct upstream_frontend *before,
                        const struct upstream_pool *pool,
                        uint32_t connect_timeout_ms,
                        unsigned n_workers) {
        struct upstream_target *t;

        for (size_t i = 0; i < f->n_targets; i++)
                if (f->targets[i].pool == pool)
                        return i;

        t = &f->targets[f->n_targets];
        *t = (struct upstream_target){ .pool = pool, .connect_timeout_ms = connect_timeout_ms };
        if (f->config->http) {
                t->traffic = traffic_of(before, pool->config->name, n_workers);
                if (!t->traffic)
                        return SIZE_MAX;
        }
        return f->n_targets++;
}

static int targets_build(struct upstream *u,
                         struct upstream_frontend *f,
                         const struct upstream_frontend *before,
                         unsigned n_workers) {
        const struct config_http *http = f->config->http;
        size_t n_routes = http ? http->n_routes : 0;

        f->targets = calloc(1 + n_routes, sizeof(*f->targets));
        f->route_targets = calloc(1 + n_routes, sizeof(*f->route_targets));
        if (!f->targets || !f->route_targets)
                return -ENOMEM;
        if (http) {
                f->nowhere = traffic_of(before, "", n_workers);
                if (!f->nowhere)
                        return -ENOMEM;
        }

        if (target_of(f, before, &u->pools[f->config->pool], f->config->connect_timeout_ms,
                      n_workers) == SIZE_MAX)
                return -ENOMEM;
        for (size_t i = 0; i < n_routes; i++) {
                const struct config_route *r = &http->routes[i];

                if (r->action != CONFIG_TO_POOL)
                        continue;
                f->route_targets[i] =
                        target_of(f, before, &u->pools[r->pool], r->connect_timeout_ms, n_workers);
                if (f->route_targets[i] == SIZE_MAX)
                        return -ENOMEM;
        }
        return 0;
}

static int frontend_build(struct upstream *u, size_t i, struct upstream *prev, unsigned n_workers) {
        struct upstream_frontend *f = &u->frontends[i];
        const struct upstream_frontend *before;

        f->config = &u->config->frontends[i];
        before = frontend_find(prev, f->config->name);
        f->frontend =
                before ? frontend_ref(before->frontend) : frontend_new(f->config->name, n_workers);
        return f->frontend ? targets_build(u, f, before, n_workers) : -ENOMEM;
}

static int upstream_build(struct upstream *u, struct upstream *prev, const struct build *build) {
        const struct config *config = u->config;
        int r;

        u->frontends = calloc(config->n_frontends, sizeof(*u->frontends));
        u->pools = calloc(config->n_pools, sizeof(*u->pools));
        u->all = prev ? frontend_ref(prev->all) : frontend_new(NULL, build->n_workers);
        if (!u->frontends || !u->pools || !u->all)
                return -ENOMEM;

        for (size_t i = 0; i < config->n_pools; i++) {
                r = pool_build(&u->pools[i], &config->pools[i],
                               pool_find(prev, config->pools[i].name), build);
                if (r < 0)
                        return r;
                if (u->pools[i].n_endpoints > u->max_endpoints)
                        u->max_endpoints = u->pools[i].n_endpoints;
        }
        for (size_t i = 0; i < config->n_frontends; i++) {
                r = frontend_build(u, i, prev, build->n_workers);
                if (r < 0)
                        return r;
        }
        return 0;
}

int upstream_new(struct upstream **ret,
                 struct config *config,
                 const struct upstream_names *names,
                 struct upstream *prev,
                 unsigned n_workers) {
        _cleanup_(upstream_unrefp) struct upstream *u = malloc(sizeof(*u));
        struct build build = { .names = names, .n_workers = n_workers };
        int r;

        if (!u)
                return -ENOMEM;
        *u = (struct upstream){ .refs = 1,
                                .number = prev ? prev->number + 1 : 1,
                                .config = config_ref(config) };

        while (names && names[build.n_names].host)
                build.n_names++;
        r = upstream_build(u, prev, &build);
        if (r < 0)
                return r;
        *ret = take_ptr(u);
        return 0;
}

struct upstream *upstream_ref(struct upstream *u) {
        atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
        return u;
}

static void pool_done(struct upstream_pool *pool) {
        for (size_t i = 0; i < pool->n_endpoints; i++) {
                endpoint_unref(pool->endpoints[i].endpoint);
                upstream_addrs_unref(pool->endpoints[i].addrs);
        }
        free(pool->endpoints);
        pool_unref(pool->pool);
}

static void frontend_done(struct upstream_frontend *f) {
        for (size_t i = 0; i < f->n_targets; i++)
                traffic_unref(f->targets[i].traffic);
        free(f->targets);
        free(f->route_targets);
        traffic_unref(f->nowhere);
        frontend_unref(f->frontend);
}

struct upstream *upstream_unref(struct upstream *u) {
        if (!u || atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) > 1)
                return NULL;

        for (size_t i = 0; u->frontends && i < u->config->n_frontends; i++)
                frontend_done(&u->frontends[i]);
        for (size_t i = 0; u->pools && i < u->config->n_pools; i++)
                pool_done(&u->pools[i]);
        frontend_unref(u->all);
        free(u->frontends);
        free(u->pools);
        config_unref(u->config);
        free(u);
        return NULL;
}

void upstream_publish(struct upstream *u, uint32_t max_sessions) {
        const struct config *config = u->config;

        atomic_store(&u->all->gate.max, max_sessions);
        for (size_t i = 0; i < config->n_frontends; i++)
                atomic_store(&u->frontends[i].frontend->gate.max,
                             config->frontends[i].max_connections);
        for (size_t i = 0; i < config->n_pools; i++)
                for (size_t j = 0; j < config->pools[i].n_endpoints; j++) {
                        const struct upstream_endpoint *e = &u->pools[i].endpoints[j];

                        if (e->endpoint->file_weight != e->config->weight)
                                atomic_store(&e->endpoint->weight, e->config->weight);
                        e->endpoint->file_weight = e->config->weight;
                        atomic_store(&e->endpoint->gate.max, e->config->max_connections);
                }
}

static bool addrs_equal(const struct upstream_addrs *a, const struct upstream_addrs *b) {
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (!addr_equal(&a->at[i], &b->at[i]))
                        return false;
        return true;
}

/* The index of the address that answered last, if it is still there. */
static uint32_t good_addr_in(const struct upstream_addrs *next,
                             const struct upstream_addrs *before,
                             uint32_t good) {
        for (size_t i = 0; before && good < before->n && i < next->n; i++)
                if (addr_equal(&next->at[i], &before->at[good]))
                        return (uint32_t)i;
        return 0;
}

/* Takes next. */
static void endpoint_move(struct upstream_endpoint *e,
                          struct upstream_addrs *next,
                          struct upstream_moves *moves) {
        struct upstream_addrs *before = atomic_load_explicit(&e->addrs, memory_order_relaxed);
        uint32_t good = atomic_load_explicit(&e->endpoint->good_addr, memory_order_relaxed);

        if (before && addrs_equal(before, next)) {
                upstream_addrs_unref(next);
                return;
        }
        atomic_store_explicit(&e->addrs, next, memory_order_release);
        atomic_store_explicit(&e->endpoint->good_addr, good_addr_in(next, before, good),
                              memory_order_relaxed);
        moves->n++;
        if (!before)
                return;
        before->next = moves->retired;
        moves->retired = before;
}

static int pool_move(struct upstream_pool *pool,
                     const struct build *build,
                     struct upstream_moves *moves) {
        for (size_t i = 0; i < pool->n_endpoints; i++) {
                struct upstream_endpoint *e = &pool->endpoints[i];
                struct upstream_addrs *next;
                int r;

                if (!e->config->host)
                        continue;
                r = addrs_new(&next, e->config, build);
                if (r < 0)
                        return r;
                if (next)
                        endpoint_move(e, next, moves);
        }
        return 0;
}

int upstream_move(struct upstream *u,
                  const struct upstream_names *names,
                  struct upstream_moves *ret) {
        struct build build = { .names = names };
        int r = 0;

        *ret = (struct upstream_moves){ 0 };
        while (names[build.n_names].host)
                build.n_names++;
        for (size_t i = 0; i < u->config->n_pools && r == 0; i++)
                r = pool_move(&u->pools[i], &build, ret);
        return r;
}

void upstream_retired_free(struct upstream_addrs *list) {
        while (list) {
                struct upstream_addrs *next = list->next;

                upstream_addrs_unref(list);
                list = next;
        }
}
