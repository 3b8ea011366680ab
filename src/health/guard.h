/* SPDX-License-Identifier: MIT */
/* health/guard.h - a pool's protection: feeds the judgement (protection.h), publishes and tells it.
 * The header for everybody is health/health.h. */
#pragma once

#include "health/protection.h"

struct check;

struct guard {
        struct link link;                 /* of health */
        struct pool *pool;                /* referenced */
        const struct upstream_pool *view; /* of health's generation; NULL: none */
        uint64_t number;                  /* of that generation */
        struct protection protection;
        uint64_t unavailable;         /* of the pool's counter, as far as it was looked at */
        uint64_t failures, successes; /* of traffic, not settled yet */
        bool other;                   /* a failure of another kind, likewise */
        bool nobody;                  /* this time a session found no backend at all */
        bool few_up;                  /* less than half of the backends are up */
        uint64_t on_ms, trouble_ms;   /* CLOCK_MONOTONIC; trouble: the newest failure */
        uint64_t since_us, last_ms;   /* as in struct protection_report */
        uint64_t activations[PROTECTION_REASONS_COUNT];
};

struct guard *guard_new(struct pool *pool); /* references it; NULL: out of memory */
struct guard *guard_free(struct guard *g);  /* the pool is not protected any more */

void guard_adopt(struct guard *g, const struct upstream_pool *view);

bool guard_is_on(const struct guard *g);
bool guard_slows_checks(const struct guard *g); /* intervals are twice as long; see guard.c */

/* A check's verdict; failure: 0, or one on an endpoint that still counted as up. */
void guard_check(struct guard *g, uint64_t now_ms, int failure);

/* Traffic: what is new in one endpoint's counters, and then, when all are through, the verdict. */
void guard_traffic(struct guard *g, struct check *c);
void guard_settle(struct guard *g, uint64_t now_ms);

/* While it is on: everything that traffic has left, without being told that there is news. */
void guard_look(struct guard *g, uint64_t now_ms);
