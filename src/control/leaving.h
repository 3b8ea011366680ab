/* SPDX-License-Identifier: MIT */
/*
 * control/leaving.h - backends that the configuration does not have any more, while a generation
 * still has them: their sessions go on, and sessions of that generation may still choose them.
 */
#pragma once

#include "control/jsontext.h"
#include "core/list.h"
#include "upstream/upstream.h"

struct leaving {
        struct link list;                        /* of struct leaver, the oldest first; owned */
        uint64_t failed[CONNECT_FAILURES_COUNT]; /* failed connects of those that are gone */
};

void leaving_init(struct leaving *l);
void leaving_done(struct leaving *l);

/* after takes before's place; tells the log who leaves with sessions, and forgets who is back. */
void leaving_note(struct leaving *l, const struct upstream *before, const struct upstream *after);

/* Whoever comes back while his last sessions still run is the same endpoint again, so that his
 * limit, his counters and an operator's marks hold for all of them. next is not published yet. */
void leaving_take_back(struct leaving *l, struct upstream *next);

/* Once a second: tells whose last session has ended, and lets go of whom nobody has any more. */
void leaving_tick(struct leaving *l);

/* Adds the failed connects of all that left since the start. */
void leaving_failed(const struct leaving *l, uint64_t sum[static CONNECT_FAILURES_COUNT]);

/* Of status: those with sessions, an array. */
#define LEAVING_SHOWN_MAX 1000
void leaving_describe(const struct leaving *l, struct jsontext *t, const char *key);
