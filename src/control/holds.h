/* SPDX-License-Identifier: MIT */
/* control/holds.h - tells in the log when clients begin to hold because no backend of their pool
 * can take them, and when the last one of them is served or given up. */
#pragma once

#include "upstream/upstream.h"

struct supervisor;

#define HOLDS_QUIET_MS 10000 /* from one start that is told to the next one */

enum holds_news {
        HOLDS_NOTHING,
        HOLDS_BEGAN, /* clients hold */
        HOLDS_OVER,  /* none does any more */
};

/* Pure: what is to be told of a pool of which holding clients hold now, and total since the start.
 * At HOLDS_OVER s->n says how many held since HOLDS_BEGAN. A start within HOLDS_QUIET_MS of the one
 * told before is told later, if clients hold by then or have held since. */
enum holds_news holds_look(struct pool_holds *s, uint32_t holding, uint64_t total, uint64_t now_ms);

void holds_tick(struct supervisor *s); /* once a second */
