/* SPDX-License-Identifier: MIT */
#include "core/log_limit.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TOKEN_MS (1000 / LOG_LIMIT_PER_S)

/* n tries at one moment; how many got a token. */
static unsigned tries(struct log_limit *limit, uint64_t now_ms, unsigned n) {
        unsigned got = 0;
        bool first;

        for (unsigned i = 0; i < n; i++)
                got += log_limit_take(limit, now_ms, &first);
        return got;
}

static const struct {
        uint64_t after_ms; /* since the row before */
        unsigned tries, got;
        const char *why;
} rows[] = {
        { 1000000, 1, 1, "the first" },
        { 0, 50, 50, "a burst" },
        { 0, 100, 49, "the rest of it" },
        { 0, 1000, 0, "empty" },
        { TOKEN_MS - 1, 5, 0, "just before a token comes back" },
        { 1, 5, 1, "one" },
        { 10 * TOKEN_MS, 500, 10, "ten" },
        { 1000, 500, LOG_LIMIT_PER_S, "what a second brings" },
        { 3600000, 500, LOG_LIMIT_BURST, "never more than a burst" },
        { 60000, 0, 0, "quiet" },
        { 0, 500, LOG_LIMIT_BURST, "full again" },
        { UINT64_C(4000000000), 500, LOG_LIMIT_BURST, "after weeks" },
};

static void test_tokens(void **state) {
        struct log_limit limit = { 0 };
        uint64_t now_ms = 0, held = 0;

        (void)state;
        assert_true(log_limit_is_full(&limit, now_ms));
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                unsigned got;

                now_ms += rows[i].after_ms;
                got = tries(&limit, now_ms, rows[i].tries);
                if (got != rows[i].got)
                        fail_msg("row %zu, %s: %u", i, rows[i].why, got);
                held += rows[i].tries - got;
                assert_int_equal(log_limit_untold(&limit), held);
        }
        assert_false(log_limit_is_full(&limit, now_ms));
        assert_false(log_limit_is_full(&limit, now_ms + LOG_LIMIT_BURST * TOKEN_MS - 1));
        assert_true(log_limit_is_full(&limit, now_ms + LOG_LIMIT_BURST * TOKEN_MS));
}

static void test_the_first_untold(void **state) {
        struct log_limit limit = { 0 };
        bool first = false;

        (void)state;
        assert_int_equal(log_limit_tell(&limit), 0);
        tries(&limit, 1000, LOG_LIMIT_BURST);
        assert_false(log_limit_take(&limit, 1000, &first));
        assert_true(first);
        assert_false(log_limit_take(&limit, 1000, &first));
        assert_false(first);
        assert_int_equal(log_limit_tell(&limit), 2);
        assert_int_equal(log_limit_tell(&limit), 0);
        assert_false(log_limit_take(&limit, 1000, &first));
        assert_true(first);
        assert_int_equal(log_limit_tell(&limit), 1);
        log_limit_give_back(&limit, 1);
        assert_int_equal(log_limit_untold(&limit), 1);
        assert_int_equal(log_limit_tell(&limit), 1);
}

/* ---- threads ---- */

#define THREADS 4
#define TAKES   200000

static struct log_limit shared;
static _Atomic uint64_t n_got, n_told;

/* The clock runs along with the takes: one token for 100 of them. */
static void *take(void *arg) {
        uint64_t got = 0, told = 0;
        bool first;

        for (uint64_t i = 0; i < TAKES; i++) {
                if (!log_limit_take(&shared, 5000 + i * TOKEN_MS / 100, &first))
                        continue;
                got++;
                told += log_limit_tell(&shared);
        }
        atomic_fetch_add(&n_got, got);
        atomic_fetch_add(&n_told, told);
        return arg;
}

static void test_many_threads(void **state) {
        pthread_t threads[THREADS];
        uint64_t told;

        (void)state;
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, take, NULL), 0);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        assert_in_range(n_got, TAKES / 100, LOG_LIMIT_BURST + TAKES / 100 + 1);
        told = log_limit_tell(&shared);
        assert_int_equal(n_got + n_told + told, THREADS * TAKES);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tokens),
                cmocka_unit_test(test_the_first_untold),
                cmocka_unit_test(test_many_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
