/* SPDX-License-Identifier: MIT */
/*
 * cli/reach.h - do the backends serve, as seen from here? All at once, within one time limit.
 *
 * Each is judged as the daemon would do it, by the probe of health/: first a connect to where
 * traffic goes, which the backend must not close at once; then, where the pool's check is another
 * question than that, the check.
 */
#pragma once

#include "config/config.h"
#include "upstream/failure.h"

struct reach {
        const struct config_endpoint *endpoint; /* borrowed */
        const struct config_pool *pool;         /* likewise */
        bool connects; /* what has failed, if anything, is the check behind it */
        int failure;   /* 0: it serves; see upstream/failure.h */
};

#define REACH_MS 1000

/* Never takes much longer than limit_ms, whatever the network or the name server does. 0, -ENOMEM,
 * or another -errno when there was no way to try. */
int reach_all(struct reach *reaches, size_t n, int limit_ms);

/* "refused", "no such socket", "answered with status 503". Returns buf. */
const char *reach_text(const struct reach *r, char buf[static FAILURE_TEXT_MAX]);
