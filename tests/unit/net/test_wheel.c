/* SPDX-License-Identifier: MIT */
#include "net/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"

#define MS_DAY (UINT64_C(24) * 3600 * 1000)
#define LOG    64

struct item {
        struct timer timer;
        int name;
        struct item *other; /* what the callback acts on */
        uint64_t again_ms;
};

static struct wheel wheel;
static int ran[LOG]; /* names, in order */
static size_t n_ran;

static struct item *item_of(struct timer *t) {
        return container_of(t, struct item, timer);
}

static void item_note(struct timer *t) {
        assert_false(timer_is_set(t));
        assert_true(n_ran < LOG);
        ran[n_ran++] = item_of(t)->name;
}

static void item_init(struct item *item, int name, timer_fn fn) {
        *item = (struct item){ .name = name };
        timer_init(&item->timer, fn);
}

static int setup(void **state) {
        (void)state;
        wheel_init(&wheel, 1000);
        n_ran = 0;
        return 0;
}

/* Runs it and says what ran: the names in one number, 123 for 1, 2, 3. */
static int run(uint64_t now_ms) {
        int names = 0;

        n_ran = 0;
        wheel_run(&wheel, now_ms);
        for (size_t i = 0; i < n_ran; i++)
                names = names * 10 + ran[i];
        return names;
}

static void test_one(void **state) {
        struct item a;

        (void)state;
        item_init(&a, 1, item_note);
        assert_int_equal(wheel_next_ms(&wheel, 1000), UINT64_MAX);
        wheel_cancel(&a.timer); /* never set */

        wheel_set(&wheel, &a.timer, 1010);
        assert_true(timer_is_set(&a.timer));
        assert_int_equal(wheel_next_ms(&wheel, 1000), 10);
        assert_int_equal(wheel_next_ms(&wheel, 1004), 6);
        assert_int_equal(wheel_next_ms(&wheel, 1011), 0);
        assert_int_equal(run(1009), 0);
        assert_int_equal(wheel_next_ms(&wheel, 1009), 1);
        assert_int_equal(run(1010), 1);
        assert_false(timer_is_set(&a.timer));
        assert_int_equal(a.timer.at_ms, 1010);
        assert_int_equal(run(2000), 0);
        assert_int_equal(wheel_next_ms(&wheel, 2000), UINT64_MAX);
}

static void test_move_and_cancel(void **state) {
        struct item a, b;

        (void)state;
        item_init(&a, 1, item_note);
        item_init(&b, 2, item_note);
        wheel_set(&wheel, &a.timer, 1010);
        wheel_set(&wheel, &b.timer, 1020);
        wheel_set(&wheel, &a.timer, 1030); /* later */
        assert_int_equal(run(1020), 2);
        wheel_set(&wheel, &a.timer, 1025); /* sooner */
        assert_int_equal(run(1025), 1);

        wheel_set(&wheel, &a.timer, 1040);
        wheel_set(&wheel, &b.timer, 5000000);
        wheel_cancel(&a.timer);
        wheel_cancel(&a.timer);
        wheel_cancel(&b.timer);
        assert_false(timer_is_set(&a.timer));
        assert_int_equal(wheel_next_ms(&wheel, 1025), UINT64_MAX);
        assert_int_equal(run(10000000), 0);
}

/* What is not in the future runs first, next time. A clock that goes back changes nothing. */
static void test_past(void **state) {
        struct item a, b, c;

        (void)state;
        item_init(&a, 1, item_note);
        item_init(&b, 2, item_note);
        item_init(&c, 3, item_note);
        wheel_set(&wheel, &c.timer, 1001);
        wheel_set(&wheel, &a.timer, 0);
        wheel_set(&wheel, &b.timer, 1000);
        assert_int_equal(wheel_next_ms(&wheel, 1000), 0);
        assert_int_equal(run(1000), 12);
        assert_int_equal(run(500), 0);
        assert_int_equal(wheel_next_ms(&wheel, 500), 501);
        assert_int_equal(run(1001), 3);

        wheel_set(&wheel, &a.timer, 0);
        assert_int_equal(run(0), 1);
}

/* Across every border of every level; the one set first runs first within a millisecond. */
static void test_order(void **state) {
        (void)state;
        for (unsigned shift = 0; shift < 60; shift++) {
                uint64_t border = UINT64_C(1) << shift << 3;
                struct item items[6];

                for (int i = 0; i < 6; i++)
                        item_init(&items[i], i + 1, item_note);
                wheel_init(&wheel, border / 2);
                wheel_set(&wheel, &items[5].timer, border + 1);
                wheel_set(&wheel, &items[3].timer, border);
                wheel_set(&wheel, &items[0].timer, border - 2);
                wheel_set(&wheel, &items[1].timer, border - 1);
                wheel_run(&wheel, border - 3);
                wheel_set(&wheel, &items[4].timer, border);
                wheel_set(&wheel, &items[2].timer, border - 1);
                assert_int_equal(run(border - 2), 1);
                assert_int_equal(wheel_next_ms(&wheel, border - 2), 1);
                assert_int_equal(run(border + 1), 23456);
        }
}

