/* SPDX-License-Identifier: MIT */
#include "control/pidfile.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS  500

static char dir[32], path[64];

static int setup(void **state) {
        (void)state;
        strcpy(dir, "/tmp/bal-pidfile.XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        snprintf(path, sizeof(path), "%s/%s", dir, PIDFILE_NAME);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        return rmdir(dir); /* so nothing was left in it */
}

static void put(const char *text) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        fd_close(fd);
}

static void expect_text(const char *expected) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        char text[64];
        ssize_t n;

        assert_true(fd >= 0);
        n = read(fd, text, sizeof(text) - 1);
        assert_true(n >= 0);
        text[n] = '\0';
        assert_string_equal(text, expected);
        fd_close(fd);
}

static void test_lock_and_busy(void **state) {
        char own[24];
        pid_t owner = -1;
        int fd, second = -1;

        (void)state;
        assert_int_equal(pidfile_lock(&fd, path, &owner), 0);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(pidfile_lock(&second, path, &owner), -EBUSY);
        assert_int_equal(owner, 0); /* he has not said so yet */
        assert_int_equal(pidfile_write(fd), 0);
        assert_int_equal(pidfile_lock(&second, path, &owner), -EBUSY);
        assert_int_equal(owner, getpid());
        assert_int_equal(second, -1);
        snprintf(own, sizeof(own), "%d\n", getpid());
        expect_text(own);
        pidfile_remove(fd, path);
        assert_int_equal(access(path, F_OK), -1);
        pidfile_remove(-EBADF, path); /* none was locked */
}

/* A file without a lock means nothing, whatever is in it; and the new text is all there is. */
static void test_left_over(void **state) {
        static const char *const rows[] = { "1\n", "", "not a pid\n", "-5\n",
                                            "999999999999999999999999999999999999999999\n" };
        char own[24];
        pid_t owner;
        int fd;

        (void)state;
        snprintf(own, sizeof(own), "%d\n", getpid());
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                put(rows[i]);
                assert_int_equal(pidfile_lock(&fd, path, &owner), 0);
                assert_int_equal(pidfile_write(fd), 0);
                expect_text(own);
                pidfile_remove(fd, path);
        }
}

static void test_busy_with_any_text(void **state) {
        static const struct {
                const char *text;
                pid_t owner;
        } rows[] = {
                { "4711\n", 4711 },
                { "4711", 4711 },
                { "4711\n4712\n", 4711 },
                { "", 0 },
                { "\n", 0 },
                { "x\n", 0 },
                { "-1\n", 0 },
                { "2147483648\n", 0 },
                { "47 11\n", 0 },
                { "99999999999999999999999\n", 0 },
        };
        pid_t owner = -1;
        int fd, second;

        (void)state;
        assert_int_equal(pidfile_lock(&fd, path, &owner), 0);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                put(rows[i].text);
                assert_int_equal(pidfile_lock(&second, path, &owner), -EBUSY);
                assert_int_equal(owner, rows[i].owner);
        }
        pidfile_remove(fd, path);
}

/* The lock goes with its process, however that ends. */
static void test_killed_owner(void **state) {
        pid_t owner = 0, pid;
        int up[2], fd;
        char byte;

        (void)state;
        assert_int_equal(pipe(up), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (pidfile_lock(&fd, path, &owner) < 0 || pidfile_write(fd) < 0 ||
                    write(up[1], "x", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        assert_int_equal(read(up[0], &byte, 1), 1);
        assert_int_equal(pidfile_lock(&fd, path, &owner), -EBUSY);
        assert_int_equal(owner, pid);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(pidfile_lock(&fd, path, &owner), 0);
        pidfile_remove(fd, path);
        fd_close(up[0]);
        fd_close(up[1]);
}

/* Somebody removed the file of a living daemon: the next one gets its own, and keeps it. */
static void test_replaced_file(void **state) {
        int fd, next;
        pid_t owner;

        (void)state;
        assert_int_equal(pidfile_lock(&fd, path, &owner), 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(pidfile_lock(&next, path, &owner), 0);
        pidfile_remove(fd, path); /* the old one's end */
        assert_int_equal(access(path, F_OK), 0);
        assert_int_equal(pidfile_lock(&fd, path, &owner), -EBUSY);
        pidfile_remove(next, path);
        assert_int_equal(access(path, F_OK), -1);
}

/* Another user's file is replaced rather than written to: it would stay that user's. */
static void test_file_of_another_user(void **state) {
        struct stat after;
        pid_t owner;
        int fd;

        (void)state;
        if (geteuid() != 0)
                skip();
        put("1\n");
        assert_int_equal(chown(path, 65534, 65534), 0);
        assert_int_equal(pidfile_lock(&fd, path, &owner), 0);
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(after.st_uid, 0);
        pidfile_remove(fd, path);
        assert_int_equal(access(path, F_OK), -1);
}

static void test_errors(void **state) {
        char other[128];
        pid_t owner;
        int fd = -1;

        (void)state;
        snprintf(other, sizeof(other), "%s/none/bal.pid", dir);
        assert_int_equal(pidfile_lock(&fd, other, &owner), -ENOENT);
        assert_int_equal(pidfile_lock(&fd, dir, &owner), -EISDIR);
        snprintf(other, sizeof(other), "%s/target", dir);
        assert_int_equal(symlink(other, path), 0);
        assert_int_equal(pidfile_lock(&fd, path, &owner), -ELOOP); /* nobody redirects it */
        assert_int_equal(access(other, F_OK), -1);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(fd, -1);
}

static _Atomic unsigned n_inside, n_over, n_locked, n_strange;

static void *daemon_of_a_moment(void *arg) {
        (void)arg;
        for (int i = 0; i < ROUNDS; i++) {
                pid_t owner;
                int fd, r;

                r = pidfile_lock(&fd, path, &owner);
                if (r < 0) {
                        if (r != -EBUSY && r != -EAGAIN)
                                atomic_fetch_add(&n_strange, 1);
                        continue;
                }
                if (atomic_fetch_add(&n_inside, 1) > 0)
                        atomic_fetch_add(&n_over, 1);
                atomic_fetch_add(&n_locked, 1);
                if (pidfile_write(fd) < 0)
                        atomic_fetch_add(&n_strange, 1);
                atomic_fetch_sub(&n_inside, 1);
                pidfile_remove(fd, path);
        }
        return NULL;
}

/* Files come and go between open and lock; there is never more than one owner. */
static void test_many_threads(void **state) {
        pthread_t threads[THREADS];

        (void)state;
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, daemon_of_a_moment, NULL), 0);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(n_over, 0);
        assert_int_equal(n_strange, 0);
        assert_true(n_locked > 0);
        assert_int_equal(access(path, F_OK), -1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_lock_and_busy),      TEST(test_left_over),
                TEST(test_busy_with_any_text), TEST(test_killed_owner),
                TEST(test_replaced_file),      TEST(test_errors),
                TEST(test_many_threads),       TEST(test_file_of_another_user),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
