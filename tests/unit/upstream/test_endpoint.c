/* SPDX-License-Identifier: MIT */
#include "upstream/endpoint.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS  2000

/* The least tuning of the simple dialect. */
static const struct config_pool pool = { .cooldown_ms = 300,
                                         .backoff_initial_ms = 100,
                                         .backoff_max_ms = 5000 };

static struct endpoint *fresh(unsigned n_workers) {
        struct config_endpoint c = { .name = (char[]){ "10.0.0.1:80" }, .id = 7, .weight = 3 };
        struct endpoint *e = endpoint_new("web", &c, n_workers);

        assert_non_null(e);
        return e;
}

static void test_new(void **state) {
        struct endpoint *e = fresh(3);

        (void)state;
        assert_string_equal(e->pool, "web");
        assert_string_equal(e->name, "10.0.0.1:80");
        assert_int_equal(e->id, 7);
        assert_int_equal(e->weight, 3);
        assert_true(e->since_us > 0);
        assert_true(endpoint_warm(e, 0));
        assert_false(endpoint_cooling(e));
        assert_true(endpoint_claim(e, 0, 100)); /* nobody needs to be alone with it */
        assert_true(endpoint_claim(e, 0, 100));
        assert_false(endpoint_worked(e));
        assert_ptr_equal(endpoint_ref(e), e);
        assert_null(endpoint_unref(e));
        assert_string_equal(e->name, "10.0.0.1:80"); /* there still */
        assert_null(endpoint_unref(e));
        assert_null(endpoint_unref(NULL));
}