static void test_far(void **state) {
        struct item a, b, c;

        (void)state;
        item_init(&a, 1, item_note);
        item_init(&b, 2, item_note);
        item_init(&c, 3, item_note);
        wheel_set(&wheel, &a.timer, 400 * 365 * MS_DAY);
        wheel_set(&wheel, &b.timer, 30 * MS_DAY);
        wheel_set(&wheel, &c.timer, UINT64_MAX);
        assert_in_range(wheel_next_ms(&wheel, 1000), 1, 30 * MS_DAY);
        assert_int_equal(run(30 * MS_DAY - 1), 0);
        assert_int_equal(wheel_next_ms(&wheel, 30 * MS_DAY - 1), 1);
        assert_int_equal(run(399 * 365 * MS_DAY), 2);
        assert_int_equal(run(400 * 365 * MS_DAY - 1), 0);
        assert_int_equal(run(400 * 365 * MS_DAY), 1);
        assert_int_equal(run(UINT64_MAX - 1), 0);
        assert_int_equal(run(UINT64_MAX), 3);
}

/* Who sleeps as long as wheel_next_ms() says wakes seldom, and in time. */
static void test_wakeups(void **state) {
        uint64_t now_ms = 1000;
        unsigned n = 0;
        struct item a;

        (void)state;
        item_init(&a, 1, item_note);
        wheel_set(&wheel, &a.timer, 1000 + MS_DAY);
        while (timer_is_set(&a.timer)) {
                uint64_t ms = wheel_next_ms(&wheel, now_ms);

                assert_true(ms > 0 && ms != UINT64_MAX);
                now_ms += ms;
                wheel_run(&wheel, now_ms);
                n++;
        }
        assert_int_equal(now_ms, 1000 + MS_DAY);
        assert_in_range(n, 1, 5);
}

static void again(struct timer *t) {
        item_note(t);
        wheel_set(&wheel, t, item_of(t)->again_ms);
}

/* Setting itself anew: for later, or for a time that has passed already; never twice in one run. */
static void test_again(void **state) {
        struct item a;

        (void)state;
        item_init(&a, 1, again);
        wheel_set(&wheel, &a.timer, 1001);
        a.again_ms = 0;
        assert_int_equal(run(1000 + MS_DAY), 1);
        assert_int_equal(wheel_next_ms(&wheel, 1000 + MS_DAY), 0);
        a.again_ms = 1002; /* before "now": a run that follows the clock would be here for days */
        assert_int_equal(run(1000 + MS_DAY), 1);
        a.again_ms = 1000 + MS_DAY + 5;
        assert_int_equal(run(1000 + MS_DAY), 1);
        assert_int_equal(run(1000 + MS_DAY + 4), 0);
        assert_int_equal(run(1000 + MS_DAY + 5), 1);
        wheel_cancel(&a.timer);
}

static void cancel_other(struct timer *t) {
        item_note(t);
        wheel_cancel(&item_of(t)->other->timer);
}

static void set_other(struct timer *t) {
        item_note(t);
        wheel_set(&wheel, &item_of(t)->other->timer, item_of(t)->again_ms);
}

static void free_other(struct timer *t) {
        item_note(t);
        wheel_cancel(&item_of(t)->other->timer);
        free(item_of(t)->other);
}

static void free_self(struct timer *t) {
        item_note(t);
        free(item_of(t));
}

/* What a callback does to another that is due in the same run. */
static void test_others(void **state) {
        struct item a, b, *c;

        (void)state;
        item_init(&a, 1, cancel_other);
        item_init(&b, 2, item_note);
        a.other = &b;
        wheel_set(&wheel, &a.timer, 1001);
        wheel_set(&wheel, &b.timer, 1002);
        assert_int_equal(run(2000), 1);
        assert_false(timer_is_set(&b.timer));

        a.timer.fn = set_other;
        a.again_ms = 2010;
        wheel_set(&wheel, &a.timer, 2001);
        wheel_set(&wheel, &b.timer, 2002);
        assert_int_equal(run(2005), 1);
        assert_int_equal(run(2010), 2);

        a.again_ms = 2005; /* has passed: the next run */
        wheel_set(&wheel, &a.timer, 2011);
        wheel_set(&wheel, &b.timer, 2011);
        assert_int_equal(run(2020), 1);
        assert_int_equal(run(2020), 2);

        wheel_set(&wheel, &a.timer, 2021); /* one that was not set at all */
        assert_int_equal(run(2021), 1);
        assert_int_equal(run(2021), 2);

        c = malloc(sizeof(*c));
        assert_non_null(c);
        item_init(c, 3, item_note);
        a.timer.fn = free_other;
        a.other = c;
        wheel_set(&wheel, &a.timer, 2030);
        wheel_set(&wheel, &c->timer, 2030);
        assert_int_equal(run(2030), 1);

        c = malloc(sizeof(*c));
        assert_non_null(c);
        item_init(c, 3, free_self);
        wheel_set(&wheel, &c->timer, 2031);
        assert_int_equal(run(2031), 3);
}

