/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/pidlock.h"

static char dir[] = "/tmp/bal-pidlock-XXXXXX", path[64];
static bool secretive; /* children forbid others to look into them */

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

/* Waits at a pipe for the byte that says that the child has done its part. */
static void wait_for(int ready[2]) {
        char c;

        close(ready[1]);
        assert_int_equal(read(ready[0], &c, 1), 1);
        close(ready[0]);
}

/* In a child: holds the lock with number in the file, and says so. */
static int hold(pid_t number, int ready) {
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        char text[16];

        signal(SIGTERM, SIG_DFL);
        if (secretive)
                prctl(PR_SET_DUMPABLE, 0);
        snprintf(text, sizeof(text), "%d\n", number);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || write(fd, text, strlen(text)) < 0 ||
            write(ready, "x", 1) != 1)
                _exit(1);
        return fd;
}

/* A child that holds the lock, has written its number or that of another one, and ends on
 * SIGTERM. */
static pid_t holder(pid_t number) {
        int ready[2];
        pid_t pid;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                hold(number > 0 ? number : getpid(), ready[1]);
                pause();
                _exit(0);
        }
        wait_for(ready);
        return pid;
}

static pid_t bystander(void) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                if (secretive)
                        prctl(PR_SET_DUMPABLE, 0);
                pause();
                _exit(0);
        }
        return pid;
}

static void end(pid_t pid) {
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); /* nobody has ended it so far */
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void expect(enum pidlock_state state) {
        _cleanup_(pidlock_done) struct pidlock l = { .pidfd = 7 };

        pidlock_open(&l, path);
        assert_int_equal(l.state, state);
        assert_int_equal(l.pidfd >= 0, state == PIDLOCK_FOUND);
        assert_int_equal(l.pid == 0, state == PIDLOCK_ABSENT);
        assert_int_equal(!pidlock_why(state), state == PIDLOCK_FOUND || state == PIDLOCK_ABSENT);
}

static void test_living(void **state) {
        pid_t child = holder(0);
        struct pidlock l;
        int status;

        (void)state;
        pidlock_open(&l, path);
        assert_int_equal(l.state, PIDLOCK_FOUND);
        assert_int_equal(l.pid, child);
        assert_int_equal(pidlock_wait_free(path, 20), -ETIMEDOUT);
        assert_int_equal(pidlock_wait(l.pidfd, 20), -ETIMEDOUT);
        assert_int_equal(pidlock_signal(l.pidfd, SIGTERM), 0);
        assert_int_equal(pidlock_wait(l.pidfd, 5000), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
        assert_int_equal(pidlock_wait_free(path, 1000), 0);
        assert_int_equal(pidlock_signal(l.pidfd, SIGTERM), -ESRCH); /* never a later owner */
        pidlock_done(&l);
}

/* The number in a stale file belongs to an innocent process: it must not even be found. */
static void test_stale(void **state) {
        pid_t innocent = bystander();
        char text[16];

        (void)state;
        snprintf(text, sizeof(text), "%d\n", innocent);
        close(written(text));
        expect(PIDLOCK_ABSENT);
        end(innocent);
}

static void test_locked_but_senseless(void **state) {
        static const char *const texts[] = { "",    "0\n",   "1\n", "-5\n",
                                             "x\n", "12x\n", " 7",  "99999999999999999999\n" };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                int fd = written(texts[i]);

                assert_int_equal(flock(fd, LOCK_EX), 0);
                expect(PIDLOCK_ABSENT);
                close(fd);
        }
}

