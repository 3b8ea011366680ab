/* SPDX-License-Identifier: MIT */
/*
 * net/wheel.h - timers of one thread, in milliseconds; setting and cancelling cost the same however
 * many there are.
 *
 * Nothing here reads a clock: "now" is what the caller says, and it may jump ahead by days. Nothing
 * sleeps either: net/loop.h does. Most callers want timer_set() from there.
 */
#pragma once

#include "core/list.h"

struct timer;

typedef void (*timer_fn)(struct timer *t);

struct timer {            /* embedded in its owner; get back with container_of() */
        struct link link; /* idle: the timer is not set */
        uint64_t at_ms;   /* as given to wheel_set(), also after it has run */
        timer_fn fn;
};

#define WHEEL_BITS   6 /* of the time, for each level: 64 slots */
#define WHEEL_SLOTS  (1u << WHEEL_BITS)
#define WHEEL_LEVELS ((64 + WHEEL_BITS - 1) / WHEEL_BITS) /* so that no time is too far */

struct wheel {           /* embedded in its owner; may not be moved, timers point into it */
        uint64_t now_ms; /* of the latest wheel_run(): all that was due then has run */
        struct link due; /* what the next wheel_run() runs first */
        uint64_t occupied[WHEEL_LEVELS]; /* a bit per slot; may be set for an empty one */
        struct link slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

/* Before anything else is done with it. A timer is not owned by the wheel: who frees its owner
 * cancels it first. */
static inline void timer_init(struct timer *t, timer_fn fn) {
        *t = (struct timer){ .fn = fn };
        link_init(&t->link);
}

static inline bool timer_is_set(const struct timer *t) {
        return !link_idle(&t->link);
}

void wheel_init(struct wheel *w, uint64_t now_ms);

/* Once, at at_ms; a timer that is set already moves. What is not in the future is due in the next
 * wheel_run(), never in the one that runs: so nobody can keep that from ending. */
void wheel_set(struct wheel *w, struct timer *t, uint64_t at_ms);

void wheel_cancel(struct timer *t); /* idempotent; also inside any callback */

/* Milliseconds that may pass before the next wheel_run(); UINT64_MAX: no timer is set. Never too
 * many; maybe too few for one that is more than 64 ms away: then wheel_run() sorts it closer. */
uint64_t wheel_next_ms(struct wheel *w, uint64_t now_ms);

/* Runs what is due, the earliest first, and of one millisecond the one set first. A timer is not
 * set any more when its fn is called. The fn may set, cancel and free any timer, its own and others
 * that are due too. A now_ms below the last one counts as the last one. */
void wheel_run(struct wheel *w, uint64_t now_ms);
