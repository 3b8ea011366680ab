/* SPDX-License-Identifier: MIT */
#include "health/protection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"

#define WINDOW 6000 /* ms; a slot is 100 */
#define START  ((uint64_t)1000000)

static struct protection tuned(uint32_t trigger, uint32_t stable) {
        struct protection p = { 0 };

        protection_tune(&p, trigger, WINDOW, stable);
        return p;
}

static void test_trigger_exactly(void **state) {
        struct protection p = tuned(3, 2);

        (void)state;
        assert_false(protection_note(&p, START, 1, 0));
        assert_false(protection_note(&p, START, 1, 0));
        assert_int_equal(p.reason, PROTECTION_OFF);
        assert_true(protection_note(&p, START, 1, 0));
        assert_int_equal(p.reason, PROTECTION_STORM);
        assert_false(protection_note(&p, START, 1, 0)); /* it is on already */
        assert_int_equal(protection_failures(&p, START), 4);
}

static void test_a_batch_at_once(void **state) {
        struct protection p = tuned(3, 2);

        (void)state;
        assert_true(protection_note(&p, START, 3, 0));
        p = tuned(3, 2);
        assert_true(protection_note(&p, START, UINT32_MAX, UINT32_MAX));
        assert_int_equal(p.reason, PROTECTION_STORM);
        protection_note(&p, START, UINT32_MAX, 0); /* no overflow */
        assert_int_equal(protection_failures(&p, START), UINT32_MAX);
        protection_note(&p, START + 100, UINT32_MAX, 0);
        assert_int_equal(protection_failures(&p, START + 100), UINT32_MAX);
}

