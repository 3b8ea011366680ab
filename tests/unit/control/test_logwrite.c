/* SPDX-License-Identifier: MIT */
#include "control/logwrite.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/bal-logwrite.XXXXXX";
static _Atomic int over;

/* An empty file, as log_open() has it. */
static int file_new(void) {
        int fd = open(path, O_WRONLY | O_APPEND | O_TRUNC | O_CLOEXEC);

        assert_true(fd >= 0);
        return fd;
}

static void file_put(const char *text) {
        int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        fd_close(fd);
}

static void assert_file(const char *text) {
        char buf[4096];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, buf, sizeof(buf) - 1);

        fd_close(fd);
        assert_true(n >= 0);
        buf[n] = '\0';
        assert_string_equal(buf, text);
}

/* The disk has room for files of this size; SIZE_MAX: of any. */
static void room(size_t size) {
        struct rlimit limit;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = size == SIZE_MAX ? limit.rlim_max : size;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static size_t put(struct logwrite *w, const char *lines) {
        return logwrite_lines(w, lines, strlen(lines));
}

static int setup(void **state) {
        int fd = mkstemp(path);

        (void)state;
        signal(SIGXFSZ, SIG_IGN); /* as the daemon does */
        signal(SIGPIPE, SIG_IGN);
        fd_close(fd);
        return fd < 0;
}

static int teardown(void **state) {
        (void)state;
        room(SIZE_MAX);
        return unlink(path);
}

static void test_all_fits(void **state) {
        struct logwrite w;

        (void)state;
        logwrite_init(&w, file_new(), &over);
        assert_int_equal(put(&w, "one\ntwo\n"), 0);
        assert_int_equal(put(&w, ""), 0);
        assert_int_equal(put(&w, "three\n"), 0);
        assert_int_equal(w.error, 0);
        assert_file("one\ntwo\nthree\n");
        fd_close(w.fd);
        assert_int_equal(logwrite_count("a\nb\n\n", 5), 3);
        assert_int_equal(logwrite_count("", 0), 0);
}

/* Wherever the disk is full: what is not there is counted, and what is there are whole lines. */
static void test_every_size(void **state) {
        static const char lines[] = "one\ntwo\nthree\nfour\n";
        const size_t n = sizeof(lines) - 1;

        (void)state;
        for (size_t size = 1; size <= n; size++) {
                size_t whole = 0, half, lost;
                char expected[64];
                struct logwrite w;

                for (size_t i = 0; i < size; i++)
                        whole = lines[i] == '\n' ? i + 1 : whole;
                half = whole < size;

                logwrite_init(&w, file_new(), &over);
                room(size);
                lost = put(&w, lines);
                assert_int_equal(w.error, size < n ? -EFBIG : 0);
                assert_int_equal(lost + half, logwrite_count(lines + whole, n - whole));
                assert_int_equal(put(&w, "x\n"), 1);
                assert_int_equal(put(&w, ""), 0);
                assert_int_equal(w.error, half ? -EFBIG : 0); /* it has not been tried otherwise */

                /* a little more room: a bit of the rest, perhaps */
                room(size + 1);
                put(&w, "");
                room(SIZE_MAX);
                assert_int_equal(put(&w, "later\n"), 0);
                assert_int_equal(w.error, 0);
                if (half)
                        whole += strcspn(lines + whole, "\n") + 1;
                snprintf(expected, sizeof(expected), "%.*slater\n", (int)whole, lines);
                assert_file(expected);
                fd_close(w.fd);
        }
}

/* The rest of a line belongs only where its beginning is; else the line is lost. */
static void test_rest_without_its_place(void **state) {
        static const struct {
                const char *now, *after, *why;
                size_t lost;
        } table[] = {
                { "", "next\n", "emptied", 1 },
                { "o", "o\nnext\n", "another half line", 1 },
                { "other\n", "other\nnext\n", "other lines", 1 },
                { "on", "one\nnext\n", "as it was", 0 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                struct logwrite w;

                logwrite_init(&w, file_new(), &over);
                room(2);
                assert_int_equal(put(&w, "one\n"), 0);
                room(SIZE_MAX);
                file_put(table[i].now);
                assert_int_equal(put(&w, "next\n"), table[i].lost);
                assert_file(table[i].after);
                fd_close(w.fd);
        }
}

/* A process has died inside of a line. */
static void test_begin_behind_half_a_line(void **state) {
        struct logwrite w;
        int fd;

        (void)state;
        file_put("whole\nhal");
        fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        logwrite_init(&w, fd, &over);
        assert_int_equal(put(&w, "next\n"), 0);
        assert_file("whole\nhal\nnext\n");
        logwrite_init(&w, fd, &over);
        assert_int_equal(put(&w, "again\n"), 0);
        assert_file("whole\nhal\nnext\nagain\n");
        fd_close(fd);
}

/* Rotated while the disk is full; and opened again where nothing has been rotated. */
static void test_other_file(void **state) {
        struct logwrite w;
        char old[64];
        int fd;

        (void)state;
        snprintf(old, sizeof(old), "%s.1", path);
        logwrite_init(&w, file_new(), &over);
        room(2);
        assert_int_equal(put(&w, "one\n"), 0);
        room(SIZE_MAX);
        fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        assert_int_equal(dup2(fd, w.fd), w.fd);
        fd_close(fd);
        logwrite_other(&w);
        assert_int_equal(put(&w, "two\n"), 0);
        assert_file("one\ntwo\n");

        room(10);
        assert_int_equal(put(&w, "three\n"), 0);
        room(SIZE_MAX);
        assert_int_equal(rename(path, old), 0);
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(dup2(fd, w.fd), w.fd);
        fd_close(fd);
        logwrite_other(&w);
        assert_int_equal(put(&w, "four\n"), 1);
        assert_file("four\n");
        fd_close(w.fd);
        unlink(old);
}

static void test_devices(void **state) {
        static const struct {
                const char *path;
                int flags, error;
        } table[] = {
                { "/dev/full", O_WRONLY, -ENOSPC },
                { "/dev/null", O_RDONLY, -EBADF },
                { "/dev/null", O_WRONLY, 0 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                struct logwrite w;

                logwrite_init(&w, open(table[i].path, table[i].flags | O_CLOEXEC), &over);
                for (int k = 0; k < 3; k++)
                        assert_int_equal(put(&w, "one\ntwo\n"), table[i].error ? 2 : 0);
                assert_int_equal(w.error, table[i].error);
                fd_close(w.fd);
        }
}

/* A pipe takes a part, and then its reader is gone; the next one gets whole lines. */
static void test_pipe(void **state) {
        enum { LINES = 3000 };
        static char text[LINES * 100];
        struct logwrite w;
        char buf[65536];
        int fds[2], fresh[2];
        ssize_t n;

        (void)state;
        memset(text, 'x', sizeof(text));
        for (size_t i = 1; i <= LINES; i++)
                text[100 * i - 1] = '\n';
        assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
        atomic_store(&over, 2); /* do not wait */
        logwrite_init(&w, fds[1], &over);
        n = 65536;
        assert_int_equal(logwrite_lines(&w, text, sizeof(text)), LINES - n / 100);
        assert_int_equal(w.error, -EAGAIN);
        atomic_store(&over, 0);

        assert_int_equal(read(fds[0], buf, sizeof(buf)), n);
        assert_memory_equal(buf, text, (size_t)n);
        assert_int_equal(put(&w, "next\n"), 0);
        n = read(fds[0], buf, sizeof(buf));
        assert_int_equal(n, 6);
        assert_memory_equal(buf, "\nnext\n", 6);

        fd_close(fds[0]);
        assert_int_equal(put(&w, "a\nb\n"), 2);
        assert_int_equal(w.error, -EPIPE);
        assert_int_equal(pipe2(fresh, O_CLOEXEC), 0);
        assert_int_equal(dup2(fresh[1], fds[1]), fds[1]);
        assert_int_equal(put(&w, "c\n"), 0);
        assert_int_equal(read(fresh[0], buf, sizeof(buf)), 2);
        assert_memory_equal(buf, "c\n", 2);
        fd_close(fds[1]);
        fd_close(fresh[0]);
        fd_close(fresh[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_fits),
                cmocka_unit_test(test_every_size),
                cmocka_unit_test(test_rest_without_its_place),
                cmocka_unit_test(test_begin_behind_half_a_line),
                cmocka_unit_test(test_other_file),
                cmocka_unit_test(test_devices),
                cmocka_unit_test(test_pipe),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
