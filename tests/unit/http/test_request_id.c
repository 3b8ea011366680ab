/* SPDX-License-Identifier: MIT */

#include "http/request_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_kept(void **state) {
        char long_one[HTTP_REQUEST_ID_MAX + 1];
        char byte;

        (void)state;
        memset(long_one, 'a', sizeof(long_one));
        assert_true(http_request_id_ok((struct span){ long_one, HTTP_REQUEST_ID_MAX }));
        assert_false(http_request_id_ok((struct span){ long_one, HTTP_REQUEST_ID_MAX + 1 }));
        assert_false(http_request_id_ok((struct span){ NULL, 0 }));
        for (int i = 0; i < 256; i++) {
                byte = (char)i;
                assert_int_equal(http_request_id_ok((struct span){ &byte, 1 }), i > 32 && i < 127);
        }
        assert_false(http_request_id_ok((struct span){ "a b", 3 }));
        assert_false(http_request_id_ok((struct span){ "ab\n", 3 }));
}

static void assert_uuid(uint64_t ms, uint64_t first, uint64_t second, const char *want) {
        const uint64_t random[2] = { first, second };
        char got[HTTP_UUID_SIZE + 1];

        got[HTTP_UUID_SIZE] = '!'; /* stays */
        http_uuid7(got, ms, random);
        assert_int_equal(got[HTTP_UUID_SIZE], '!');
        got[HTTP_UUID_SIZE] = '\0';
        assert_string_equal(got, want);
        assert_true(http_request_id_ok((struct span){ got, HTTP_UUID_SIZE }));
}

static void test_uuid(void **state) {
        (void)state;
        /* the example of RFC 9562 A.6 */
        assert_uuid(0x017f22e279b0, 0xcc3, 0x18c4dc0c0c07398f,
                    "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_uuid(0, 0, 0, "00000000-0000-7000-8000-000000000000");
        assert_uuid(UINT64_MAX, UINT64_MAX, UINT64_MAX, "ffffffff-ffff-7fff-bfff-ffffffffffff");
        assert_uuid(1, 0xf001, 0xc000000000000001, "00000000-0001-7001-8000-000000000001");
}

/* Later ones sort behind earlier ones. */
static void test_order(void **state) {
        static const uint64_t high[2] = { UINT64_MAX, UINT64_MAX }, low[2] = { 0, 0 };

        (void)state;
        for (unsigned bit = 0; bit < 48; bit++) {
                char a[HTTP_UUID_SIZE], b[HTTP_UUID_SIZE];

                http_uuid7(a, (1ULL << bit) - 1, high);
                http_uuid7(b, 1ULL << bit, low);
                assert_true(memcmp(a, b, HTTP_UUID_SIZE) < 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kept),
                cmocka_unit_test(test_uuid),
                cmocka_unit_test(test_order),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
