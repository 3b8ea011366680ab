/* SPDX-License-Identifier: MIT */
#include "control/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"

static void test_facts(void **state) {
        struct process_facts before, after;
        struct rlimit limit;
        size_t size = (size_t)32 * 1024 * 1024;
        uint64_t until_us = clock_mono_us() + 50000;
        char *block;
        int fds[2];

        (void)state;
        process_look(&before);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(before.max_fds, limit.rlim_cur);
        assert_in_range(before.open_fds, 3, 100);

        assert_int_equal(pipe(fds), 0);
        block = malloc(size);
        assert_non_null(block);
        memset(block, 1, size);
        while (clock_mono_us() < until_us)
                ;
        process_look(&after);
        assert_int_equal(after.open_fds, before.open_fds + 2);
        assert_true(after.resident_bytes >= before.resident_bytes + size / 2);
        assert_in_range(after.cpu_us - before.cpu_us, 1000, 10000000);
        free(block);
        close(fds[0]);
        close(fds[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_facts) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
