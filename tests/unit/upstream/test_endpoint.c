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
        assert_int_equal(endpoint_retry_ms(e), 0); /* at any time */
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

/* One session tries it; whoever comes meanwhile learns when to come again. */
static void test_claim(void **state) {
        struct endpoint *e = fresh(1);

        (void)state;
        assert_true(endpoint_claim(e, 500, 100)); /* marked down by checks, never tried */
        assert_false(endpoint_claim(e, 500, 100));
        assert_int_equal(endpoint_retry_ms(e), 600);

        endpoint_failed(e, &pool, false, 1000, -ECONNREFUSED);
        assert_true(endpoint_claim(e, 1300, 800));
        assert_false(endpoint_claim(e, 1300, 800));
        assert_false(endpoint_claim(e, 2099, 800));
        assert_int_equal(endpoint_retry_ms(e), 2100);
        assert_true(endpoint_claim(e, 2100, 800)); /* the session that tried has not come back */
        endpoint_worked(e);
        assert_int_equal(endpoint_retry_ms(e), 0);
        assert_true(endpoint_claim(e, 2101, 800)); /* what worked is free */
        endpoint_unref(e);
}

/* From a failure to the next try passes a twenty-fifth of the outage, from 10 ms to 250 ms. */
static void test_pause_grows_with_the_outage(void **state) {
        static const struct {
                uint64_t outage_ms, pause_ms;
        } rows[] = { { 0, 10 },     { 10, 10 },     { 250, 10 },       { 274, 10 },
                     { 275, 11 },   { 1000, 40 },   { 6225, 249 },     { 6249, 249 },
                     { 6250, 250 }, { 60000, 250 }, { 864000000, 250 } };
        struct endpoint *e = fresh(1);

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint64_t now_ms = 5000 + rows[i].outage_ms;

                endpoint_failed(e, &pool, false, now_ms, -ECONNREFUSED);
                assert_int_equal(endpoint_retry_ms(e) - now_ms, rows[i].pause_ms);
                assert_false(endpoint_claim(e, now_ms + rows[i].pause_ms - 1, 800));
        }
        assert_true(endpoint_claim(e, endpoint_retry_ms(e), 800));
        endpoint_failed(e, &pool, false, 900000000, -ECONNREFUSED); /* a verdict ends the claim */
        assert_int_equal(endpoint_retry_ms(e), 900000250);

        endpoint_worked(e);
        endpoint_failed(e, &pool, false, 900001000, -ECONNREFUSED); /* a new outage */
        assert_int_equal(endpoint_retry_ms(e), 900001010);
        endpoint_unref(e);
}

/* What another worker wrote: of an outage that is over, or by a clock that is a bit ahead. */
static void test_pause_between_workers(void **state) {
        struct endpoint *e = fresh(1);

        (void)state;
        e->failing_ms = 1000;
        endpoint_failed(e, &pool, false, 900000, -ECONNREFUSED);
        assert_int_equal(endpoint_retry_ms(e), 900010);
        e->failing_ms = 900500;
        endpoint_failed(e, &pool, false, 900400, -ECONNREFUSED);
        assert_int_equal(endpoint_retry_ms(e), 900410);
        endpoint_unref(e);
}

/* In a protected pool every rest is twice as long, whatever made it. */
static void test_hard_times(void **state) {
        static const uint64_t calm_ms[] = { 300, 300, 400, 800, 1600, 3200, 5000, 5000 };
        struct endpoint *e = fresh(1);
        uint64_t now_ms = 1000;

        (void)state;
        for (size_t k = 0; k < ELEMENTS(calm_ms); k++) {
                endpoint_failed(e, &pool, true, now_ms, -ETIMEDOUT);
                assert_int_equal(e->cool_until_ms - now_ms, 2 * calm_ms[k]);
                now_ms = e->cool_until_ms;
        }
        endpoint_failed(e, &pool, false, now_ms, -ETIMEDOUT); /* it is over */
        assert_int_equal(e->cool_until_ms - now_ms, 5000);
        endpoint_unref(e);
}

