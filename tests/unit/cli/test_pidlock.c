/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/pidlock.h"

static char dir[] = "/tmp/bal-pidlock-XXXXXX", path[64];

static int set_up(void **state) {
        (void)state;
        if (!mkdtemp(dir))
                return -1;
        snprintf(path, sizeof(path), "%s/bal.pid", dir);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        unlink(path);
        return rmdir(dir);
}

static int written(const char *text) {
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        return fd;
}

/* A child that holds the lock, has written its number, and ends on SIGTERM. */
static pid_t holder(void) {
        int ready[2];
        char c;
        pid_t pid;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                char text[16];
                int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

                signal(SIGTERM, SIG_DFL);
                snprintf(text, sizeof(text), "%d\n", getpid());
                if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ||
                    write(fd, text, strlen(text)) < 0 || write(ready[1], "x", 1) != 1)
                        _exit(1);
                pause();
                _exit(0);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &c, 1), 1);
        close(ready[0]);
        return pid;
}

static void test_living(void **state) {
        pid_t child = holder(), pid = 0;
        int pidfd = -EBADF, status;

        (void)state;
        assert_int_equal(pidlock_open(&pidfd, &pid, path), 0);
        assert_int_equal(pid, child);
        assert_int_equal(pidlock_wait_free(path, 20), -ETIMEDOUT);
        assert_int_equal(pidlock_wait(pidfd, 20), -ETIMEDOUT);
        assert_int_equal(pidlock_signal(pidfd, SIGTERM), 0);
        assert_int_equal(pidlock_wait(pidfd, 5000), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
        assert_int_equal(pidlock_wait_free(path, 1000), 0);
        assert_int_equal(pidlock_signal(pidfd, SIGTERM), -ESRCH); /* never a later owner */
        close(pidfd);
}

/* The number in a stale file belongs to an innocent process: it must not even be found. */
static void test_stale(void **state) {
        pid_t innocent = fork(), pid = 0;
        int pidfd = -EBADF, fd;
        char text[16];

        (void)state;
        assert_true(innocent >= 0);
        if (innocent == 0) {
                pause();
                _exit(0);
        }
        snprintf(text, sizeof(text), "%d\n", innocent);
        fd = written(text);
        assert_int_equal(pidlock_open(&pidfd, &pid, path), -ESRCH);
        assert_int_equal(pidfd, -EBADF);
        close(fd);
        assert_int_equal(waitpid(innocent, NULL, WNOHANG), 0); /* still there */
        kill(innocent, SIGKILL);
        waitpid(innocent, NULL, 0);
}

static void test_locked_but_senseless(void **state) {
        static const char *const texts[] = { "",         "0\n",   "1\n", "-5\n",
                                             "x\n",      "12x\n", " 7",  "99999999999999999999\n",
                                             "4194999\n" };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                int fd = written(texts[i]), pidfd = -EBADF;
                pid_t pid = 0;

                assert_int_equal(flock(fd, LOCK_EX), 0);
                assert_int_equal(pidlock_open(&pidfd, &pid, path), -ESRCH);
                close(fd);
        }
}

static void test_no_file(void **state) {
        int pidfd = -EBADF;
        pid_t pid = 0;

        (void)state;
        unlink(path);
        assert_int_equal(pidlock_open(&pidfd, &pid, path), -ENOENT);
        assert_int_equal(pidlock_wait_free(path, 10), 0);
        assert_int_equal(pidlock_open(&pidfd, &pid, dir), -ESRCH);
        assert_int_equal(symlink("/etc/passwd", path), 0);
        assert_int_equal(pidlock_open(&pidfd, &pid, path), -ESRCH);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_living),
                cmocka_unit_test(test_stale),
                cmocka_unit_test(test_locked_but_senseless),
                cmocka_unit_test(test_no_file),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
