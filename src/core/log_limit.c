/* SPDX-License-Identifier: MIT */

#include "core/log_limit.h"

#define TOKEN_MS (1000 / LOG_LIMIT_PER_S)
#define FULL_MS  ((uint64_t)TOKEN_MS * LOG_LIMIT_BURST)

bool log_limit_take(struct log_limit *limit, uint64_t now_ms, bool *ret_first) {
        uint64_t lent = atomic_load_explicit(&limit->lent_until_ms, memory_order_relaxed);
        uint64_t from, held;

        do {
                from = lent > now_ms ? lent : now_ms;
                if (from - now_ms + TOKEN_MS > FULL_MS) {
                        held = atomic_fetch_add(&limit->held, 1);
                        *ret_first = held == atomic_load(&limit->told);
                        return false;
                }
        } while (!atomic_compare_exchange_weak(&limit->lent_until_ms, &lent, from + TOKEN_MS));
        return true;
}

bool log_limit_is_full(struct log_limit *limit, uint64_t now_ms) {
        return atomic_load(&limit->lent_until_ms) <= now_ms;
}

/* told is read first: then it is not above held, whatever happens in between. */
uint64_t log_limit_untold(struct log_limit *limit) {
        uint64_t told = atomic_load(&limit->told);

        return atomic_load(&limit->held) - told;
}

uint64_t log_limit_tell(struct log_limit *limit) {
        uint64_t told = atomic_load(&limit->told), held;

        do {
                held = atomic_load(&limit->held);
                if (held <= told)
                        return 0;
        } while (!atomic_compare_exchange_weak(&limit->told, &told, held));
        return held - told;
}

void log_limit_give_back(struct log_limit *limit, uint64_t n) {
        atomic_fetch_sub(&limit->told, n);
}
