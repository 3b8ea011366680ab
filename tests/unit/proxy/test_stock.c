/* SPDX-License-Identifier: MIT */
#include "proxy/stock.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 40

static unsigned n_fds(void) {
        DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

static void expect_shelf(const struct shelf *shelf, unsigned n_lent, unsigned n_idle) {
        assert_int_equal(shelf->n_lent, n_lent);
        assert_int_equal(shelf->n_idle, n_idle);
}

static void test_buffers(void **state) {
        struct buffer *b[MANY];
        struct stock s;

        (void)state;
        stock_init(&s, MANY, 0);
        for (unsigned i = 0; i < MANY; i++) {
                b[i] = stock_take_buffer(&s);
                assert_non_null(b[i]);
                assert_int_equal(b[i]->start, 0);
                memset(b[i]->data, (int)i, sizeof(b[i]->data));
        }
        assert_null(stock_take_buffer(&s));
        expect_shelf(&s.buffers, MANY, 0);

        for (unsigned i = 0; i < MANY; i++) {
                b[i]->start = 7;
                stock_put_buffer(&s, b[i]);
        }
        expect_shelf(&s.buffers, 0, STOCK_KEEP_BUFFERS); /* the others have been freed */
        stock_done(&s);
}

/* What came back last goes out first, because it is warm; and as new. */
static void test_last_in_first_out(void **state) {
        struct buffer *a, *b;
        struct stock s;

        (void)state;
        stock_init(&s, 2, 0);
        a = stock_take_buffer(&s);
        b = stock_take_buffer(&s);
        stock_put_buffer(&s, b);
        a->start = 123;
        stock_put_buffer(&s, a);
        assert_ptr_equal(stock_take_buffer(&s), a);
        assert_int_equal(a->start, 0);
        assert_ptr_equal(stock_take_buffer(&s), b);
        assert_null(stock_take_buffer(&s));
        stock_put_buffer(&s, a);
        stock_put_buffer(&s, b);
        stock_done(&s);
}

static void test_none(void **state) {
        struct stock s;

        (void)state;
        stock_init(&s, 0, 0);
        assert_null(stock_take_buffer(&s));
        assert_null(stock_take_pipe(&s));
        expect_shelf(&s.buffers, 0, 0);
        expect_shelf(&s.pipes, 0, 0);
        stock_done(&s);
}

static void test_pipes(void **state) {
        unsigned fds = n_fds();
        struct pipe *p[10];
        struct stock s;

        (void)state;
        stock_init(&s, 0, 10);
        for (unsigned i = 0; i < 10; i++) {
                p[i] = stock_take_pipe(&s);
                assert_non_null(p[i]);
                assert_true(p[i]->size >= STOCK_BUFFER_SIZE);
                assert_int_equal(fcntl(p[i]->fd[1], F_GETPIPE_SZ), p[i]->size);
                assert_true(fcntl(p[i]->fd[0], F_GETFL) & O_NONBLOCK);
                assert_true(fcntl(p[i]->fd[1], F_GETFD) & FD_CLOEXEC);
        }
        assert_null(stock_take_pipe(&s));
        expect_shelf(&s.pipes, 10, 0);
        assert_int_equal(n_fds(), fds + 20);

        assert_int_equal(write(p[0]->fd[1], "left over", 9), 9);
        stock_discard_pipe(&s, p[0]);
        expect_shelf(&s.pipes, 9, 0);
        p[0] = stock_take_pipe(&s); /* in its place a new one, without those bytes */
        assert_non_null(p[0]);
        assert_int_equal(read(p[0]->fd[0], &(char){ 0 }, 1), -1);

        for (unsigned i = 0; i < 10; i++)
                stock_put_pipe(&s, p[i]);
        expect_shelf(&s.pipes, 0, STOCK_KEEP_PIPES);
        assert_int_equal(n_fds(), fds + 2 * STOCK_KEEP_PIPES);
        stock_done(&s);
        assert_int_equal(n_fds(), fds);
}

/* Without descriptors there is no pipe, nothing leaks, and it is not tried again at once. */
static void test_pause_after_failure(void **state) {
        struct rlimit old, none;
        struct pipe *p;
        struct stock s;
        int fd;

        (void)state;
        stock_init(&s, 0, 10);
        assert_return_code(getrlimit(RLIMIT_NOFILE, &old), errno);
        fd = dup(0);
        assert_return_code(fd, errno);
        none = (struct rlimit){ .rlim_cur = (rlim_t)fd + 1, .rlim_max = old.rlim_max };
        assert_return_code(setrlimit(RLIMIT_NOFILE, &none), errno);
        p = stock_take_pipe(&s);
        assert_return_code(setrlimit(RLIMIT_NOFILE, &old), errno);
        close(fd);
        assert_null(p);
        expect_shelf(&s.pipes, 0, 0);

        for (unsigned i = 0; i < STOCK_PIPE_PAUSE; i++)
                assert_null(stock_take_pipe(&s));
        p = stock_take_pipe(&s);
        assert_non_null(p);
        stock_put_pipe(&s, p);
        stock_done(&s);
}

/* A pipe from elsewhere keeps its bytes and its size; a descriptor that is none is refused. */
static void test_adopt(void **state) {
        unsigned fds = n_fds();
        struct pipe *p;
        struct stock s;
        char buf[8];
        int fd[2];

        (void)state;
        stock_init(&s, 0, 1);
        assert_return_code(pipe2(fd, O_NONBLOCK | O_CLOEXEC), errno);
        assert_return_code(fcntl(fd[1], F_SETPIPE_SZ, 4096), errno);
        assert_int_equal(write(fd[1], "bytes", 5), 5);
        p = stock_adopt_pipe(&s, fd);
        assert_non_null(p);
        assert_int_equal(p->size, 4096);
        expect_shelf(&s.pipes, 1, 0);
        assert_int_equal(read(p->fd[0], buf, sizeof(buf)), 5);
        assert_null(stock_take_pipe(&s)); /* it counts */
        stock_put_pipe(&s, p);
        stock_done(&s);

        stock_init(&s, 0, 1);
        fd[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        fd[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
        assert_null(stock_adopt_pipe(&s, fd));
        expect_shelf(&s.pipes, 0, 0);
        stock_done(&s);
        assert_int_equal(n_fds(), fds);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_buffers),
                cmocka_unit_test(test_last_in_first_out),
                cmocka_unit_test(test_none),
                cmocka_unit_test(test_pipes),
                cmocka_unit_test(test_pause_after_failure),
                cmocka_unit_test(test_adopt),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
