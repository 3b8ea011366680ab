/* SPDX-License-Identifier: MIT */
#include "net/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"

#define LOG  64
#define MANY 200

struct item {
        struct io io;
        struct timer timer;
        int name;
        bool spend;         /* says so after each run, as who has met EAGAIN */
        struct item *other; /* what the callback acts on */
};

static struct loop *loop;
static int ran[LOG]; /* names, in order */
static size_t n_ran;

static int setup(void **state) {
        (void)state;
        n_ran = 0;
        return loop_new(&loop);
}

static int teardown(void **state) {
        (void)state;
        loop = loop_free(loop);
        return 0;
}

static void note(int name) {
        assert_true(n_ran < LOG);
        ran[n_ran++] = name;
}

static struct item *item_of(struct io *io) {
        return container_of(io, struct item, io);
}

static void on_ready(struct io *io) {
        note(item_of(io)->name);
        if (item_of(io)->spend)
                io_spent(io, EPOLLIN);
}

static void on_timer(struct timer *t) {
        note(container_of(t, struct item, timer)->name);
}

/* One turn that must not sleep for long: the names of who ran, as one number. */
static int turn(void) {
        struct item guard = { 0 };
        int names = 0;

        n_ran = 0;
        timer_init(&guard.timer, on_timer);
        timer_set(loop, &guard.timer, clock_mono_ms() + 50);
        assert_int_equal(loop_turn(loop), 0);
        wheel_cancel(&guard.timer);
        for (size_t i = 0; i < n_ran; i++)
                names = names * 10 + ran[i];
        return names;
}

static void item_init(struct item *item, int name, int fd, io_fn fn) {
        *item = (struct item){ .name = name, .spend = true };
        assert_int_equal(io_attach(&item->io, loop, fd, fn), 0);
}

/* An eventfd with something to read. */
static void item_ready(struct item *item, int name, io_fn fn) {
        int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

        assert_true(fd >= 0);
        item_init(item, name, fd, fn);
        io_want(&item->io, EPOLLIN);
}

static void item_done(struct item *item) {
        int fd = item->io.fd;

        io_detach(&item->io);
        fd_close(fd);
}

static void pair(int ret[static 2]) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret),
                         0);
}

static void put(int fd) {
        assert_int_equal(write(fd, "x", 1), 1);
}

/* ---- ready, wanted, spent ---- */

static void test_runs_while_ready_and_wanted(void **state) {
        struct item a;
        int fds[2];

        (void)state;
        pair(fds);
        item_init(&a, 1, fds[0], on_ready);
        a.spend = false;
        put(fds[1]);
        assert_int_equal(turn(), 0); /* ready, and nobody wants it */
        assert_true(a.io.ready & EPOLLIN);

        io_want(&a.io, EPOLLIN);
        assert_int_equal(turn(), 1);
        assert_int_equal(turn(), 1); /* the kernel says nothing new, it is ready still */
        io_unwant(&a.io, EPOLLIN);
        assert_int_equal(turn(), 0);
        io_want(&a.io, EPOLLIN);
        assert_int_equal(turn(), 1);
        io_spent(&a.io, EPOLLIN);
        assert_int_equal(turn(), 0);
        put(fds[1]); /* a new edge, though the old byte is still there */
        assert_int_equal(turn(), 1);
        item_done(&a);
        fd_close(fds[1]);
}

static void test_wanted_before_ready(void **state) {
        struct item a;
        int fds[2];

        (void)state;
        pair(fds);
        item_init(&a, 1, fds[0], on_ready);
        io_want(&a.io, EPOLLIN);
        assert_int_equal(turn(), 0);
        put(fds[1]);
        assert_int_equal(turn(), 1);
        assert_int_equal(turn(), 0);
        shutdown(fds[1], SHUT_WR);
        assert_int_equal(turn(), 1);
        assert_true(a.io.ready & EPOLLRDHUP);
        item_done(&a);
        fd_close(fds[1]);
}

