/* SPDX-License-Identifier: MIT */
#include "balance/log2.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/hash.h"

/* Clients stay where they are from release to release because these never change. */
static void test_vectors(void **state) {
        static const struct {
                uint64_t v, log;
        } cases[] = {
                { UINT64_C(0x0000000000000000), UINT64_C(0x400000000000) },
                { UINT64_C(0x0000000000000001), UINT64_C(0x400000000000) },
                { UINT64_C(0x0000000000000002), UINT64_C(0x3e6a3fe5c604) },
                { UINT64_C(0x0000000000000003), UINT64_C(0x3e6a3fe5c604) },
                { UINT64_C(0x0123456789abcdef), UINT64_C(0x07d0547b26b7) },
                { UINT64_C(0x8000000000000000), UINT64_C(0x010000000000) },
                { UINT64_C(0x7fffffffffffffff), UINT64_C(0x010000000006) },
                { UINT64_C(0xc000000000000000), UINT64_C(0x006a3fe5c604) },
                { UINT64_C(0xfedcba9876543210), UINT64_C(0x0001a53d14db) },
                { UINT64_C(0xfffffffdffffffff), UINT64_C(0x0000000002ea) },
                { UINT64_C(0xfffffffffffffffe), UINT64_C(0x000000000006) },
                { UINT64_C(0xffffffffffffffff), UINT64_C(0x000000000006) },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(log2_minus(cases[i].v), cases[i].log);
}

static void check_near(uint64_t v) {
        long double exact = 64 - log2l((long double)v);
        long double got = (long double)log2_minus(v) / LOG2_ONE;
        long double off = fabsl(got - exact);

        if (off > 0.000012L || (exact > 0x1p-24L && off > exact * 0.003L))
                fail_msg("v %#llx: %.12Lf, not %.12Lf", (unsigned long long)v, got, exact);
}

static void test_near(void **state) {
        (void)state;
        for (unsigned shift = 0; shift < 64; shift++)
                for (uint64_t i = 0; i < 2000; i++) {
                        uint64_t v = hash_mix(i + 1) >> shift;

                        if (v > 1u << 20) /* below, the lowest bit, which is not looked at, shows */
                                check_near(v);
                        check_near(UINT64_MAX - (v >> 1));
                }
}

static void test_never_rises(void **state) {
        (void)state;
        for (uint64_t i = 0; i < 200000; i++) {
                uint64_t v = hash_mix(i) >> i % 64;

                assert_true(log2_minus(v) >= log2_minus(v + 1 ? v + 1 : v));
        }
        for (unsigned i = 0; i < 64 * 128; i++) { /* where two lines of the table meet */
                uint64_t v = (UINT64_C(128) + i % 128) << 56 >> i / 128;

                assert_true(log2_minus(v - 1) >= log2_minus(v));
                assert_true(log2_minus(v) >= log2_minus(v + 1));
        }
        assert_int_equal(log2_minus(0), 64 * LOG2_ONE);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_vectors),
                cmocka_unit_test(test_near),
                cmocka_unit_test(test_never_rises),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
