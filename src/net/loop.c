/* SPDX-License-Identifier: MIT */
/*
 * A turn takes what the kernel has, files it under the ios, and only then runs callbacks: each
 * ready io once. The list of ready ones is swapped out first, so an io that stays ready waits for
 * the next turn and cannot starve the others; while there is one, the next turn does not sleep.
 *
 * A callback may detach and free any io, its own included: detaching unlinks it from whatever list
 * it is on, and no pointer to it is kept elsewhere once the kernel's events are filed.
 */

#include "net/loop.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "core/clock.h"

#define EVENTS_MAX 128 /* of one epoll_wait(2) */

struct loop {
        int epoll_fd;
        unsigned n_attached;
        uint64_t now_ms;
        struct link ready;
        struct wheel wheel;
        struct epoll_event events[EVENTS_MAX];
};

int loop_new(struct loop **ret) {
        _cleanup_(loop_freep) struct loop *loop = malloc(sizeof(*loop));

        if (!loop)
                return -ENOMEM;

        *loop = (struct loop){ .epoll_fd = -EBADF, .now_ms = clock_mono_ms() };
        link_init(&loop->ready);
        wheel_init(&loop->wheel, loop->now_ms);

        loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (loop->epoll_fd < 0)
                return -errno;

        *ret = take_ptr(loop);
        return 0;
}

struct loop *loop_free(struct loop *loop) {
        if (!loop)
                return NULL;

        assert(loop->n_attached == 0);
        fd_close(loop->epoll_fd);
        free(loop);
        return NULL;
}

uint64_t loop_now_ms(const struct loop *loop) {
        return loop->now_ms;
}

void timer_set(struct loop *loop, struct timer *t, uint64_t at_ms) {
        wheel_set(&loop->wheel, t, at_ms);
}

/* Runs next turn if what is wanted is there. */
static void io_file(struct io *io) {
        bool due = io->loop && (io->ready & io->wanted);

        if (due && link_idle(&io->ready_link))
                link_before(&io->loop->ready, &io->ready_link);
        else if (!due && !link_idle(&io->ready_link))
                link_remove(&io->ready_link);
}

void io_init(struct io *io) {
        *io = (struct io){ .fd = -EBADF };
        link_init(&io->ready_link);
}

static int io_register(struct io *io, struct loop *loop, int fd, io_fn fn, uint32_t events) {
        struct epoll_event event = { .events = events | EPOLLET, .data.ptr = io };

        io_init(io);
        if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                return -errno;

        io->loop = loop;
        io->fd = fd;
        io->fn = fn;
        io->registered = events;
        loop->n_attached++;
        return 0;
}

int io_attach(struct io *io, struct loop *loop, int fd, io_fn fn) {
        int r;

        r = io_register(io, loop, fd, fn, EPOLLIN | EPOLLRDHUP | EPOLLPRI);
        if (r == 0)
                io->ready = EPOLLOUT;
        return r;
}

int io_attach_connecting(struct io *io, struct loop *loop, int fd, io_fn fn) {
        return io_register(io, loop, fd, fn, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI);
}

int io_attach_shared(struct io *io, struct loop *loop, int fd, io_fn fn) {
        return io_register(io, loop, fd, fn, EPOLLIN | EPOLLEXCLUSIVE);
}

void io_detach(struct io *io) {
        if (io->loop)
                epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
        io_forget(io);
}

void io_forget(struct io *io) {
        if (!io->loop)
                return;

        link_remove(&io->ready_link);
        io->loop->n_attached--;
        io->loop = NULL;
        io->fd = -EBADF;
        io->ready = io->wanted = io->registered = 0;
}

void io_want(struct io *io, uint32_t events) {
        io->wanted |= events;
        io_file(io);
}

void io_unwant(struct io *io, uint32_t events) {
        io->wanted &= ~events;
        io_file(io);
}

/* From the first full send buffer on, the kernel shall say when there is room. MOD looks at the
 * socket again, so room that came in between is not missed. */
static void io_register_out(struct io *io) {
        struct epoll_event event = { .data.ptr = io };

        io->registered |= EPOLLOUT;
        event.events = io->registered | EPOLLET;
        if (epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) < 0)
                io->ready |= EPOLLERR; /* out of memory: the owner sees a dead socket, not a hang */
}

void io_spent(struct io *io, uint32_t events) {
        io->ready &= ~events;
        if ((events & EPOLLOUT) && !(io->registered & EPOLLOUT) && io->loop)
                io_register_out(io);
        io_file(io);
}

void io_assume(struct io *io, uint32_t events) {
        io->ready |= events;
        io_file(io);
}

static void loop_run_ready(struct loop *loop) {
        struct link todo;

        if (link_idle(&loop->ready))
                return;

        link_after(&loop->ready, &todo); /* todo becomes the head of the whole list */
        link_remove(&loop->ready);
        while (!link_idle(&todo)) {
                struct io *io = container_of(todo.next, struct io, ready_link);

                /* back on the list for the next turn, unless the callback says otherwise */
                link_remove(&io->ready_link);
                link_before(&loop->ready, &io->ready_link);
                io->fn(io);
        }
}

/* From now_ms until the next turn has something to do, as far as loop knows. */
static uint64_t loop_rest_ms(struct loop *loop, uint64_t now_ms) {
        return link_idle(&loop->ready) ? wheel_next_ms(&loop->wheel, now_ms) : 0;
}

/* Milliseconds for epoll_wait(2). */
static int loop_sleep_ms(struct loop *loop) {
        uint64_t ms = loop_rest_ms(loop, loop->now_ms);

        if (ms == UINT64_MAX)
                return -1;
        return ms < INT_MAX ? (int)ms : INT_MAX;
}

static int loop_turn_within(struct loop *loop, int sleep_ms) {
        int n;

        n = epoll_wait(loop->epoll_fd, loop->events, EVENTS_MAX, sleep_ms);
        if (n < 0 && errno != EINTR)
                return -errno;

        loop->now_ms = clock_mono_ms();
        for (int i = 0; i < n; i++) {
                struct io *io = loop->events[i].data.ptr;

                io_assume(io, loop->events[i].events);
        }
        loop_run_ready(loop);
        wheel_run(&loop->wheel, loop->now_ms);
        return 0;
}

int loop_turn(struct loop *loop) {
        return loop_turn_within(loop, loop_sleep_ms(loop));
}

int loop_fd(const struct loop *loop) {
        return loop->epoll_fd;
}

/* The clock is read anew: the loop's own time is that of its last turn, which may be long ago. */
uint64_t loop_next_ms(struct loop *loop) {
        return loop_rest_ms(loop, clock_mono_ms());
}

int loop_poll(struct loop *loop) {
        return loop_turn_within(loop, 0);
}