/* A failed check makes a rest longer that there is; it begins none, and counts as no failure. */
static void test_still_cool(void **state) {
        struct endpoint *e = fresh(1);

        (void)state;
        endpoint_still_cool(e, &pool, false, 1000);
        assert_true(endpoint_warm(e, 1000));
        assert_false(endpoint_cooling(e));

        endpoint_failed(e, &pool, false, 1000, -ETIMEDOUT);
        endpoint_still_cool(e, &pool, false, 1200);
        assert_int_equal(e->cool_until_ms, 1500);
        assert_int_equal(e->streak, 1);
        endpoint_still_cool(e, &pool, false, 1100); /* never shorter */
        assert_int_equal(e->cool_until_ms, 1500);
        endpoint_still_cool(e, &pool, true, 1200);
        assert_int_equal(e->cool_until_ms, 1800);
        endpoint_still_cool(e, &pool, false, 2000); /* it was over, and nobody has tried yet */
        assert_int_equal(e->cool_until_ms, 2300);

        assert_true(endpoint_worked(e));
        endpoint_still_cool(e, &pool, false, 2400); /* traffic knows better */
        assert_true(endpoint_warm(e, 2400));
        endpoint_unref(e);
}

static void test_state_words(void **state) {
        static const char *const words[] = { "down", "cool", "drain", "maint", "up" };
        static const char *const marks[] = { "ready", "drain", "maint" };

        (void)state;
        assert_int_equal(ENDPOINT_STATES_COUNT, ELEMENTS(words));
        for (int i = 0; i < ENDPOINT_STATES_COUNT; i++)
                assert_string_equal(endpoint_state_word((enum endpoint_state)i), words[i]);
        assert_int_equal(ADMIN_STATES_COUNT, ELEMENTS(marks));
        for (int i = 0; i < ADMIN_STATES_COUNT; i++) {
                assert_string_equal(admin_state_word((enum endpoint_admin)i), marks[i]);
                assert_int_equal(admin_state_find(marks[i]), i);
        }
        assert_int_equal(admin_state_find("up"), -ENOENT);
        assert_int_equal(admin_state_find(""), -ENOENT);
        assert_int_equal(admin_state_find("DRAIN"), -ENOENT);
}

/* What somebody has said of it shows before what is known of it; down before cooling. */
static void test_state(void **state) {
        static const struct {
                enum endpoint_admin admin;
                bool down, cooling;
                enum endpoint_state shows;
        } rows[] = {
                { ADMIN_READY, false, false, ENDPOINT_UP },
                { ADMIN_READY, false, true, ENDPOINT_COOL },
                { ADMIN_READY, true, false, ENDPOINT_DOWN },
                { ADMIN_READY, true, true, ENDPOINT_DOWN },
                { ADMIN_DRAIN, false, false, ENDPOINT_DRAIN },
                { ADMIN_DRAIN, true, true, ENDPOINT_DRAIN },
                { ADMIN_MAINT, false, true, ENDPOINT_MAINT },
                { ADMIN_MAINT, true, false, ENDPOINT_MAINT },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct endpoint *e = fresh(1);

                if (rows[i].cooling)
                        endpoint_failed(e, &pool, false, 1000, -ECONNREFUSED);
                if (rows[i].down)
                        endpoint_mark_down(e, -ECONNREFUSED, 1000);
                endpoint_set_admin(e, rows[i].admin, 0, 1000);
                assert_int_equal(endpoint_state(e), rows[i].shows);
                endpoint_unref(e);
        }
}

static void test_marks(void **state) {
        struct endpoint *e = fresh(1);

        (void)state;
        e->since_us = 1;
        endpoint_mark_up(e, 500); /* it is not down: nothing begins */
        assert_int_equal(e->up_at_ms, 0);
        assert_int_equal(e->since_us, 1);

        endpoint_mark_down(e, -ETIMEDOUT, 1000);
        assert_true(e->down);
        assert_int_equal(e->down_why, -ETIMEDOUT);
        assert_int_equal(e->down_at_ms, 1000);
        assert_true(e->since_us > 1);
        e->since_us = 1;
        endpoint_mark_down(e, 503, 2000); /* another reason, the same state */
        assert_int_equal(e->down_why, 503);
        assert_int_equal(e->down_at_ms, 1000);
        assert_int_equal(e->since_us, 1);

        endpoint_mark_up(e, 3000);
        assert_false(e->down);
        assert_int_equal(e->down_why, 0);
        assert_int_equal(e->up_at_ms, 3000);
        assert_true(e->since_us > 1);
        assert_int_equal(endpoint_state(e), ENDPOINT_UP);
        endpoint_unref(e);
}