/* A failure counts for 59 to 60 sixtieths of the window, depending on where in its slot it came. */
static void test_edges_of_the_window(void **state) {
        static const struct {
                uint64_t at, until; /* counts at until, and not at until + 1 */
        } rows[] = {
                { START, START + WINDOW - 1 },        /* at the beginning of a slot */
                { START + 99, START + WINDOW - 1 },   /* at its end */
                { START + 100, START + WINDOW + 99 }, /* in the next one */
                { START + 12345, START + 18299 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct protection p = tuned(2, 1), q;

                protection_note(&p, rows[i].at, 1, 0);
                q = p;
                assert_int_equal(protection_failures(&p, rows[i].until), 1);
                assert_true(protection_note(&p, rows[i].until, 1, 0));
                assert_int_equal(protection_failures(&q, rows[i].until + 1), 0);
                assert_false(protection_note(&q, rows[i].until + 1, 1, 0));
                assert_int_equal(protection_failures(&q, rows[i].until + 1), 1);
        }
}

/* Against a list of all failures: random times, some of them far apart. */
static void test_slides_like_a_list(void **state) {
        enum { N = 4000 };
        static uint64_t times[N];
        struct protection p = tuned(UINT32_MAX, 1);
        uint64_t now = START, random = 1;

        (void)state;
        for (size_t i = 0; i < N; i++) {
                uint64_t r = hash_mix(++random), slot;
                uint32_t expected = 0;

                now += r % 97 == 0 ? r % (3 * WINDOW) : r % 40;
                times[i] = now;
                protection_note(&p, now, 1, 0);
                now += r >> 32 & 15;
                slot = now * PROTECTION_SLOTS / WINDOW;
                for (size_t j = 0; j <= i; j++)
                        expected += times[j] * PROTECTION_SLOTS / WINDOW + PROTECTION_SLOTS > slot;
                assert_int_equal(protection_failures(&p, now), expected);
        }
}

static void test_ends_after_successes_in_a_row(void **state) {
        struct protection p = tuned(1, 3);

        (void)state;
        assert_false(protection_note(&p, START, 0, 100)); /* it is off: they do not count */
        assert_int_equal(p.successes, 0);
        assert_true(protection_note(&p, START, 1, 0));
        assert_false(protection_note(&p, START, 0, 2));
        assert_false(protection_note(&p, START, 1, 0)); /* starts again */
        assert_int_equal(p.successes, 0);
        assert_false(protection_note(&p, START, 0, 2));
        protection_interrupt(&p); /* so does this, though it is no part of a storm */
        assert_int_equal(protection_failures(&p, START), 2);
        assert_false(protection_note(&p, START, 0, 2));
        assert_true(protection_note(&p, START, 0, 1));
        assert_int_equal(p.reason, PROTECTION_OFF);
}

/* The order within a batch is not known, so the worse one is taken. */
static void test_failures_of_a_batch_come_last(void **state) {
        struct protection p = tuned(1, 3);

        (void)state;
        assert_true(protection_note(&p, START, 1, 50));
        assert_int_equal(p.successes, 0);
        assert_false(protection_note(&p, START, 1, 50));
        assert_int_equal(p.reason, PROTECTION_STORM);
        assert_int_equal(p.successes, 0);
}

/* What was survived does not switch it on again at the next single failure. */
static void test_begins_anew_after_its_end(void **state) {
        struct protection p = tuned(3, 1);

        (void)state;
        assert_true(protection_note(&p, START, 10, 0));
        assert_true(protection_note(&p, START, 0, 1));
        assert_int_equal(protection_failures(&p, START), 0);
        assert_false(protection_note(&p, START, 2, 0));
        assert_true(protection_note(&p, START, 1, 0));
}

static void test_unavailable(void **state) {
        struct protection p = tuned(5, 2);

        (void)state;
        assert_true(protection_unavailable(&p, START));
        assert_int_equal(p.reason, PROTECTION_UNAVAILABLE);
        assert_false(protection_note(&p, START, 50, 0)); /* the reason stays the first one */
        assert_int_equal(p.reason, PROTECTION_UNAVAILABLE);
        assert_false(protection_note(&p, START, 0, 1));
        assert_false(protection_unavailable(&p, START)); /* another session without a backend */
        assert_int_equal(p.successes, 0);
        assert_false(protection_note(&p, START, 0, 1));
        assert_true(protection_note(&p, START, 0, 1));
        assert_int_equal(p.reason, PROTECTION_OFF);

        assert_true(protection_note(&p, START, 5, 0));
        assert_false(protection_unavailable(&p, START));
        assert_int_equal(p.reason, PROTECTION_STORM);
}

static void test_end(void **state) {
        struct protection p = tuned(2, 100);

        (void)state;
        assert_false(protection_end(&p, START));
        assert_true(protection_note(&p, START, 2, 0));
        assert_true(protection_end(&p, START));
        assert_int_equal(p.reason, PROTECTION_OFF);
        assert_int_equal(protection_failures(&p, START), 0);
}

static void test_retune(void **state) {
        struct protection p = tuned(10, 5);

        (void)state;
        protection_note(&p, START, 4, 0);
        protection_tune(&p, 5, WINDOW, 5); /* the window is the same: what was counted stays */
        assert_int_equal(protection_failures(&p, START), 4);
        assert_true(protection_note(&p, START, 1, 0));

        protection_note(&p, START, 0, 3);
        protection_tune(&p, 5, WINDOW, 3); /* so do the successes */
        assert_int_equal(p.reason, PROTECTION_STORM);
        assert_true(protection_note(&p, START, 0, 0));
        assert_int_equal(p.reason, PROTECTION_OFF);

        protection_note(&p, START, 4, 0);
        protection_tune(&p, 5, 2 * WINDOW, 3);
        assert_int_equal(protection_failures(&p, START), 0);
        assert_false(protection_note(&p, START, 4, 0));
        assert_int_equal(protection_failures(&p, START + 2 * WINDOW - 400), 4);
        assert_true(protection_note(&p, START + WINDOW + 300, 1, 0));

        protection_tune(&p, 5, WINDOW / 2, 3); /* being on stays, too */
        assert_int_equal(p.reason, PROTECTION_STORM);
}

static void test_jumps_of_the_clock(void **state) {
        struct protection p = tuned(3, 1);

        (void)state;
        protection_note(&p, START, 2, 0);
        assert_int_equal(protection_failures(&p, START - 5 * WINDOW),
                         2); /* back: nothing is lost */
        protection_note(&p, 0, 1, 0);
        assert_int_equal(p.reason, PROTECTION_STORM);
        assert_int_equal(protection_failures(&p, START + WINDOW - 1), 3);
        assert_int_equal(protection_failures(&p, UINT64_MAX / PROTECTION_SLOTS), 0); /* ahead */
        protection_note(&p, UINT64_MAX / PROTECTION_SLOTS, 1, 0);
        assert_int_equal(protection_failures(&p, UINT64_MAX / PROTECTION_SLOTS), 1);

        p = tuned(3, 1); /* just after the boot of the machine */
        assert_int_equal(protection_failures(&p, 0), 0);
        protection_note(&p, 0, 2, 0);
        assert_int_equal(protection_failures(&p, 1), 2);
        assert_true(protection_note(&p, 150, 1, 0));
}

/* On and off again and again: it stays on for longer each time, up to the window. */
static void test_holds(void **state) {
        static const uint32_t holds[] = { 0, 1000, 2000, 4000, WINDOW, WINDOW };
        struct protection p = tuned(1, 2);
        uint64_t now = START;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(holds); i++) {
                assert_true(protection_note(&p, now, 1, 0));
                assert_int_equal(p.hold_ms, holds[i]);
                if (holds[i] > 0) {
                        assert_false(protection_note(&p, now + 1, 0, 5));
                        assert_false(protection_note(&p, now + holds[i] - 1, 0, 5));
                }
                now += holds[i];
                assert_true(protection_note(&p, now, 0, 2));
                now += WINDOW - 1;
        }
        now += 1; /* a whole window of calm */
        assert_true(protection_unavailable(&p, now));
        assert_int_equal(p.hold_ms, 0);
        assert_true(protection_note(&p, now, 0, 2));

        assert_true(protection_note(&p, now, 1, 0)); /* what follows counts anew */
        assert_int_equal(p.hold_ms, 1000);
        assert_false(protection_note(&p, now + 500, 0, 5));
        assert_false(protection_note(&p, now + 999, 1, 0)); /* the row must stand at the end */
        assert_false(protection_note(&p, now + 1000, 0, 0));
        assert_false(protection_note(&p, now + 1000, 0, 1));
        assert_true(protection_note(&p, now + 1001, 0, 1));

        assert_true(protection_note(&p, now + 1001, 1, 0));
        protection_note(&p, now + 1002, 0, 2); /* and it need not be renewed */
        assert_true(protection_note(&p, now + 3001, 0, 0));
        protection_note(&p, now + 3001, 1, 0);
        assert_true(protection_end(&p, now + 3001)); /* who gives up does not wait */
}

