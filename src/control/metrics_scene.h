/* SPDX-License-Identifier: MIT */
/* control/metrics_scene.h - all that the metrics tell, at one moment; plain data, and pure from
 * here to the text. */
#pragma once

#include "control/exposition.h"
#include "control/process.h"
#include "core/log.h"
#include "health/health.h"
#include "upstream/upstream.h"

struct supervisor;

struct scene_frontend {
        const char *name;
        uint32_t active, limit; /* limit: its own or the daemon's, whatever is met first */
        uint32_t waiting_for[WAIT_KINDS_COUNT];
        struct frontend_totals totals;
};

struct scene_traffic { /* requests of a frontend to a pool; "": what never got one */
        const char *frontend, *pool;
        struct traffic_totals totals;
};

struct scene_pool {
        const char *name;
        struct protection_report protection;
        uint32_t holding;
        struct pool_held held;
};

struct scene_backend {
        const char *pool, *name;
        enum endpoint_state state;
        uint32_t weight;
        struct endpoint_totals totals;
        struct health_report health;
};

struct scene_reloads { /* of the configuration, since the start */
        uint64_t good, bad;
        bool last_good;
        uint64_t loaded_us; /* CLOCK_REALTIME of the one in force */
};

struct metrics_scene { /* names are borrowed, arrays owned */
        const char *version, *revision;
        struct scene_frontend *frontends;
        struct scene_traffic *traffic; /* of frontends with protocol http */
        struct scene_pool *pools;
        struct scene_backend *backends;
        size_t n_frontends, n_traffic, n_pools, n_backends;
        struct scene_reloads reloads;
        uint64_t accept_pauses;
        uint64_t log_written[LOG_LEVELS_COUNT], log_lost;
        bool log_failed;
        struct process_facts process;
        uint64_t started_us; /* CLOCK_REALTIME */
};

/* What is so now. -ENOMEM. The names stay as long as the generation in force. */
int metrics_scene_new(struct metrics_scene *ret, const struct supervisor *s);
void metrics_scene_done(struct metrics_scene *scene);

/* All families from the first-th on, in the order of the table; one that does not fit any more into
 * soft_max ends it, unless it is the first. Returns the next one's number; metrics_families: none
 * is left, and the text has its end. */
size_t metrics_write(struct exposition *x,
                     const struct metrics_scene *scene,
                     size_t first,
                     size_t soft_max);
extern const size_t metrics_families;
