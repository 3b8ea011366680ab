/* SPDX-License-Identifier: MIT */
/*
 * A time is a number of eleven digits of six bits. A timer lies on the level of the highest digit
 * in which its time differs from now, in the slot of its own value of that digit. What follows:
 *
 * - On no level does anything lie at or below now's own digit, so nothing ever wraps around.
 * - All of a level comes before all of the level above it. The next timer is in the lowest occupied
 *   slot of the lowest occupied level.
 * - On level 0 a slot is one millisecond. A slot further up begins where its lower digits are zero;
 *   when now gets there, its timers differ from now in a lower digit only and move down. Nobody
 *   moves more often than there are digits between him and now, which is four times for a whole
 *   day.
 * - Empty stretches cost nothing: now jumps from one occupied slot to the next.
 *
 * wheel_cancel() does not know the wheel, hence an empty slot may keep its bit until somebody
 * looks. Every set makes at most one such bit, so looking stays cheap.
 */

#include "net/wheel.h"

#define DIGIT_MASK ((uint64_t)WHEEL_SLOTS - 1)

struct slot { /* which, and when it begins */
        unsigned level, index;
        uint64_t at_ms;
};

void wheel_init(struct wheel *w, uint64_t now_ms) {
        w->now_ms = now_ms;
        link_init(&w->due);
        for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
                w->occupied[level] = 0;
                for (unsigned i = 0; i < WHEEL_SLOTS; i++)
                        link_init(&w->slots[level][i]);
        }
}

void wheel_set(struct wheel *w, struct timer *t, uint64_t at_ms) {
        unsigned level, i;

        link_remove(&t->link);
        t->at_ms = at_ms;
        if (at_ms <= w->now_ms) {
                link_before(&w->due, &t->link);
                return;
        }

        level = (63 - (unsigned)__builtin_clzll(at_ms ^ w->now_ms)) / WHEEL_BITS;
        i = (unsigned)(at_ms >> level * WHEEL_BITS & DIGIT_MASK);
        link_before(&w->slots[level][i], &t->link);
        w->occupied[level] |= UINT64_C(1) << i;
}

void wheel_cancel(struct timer *t) {
        link_remove(&t->link);
}

/* The earliest slot with a timer in it; false: there is none. */
static bool wheel_first(struct wheel *w, struct slot *ret) {
        for (unsigned level = 0; level < WHEEL_LEVELS; level++)
                while (w->occupied[level]) {
                        unsigned i = (unsigned)__builtin_ctzll(w->occupied[level]);
                        unsigned shift = level * WHEEL_BITS;

                        if (link_idle(&w->slots[level][i])) {
                                w->occupied[level] &= ~(UINT64_C(1) << i);
                                continue;
                        }

                        /* now's digits above this one, this one, zeros; in two shifts, as on the
                         * highest level both at once would be more than 63 */
                        *ret = (struct slot){ level, i,
                                              (w->now_ms >> shift >> WHEEL_BITS << WHEEL_BITS | i)
                                                      << shift };
                        return true;
                }
        return false;
}

uint64_t wheel_next_ms(struct wheel *w, uint64_t now_ms) {
        struct slot slot;

        if (!link_idle(&w->due))
                return 0;
        if (!wheel_first(w, &slot))
                return UINT64_MAX;
        return slot.at_ms > now_ms ? slot.at_ms - now_ms : 0;
}

/* Moves what is due to w->due, in order, and everything else to where it lies seen from now_ms. */
static void wheel_advance(struct wheel *w, uint64_t now_ms) {
        struct slot slot;

        while (wheel_first(w, &slot) && slot.at_ms <= now_ms) {
                struct link *timers = &w->slots[slot.level][slot.index];

                w->now_ms = slot.at_ms;
                w->occupied[slot.level] &= ~(UINT64_C(1) << slot.index);
                while (!link_idle(timers)) {
                        struct timer *t = container_of(timers->next, struct timer, link);

                        wheel_set(w, t, t->at_ms); /* due, or a lower level: never back to here */
                }
        }
        if (now_ms > w->now_ms)
                w->now_ms = now_ms;
}

void wheel_run(struct wheel *w, uint64_t now_ms) {
        struct link todo;

        wheel_advance(w, now_ms);
        if (link_idle(&w->due))
                return;

        /* swapped out, so that what the callbacks make due waits for the next run */
        link_after(&w->due, &todo);
        link_remove(&w->due);
        while (!link_idle(&todo)) {
                struct timer *t = container_of(todo.next, struct timer, link);

                link_remove(&t->link);
                t->fn(t);
        }
}
