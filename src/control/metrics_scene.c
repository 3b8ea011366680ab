/* SPDX-License-Identifier: MIT */

#include "control/metrics_scene.h"

#include <stdlib.h>

#include "control/logsink.h"
#include "control/revision.h"
#include "control/state.h"
#include "control/status_parts.h"

#define LOAD(x) atomic_load_explicit(&(x), memory_order_relaxed)

static void see_frontend(struct scene_frontend *ret,
                         const struct upstream *u,
                         const struct upstream_frontend *f) {
        uint32_t own = LOAD(f->frontend->gate.max), all = LOAD(u->all->gate.max);

        *ret = (struct scene_frontend){ .name = f->config->name,
                                        .active = gate_now(&f->frontend->gate),
                                        .limit = own == 0 || (all > 0 && all < own) ? all : own };
        for (size_t k = 0; k < WAIT_KINDS_COUNT; k++)
                ret->waiting_for[k] = LOAD(f->frontend->waiting_for[k]);
        frontend_sum(f->frontend, &ret->totals);
}

static void see_backend(struct scene_backend *ret,
                        const char *pool,
                        const struct upstream_endpoint *u) {
        const struct endpoint *e = u->endpoint;

        *ret = (struct scene_backend){ .pool = pool,
                                       .name = u->config->name,
                                       .state = status_state_of(u),
                                       .weight = LOAD(e->weight) };
        endpoint_sum(e, &ret->totals);
        health_endpoint_report(e, &ret->health);
}

static void see_pool(struct scene_pool *ret,
                     struct scene_backend *backends,
                     const struct upstream_pool *pool) {
        *ret = (struct scene_pool){ .name = pool->config->name,
                                    .holding = LOAD(pool->pool->holding) };
        pool_held_sum(pool->pool, &ret->held);
        health_pool_report(pool->pool, &ret->protection);
        for (size_t i = 0; i < pool->n_endpoints; i++)
                see_backend(&backends[i], pool->config->name, &pool->endpoints[i]);
}

static size_t count_traffic(const struct upstream *u) {
        size_t n = 0;

        for (size_t i = 0; i < u->config->n_frontends; i++)
                n += u->frontends[i].nowhere ? u->frontends[i].n_targets + 1 : 0;
        return n;
}

static void see_traffic(struct metrics_scene *scene,
                        const char *frontend,
                        const struct traffic *t) {
        struct scene_traffic *ret = &scene->traffic[scene->n_traffic++];

        *ret = (struct scene_traffic){ .frontend = frontend, .pool = t->pool };
        traffic_sum(t, &ret->totals);
}

static int see_all_traffic(struct metrics_scene *scene, const struct upstream *u) {
        size_t n = count_traffic(u);

        if (n == 0)
                return 0;
        scene->traffic = calloc(n, sizeof(*scene->traffic));
        if (!scene->traffic)
                return -ENOMEM;
        for (size_t i = 0; i < u->config->n_frontends; i++) {
                const struct upstream_frontend *f = &u->frontends[i];

                if (!f->nowhere)
                        continue;
                for (size_t j = 0; j < f->n_targets; j++)
                        see_traffic(scene, f->config->name, f->targets[j].traffic);
                see_traffic(scene, f->config->name, f->nowhere);
        }
        return 0;
}

static int see_upstream(struct metrics_scene *scene, const struct upstream *u) {
        scene->frontends = calloc(u->config->n_frontends, sizeof(*scene->frontends));
        scene->pools = calloc(u->config->n_pools, sizeof(*scene->pools));
        scene->backends = calloc(config_backends(u->config), sizeof(*scene->backends));
        if (!scene->frontends || !scene->pools || !scene->backends)
                return -ENOMEM;

        for (; scene->n_frontends < u->config->n_frontends; scene->n_frontends++)
                see_frontend(&scene->frontends[scene->n_frontends], u,
                             &u->frontends[scene->n_frontends]);
        for (; scene->n_pools < u->config->n_pools; scene->n_pools++) {
                const struct upstream_pool *pool = &u->pools[scene->n_pools];

                see_pool(&scene->pools[scene->n_pools], &scene->backends[scene->n_backends], pool);
                scene->n_backends += pool->n_endpoints;
        }
        return see_all_traffic(scene, u);
}

void metrics_scene_done(struct metrics_scene *scene) {
        free(scene->frontends);
        free(scene->traffic);
        free(scene->pools);
        free(scene->backends);
        *scene = (struct metrics_scene){ 0 };
}

int metrics_scene_new(struct metrics_scene *ret, const struct supervisor *s) {
        struct metrics_scene scene = { .version = BAL_VERSION,
                                       .revision = BAL_REVISION,
                                       .reloads = s->reloads,
                                       .log_lost = log_dropped() + log_suppressed(),
                                       .log_failed = logsink_error(s->sink) < 0,
                                       .started_us = s->started_us };
        struct crew_totals totals;
        int r;

        crew_sum(s->crew, &totals);
        scene.accept_pauses = totals.accept_pauses;
        scene.reloads.loaded_us = s->config_loaded_us;
        for (size_t i = 0; i < LOG_LEVELS_COUNT; i++)
                scene.log_written[i] = log_written(i);
        process_look(&scene.process);
        r = see_upstream(&scene, s->upstream);
        if (r < 0) {
                metrics_scene_done(&scene);
                return r;
        }
        *ret = scene;
        return 0;
}