/* max(cooldown, initial x 2^(streak - 1), but not above max) */
static void test_backoff(void **state) {
        static const struct {
                struct config_pool pool;
                uint64_t ms[10]; /* of the first failures in a row; 0: not looked at */
                const char *why;
        } rows[] = {
                { { .cooldown_ms = 300, .backoff_initial_ms = 100, .backoff_max_ms = 5000 },
                  { 300, 300, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000 },
                  "not tuned" },
                { { .cooldown_ms = 500, .backoff_initial_ms = 200, .backoff_max_ms = 5000 },
                  { 500, 500, 800, 1600, 3200, 5000 },
                  "two backends" },
                { { .cooldown_ms = 1000, .backoff_initial_ms = 500, .backoff_max_ms = 10000 },
                  { 1000, 1000, 2000, 4000, 8000, 10000, 10000 },
                  "many backends" },
                { { .cooldown_ms = 1, .backoff_initial_ms = 1, .backoff_max_ms = 100 },
                  { 1, 2, 4, 8, 16, 32, 64, 100, 100 },
                  "doubled each time" },
                { { .cooldown_ms = 7000, .backoff_initial_ms = 100, .backoff_max_ms = 5000 },
                  { 7000, 7000, 7000, 7000, 7000, 7000, 7000, 7000 },
                  "never less than the cooldown" },
                { { .cooldown_ms = 1, .backoff_initial_ms = 9000, .backoff_max_ms = 5000 },
                  { 5000, 5000 },
                  "the limit holds from the first one" },
                { { .cooldown_ms = 1,
                    .backoff_initial_ms = UINT32_MAX - 1,
                    .backoff_max_ms = UINT32_MAX },
                  { UINT32_MAX - 1, UINT32_MAX, UINT32_MAX },
                  "no overflow" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct endpoint *e = fresh(1);
                uint64_t now_ms = 1000;

                for (size_t k = 0; k < ELEMENTS(rows[i].ms) && rows[i].ms[k]; k++) {
                        assert_int_equal(
                                endpoint_failed(e, &rows[i].pool, false, now_ms, -ETIMEDOUT),
                                k == 0);
                        if (e->cool_until_ms - now_ms != rows[i].ms[k])
                                fail_msg("%s: failure %zu: %lu ms", rows[i].why, k + 1,
                                         (unsigned long)(e->cool_until_ms - now_ms));
                        assert_int_equal(e->streak, k + 1);
                        assert_false(endpoint_warm(e, e->cool_until_ms - 1));
                        assert_true(endpoint_warm(e, e->cool_until_ms));
                        now_ms = e->cool_until_ms + 5;
                }
                endpoint_unref(e);
        }
}

static void test_very_long_streak(void **state) {
        struct endpoint *e = fresh(1);

        (void)state;
        e->streak = UINT32_MAX;
        assert_false(endpoint_failed(e, &pool, false, 1000, -ECONNREFUSED));
        assert_int_equal(e->streak, UINT32_MAX);
        assert_int_equal(e->cool_until_ms, 6000);
        endpoint_unref(e);
}

/* A hundred sessions that were waiting for the same host do not make it wait a hundred times. */
static void test_failures_within_a_cooldown(void **state) {
        struct endpoint *e = fresh(1);

        (void)state;
        assert_true(endpoint_failed(e, &pool, false, 1000, -ECONNREFUSED));
        for (uint64_t now_ms = 1000; now_ms < 1300; now_ms++)
                assert_false(endpoint_failed(e, &pool, false, now_ms, -ETIMEDOUT));
        assert_int_equal(e->streak, 1);
        assert_int_equal(e->cool_until_ms, 1300);
        assert_int_equal(e->last_error, -ETIMEDOUT);
        assert_false(endpoint_failed(e, &pool, false, 1300,
                                     -ECONNREFUSED)); /* no new state, a new streak */
        assert_int_equal(e->streak, 2);
        assert_int_equal(e->cool_until_ms, 1600);
        endpoint_unref(e);
}

static void test_works_again(void **state) {
        struct endpoint *e = fresh(1);
        uint64_t since_us;

        (void)state;
        endpoint_failed(e, &pool, false, 1000, -ECONNREFUSED);
        endpoint_failed(e, &pool, false, 2000, -ECONNREFUSED);
        e->since_us = since_us = 1;
        assert_true(endpoint_worked(e));
        assert_true(e->since_us > since_us);
        assert_false(endpoint_cooling(e));
        assert_true(endpoint_warm(e, 2000)); /* at once, also within the cooldown */
        assert_false(endpoint_worked(e));
        assert_true(endpoint_failed(e, &pool, false, 2000, -ECONNREFUSED)); /* from the beginning */
        assert_int_equal(e->cool_until_ms, 2300);
        endpoint_unref(e);
}

static void test_claim(void **state) {
        struct endpoint *e = fresh(1);

        (void)state;
        endpoint_failed(e, &pool, false, 1000, -ECONNREFUSED);
        assert_true(endpoint_claim(e, 1300, 800));
        assert_false(endpoint_claim(e, 1300, 800)); /* somebody tries already */
        assert_false(endpoint_claim(e, 2099, 800));
        assert_true(endpoint_claim(e, 2100, 800)); /* he has never come back */
        endpoint_failed(e, &pool, false, 2200, -ETIMEDOUT);
        assert_true(endpoint_claim(e, 2500, 800)); /* a verdict ends the claim */
        endpoint_worked(e);
        assert_true(endpoint_claim(e, 2500, 800));
        assert_true(endpoint_claim(e, 2500, 800)); /* it works: no claims */
        endpoint_unref(e);
}

static void test_failure_kinds(void **state) {
        static const struct {
                int r;
                const char *word;
        } rows[] = {
                { -ECONNREFUSED, "refused" }, { -ECONNRESET, "refused" },
                { -ETIMEDOUT, "timeout" },    { -EAGAIN, "timeout" },
                { -EHOSTUNREACH, "other" },   { -ENETUNREACH, "other" },
                { -ENOENT, "other" },         { -EMFILE, "other" },
                { -EADDRNOTAVAIL, "other" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                assert_string_equal(connect_failure_word(connect_failure_of(rows[i].r)),
                                    rows[i].word);
}

static void test_sums(void **state) {
        struct endpoint *e = fresh(3);
        struct endpoint_totals sum;

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                struct endpoint_counters *c = &e->per_worker[i];

                assert_int_equal((uintptr_t)c % 64, 0);
                assert_int_equal(c->sessions_total, 0);
                COUNTER_ADD(c->sessions_total, 1);
                COUNTER_ADD(c->bytes_in, UINT64_C(1) << 40);
                COUNTER_ADD(c->bytes_out, 2);
                COUNTER_ADD(c->failed[CONNECT_REFUSED], i);
                COUNTER_ADD(c->sessions_now, 5);
                c->last_connect_ms = i == 1 ? 900 : i;
        }
        endpoint_sum(e, &sum);
        assert_int_equal(sum.sessions_total, 3);
        assert_int_equal(sum.bytes_in, UINT64_C(3) << 40);
        assert_int_equal(sum.bytes_out, 6);
        assert_int_equal(sum.failed[CONNECT_REFUSED], 3);
        assert_int_equal(sum.failed[CONNECT_TIMEOUT], 0);
        assert_int_equal(sum.last_connect_ms, 900); /* the newest */
        assert_int_equal(sum.sessions_now, 15);
        assert_int_equal(endpoint_active(e), 15);
        endpoint_unref(e);
}

/* ---- several workers meet the same failure ---- */

struct meeting {
        struct endpoint *e;
        pthread_barrier_t barrier;
        _Atomic unsigned failed, claimed, worked;
};

static void *worker(void *arg) {
        struct meeting *m = arg;

        for (uint64_t i = 0; i < ROUNDS; i++) {
                uint64_t now_ms = 1000 * (i + 1);

                pthread_barrier_wait(&m->barrier);
                if (endpoint_failed(m->e, &pool, false, now_ms, -ECONNREFUSED))
                        atomic_fetch_add(&m->failed, 1);
                pthread_barrier_wait(&m->barrier);
                if (endpoint_claim(m->e, now_ms + 300, 100))
                        atomic_fetch_add(&m->claimed, 1);
                pthread_barrier_wait(&m->barrier);
                if (endpoint_worked(m->e))
                        atomic_fetch_add(&m->worked, 1);
                endpoint_unref(endpoint_ref(m->e));
        }
        return NULL;
}

/* One of them says so, one of them tries, one of them says that it is over. */
static void test_many_threads(void **state) {
        struct meeting m = { .e = fresh(THREADS) };
        pthread_t threads[THREADS];

        (void)state;
        pthread_barrier_init(&m.barrier, NULL, THREADS);
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, worker, &m), 0);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&m.barrier);
        assert_int_equal(m.failed, ROUNDS);
        assert_int_equal(m.claimed, ROUNDS);
        assert_int_equal(m.worked, ROUNDS);
        assert_int_equal(m.e->streak, 0);
        endpoint_unref(m.e);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_new),
                cmocka_unit_test(test_backoff),
                cmocka_unit_test(test_very_long_streak),
                cmocka_unit_test(test_failures_within_a_cooldown),
                cmocka_unit_test(test_works_again),
                cmocka_unit_test(test_claim),
                cmocka_unit_test(test_failure_kinds),
                cmocka_unit_test(test_sums),
                cmocka_unit_test(test_many_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
