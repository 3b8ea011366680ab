/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/parse.h"

#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

struct parse_case {
        const char *text;
        int r;
        uint64_t value; /* with r == 0 */
};

static void check(int (*parse)(uint64_t *, const char *),
                  const struct parse_case *cases,
                  size_t n) {
        for (size_t i = 0; i < n; i++) {
                const struct parse_case *c = &cases[i];
                uint64_t value = UNTOUCHED;
                int r = parse(&value, c->text);

                if (r != c->r || value != (r == 0 ? c->value : UNTOUCHED))
                        fail_msg("\"%s\": %d, value %llu", c->text ? c->text : "(null)", r,
                                 (unsigned long long)value);
        }
}

static void test_u64(void **state) {
        static const struct parse_case cases[] = {
                { "0", 0, 0 },
                { "00", 0, 0 },
                { "42", 0, 42 },
                { "0042", 0, 42 }, /* decimal, never octal */
                { "18446744073709551615", 0, UINT64_MAX },
                { "00000000000000000000000000000000001", 0, 1 },
                { "18446744073709551616", -ERANGE, 0 },
                { "18446744073709551620", -ERANGE, 0 },
                { "99999999999999999999999999999", -ERANGE, 0 },
                { "99999999999999999999999999999x", -EINVAL, 0 },
                { "", -EINVAL, 0 },
                { " 1", -EINVAL, 0 },
                { "1 ", -EINVAL, 0 },
                { "1\n", -EINVAL, 0 },
                { "+1", -EINVAL, 0 },
                { "-1", -EINVAL, 0 },
                { "0x10", -EINVAL, 0 },
                { "1e3", -EINVAL, 0 },
                { "1.5", -EINVAL, 0 },
                { "1_000", -EINVAL, 0 },
                { "\xd9\xa1", -EINVAL, 0 }, /* an Arabic digit one */
                { NULL, -EINVAL, 0 },
        };

        (void)state;
        check(parse_u64, cases, ELEMENTS(cases));
}

static void test_duration(void **state) {
        static const struct parse_case cases[] = {
                { "0ms", 0, 0 },
                { "0s", 0, 0 },
                { "1ms", 0, 1 },
                { "100ms", 0, 100 },
                { "5s", 0, 5000 },
                { "1m", 0, 60 * 1000 },
                { "2h", 0, 2 * 3600 * 1000 },
                { "1m30s", 0, 90 * 1000 },
                { "90s", 0, 90 * 1000 },
                { "1h1ms", 0, 3600 * 1000 + 1 },
                { "1h2m3s4ms", 0, 3723004 },
                { "1m90s", 0, 150 * 1000 }, /* not elegant, but clear */
                { "007s", 0, 7000 },
                { "18446744073709551615ms", 0, UINT64_MAX },
                { "18446744073709551s615ms", 0, UINT64_MAX },
                { "18446744073709551s616ms", -ERANGE, 0 },
                { "18446744073709551616ms", -ERANGE, 0 },
                { "18446744073709552s", -ERANGE, 0 },
                { "5124095576031h", -ERANGE, 0 },
                { "99999999999999999999h1s", -ERANGE, 0 },
                { "99999999999999999999h1x", -EINVAL, 0 },
                { "99999999999999999999", -EINVAL, 0 },
                { "", -EINVAL, 0 },
                { "0", -EINVAL, 0 },
                { "30", -EINVAL, 0 },
                { "s", -EINVAL, 0 },
                { "ms", -EINVAL, 0 },
                { "1m30", -EINVAL, 0 },
                { "30s1m", -EINVAL, 0 }, /* descending only */
                { "1ms1s", -EINVAL, 0 },
                { "1s1s", -EINVAL, 0 },
                { "1h1m1m", -EINVAL, 0 },
                { "1 s", -EINVAL, 0 },
                { " 1s", -EINVAL, 0 },
                { "1s ", -EINVAL, 0 },
                { "1m 30s", -EINVAL, 0 },
                { "1S", -EINVAL, 0 },
                { "1M", -EINVAL, 0 },
                { "1d", -EINVAL, 0 },
                { "1us", -EINVAL, 0 },
                { "1mss", -EINVAL, 0 },
                { "1msm", -EINVAL, 0 },
                { "1.5s", -EINVAL, 0 },
                { "-1s", -EINVAL, 0 },
                { "+1s", -EINVAL, 0 },
                { "1sec", -EINVAL, 0 },
                { "1s\xc2\xa0", -EINVAL, 0 },
                { NULL, -EINVAL, 0 },
        };

        (void)state;
        check(parse_duration_ms, cases, ELEMENTS(cases));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_u64),
                cmocka_unit_test(test_duration),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
