/* SPDX-License-Identifier: MIT */
#include "control/journal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct stat self, other;
static int fds[2];

static int setup(void **state) {
        (void)state;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 || fstat(fds[0], &self) < 0)
                return -1;
        return fstat(fds[1], &other);
}

static int teardown(void **state) {
        (void)state;
        fd_close(fds[0]);
        fd_close(fds[1]);
        return unsetenv("JOURNAL_STREAM");
}

#define DEV ((unsigned long long)self.st_dev)
#define INO ((unsigned long long)self.st_ino)

#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* formats are the rows of a table */

static bool is_stream(const char *format, unsigned long long dev, unsigned long long ino) {
        char value[128];

        snprintf(value, sizeof(value), format, dev, ino);
        assert_int_equal(setenv("JOURNAL_STREAM", value, 1), 0);
        return journal_is_stream(fds[0]);
}

static void test_is_stream(void **state) {
        (void)state;
        assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
        assert_false(journal_is_stream(fds[0]));
        assert_true(is_stream("%llu:%llu", DEV, INO));
        assert_false(journal_is_stream(fds[1])); /* the variable alone proves nothing */
        assert_false(journal_is_stream(-EBADF));
        assert_false(is_stream("%llu:%llu", DEV, (unsigned long long)other.st_ino));
        assert_false(is_stream("%llu:%llu", DEV + 1, INO));
}

static void test_a_wrong_variable(void **state) {
        static const char *const formats[] = {
                "",           ":",
                "%llu",       "%llu:",
                ":%2$llu",    "%llu-%llu",
                "%llu:%llu:", "%llu:%llu ",
                " %llu:%llu", "+%llu:%llu",
                "%llu:%llx!", "0x%llx:%llu",
                "%llu:-%llu", "99999999999999999999999999:%2$llu",
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(formats); i++)
                if (is_stream(formats[i], DEV, INO))
                        fail_msg("%s", formats[i]);
}

static void test_connect(void **state) {
        char path[200] = "/nonexistent/socket", dir[] = "/tmp/bal-journal.XXXXXX";
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int server, fd, r = 0, n = 0;

        (void)state;
        assert_int_equal(journal_connect(path), -ENOENT);
        memset(path, 'x', sizeof(path) - 1);
        assert_int_equal(journal_connect(path), -ENAMETOOLONG);

        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/socket", dir);
        strcpy(sa.sun_path, path);
        server = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(server, (struct sockaddr *)&sa, sizeof(sa)), 0);
        fd = journal_connect(path);
        assert_true(fd >= 0);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        while (n < 100000 && (r = journal_send(fd, "MESSAGE=x\n", 10)) == 0)
                n++;
        assert_int_equal(r, -EAGAIN); /* and has not waited */
        assert_true(n > 0);

        fd_close(server);
        assert_int_equal(journal_send(fd, "MESSAGE=x\n", 10), -ECONNREFUSED);
        assert_int_equal(journal_connect(path), -ECONNREFUSED); /* what a crash leaves behind */
        fd_close(fd);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(dir), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_is_stream, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_wrong_variable, setup, teardown),
                cmocka_unit_test(test_connect),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
