/* SPDX-License-Identifier: MIT */
/*
 * health/protection.h - the judgement of a pool that fails as a whole. Pure: numbers and times in,
 * a verdict out; no clock, no memory, no log.
 *
 * On after `trigger` failures within a sliding window, or when a session found no backend at all.
 * Off after `stable` successes in a row; any failure starts that count again.
 *
 * Where traffic is brisk, so many successes take no time, and one bad backend of many would switch
 * it on and off all day. So who is on again within a window after it was off stays on for at least
 * PROTECTION_HOLD_MS, the next time twice as long, and so on up to the length of the window.
 */
#pragma once

#include "upstream/upstream.h"

#define PROTECTION_SLOTS   60 /* the window slides in steps of a sixtieth */
#define PROTECTION_HOLD_MS 1000

struct protection {
        uint32_t trigger, window_ms, stable;
        enum protection_reason reason; /* PROTECTION_OFF: off */
        uint32_t successes;            /* in a row, while on */
        uint64_t off_ms;               /* when it was switched off last; 0: never */
        uint64_t until_ms;             /* it stays on */
        uint32_t hold_ms;              /* 0: not at all */
        uint64_t slot;                 /* of the newest count: time over slot length */
        uint32_t counts[PROTECTION_SLOTS];
};

/* Also with new numbers later: what was counted stays as far as the window is the same. */
void protection_tune(struct protection *p, uint32_t trigger, uint32_t window_ms, uint32_t stable);

/* Each returns whether it switched. A batch with failures and successes counts the failures
 * last, for the order within is not known. */
bool protection_note(struct protection *p, uint64_t now_ms, uint32_t failures, uint32_t successes);
bool protection_unavailable(struct protection *p, uint64_t now_ms);
/* For a pool of which nothing is heard any more, neither good nor bad: true if it was on. */
bool protection_end(struct protection *p, uint64_t now_ms);

/* A failure that is neither a time-out nor a refusal: no sign of a storm, but no success either. */
void protection_interrupt(struct protection *p);

uint32_t protection_failures(const struct protection *p, uint64_t now_ms); /* in the window */