/* "since" is of the state that shows: a check that fails in maintenance does not change it. */
static void test_marks_under_an_operators_mark(void **state) {
        struct endpoint *e = fresh(1);

        (void)state;
        endpoint_set_admin(e, ADMIN_DRAIN, 7000, 1000);
        assert_int_equal(e->deadline_ms, 7000);
        e->since_us = 1;
        endpoint_mark_down(e, -ETIMEDOUT, 1000);
        assert_false(endpoint_failed(e, &pool, false, 1000, -ETIMEDOUT)); /* nothing to be told */
        assert_int_equal(e->streak, 1);                                   /* but it counts */
        endpoint_worked(e);
        endpoint_mark_up(e, 2000);
        assert_int_equal(e->since_us, 1);

        endpoint_set_admin(e, ADMIN_DRAIN, 9000, 2000); /* a new deadline, no new state */
        assert_int_equal(e->deadline_ms, 9000);
        assert_int_equal(e->since_us, 1);
        endpoint_set_admin(e, ADMIN_READY, 0, 3000);
        assert_int_equal(e->deadline_ms, 0);
        assert_true(e->since_us > 1);
        assert_int_equal(e->up_at_ms, 2000); /* a drained server was warm all the time */
        endpoint_set_admin(e, ADMIN_MAINT, 0, 4000);
        endpoint_set_admin(e, ADMIN_READY, 0, 5000);
        assert_int_equal(e->up_at_ms, 5000); /* who knows what was done to it */
        endpoint_unref(e);
}

static void test_share(void **state) {
        static const struct {
                uint32_t weight, slow_start_ms;
                uint64_t up_at_ms, now_ms;
                uint32_t share;
                const char *why;
        } rows[] = {
                { 3, 0, 0, 5000, 3, "no slow start: the weight" },
                { 3, 0, 4999, 5000, 3, "no slow start, just come back" },
                { 0, 0, 0, 5000, 0, "no new sessions" },
                { 3, 10000, 0, 5000, 300, "was never down" },
                { 3, 10000, 5000, 5000, 1, "just come back: little, but not nothing" },
                { 3, 10000, 6000, 5000, 1, "an old time" },
                { 3, 10000, 5000, 6000, 30, "a tenth" },
                { 3, 10000, 5000, 10000, 150, "half" },
                { 3, 10000, 5000, 14999, 299, "nearly" },
                { 3, 10000, 5000, 15000, 300, "all of it" },
                { 0, 10000, 5000, 6000, 0, "no new sessions, slowly" },
                { 256, 86400000, 1, 86400000, 25599, "the heaviest, the slowest" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct config_pool slow = { .slow_start_ms = rows[i].slow_start_ms };
                struct endpoint *e = fresh(1);
                uint32_t share;

                e->weight = rows[i].weight;
                e->up_at_ms = rows[i].up_at_ms;
                share = endpoint_share(e, &slow, rows[i].now_ms);
                if (share != rows[i].share)
                        fail_msg("%s: %u, not %u", rows[i].why, share, rows[i].share);
                endpoint_unref(e);
        }
}

/* A backend that flaps is told of once in ten seconds, and every beginning that was told ends. */
static void test_what_may_be_told(void **state) {
        struct endpoint *e = fresh(1);

        (void)state;
        assert_false(endpoint_may_tell(e, false, 1000)); /* no beginning was told */
        assert_true(endpoint_may_tell(e, true, 1000));
        assert_true(endpoint_may_tell(e, false, 1300));
        assert_false(endpoint_may_tell(e, false, 1301));
        for (uint64_t now_ms = 1600; now_ms < 1000 + ENDPOINT_TELL_MS; now_ms += 300) {
                assert_false(endpoint_may_tell(e, true, now_ms));
                assert_false(endpoint_may_tell(e, false, now_ms + 100));
        }
        assert_true(endpoint_may_tell(e, true, 1000 + ENDPOINT_TELL_MS));
        assert_false(endpoint_may_tell(e, true, 1001 + ENDPOINT_TELL_MS));
        assert_true(endpoint_may_tell(e, false, 1002 + ENDPOINT_TELL_MS));
        endpoint_unref(e);
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
                COUNTER_ADD(c->storm, 4 * i);
                COUNTER_ADD(c->sessions_now, 5);
                COUNTER_ADD(c->connected, 2);
                c->last_connect_ms = i == 1 ? 900 : i;
                c->oldest_ms = 700 - 100 * i; /* 700, 600, 500 */
        }
        endpoint_sum(e, &sum);
        assert_int_equal(sum.sessions_total, 3);
        assert_int_equal(sum.bytes_in, UINT64_C(3) << 40);
        assert_int_equal(sum.bytes_out, 6);
        assert_int_equal(sum.failed[CONNECT_REFUSED], 3);
        assert_int_equal(sum.failed[CONNECT_TIMEOUT], 0);
        assert_int_equal(sum.storm, 12);
        assert_int_equal(sum.last_connect_ms, 900); /* the newest */
        assert_int_equal(sum.sessions_now, 15);
        assert_int_equal(sum.connected, 6);
        assert_int_equal(endpoint_active(e), 15);

        assert_int_equal(sum.oldest_ms, 500);
        e->per_worker[2].sessions_now = 0; /* it has ended since */
        e->per_worker[1].oldest_ms = 0;    /* not known yet */
        endpoint_sum(e, &sum);
        assert_int_equal(sum.oldest_ms, 700);
        endpoint_unref(e);
}