static void test_no_file(void **state) {
        (void)state;
        unlink(path);
        expect(PIDLOCK_ABSENT);
        assert_int_equal(pidlock_wait_free(path, 10), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        expect(PIDLOCK_ABSENT);
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(symlink("/etc/passwd", path), 0);
        expect(PIDLOCK_ABSENT);
        unlink(path);
}

/* The lock is held, but by another process than the file names. */
static void test_names_somebody_else(void **state) {
        pid_t innocent = bystander(), liar = holder(innocent);

        (void)state;
        expect(PIDLOCK_LOCK);
        end(innocent);
        waitpid(innocent, NULL, 0);
        expect(PIDLOCK_ELSEWHERE);
        end(liar);
        expect(PIDLOCK_ABSENT);
}

/* It has the file open, too, and another lock than that one. */
static void test_only_has_it_open(void **state) {
        int ready[2], fd;
        pid_t reader, liar;

        (void)state;
        close(written("2\n"));
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        reader = fork();
        assert_true(reader >= 0);
        if (reader == 0) {
                struct flock other = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

                fd = open(path, O_RDWR);
                if (fd < 0 || fcntl(fd, F_SETLK, &other) < 0 || write(ready[1], "x", 1) != 1)
                        _exit(1);
                pause();
                _exit(0);
        }
        wait_for(ready);
        liar = holder(reader);
        expect(PIDLOCK_LOCK);
        end(liar);
        end(reader);
}

/* What an unprivileged user may have arranged for root. */
static void test_of_another_user(void **state) {
        pid_t innocent, liar;

        (void)state;
        if (geteuid() != 0)
                skip();
        innocent = bystander();
        liar = holder(innocent);
        assert_int_equal(chown(path, 65534, 65534), 0);
        expect(PIDLOCK_OWNER);
        end(liar);

        liar = holder(0); /* it holds the lock itself, and is root's: the file is not */
        expect(PIDLOCK_OWNER);
        assert_int_equal(chown(path, 0, 0), 0);
        expect(PIDLOCK_FOUND);
        end(liar);
        end(innocent);
}

/* A descriptor with the lock can be handed on to another program. */
static void test_another_program(void **state) {
        int ready[2];
        pid_t pid;
        char c;

        (void)state;
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                hold(getpid(), open("/dev/null", O_WRONLY | O_CLOEXEC));
                execl("/bin/sleep", "bal", "1000", NULL);
                _exit(1);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &c, 1), 0); /* closed when it became the other program */
        close(ready[0]);
        expect(PIDLOCK_PROGRAM);
        end(pid);
}

/* Its descriptors are not for this user's eyes; the kernel's list of locks is. */
static void test_that_may_not_be_looked_into(void **state) {
        int status;
        pid_t pid;

        (void)state;
        if (geteuid() != 0)
                skip();
        unlink(path);
        assert_int_equal(chown(dir, 65534, 65534), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                _cleanup_(pidlock_done) struct pidlock l = { .pidfd = -EBADF }, other = l;
                pid_t secret, liar;

                if (setgid(65534) < 0 || setuid(65534) < 0)
                        _exit(1);
                secretive = true;
                secret = holder(0);
                pidlock_open(&l, path);
                kill(secret, SIGKILL);
                waitpid(secret, NULL, 0);

                secret = bystander();
                liar = holder(secret);
                pidlock_open(&other, path);
                kill(liar, SIGKILL);
                kill(secret, SIGKILL);
                _exit(l.state != PIDLOCK_FOUND || other.state != PIDLOCK_LOCK);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* In a child: makes a namespace whose second process holds the lock with the number 2. */
static void hold_in_a_namespace(int ready) {
        pid_t first;

        if (unshare(CLONE_NEWPID) < 0)
                _exit(0);
        first = fork();
        if (first == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL); /* and the namespace ends with its first */
                if (fork() == 0)
                        hold(getpid(), ready);
                pause();
        }
        close(ready);
        pause();
        _exit(0);
}

/* The number counts in the namespace of the process that wrote it, and is another one's here. */
static void test_another_pid_namespace(void **state) {
        _cleanup_(pidlock_done) struct pidlock l = { .pidfd = -EBADF };
        int ready[2];
        ssize_t n;
        pid_t pid;
        char c;

        (void)state;
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                close(ready[0]);
                hold_in_a_namespace(ready[1]);
        }
        close(ready[1]);
        n = read(ready[0], &c, 1);
        close(ready[0]);
        if (n != 1) { /* no right to make one */
                waitpid(pid, NULL, 0);
                skip();
        }
        pidlock_open(&l, path);
        assert_in_range(l.pid, 2, 9);          /* a sanitizer's thread may be 2 */
        assert_non_null(pidlock_why(l.state)); /* whatever is process 2 here */
        assert_int_equal(l.pidfd, -EBADF);
        end(pid);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_living),
                cmocka_unit_test(test_stale),
                cmocka_unit_test(test_locked_but_senseless),
                cmocka_unit_test(test_no_file),
                cmocka_unit_test(test_names_somebody_else),
                cmocka_unit_test(test_only_has_it_open),
                cmocka_unit_test(test_of_another_user),
                cmocka_unit_test(test_another_program),
                cmocka_unit_test(test_another_pid_namespace),
                cmocka_unit_test(test_that_may_not_be_looked_into),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
