/* SPDX-License-Identifier: MIT */
/*
 * proxy/listener.h - a worker's view of one listening socket.
 *
 * One socket per address, opened or adopted by the control thread, in the epoll sets of all workers
 * with EPOLLEXCLUSIVE: it comes from systemd or from a handover like any other, and a worker that
 * goes away takes no waiting connection with it. How the kernel wakes has two consequences.
 *
 * It wakes the first worker that sleeps, so in calm times one worker accepts everything. Whoever
 * accepts and is clearly busier than the least busy worker hands the fd over: accepted_give().
 *
 * A worker that sleeps and ignores its wake-up swallows it, and the connection waits although
 * others are free. So pausing means detaching, never just io_unwant(), and a worker that has enough
 * to do accepts and hands over. A worker pauses only when descriptors or memory run out. Attaching
 * again looks at the kernel's queue, so nothing is forgotten.
 *
 * EPOLLEXCLUSIVE goes with EPOLLIN, EPOLLOUT and EPOLLET, not with EPOLLRDHUP or EPOLL_CTL_MOD.
 */
#pragma once

#include "net/addr.h"
#include "net/loop.h"
#include "proxy/session.h"

struct upstream;
struct worker;

#define LISTENER_BATCH    64    /* accepts per turn, fairness */
#define LISTENER_SLACK    8     /* sessions above the least busy worker before giving one away */
#define LISTENER_PAUSE_MS 1000  /* after EMFILE and kin; or until a session ends */
#define LISTENER_TELL_MS  10000 /* between two records that say so */

/* Not yet a session, and may change workers. */
struct accepted {
        struct upstream
                *upstream; /* the generation it was accepted under; borrowed by the callee */
        size_t frontend;   /* index in it */
        int fd;            /* owned */
        union session_peer peer;
};

struct listener {
        struct link link; /* of the worker */
        struct io io;     /* io.fd is borrowed from the control thread */
        struct worker *worker;
        int fd;          /* the same, also while paused */
        size_t frontend; /* index in the newest generation */
        struct timer resume;
        uint64_t told_ms; /* when the log heard last that it pauses */
        bool seen;        /* by the adoption under way */
};

/* Registers fd in the worker's loop, but accepts nothing: the listener is one of next_listeners.
 * 0; -ENOMEM, or why epoll refuses it (-ENOSPC: fs.epoll.max_user_watches). */
int listener_prepare(struct worker *w, int fd);
void listener_start(struct listener *l, size_t frontend); /* a prepared one begins to accept */
void listener_stop(struct listener *l);                   /* frees it */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l); /* if it is paused */

/* Closes a connection that becomes no session. */
void accepted_drop(struct worker *w, const struct accepted *a);
/* Makes it a session of the worker it is given to. Takes a->fd, also on failure. */
void accepted_give(struct worker *to, const struct accepted *a);
