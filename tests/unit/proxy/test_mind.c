/* SPDX-License-Identifier: MIT */
/* The deadline is put so far back that a second is left of the ten in which sessions end. */
#include "stage.h"

#include "core/clock.h"

#define SPREAD_MS 10000 /* as in mind.c: from the deadline to the last session's end */
#define ROUND_MS  1000  /* likewise: between two rounds */

static void mark(struct stage *s, enum endpoint_admin admin, uint64_t deadline_ms) {
        endpoint_set_admin(endpoint(s), admin, deadline_ms, clock_mono_ms());
        crew_mind(s->crew);
}

/* All go within the time that is left, the oldest first, and never many at once. */
static void test_spread(void **state) {
        static const enum endpoint_admin marks[] = { ADMIN_DRAIN, ADMIN_MAINT };

        (void)state;
        for (size_t k = 0; k < ELEMENTS(marks); k++) {
                uint32_t left[11] = { 0 };
                uint64_t start, end;
                struct stage s;

                stage_init(&s, false);
                stage_open(&s, SESSIONS);
                start = clock_mono_ms();
                end = start + 1000;
                mark(&s, marks[k], end - SPREAD_MS);
                for (uint64_t now = start; now < end + 100; now = clock_mono_ms()) {
                        left[now < end ? (now - start) / 100 : 10] = sum(&s).sessions_now;
                        turn(&s, 5);
                }
                for (size_t i = 1; i < 10; i++) { /* a line from all to none */
                        uint32_t fair = (uint32_t)(SESSIONS * (10 - i) / 10);

                        if (left[i] == 0 && i == 9)
                                break; /* held up just then */
                        assert_in_range(left[i], fair < 40 ? 0 : fair - 40, fair + 40);
                }
                wait_for_sessions(&s, 0);
                assert_in_range(clock_mono_ms(), end - 200, end + 1000);
                assert_int_equal(sum(&s).closed[CLOSE_DRAINED], SESSIONS);
                stage_done(&s);
        }
}

static void test_nobody_before_the_deadline(void **state) {
        struct endpoint_totals t;
        struct stage s;
        uint64_t born;

        (void)state;
        stage_init(&s, false);
        born = clock_mono_ms();
        stage_open(&s, 10);
        mark(&s, ADMIN_DRAIN, clock_mono_ms() + 600);
        for (uint64_t until = clock_mono_ms() + 500; clock_mono_ms() < until;)
                turn(&s, 20);
        assert_int_equal(sum(&s).sessions_now, 10);
        endpoint_sum(endpoint(&s), &t);
        assert_in_range(t.oldest_ms, born - 50, clock_mono_ms() - 400);

        mark(&s, ADMIN_READY, 0); /* taken back */
        for (uint64_t until = clock_mono_ms() + ROUND_MS + 500; clock_mono_ms() < until;)
                turn(&s, 20);
        assert_int_equal(sum(&s).sessions_now, 10);
        assert_int_equal(sum(&s).closed[CLOSE_DRAINED], 0);

        mark(&s, ADMIN_DRAIN, 0); /* they may stay */
        for (uint64_t until = clock_mono_ms() + 300; clock_mono_ms() < until;)
                turn(&s, 20);
        assert_int_equal(sum(&s).sessions_now, 10);
        mark(&s, ADMIN_DRAIN, clock_mono_ms() - SPREAD_MS - 1); /* long over */
        wait_for_sessions(&s, 0);
        stage_done(&s);
}

/* In the midst of the closing it is taken back: who is left stays. */
static void test_taken_back_half_way(void **state) {
        struct stage s;
        uint32_t left;

        (void)state;
        stage_init(&s, false);
        stage_open(&s, SESSIONS);
        mark(&s, ADMIN_DRAIN, clock_mono_ms() + 1000 - SPREAD_MS);
        while (sum(&s).sessions_now > SESSIONS / 2)
                turn(&s, 5);
        mark(&s, ADMIN_READY, 0);
        turn(&s, 50);
        left = sum(&s).sessions_now;
        assert_true(left > 0);
        for (uint64_t until = clock_mono_ms() + ROUND_MS + 300; clock_mono_ms() < until;)
                turn(&s, 20);
        assert_int_equal(sum(&s).sessions_now, left);
        stage_done(&s);
}

/* Its sessions go at once, but not those that came as a last hope after the mark. */
static void test_marked_down(void **state) {
        struct stage s;

        (void)state;
        stage_init(&s, true);
        stage_open(&s, SESSIONS);
        endpoint_mark_down(endpoint(&s), -ETIMEDOUT, clock_mono_ms());
        crew_mind(s.crew);
        wait_for_sessions(&s, 0);
        assert_int_equal(sum(&s).closed[CLOSE_MARKED_DOWN], SESSIONS);

        turn(&s, 20);
        stage_open(&s, 5);
        crew_mind(s.crew);
        for (uint64_t until = clock_mono_ms() + 200; clock_mono_ms() < until;)
                turn(&s, 20);
        assert_int_equal(sum(&s).sessions_now, 5);

        endpoint_mark_up(endpoint(&s), clock_mono_ms());
        turn(&s, 20);
        endpoint_mark_down(endpoint(&s), -ETIMEDOUT, clock_mono_ms()); /* again: they are old now */
        crew_mind(s.crew);
        wait_for_sessions(&s, 0);
        stage_done(&s);
}

static void test_marked_down_and_kept(void **state) {
        struct stage s;

        (void)state;
        stage_init(&s, false);
        stage_open(&s, 10);
        endpoint_mark_down(endpoint(&s), -ETIMEDOUT, clock_mono_ms());
        crew_mind(s.crew);
        for (uint64_t until = clock_mono_ms() + 300; clock_mono_ms() < until;)
                turn(&s, 20);
        assert_int_equal(sum(&s).sessions_now, 10);
        stage_done(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_spread),
                cmocka_unit_test(test_nobody_before_the_deadline),
                cmocka_unit_test(test_taken_back_half_way),
                cmocka_unit_test(test_marked_down),
                cmocka_unit_test(test_marked_down_and_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