/* A thousand successes a second, and one bad backend: few switches, and fewer and fewer. */
static void test_brisk_traffic(void **state) {
        struct protection p = { 0 };
        unsigned switches = 0;

        (void)state;
        protection_tune(&p, 10, 30000, 14);
        for (uint64_t ms = 0; ms < 600000; ms++)
                switches += protection_note(&p, START + ms, ms % 50 == 0, ms % 50 != 0);
        assert_in_range(switches, 2, 60); /* without holding: two thousand */
}

/* Windows shorter than their sixty slots are long, and the longest there is. */
static void test_odd_windows(void **state) {
        static const uint32_t windows[] = { 1, 7, 59, 61, 86400000 };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(windows); i++) {
                struct protection p = { 0 };

                protection_tune(&p, 2, windows[i], 1);
                assert_false(protection_note(&p, START, 1, 0));
                assert_int_equal(protection_failures(&p, START), 1);
                assert_int_equal(protection_failures(&p, START + windows[i]), 0);
                assert_false(protection_note(&p, START + windows[i], 1, 0));
                assert_true(protection_note(&p, START + windows[i], 1, 0));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_trigger_exactly),
                cmocka_unit_test(test_a_batch_at_once),
                cmocka_unit_test(test_edges_of_the_window),
                cmocka_unit_test(test_slides_like_a_list),
                cmocka_unit_test(test_ends_after_successes_in_a_row),
                cmocka_unit_test(test_failures_of_a_batch_come_last),
                cmocka_unit_test(test_begins_anew_after_its_end),
                cmocka_unit_test(test_unavailable),
                cmocka_unit_test(test_end),
                cmocka_unit_test(test_retune),
                cmocka_unit_test(test_jumps_of_the_clock),
                cmocka_unit_test(test_holds),
                cmocka_unit_test(test_brisk_traffic),
                cmocka_unit_test(test_odd_windows),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
