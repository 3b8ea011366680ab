/* SPDX-License-Identifier: MIT */
#include "upstream/gate.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS  50000
#define LIMIT   2

static void test_limit(void **state) {
        struct gate g = { .max = 2 };

        (void)state;
        assert_true(gate_enter(&g));
        assert_true(gate_enter(&g));
        assert_false(gate_enter(&g));
        assert_int_equal(gate_now(&g), 2); /* who was refused is not inside */
        gate_leave(&g);
        assert_true(gate_enter(&g));
        gate_leave(&g);
        gate_leave(&g);
        assert_int_equal(gate_now(&g), 0);
}

static void test_no_limit(void **state) {
        struct gate g = { 0 };

        (void)state;
        for (uint32_t i = 1; i <= 100000; i++) {
                assert_true(gate_enter(&g));
                assert_int_equal(gate_now(&g), i);
        }
}

/* A reload changes the limit under those who are inside. */
static void test_limit_changes(void **state) {
        struct gate g = { .max = 4 };

        (void)state;
        for (int i = 0; i < 4; i++)
                assert_true(gate_enter(&g));
        g.max = 2;
        assert_false(gate_enter(&g));
        gate_leave(&g);
        gate_leave(&g);
        assert_false(gate_enter(&g)); /* two are inside still */
        gate_leave(&g);
        assert_true(gate_enter(&g));
        g.max = 0;
        assert_true(gate_enter(&g));
        assert_int_equal(gate_now(&g), 3);
}

struct crowd {
        struct gate gate;
        _Atomic uint32_t inside, most, entered;
};

static void *visitor(void *arg) {
        struct crowd *c = arg;

        for (int i = 0; i < ROUNDS; i++) {
                uint32_t inside, most;

                if (!gate_enter(&c->gate))
                        continue;
                inside = atomic_fetch_add(&c->inside, 1) + 1;
                most = atomic_load(&c->most);
                while (inside > most && !atomic_compare_exchange_weak(&c->most, &most, inside))
                        ;
                atomic_fetch_add(&c->entered, 1);
                atomic_fetch_sub(&c->inside, 1);
                gate_leave(&c->gate);
        }
        return NULL;
}

static void test_many_threads(void **state) {
        struct crowd c = { .gate.max = LIMIT };
        pthread_t threads[THREADS];

        (void)state;
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, visitor, &c), 0);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        assert_in_range(c.most, 1, LIMIT);
        assert_true(c.entered > 0);
        assert_int_equal(gate_now(&c.gate), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_limit),
                cmocka_unit_test(test_no_limit),
                cmocka_unit_test(test_limit_changes),
                cmocka_unit_test(test_many_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