/* What ends a cooldown depends on what it was for. */
static void test_unserved(void **state) {
        static const struct {
                int error;
                bool unserved;
        } rows[] = {
                { -ECONNREFUSED, false },      { -ETIMEDOUT, false },
                { -ECONNRESET, false },        { -EHOSTUNREACH, false },
                { FAILURE_UNRESOLVED, false }, { FAILURE_CLOSED, true },
                { FAILURE_NOT_HTTP, true },    { 500, true },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct endpoint *e = fresh(1);

                assert_true(endpoint_failed(e, &pool, false, 1000, rows[i].error));
                assert_int_equal(endpoint_unserved(e), rows[i].unserved);
                endpoint_mark_down(e, rows[i].error, 1000);
                assert_int_equal(endpoint_is_out(e), !rows[i].unserved);
                endpoint_failed(e, &pool, false, 2000, FAILURE_CLOSED);
                assert_true(endpoint_unserved(e));
                endpoint_failed(e, &pool, false, 4000, -ECONNRESET); /* much the same */
                assert_true(endpoint_unserved(e));
                endpoint_failed(e, &pool, false, 8000, -ECONNREFUSED); /* something else now */
                assert_false(endpoint_unserved(e));
                endpoint_failed(e, &pool, false, 16000, rows[i].error);
                endpoint_leave_to_checks(e);
                assert_true(endpoint_cooling(e) && endpoint_is_out(e));
                endpoint_failed(e, &pool, false, 32000, rows[i].error);
                e->let_down = 5;
                assert_true(endpoint_worked(e));
                assert_false(endpoint_unserved(e));
                assert_int_equal(e->let_down, 0);
                endpoint_unref(e);
        }
}

/* Of any worker; a connect that worked in the same millisecond counts. */
static void test_worked_since(void **state) {
        struct endpoint *e = fresh(3);

        (void)state;
        assert_false(endpoint_has_worked(e));
        assert_false(endpoint_worked_since(e, 1));
        e->per_worker[1].last_connect_ms = 900; /* a failure */
        assert_false(endpoint_worked_since(e, 1));
        for (unsigned i = 0; i < 3; i++) {
                e->per_worker[i].last_good_ms = 700;
                assert_true(endpoint_worked_since(e, 699));
                assert_true(endpoint_worked_since(e, 700));
                assert_false(endpoint_worked_since(e, 701));
                e->per_worker[i].last_good_ms = 0;
        }
        e->per_worker[2].connected = 1;
        assert_true(endpoint_has_worked(e));
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
                cmocka_unit_test(test_pause_grows_with_the_outage),
                cmocka_unit_test(test_pause_between_workers),
                cmocka_unit_test(test_hard_times),
                cmocka_unit_test(test_still_cool),
                cmocka_unit_test(test_state_words),
                cmocka_unit_test(test_state),
                cmocka_unit_test(test_marks),
                cmocka_unit_test(test_marks_under_an_operators_mark),
                cmocka_unit_test(test_share),
                cmocka_unit_test(test_what_may_be_told),
                cmocka_unit_test(test_sums),
                cmocka_unit_test(test_unserved),
                cmocka_unit_test(test_worked_since),
                cmocka_unit_test(test_many_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
