/* SPDX-License-Identifier: MIT */
/* The values are a promise to running installations: ip_hash sends a client to the backend that
 * these numbers name, on every node and in every release. A test that fails here is right; the code
 * is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"

static void test_bytes_vectors(void **state) {
        static const struct {
                const char *bytes;
                size_t n;
                uint64_t hash;
        } cases[] = {
                { "", 0, UINT64_C(0xf52a15e9a9b5e89b) },
                { "a", 1, UINT64_C(0x02c0bdbf481420f8) },
                { "foobar", 6, UINT64_C(0x404da9e3b74078c2) },
                { "127.0.0.1:9000", 14, UINT64_C(0xcf369944d26bc63b) },
                { "127.0.0.1:9001", 14, UINT64_C(0x1282911294b0f0de) },
                { "[2001:db8::1]:443", 17, UINT64_C(0xd74b2d1678753513) },
                { "unix:/run/app.sock", 18, UINT64_C(0x2a80531c15a0e494) },
                { "web-1.example.com:8080", 22, UINT64_C(0xd0ecabfd3d299b28) },
                { "\0\xff\x80", 3, UINT64_C(0xe3b023dcaa3eb7db) }, /* bytes, not signed chars */
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(hash_bytes(cases[i].bytes, cases[i].n), cases[i].hash);
}

/* The published first three outputs of splitmix64 with seed 0 are the finaliser of multiples of its
 * increment. */
static void test_mix_vectors(void **state) {
        const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);

        (void)state;
        assert_int_equal(hash_mix(0), 0);
        assert_int_equal(hash_mix(1), UINT64_C(0x5692161d100b05e5));
        assert_int_equal(hash_mix(step), UINT64_C(0xe220a8397b1dcdaf));
        assert_int_equal(hash_mix(step * 2), UINT64_C(0x6e789e6aa1b965f4));
        assert_int_equal(hash_mix(step * 3), UINT64_C(0x06c45d188009454f));
        assert_int_equal(hash_mix(UINT64_MAX), UINT64_C(0xb4d055fcf2cbbd7b));
}

/* One bit of the input changes about half of the output's. */
static void test_avalanche(void **state) {
        char text[] = "10.0.0.1:8000";
        size_t n = strlen(text);

        (void)state;
        for (size_t bit = 0; bit < n * 8; bit++) {
                uint64_t before = hash_bytes(text, n);
                int changed;

                text[bit / 8] ^= (char)(1 << bit % 8);
                changed = __builtin_popcountll(before ^ hash_bytes(text, n));
                text[bit / 8] ^= (char)(1 << bit % 8);
                assert_in_range(changed, 12, 52);
        }
}

/* Neighbouring ports, the most alike keys there are, spread over 64 bins: no bin is far from its
 * 1024 (standard deviation 32). */
static void test_spread(void **state) {
        unsigned bins[64] = { 0 };

        (void)state;
        for (unsigned port = 0; port < 65536; port++) {
                unsigned char key[6] = {
                        10, 0, 0, 1, (unsigned char)(port >> 8), (unsigned char)port
                };

                bins[hash_bytes(key, sizeof(key)) >> 58]++;
        }
        for (size_t i = 0; i < ELEMENTS(bins); i++)
                assert_in_range(bins[i], 1024 - 6 * 32, 1024 + 6 * 32);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes_vectors),
                cmocka_unit_test(test_mix_vectors),
                cmocka_unit_test(test_avalanche),
                cmocka_unit_test(test_spread),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
