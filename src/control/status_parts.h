/* SPDX-License-Identifier: MIT */
/* control/status_parts.h - the parts of the status document, shared by the files that build it. */
#pragma once

#include <jansson.h>

#include "upstream/upstream.h"

struct supervisor;

/* For json_pack(): null where there is no time. */
json_t *status_time(uint64_t real_us);
json_t *status_time_mono(uint64_t mono_ms); /* a moment of the monotonic clock */

struct status_tally { /* over all pools */
        json_t *backends, *pools;
        size_t total, reachable;
        uint64_t last_ms; /* CLOCK_MONOTONIC of the newest check or connect */
        bool pool_without_backend;
        enum protection_reason protection; /* of the first pool that is protected */
};

/* status_pool.c */
void status_add_pool(struct status_tally *t,
                     const struct supervisor *s,
                     const struct upstream_pool *pool);
json_t *status_protection(const struct status_tally *t); /* the OR of all pools */

struct status_backend_summary {
        bool in_use;    /* up, in service, with a weight */
        bool reachable; /* by its newest check or connect */
        uint64_t last_ms;
};

/* status_backend.c */
json_t *status_backend(const struct supervisor *s,
                       const struct upstream_pool *pool,
                       const struct upstream_endpoint *backend,
                       struct status_backend_summary *ret);