/* --- Against a model: an array that is searched from end to end ---------------------------- */

#define MODEL 200

static struct model {
        struct item items[MODEL];
        bool set[MODEL];
        uint64_t due_ms[MODEL], order[MODEL]; /* when; and of equal ones the smaller order first */
        uint64_t now_ms, n_sets, seed;
        uint64_t last_due_ms, last_order;
        bool due_now[MODEL]; /* when the run began */
        bool running;
} model;

static uint64_t model_random(void) {
        return hash_mix(model.seed += UINT64_C(0x9e3779b97f4a7c15));
}

static void model_set(int i, uint64_t at_ms) {
        wheel_set(&wheel, &model.items[i].timer, at_ms);
        model.set[i] = true;
        model.due_now[i] = false;
        model.due_ms[i] = at_ms > model.now_ms ? at_ms : model.now_ms;
        model.order[i] = model.n_sets++;
}

static void model_cancel(int i) {
        wheel_cancel(&model.items[i].timer);
        model.set[i] = model.due_now[i] = false;
}

/* Mostly near, sometimes far, sometimes past. */
static uint64_t model_some_time(void) {
        uint64_t r = model_random();

        if (r % 16 == 0)
                return model.now_ms - (r >> 32) % 500;
        return model.now_ms + (model_random() >> (24 + r % 40)) % (100 * MS_DAY);
}

static void model_act(void) {
        int i = (int)(model_random() % MODEL);

        if (model_random() % 3 == 0)
                model_cancel(i);
        else
                model_set(i, model_some_time());
}

static void model_ran(struct timer *t) {
        int i = item_of(t)->name;

        assert_true(model.running && model.set[i] && model.due_now[i]);
        assert_false(timer_is_set(t));
        assert_true(model.due_ms[i] >= model.last_due_ms);
        if (model.due_ms[i] == model.last_due_ms)
                assert_true(model.order[i] > model.last_order);
        model.last_due_ms = model.due_ms[i];
        model.last_order = model.order[i];
        model.set[i] = model.due_now[i] = false;
        for (uint64_t n = model_random() % 3; n > 0; n--)
                model_act();
}

static void model_run(uint64_t now_ms) {
        uint64_t first_ms = UINT64_MAX, next_ms = wheel_next_ms(&wheel, now_ms);

        for (int i = 0; i < MODEL; i++) {
                if (model.set[i] && model.due_ms[i] < first_ms)
                        first_ms = model.due_ms[i];
                model.due_now[i] = model.set[i] && model.due_ms[i] <= now_ms;
                assert_int_equal(timer_is_set(&model.items[i].timer), model.set[i]);
        }
        if (first_ms == UINT64_MAX)
                assert_int_equal(next_ms, UINT64_MAX);
        else if (first_ms <= now_ms)
                assert_int_equal(next_ms, 0);
        else
                assert_true(next_ms <= first_ms - now_ms);

        model.now_ms = now_ms;
        model.last_due_ms = 0;
        model.last_order = 0;
        model.running = true;
        wheel_run(&wheel, now_ms);
        model.running = false;
        for (int i = 0; i < MODEL; i++)
                assert_false(model.due_now[i]);
}

static void model_trial(uint64_t seed) {
        memset(&model, 0, sizeof(model));
        model.seed = seed;
        model.now_ms = model_random() >> (seed % 50);
        model.now_ms /= 2; /* no end of time */
        wheel_init(&wheel, model.now_ms);
        for (int i = 0; i < MODEL; i++)
                item_init(&model.items[i], i, model_ran);

        for (unsigned step = 0; step < 500; step++) {
                uint64_t r = model_random(), next_ms;

                for (uint64_t n = r % 8; n > 0; n--)
                        model_act();
                next_ms = wheel_next_ms(&wheel, model.now_ms);
                if (r >> 60 == 0) /* now and then it jumps */
                        model_run(model.now_ms + (r >> 8) % (50 * MS_DAY));
                else if (r >> 60 < 8 && next_ms != UINT64_MAX) /* sleeps as long as it may */
                        model_run(model.now_ms + next_ms);
                else
                        model_run(model.now_ms + (r >> 8) % 100);
        }
}

static void test_model(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 200; seed++)
                model_trial(seed);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_one, setup),
                cmocka_unit_test_setup(test_move_and_cancel, setup),
                cmocka_unit_test_setup(test_past, setup),
                cmocka_unit_test_setup(test_order, setup),
                cmocka_unit_test_setup(test_far, setup),
                cmocka_unit_test_setup(test_wakeups, setup),
                cmocka_unit_test_setup(test_again, setup),
                cmocka_unit_test_setup(test_others, setup),
                cmocka_unit_test_setup(test_model, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