/* The kernel has said nothing, the owner wants to try, and learns that there is nothing. */
static void test_assumed(void **state) {
        struct item a;
        int fds[2];

        (void)state;
        pair(fds);
        item_init(&a, 1, fds[0], on_ready);
        a.spend = true;
        io_assume(&a.io, EPOLLIN);
        assert_int_equal(turn(), 0); /* it is not wanted yet */
        io_want(&a.io, EPOLLIN);
        assert_int_equal(turn(), 1);
        assert_int_equal(turn(), 0);
        io_assume(&a.io, EPOLLIN); /* and what is wanted already runs as well */
        assert_int_equal(turn(), 1);
        assert_int_equal(turn(), 0);
        item_done(&a);
        fd_close(fds[1]);
}

/* An accepted socket is writable without an event; only the first full buffer registers OUT, and
 * then room that came in between is not missed. */
static void test_out_is_registered_late(void **state) {
        struct item a;
        char junk[65536] = "";
        int fds[2];

        (void)state;
        pair(fds);
        item_init(&a, 1, fds[0], on_ready);
        assert_false(a.io.registered & EPOLLOUT);
        io_want(&a.io, EPOLLOUT);
        assert_int_equal(turn(), 1);
        assert_int_equal(turn(), 1);

        while (write(fds[0], junk, sizeof(junk)) > 0)
                ;
        io_spent(&a.io, EPOLLOUT);
        assert_true(a.io.registered & EPOLLOUT);
        assert_int_equal(turn(), 0);
        while (read(fds[1], junk, sizeof(junk)) > 0)
                ;
        assert_int_equal(turn(), 1);

        while (write(fds[0], junk, sizeof(junk)) > 0)
                ;
        while (read(fds[1], junk, sizeof(junk)) > 0)
                ;
        io_spent(&a.io, EPOLLOUT); /* too late: there is room again, and its edge is to come */
        assert_int_equal(turn(), 1);
        item_done(&a);
        fd_close(fds[1]);
}

static void test_room_between_full_and_registering(void **state) {
        struct item a;
        char junk[65536] = "";
        int fds[2];

        (void)state;
        pair(fds);
        item_init(&a, 1, fds[0], on_ready);
        io_want(&a.io, EPOLLOUT);
        while (write(fds[0], junk, sizeof(junk)) > 0)
                ;
        while (read(fds[1], junk, sizeof(junk)) > 0)
                ;
        io_spent(&a.io, EPOLLOUT);
        assert_int_equal(turn(), 1);
        item_done(&a);
        fd_close(fds[1]);
}

static void test_connecting_is_not_writable_yet(void **state) {
        struct item a = { .name = 1 };
        int fds[2];

        (void)state;
        pair(fds);
        assert_int_equal(io_attach_connecting(&a.io, loop, fds[0], on_ready), 0);
        assert_int_equal(a.io.ready, 0);
        assert_true(a.io.registered & EPOLLOUT);
        io_want(&a.io, EPOLLOUT);
        assert_int_equal(turn(), 1); /* since the kernel says so */
        item_done(&a);
        fd_close(fds[1]);
}

