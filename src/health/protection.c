/* SPDX-License-Identifier: MIT */
/*
 * Time is cut into slots of a sixtieth of the window, and counts is a ring of the newest sixty. So
 * a failure is forgotten between 59 and 60 sixtieths of the window after it came, whatever the rate
 * was, and a look costs the same whether there were ten failures or a million.
 *
 * A clock that steps back counts into the newest slot: nothing is lost, and nothing comes back.
 */

#include "health/protection.h"

#include <string.h>

static uint64_t slot_of(const struct protection *p, uint64_t now_ms) {
        uint64_t slot = now_ms * PROTECTION_SLOTS / p->window_ms;

        return slot > p->slot ? slot : p->slot;
}

/* Forgets what has left the window. */
static void slide(struct protection *p, uint64_t now_ms) {
        uint64_t slot = slot_of(p, now_ms);

        if (slot - p->slot >= PROTECTION_SLOTS)
                memset(p->counts, 0, sizeof(p->counts));
        else
                while (p->slot < slot)
                        p->counts[++p->slot % PROTECTION_SLOTS] = 0;
        p->slot = slot;
}

uint32_t protection_failures(const struct protection *p, uint64_t now_ms) {
        uint64_t gone = slot_of(p, now_ms) - p->slot, sum = 0;

        if (gone >= PROTECTION_SLOTS)
                return 0;
        for (uint64_t age = 0; age < PROTECTION_SLOTS - gone && age <= p->slot; age++)
                sum += p->counts[(p->slot - age) % PROTECTION_SLOTS];
        return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

void protection_tune(struct protection *p, uint32_t trigger, uint32_t window_ms, uint32_t stable) {
        p->trigger = trigger;
        p->stable = stable;
        if (p->window_ms == window_ms)
                return;
        p->window_ms = window_ms;
        p->slot = 0;
        memset(p->counts, 0, sizeof(p->counts));
}

static bool switch_on(struct protection *p, uint64_t now_ms, enum protection_reason reason) {
        uint64_t hold_ms = 0;

        if (p->off_ms > 0 && now_ms < p->off_ms + p->window_ms)
                hold_ms = p->hold_ms > 0 ? p->hold_ms * UINT64_C(2) : PROTECTION_HOLD_MS;
        p->hold_ms = hold_ms < p->window_ms ? (uint32_t)hold_ms : p->window_ms;
        p->until_ms = now_ms + p->hold_ms;
        p->reason = reason;
        p->successes = 0;
        return true;
}

/* What was survived shall not switch it on again at once. */
static bool switch_off(struct protection *p, uint64_t now_ms) {
        memset(p->counts, 0, sizeof(p->counts));
        p->off_ms = now_ms;
        p->reason = PROTECTION_OFF;
        p->successes = 0;
        return true;
}

static void count(struct protection *p, uint64_t now_ms, uint32_t failures) {
        uint32_t *c;

        slide(p, now_ms);
        c = &p->counts[p->slot % PROTECTION_SLOTS];
        *c = failures < UINT32_MAX - *c ? *c + failures : UINT32_MAX;
}

bool protection_note(struct protection *p, uint64_t now_ms, uint32_t failures, uint32_t successes) {
        if (failures > 0)
                count(p, now_ms, failures);
        if (p->reason == PROTECTION_OFF)
                return failures > 0 && protection_failures(p, now_ms) >= p->trigger &&
                       switch_on(p, now_ms, PROTECTION_STORM);

        p->successes =
                successes < UINT32_MAX - p->successes ? p->successes + successes : UINT32_MAX;
        if (failures > 0)
                p->successes = 0;
        return p->successes >= p->stable && now_ms >= p->until_ms && switch_off(p, now_ms);
}

void protection_interrupt(struct protection *p) {
        p->successes = 0;
}

bool protection_unavailable(struct protection *p, uint64_t now_ms) {
        p->successes = 0;
        return p->reason == PROTECTION_OFF && switch_on(p, now_ms, PROTECTION_UNAVAILABLE);
}

bool protection_end(struct protection *p, uint64_t now_ms) {
        return p->reason != PROTECTION_OFF && switch_off(p, now_ms);
}
