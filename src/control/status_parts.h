/* SPDX-License-Identifier: MIT */
/* control/status_parts.h - the parts of the status document, shared by the files that write it. */
#pragma once

#include "control/jsontext.h"
#include "upstream/upstream.h"

struct supervisor;

struct status_tally { /* over some backends */
        size_t total, reachable, in_use;
        uint64_t last_ms; /* CLOCK_MONOTONIC of the newest check or connect */
};

/* status_backend.c */
enum endpoint_state status_state_of(const struct upstream_endpoint *u);
void status_add_backend(struct jsontext *t,
                        const struct supervisor *s,
                        const struct upstream_pool *pool,
                        const struct upstream_endpoint *backend);
void status_count_backend(struct status_tally *tally,
                          const struct supervisor *s,
                          const struct upstream_pool *pool,
                          const struct upstream_endpoint *backend);

struct status_sums { /* over all pools */
        struct status_tally backends;
        bool pool_without_backend;
        bool pool_holds;                   /* clients that no backend can take */
        enum protection_reason protection; /* of the first pool that is protected */
};

/* status_pool.c: an array of all pools, and what it says about all of them */
void status_add_pools(struct jsontext *t, const struct supervisor *s, struct status_sums *ret);
void status_add_protection_mode(struct jsontext *t, const struct status_sums *sums);