static void test_short_read(void **state) {
        static const struct {
                uint32_t ready;
                bool spent;
        } rows[] = {
                { EPOLLIN, true },
                { EPOLLIN | EPOLLOUT, true },
                { EPOLLIN | EPOLLRDHUP, false }, /* a FIN behind the bytes brings no second edge */
                { EPOLLIN | EPOLLHUP, false },
                { EPOLLIN | EPOLLERR, false },
                { EPOLLIN | EPOLLPRI, false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct io io;

                io_init(&io);
                io.ready = rows[i].ready;
                io_short_read(&io);
                assert_int_equal(!(io.ready & EPOLLIN), rows[i].spent);
        }
}

/* ---- detaching ---- */

static void test_detach_twice(void **state) {
        struct item a;
        int fd;

        (void)state;
        item_ready(&a, 1, on_ready);
        fd = a.io.fd;
        io_detach(&a.io);
        assert_null(a.io.loop);
        assert_int_equal(a.io.fd, -EBADF);
        io_detach(&a.io);
        io_forget(&a.io);
        io_want(&a.io, EPOLLIN); /* harmless */
        assert_int_equal(turn(), 0);

        assert_int_equal(io_attach(&a.io, loop, fd, on_ready), 0);
        io_want(&a.io, EPOLLIN);
        assert_int_equal(turn(), 1);
        io_forget(&a.io); /* the way of who closes next */
        fd_close(fd);
        assert_int_equal(turn(), 0);
}

static void on_free_self(struct io *io) {
        struct item *item = item_of(io);

        note(item->name);
        item_done(item);
        free(item);
}

static void on_free_other(struct io *io) {
        struct item *item = item_of(io);

        note(item->name);
        io_spent(io, EPOLLIN);
        if (!item->other)
                return;
        item->other->other = NULL; /* it may have wanted the same */
        item_done(item->other);
        free(item->other);
        item->other = NULL;
}

static struct item *item_new(int name, io_fn fn) {
        struct item *item = malloc(sizeof(*item));

        assert_non_null(item);
        item_ready(item, name, fn);
        return item;
}

static void test_free_itself(void **state) {
        struct item b;

        (void)state;
        item_new(1, on_free_self);
        item_ready(&b, 2, on_ready);
        item_new(3, on_free_self);
        assert_int_equal(turn(), 123);
        assert_int_equal(turn(), 0);
        item_done(&b);
}

/* Both were reported by the same epoll_wait(2); whoever comes first frees the other. */
static void test_free_each_other(void **state) {
        struct item *a, *b;
        int first;

        (void)state;
        a = item_new(1, on_free_other);
        b = item_new(2, on_free_other);
        a->other = b;
        b->other = a;
        first = turn();
        assert_in_range(first, 1, 2);
        a = first == 1 ? a : b;
        assert_int_equal(turn(), 0);
        item_done(a);
        free(a);
}

static void on_attach_there(struct io *io) {
        struct item *item = item_of(io);
        int fd = item->other->io.fd;

        note(item->name);
        io_spent(io, EPOLLIN);
        io_detach(&item->other->io);
        assert_int_equal(io_attach(&item->other->io, loop, fd, on_ready), 0);
        io_want(&item->other->io, EPOLLIN);
}

/* An io that was reported, detached and attached anew starts anew: it runs in the next turn. */
static void test_attach_again_inside(void **state) {
        struct item a, b;

        (void)state;
        item_ready(&a, 1, on_attach_there);
        item_ready(&b, 2, on_ready);
        a.other = &b;
        assert_int_equal(turn(), 1);
        assert_int_equal(turn(), 2);
        item_done(&a);
        item_done(&b);
}

static void on_want_other(struct io *io) {
        struct item *item = item_of(io);

        note(item->name);
        io_spent(io, EPOLLIN);
        io_want(&item->other->io, EPOLLIN);
}

static void on_unwant_other(struct io *io) {
        struct item *item = item_of(io);

        note(item->name);
        io_spent(io, EPOLLIN);
        io_unwant(&item->other->io, EPOLLIN);
}

static void test_want_inside(void **state) {
        struct item a, b;

        (void)state;
        item_ready(&a, 1, on_want_other);
        item_ready(&b, 2, on_ready);
        io_unwant(&b.io, EPOLLIN);
        a.other = &b;
        assert_int_equal(turn(), 1); /* the next turn, without sleeping */
        assert_int_equal(turn(), 2);
        item_done(&a);
        item_done(&b);
}

static void test_unwant_inside(void **state) {
        struct item a, b;

        (void)state;
        item_ready(&a, 1, on_unwant_other);
        item_ready(&b, 2, on_ready);
        a.other = &b;
        assert_int_equal(turn(), 1); /* both were due, and the first took the second's wish away */
        assert_int_equal(turn(), 0);
        io_want(&b.io, EPOLLIN);
        assert_int_equal(turn(), 2);
        item_done(&a);
        item_done(&b);
}

/* ---- fairness ---- */

static void test_busy_ones_go_round(void **state) {
        struct item a, b, c;
        int fds[2];

        (void)state;
        item_ready(&a, 1, on_ready);
        item_ready(&b, 2, on_ready);
        a.spend = b.spend = false;
        pair(fds);
        item_init(&c, 3, fds[0], on_ready);
        io_want(&c.io, EPOLLIN);
        assert_int_equal(turn(), 12);
        for (int i = 0; i < 5; i++)
                assert_int_equal(turn(), 12); /* each once, though both stay ready */
        put(fds[1]);
        assert_int_equal(turn(), 123); /* heard in the same turn */
        assert_int_equal(turn(), 12);
        item_done(&a);
        item_done(&b);
        item_done(&c);
        fd_close(fds[1]);
}

static void on_busy(struct io *io) {
        (void)io;
}

static void test_timers_run_beside_busy_ones(void **state) {
        struct item timed = { .name = 7 }, busy;
        uint64_t began_ms = clock_mono_ms();

        (void)state;
        item_ready(&busy, 1, on_busy);
        timer_init(&timed.timer, on_timer);
        timer_set(loop, &timed.timer, loop_now_ms(loop) + 20);
        n_ran = 0;
        while (n_ran == 0 && clock_mono_ms() - began_ms < 5000)
                assert_int_equal(loop_turn(loop), 0);
        assert_int_equal(n_ran, 1);
        assert_in_range(clock_mono_ms() - began_ms, 19, 4000);
        item_done(&busy);
}

/* More than one epoll_wait(2) hands out: nobody is left behind. */
static void test_many_at_once(void **state) {
        static struct item items[MANY];
        unsigned n = 0;

        (void)state;
        for (int i = 0; i < MANY; i++)
                item_ready(&items[i], i, on_busy);
        for (int i = 0; i < 3; i++)
                assert_int_equal(loop_turn(loop), 0);
        for (int i = 0; i < MANY; i++) {
                n += (items[i].io.ready & EPOLLIN) != 0;
                item_done(&items[i]);
        }
        assert_int_equal(n, MANY);
}

/* ---- timers and clock ---- */

static void on_timer_detaches(struct timer *t) {
        struct item *item = container_of(t, struct item, timer);

        note(item->name);
        item_done(item->other);
        free(item->other);
}

static void test_timer_frees_a_ready_io(void **state) {
        struct item timed = { .name = 9 };

        (void)state;
        timed.other = item_new(1, on_ready);
        timed.other->spend = false; /* it waits for the next turn when the timer runs */
        timer_init(&timed.timer, on_timer_detaches);
        timer_set(loop, &timed.timer, 0);
        assert_int_equal(turn(), 19);
        assert_int_equal(turn(), 0);
}

static void test_sleeps_until_the_timer(void **state) {
        struct item timed = { .name = 4 };
        uint64_t began_ms = clock_mono_ms();
        unsigned turns = 0;

        (void)state;
        timer_init(&timed.timer, on_timer);
        timer_set(loop, &timed.timer, began_ms + 150);
        n_ran = 0;
        for (; n_ran == 0 && turns < 100; turns++)
                assert_int_equal(loop_turn(loop), 0);
        assert_in_range(clock_mono_ms() - began_ms, 149, 5000);
        assert_in_range(turns, 1, 5); /* it sorts itself closer, and does not spin */
        assert_in_range(clock_mono_ms() - loop_now_ms(loop), 0, 1000);
}

static void test_errors(void **state) {
        int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        struct io io, again;
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        (void)state;
        assert_true(file >= 0 && fd >= 0);
        assert_int_equal(io_attach(&io, loop, file, on_ready), -EPERM);
        assert_null(io.loop);
        assert_int_equal(io.ready, 0);
        io_detach(&io);
        assert_int_equal(io_attach(&io, loop, -EBADF, on_ready), -EBADF);
        assert_int_equal(io_attach(&io, loop, fd, on_ready), 0);
        assert_int_equal(io_attach(&again, loop, fd, on_ready), -EEXIST);
        io_detach(&again);
        io_detach(&io);
        fd_close(file);
        fd_close(fd);
}

/* ---- in another loop ---- */

static void test_poll_does_not_wait(void **state) {
        struct item timer = { .name = 3 }, a;
        uint64_t start_ms = clock_mono_ms();
        int fds[2];

        (void)state;
        pair(fds);
        item_init(&a, 1, fds[0], on_ready);
        io_want(&a.io, EPOLLIN);
        timer_init(&timer.timer, on_timer);
        timer_set(loop, &timer.timer, start_ms + 5000);
        assert_int_equal(loop_poll(loop), 0);
        assert_int_equal(n_ran, 0);
        put(fds[1]);
        assert_int_equal(loop_poll(loop), 0);
        assert_int_equal(n_ran, 1);
        assert_true(clock_mono_ms() < start_ms + 4000);
        wheel_cancel(&timer.timer);
        item_done(&a);
        fd_close(fds[1]);
}

static bool readable(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        return poll(&p, 1, 0) == 1;
}

/* What the outer loop sees: the fd, as long as the kernel has events; the milliseconds, for timers
 * and for what is ready still though the kernel has nothing new. */
static void test_fd_and_next(void **state) {
        struct item timer = { .name = 3 }, a;
        int fds[2];

        (void)state;
        assert_int_equal(loop_next_ms(loop), UINT64_MAX);
        pair(fds);
        item_init(&a, 1, fds[0], on_ready);
        io_want(&a.io, EPOLLIN);
        assert_int_equal(loop_poll(loop), 0);
        assert_false(readable(loop_fd(loop)));
        assert_int_equal(loop_next_ms(loop), UINT64_MAX);

        a.spend = false;
        put(fds[1]);
        assert_true(readable(loop_fd(loop)));
        assert_true(readable(loop_fd(loop))); /* until somebody takes it */
        assert_int_equal(loop_poll(loop), 0);
        assert_false(readable(loop_fd(loop)));
        assert_int_equal(n_ran, 1);
        assert_int_equal(loop_next_ms(loop), 0); /* still ready, and nobody will say so again */
        a.spend = true;
        assert_int_equal(loop_poll(loop), 0);
        assert_int_equal(n_ran, 2);
        assert_int_equal(loop_next_ms(loop), UINT64_MAX);

        timer_init(&timer.timer, on_timer);
        timer_set(loop, &timer.timer, clock_mono_ms() + 1000);
        assert_in_range(loop_next_ms(loop), 1, 1000);
        timer_set(loop, &timer.timer, clock_mono_ms());
        assert_int_equal(loop_next_ms(loop), 0);
        assert_int_equal(loop_poll(loop), 0);
        assert_int_equal(n_ran, 3);
        assert_int_equal(loop_next_ms(loop), UINT64_MAX);
        item_done(&a);
        fd_close(fds[1]);
}

/* The loop has not turned for a while; a timer set from outside is due by the real time. */
static void test_next_reads_the_clock(void **state) {
        struct item timer = { .name = 3 };

        (void)state;
        assert_int_equal(loop_poll(loop), 0);
        timer_init(&timer.timer, on_timer);
        timer_set(loop, &timer.timer, loop_now_ms(loop) + 20);
        poll(NULL, 0, 30);
        assert_int_equal(loop_next_ms(loop), 0);
        assert_int_equal(loop_poll(loop), 0);
        assert_int_equal(n_ran, 1);
}

/* One loop in another: all of it runs, and nothing spins when there is nothing to do. */
static struct loop *inner;

static void on_inner(struct io *io) {
        note(9);
        assert_int_equal(loop_poll(inner), 0);
        io_spent(io, EPOLLIN);
}

static void test_nested(void **state) {
        struct item nest, a;
        int fds[2];

        (void)state;
        pair(fds);
        assert_int_equal(loop_new(&inner), 0);
        a = (struct item){ .name = 1, .spend = true };
        assert_int_equal(io_attach(&a.io, inner, fds[0], on_ready), 0);
        io_want(&a.io, EPOLLIN);
        item_init(&nest, 9, loop_fd(inner), on_inner);
        io_want(&nest.io, EPOLLIN);
        assert_int_equal(turn(), 0);
        put(fds[1]);
        assert_int_equal(turn(), 91);
        assert_int_equal(turn(), 0);
        put(fds[1]);
        assert_int_equal(turn(), 91);
        io_detach(&nest.io);
        item_done(&a);
        fd_close(fds[1]);
        inner = loop_free(inner);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_runs_while_ready_and_wanted),
                TEST(test_wanted_before_ready),
                TEST(test_assumed),
                TEST(test_out_is_registered_late),
                TEST(test_room_between_full_and_registering),
                TEST(test_connecting_is_not_writable_yet),
                TEST(test_short_read),
                TEST(test_detach_twice),
                TEST(test_free_itself),
                TEST(test_free_each_other),
                TEST(test_attach_again_inside),
                TEST(test_want_inside),
                TEST(test_unwant_inside),
                TEST(test_busy_ones_go_round),
                TEST(test_timers_run_beside_busy_ones),
                TEST(test_many_at_once),
                TEST(test_timer_frees_a_ready_io),
                TEST(test_sleeps_until_the_timer),
                TEST(test_errors),
                TEST(test_poll_does_not_wait),
                TEST(test_fd_and_next),
                TEST(test_next_reads_the_clock),
                TEST(test_nested),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
