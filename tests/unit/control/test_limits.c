/* SPDX-License-Identifier: MIT */
#include "control/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What counts: connections, workers, listening addresses, and who may wait in a queue. */
static struct config_frontend frontends[2];

static struct config config_of(uint32_t max_connections,
                               unsigned workers,
                               size_t n_listen,
                               bool queue) {
        frontends[0] = (struct config_frontend){ .n_listen = n_listen,
                                                 .overload = queue ? CONFIG_QUEUE : CONFIG_REJECT };
        frontends[1] = (struct config_frontend){ .n_listen = 1 };
        return (struct config){ .max_connections = max_connections,
                                .workers = workers,
                                .frontends = frontends,
                                .n_frontends = 2 };
}

static void test_plan(void **state) {
        static const struct {
                uint32_t max_connections;
                unsigned workers;
                bool queue;
                uint32_t nofile, max_sessions, max_pipes;
                const char *why;
        } rows[] = {
                { 10000, 2, false, 1048576, 10000, 128, "plenty" },
                { 10000, 2, false, 1024, 330, 32, "the usual soft limit: (1024 - 364) / 2" },
                { 10000, 2, true, 1024, 266, 32, "and who waits: 128 more are kept" },
                { 10000, 2, false, 20480, 9770, 128, "nearly" },
                { 10, 2, false, 1024, 10, 32, "never more than the file says" },
                { 10000, 64, false, 1024, 206, 1, "many workers share few pipes" },
                { 10000, 1, false, 16, 1, 1, "far too few: one at a time" },
                { 10000, 1, false, 1, 1, 0, "none at all" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct config c =
                        config_of(rows[i].max_connections, rows[i].workers, 1, rows[i].queue);
                struct limits l;

                limits_plan(&l, &c, rows[i].nofile);
                assert_int_equal(l.nofile, rows[i].nofile);
                if (l.max_sessions != rows[i].max_sessions || l.max_pipes != rows[i].max_pipes)
                        fail_msg("%s: %u sessions, %u pipes", rows[i].why, l.max_sessions,
                                 l.max_pipes);
        }
}

/* Whatever the limit, sessions, other clients and all that is reserved fit in; more descriptors
 * never mean fewer sessions by more than the reserve's steps; and what is called needed is
 * enough. */
static void test_properties(void **state) {
        static const uint32_t connections[] = { 1, 100, 10000, 1000000 };
        static const unsigned workers[] = { 1, 3, 64 };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(connections) * ELEMENTS(workers) * 2; i++) {
                struct config c = config_of(connections[i / 2 % 4], workers[i / 8], 16, i % 2);
                struct limits l;

                for (uint32_t nofile = 1; nofile < 3000000; nofile += 1 + nofile / 16) {
                        limits_plan(&l, &c, nofile);
                        assert_in_range(l.max_sessions, 1, c.max_connections);
                        if (l.max_sessions > 1) {
                                assert_true(l.max_sessions + l.max_clients + l.reserve <= nofile);
                                assert_true(l.max_clients > l.max_sessions); /* some are refused */
                        }
                        assert_true(l.max_clients > 0); /* 0 would be no limit at all */
                        if (l.max_sessions < c.max_connections)
                                assert_true(nofile < l.needed);
                        assert_true(2 * l.max_pipes * c.workers <= nofile / 8);
                }
                limits_plan(&l, &c, l.needed);
                assert_int_equal(l.max_sessions, c.max_connections);
        }
}

static void set_soft(rlim_t soft) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                _exit(2);
        limit.rlim_cur = soft;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                _exit(3);
}

static rlim_t soft_now(rlim_t *ret_hard) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                _exit(4);
        *ret_hard = limit.rlim_max;
        return limit.rlim_cur;
}

/* In a child, since it is the process's. */
static void test_of_the_process(void **state) {
        pid_t pid = fork();
        int status;

        (void)state;
        assert_true(pid >= 0);
        if (pid == 0) {
                struct config c = config_of(100000, 1, 1, false);
                struct limits l;
                rlim_t hard;

                set_soft(256);
                limits_plan(&l, &c, 0);
                if (l.nofile != 256)
                        _exit(10);
                limits_raise();
                if (soft_now(&hard) != hard)
                        _exit(11);
                limits_plan(&l, &c, 0);
                if (hard <= INT32_MAX ? l.nofile != hard : l.nofile != INT32_MAX)
                        _exit(12);
                limits_raise(); /* nothing left to do */
                _exit(soft_now(&hard) == hard ? 0 : 13);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plan),
                cmocka_unit_test(test_properties),
                cmocka_unit_test(test_of_the_process),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
