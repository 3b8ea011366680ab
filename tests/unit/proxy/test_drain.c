/* SPDX-License-Identifier: MIT */
/* What each kind of drain waits for. Sessions are TCP; the backend of the stage never answers. */
#include "stage.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"

struct answer {
        unsigned n;
        int r;
        uint64_t at_ms;
};

static void on_answer(int r, void *arg) {
        struct answer *a = arg;

        a->n++;
        a->r = r;
        a->at_ms = clock_mono_ms();
}

static void drain(struct stage *s, enum crew_drain what, uint64_t until_ms, struct answer *a) {
        *a = (struct answer){ 0 };
        assert_int_equal(crew_drain(s->crew, what, until_ms, on_answer, a), 0);
}

static void wait_for(struct stage *s, const struct answer *a) {
        uint64_t until = clock_mono_ms() + PATIENCE;

        while (a->n == 0 && clock_mono_ms() < until)
                turn(s, 5);
        assert_int_equal(a->n, 1);
        assert_int_equal(a->r, 0);
}

static void turn_for(struct stage *s, uint64_t ms) {
        for (uint64_t until = clock_mono_ms() + ms; clock_mono_ms() < until;)
                turn(s, 5);
}

static void send_byte(struct stage *s, unsigned i) {
        assert_int_equal(send(s->clients[i], "?", 1, 0), 1);
}

static void close_all(struct stage *s) {
        struct answer all;

        drain(s, CREW_DRAIN_ALL, clock_mono_ms(), &all);
        wait_for(s, &all);
        assert_int_equal(sum(s).sessions_now, 0);
}

static void test_nobody_is_there(void **state) {
        struct answer a[CREW_DRAINS];
        struct stage s;

        (void)state;
        stage_init(&s, false);
        for (unsigned what = 0; what < CREW_DRAINS; what++) {
                uint64_t before = clock_mono_ms();

                drain(&s, what, before + PATIENCE, &a[what]);
                wait_for(&s, &a[what]);
                assert_in_range(a[what].at_ms, before, before + PATIENCE / 2);
        }
        stage_done(&s);
}

/* The moment comes, and nobody has ended: nothing is closed. */
static void test_old_until(void **state) {
        struct answer old;
        struct stage s;
        uint64_t until;

        (void)state;
        stage_init(&s, false);
        stage_open(&s, 10);
        until = clock_mono_ms() + 200;
        drain(&s, CREW_DRAIN_OLD, until, &old);
        turn_for(&s, 100);
        assert_int_equal(old.n, 0);
        wait_for(&s, &old);
        assert_true(old.at_ms >= until);
        assert_int_equal(sum(&s).sessions_now, 10);
        close_all(&s);
        assert_int_equal(sum(&s).closed[CLOSE_SHUTDOWN], 10);
        stage_done(&s);
}

/* Sessions that came later do not matter, however many there are. */
static void test_old_have_ended(void **state) {
        struct answer old;
        struct stage s;

        (void)state;
        stage_init(&s, false);
        stage_open(&s, 10);
        drain(&s, CREW_DRAIN_OLD, clock_mono_ms() + PATIENCE, &old);
        turn_for(&s, 20);
        stage_open(&s, 5);
        assert_int_equal(old.n, 0);
        assert_int_equal(sum(&s).sessions_now, 15);

        /* those connections are the first in the backend's queue */
        for (unsigned i = 0; i < 10; i++) {
                int fd = accept(s.backend_fd, NULL, NULL);

                assert_return_code(fd, errno);
                close(fd);
                assert_return_code(shutdown(s.clients[i], SHUT_RDWR), errno);
        }
        wait_for(&s, &old);
        assert_int_equal(sum(&s).sessions_now, 5);
        close_all(&s);
        stage_done(&s);
}

/* An old one is not waited for; of the new ones only whose response is still to come, or that have
 * just come. */
static void test_busy(void **state) {
        struct answer old, busy;
        struct stage s;
        uint64_t until;

        (void)state;
        stage_init(&s, false);
        stage_open(&s, 4);
        send_byte(&s, 0);
        until = clock_mono_ms();
        drain(&s, CREW_DRAIN_OLD, until, &old);
        wait_for(&s, &old);
        stage_open(&s, 3);
        drain(&s, CREW_DRAIN_BUSY, clock_mono_ms() + PATIENCE, &busy);
        wait_for(&s, &busy); /* they have said nothing */
        assert_in_range(busy.at_ms, until, until + PATIENCE / 2);
        assert_int_equal(sum(&s).sessions_now, 7);

        send_byte(&s, 5);
        turn_for(&s, 20);
        until = clock_mono_ms() + 300;
        drain(&s, CREW_DRAIN_BUSY, until, &busy);
        turn_for(&s, 200);
        assert_int_equal(busy.n, 0);
        wait_for(&s, &busy);
        assert_true(busy.at_ms >= until);
        assert_int_equal(sum(&s).sessions_now, 7);
        close_all(&s);
        stage_done(&s);
}

/* A hurry: all that is still owed is answered, and a second one is not lost. */
static void test_all_at_once(void **state) {
        struct answer old, busy, all, again;
        struct stage s;

        (void)state;
        stage_init(&s, false);
        stage_open(&s, 10);
        drain(&s, CREW_DRAIN_OLD, clock_mono_ms() + PATIENCE, &old);
        turn_for(&s, 20);
        stage_open(&s, 2);
        send_byte(&s, 11);
        turn_for(&s, 20);
        drain(&s, CREW_DRAIN_BUSY, clock_mono_ms() + PATIENCE, &busy);
        drain(&s, CREW_DRAIN_ALL, clock_mono_ms() + PATIENCE, &all);
        turn_for(&s, 150);
        assert_int_equal(old.n + busy.n + all.n, 0);

        drain(&s, CREW_DRAIN_ALL, clock_mono_ms(), &again);
        wait_for(&s, &again);
        wait_for(&s, &all);
        wait_for(&s, &busy);
        wait_for(&s, &old);
        assert_int_equal(sum(&s).closed[CLOSE_SHUTDOWN], 12);
        stage_done(&s);
}

/* Workers that end in the midst of it answer, too: nothing of a call is lost. */
static void test_the_crew_ends(void **state) {
        struct answer old, all;
        struct stage s;

        (void)state;
        stage_init(&s, false);
        stage_open(&s, 10);
        drain(&s, CREW_DRAIN_OLD, clock_mono_ms() + PATIENCE, &old);
        drain(&s, CREW_DRAIN_ALL, clock_mono_ms() + PATIENCE, &all);
        stage_done(&s);
        assert_int_equal(old.n, 1);
        assert_int_equal(all.n, 1);
        assert_int_equal(old.r, -ECANCELED);
        assert_int_equal(all.r, -ECANCELED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nobody_is_there), cmocka_unit_test(test_old_until),
                cmocka_unit_test(test_old_have_ended),  cmocka_unit_test(test_busy),
                cmocka_unit_test(test_all_at_once),     cmocka_unit_test(test_the_crew_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
