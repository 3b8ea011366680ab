/* SPDX-License-Identifier: MIT */
/*
 * core/log_limit.h - a token bucket that any thread may take from, without a lock.
 *
 * It keeps one number: until when its tokens are lent. Each taken token moves that by what it takes
 * to refill one; a bucket that is lent for longer than all of its tokens take is empty.
 */
#pragma once

#include <stdatomic.h>

#include "core/base.h"

#define LOG_LIMIT_BURST 100 /* tokens of a full bucket */
#define LOG_LIMIT_PER_S 20  /* that come back */

struct log_limit {
        _Alignas(64) _Atomic uint64_t lent_until_ms;
        _Atomic uint64_t held; /* so far: who came and there was no token */
        _Atomic uint64_t told; /* of these, how many have been told */
};

/* False: no token, and one more is held back; *ret_first says that it is the first one untold. */
bool log_limit_take(struct log_limit *limit, uint64_t now_ms, bool *ret_first);

bool log_limit_is_full(struct log_limit *limit, uint64_t now_ms); /* nobody took for a while */

/* Whoever tells takes all that is untold, exactly once; what it could not tell it gives back. */
uint64_t log_limit_untold(struct log_limit *limit);
uint64_t log_limit_tell(struct log_limit *limit);
void log_limit_give_back(struct log_limit *limit, uint64_t n);
