/* SPDX-License-Identifier: MIT */
#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void test_text(void **state) {
        static const struct {
                uint64_t real_us;
                const char *text, *why;
        } rows[] = {
                { 0, "1970-01-01T00:00:00.000Z", "the epoch" },
                { 999, "1970-01-01T00:00:00.000Z", "cut, not rounded" },
                { 1000, "1970-01-01T00:00:00.001Z", "a millisecond" },
                { UINT64_C(1795176268412999), "2026-11-20T12:04:28.412Z", "today" },
                { UINT64_C(1709164800000000), "2024-02-29T00:00:00.000Z", "a leap day" },
                { UINT64_C(4107542400999999), "2100-03-01T00:00:00.999Z", "no leap year" },
                { UINT64_C(253402300799999999), "9999-12-31T23:59:59.999Z", "four digits" },
        };
        char buf[CLOCK_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (strcmp(clock_text(rows[i].real_us, buf), rows[i].text) != 0)
                        fail_msg("%s: %s", rows[i].why, buf);
        assert_true(strlen(clock_text(UINT64_MAX, buf)) < sizeof(buf));
}

static void test_clocks(void **state) {
        const struct timespec pause = { .tv_nsec = 20000000 };
        uint64_t mono_us = clock_mono_us(), mono_ms = clock_mono_ms(), real_us = clock_real_us();

        (void)state;
        nanosleep(&pause, NULL);
        assert_in_range(mono_us / 1000, mono_ms - 1000, mono_ms);
        assert_in_range(clock_mono_ms() - mono_ms, 19, 10000);
        assert_in_range(clock_mono_us() - mono_us, 20000, 10000000);
        assert_true(real_us / 1000000 > 1600000000);
        assert_in_range((uint64_t)time(NULL) - real_us / 1000000, 0, 10);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_clocks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
