/* SPDX-License-Identifier: MIT */
/*
 * net/loop.h - one thread's epoll set, timers and ready list.
 *
 * Every fd is registered once, edge-triggered. The kernel's answer is kept in io->ready; the owner
 * says what it wants in io->wanted; io->fn runs as long as the two overlap. So back-pressure is
 * io_unwant(), not a system call, and whoever meets EAGAIN calls io_spent(). epoll(7).
 */
#pragma once

#include <sys/epoll.h>

#include "core/list.h"
#include "net/wheel.h"

struct loop;
struct io;

typedef void (*io_fn)(struct io *io);

struct io {                /* embedded in its owner; get back with container_of() */
        struct loop *loop; /* NULL: not attached */
        struct link ready_link;
        io_fn fn;
        int fd;          /* borrowed: io_detach() first, close after */
        uint32_t ready;  /* EPOLL* the kernel reported and nobody spent yet */
        uint32_t wanted; /* EPOLL* the owner wants to hear of */
        uint32_t registered;
};

/* All four: 0, or epoll_ctl(2)'s errors (-ENOMEM, -ENOSPC); io is then as io_init() left it. */
void io_init(struct io *io);

/* An accepted socket: IN, RDHUP, PRI. It is taken as writable without asking the kernel, which
 * saves the first event; the first EAGAIN of a write registers OUT too. */
int io_attach(struct io *io, struct loop *loop, int fd, io_fn fn);
/* A socket that connects: the same with OUT, and nothing is ready before the kernel says so. */
int io_attach_connecting(struct io *io, struct loop *loop, int fd, io_fn fn);
/* A listening socket that other loops have too: only IN, EPOLLEXCLUSIVE; see proxy/listener.h. */
int io_attach_shared(struct io *io, struct loop *loop, int fd, io_fn fn);
void io_detach(struct io *io); /* idempotent; safe inside any callback */
/* The same without the system call: the caller closes fd next, and nobody has a duplicate of it. */
void io_forget(struct io *io);

void io_want(struct io *io, uint32_t events); /* adds to io->wanted */
void io_unwant(struct io *io, uint32_t events);
void io_spent(struct io *io, uint32_t events); /* after EAGAIN: until the kernel says so again */
/* The owner knows more than the kernel has said, or wants to find out by a try. */
void io_assume(struct io *io, uint32_t events);

/* After a short read of a stream socket: it was empty then, and the next byte brings a new edge.
 * Not so when the kernel has reported more than IN and OUT: a FIN that came together with the bytes
 * brings no second edge, and at an urgent mark reads stop early. Then only EAGAIN or EOF counts. */
static inline void io_short_read(struct io *io) {
        if (!(io->ready & ~(uint32_t)(EPOLLIN | EPOLLOUT)))
                io_spent(io, EPOLLIN);
}

void timer_set(struct loop *loop, struct timer *t, uint64_t at_ms); /* moves it if already set */

int loop_new(struct loop **ret);               /* -ENOMEM, -EMFILE, -ENFILE */
struct loop *loop_free(struct loop *loop);     /* asserts that nothing is attached any more */
uint64_t loop_now_ms(const struct loop *loop); /* CLOCK_MONOTONIC, read once per turn */
int loop_turn(struct loop *loop);              /* wait, run what is ready once, run due timers */

/* For a loop that is nested in another one: loop_poll() when the fd is readable (level-triggered),
 * and at the latest after so many milliseconds (UINT64_MAX: no matter when). It is a turn that does
 * not wait. Whoever attaches or sets a timer from outside asks for the milliseconds again. */
int loop_fd(const struct loop *loop);
uint64_t loop_next_ms(struct loop *loop);
int loop_poll(struct loop *loop);
DEFINE_CLEANUP(struct loop *, loop_free);
