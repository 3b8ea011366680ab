/* SPDX-License-Identifier: MIT */
/*
 * cli/pidlock.h - the daemon behind bal.pid, when its socket does not answer.
 *
 * The number in the file means nothing by itself: the process may be gone and the number somebody
 * else's, it may count in another PID namespace, or whoever may write the file may have put any
 * number there. So before anything is signalled, the process that has the number here must hold the
 * lock on the file, must run as the user who owns the file, and must run bal. A pidfd, opened
 * before it is looked at and alive afterwards, makes sure that all of it was seen of one process.
 */
#pragma once

#include <sys/types.h>

#include "core/base.h"

/* X(enum, why it is not signalled) */
#define PIDLOCK_STATES(X)                                                                          \
        X(ABSENT, NULL) /* no file, nobody holds its lock, or it does not say who */               \
        X(FOUND, NULL)                                                                             \
        X(ELSEWHERE, "no process here has this number")                                            \
        X(OWNER, "the file belongs to another user than the process")                              \
        X(LOCK, "that process does not hold the lock on the file")                                 \
        X(PROGRAM, "that process is not bal")

enum pidlock_state {
#define X(id, why) PIDLOCK_##id,
        PIDLOCK_STATES(X)
#undef X
};

struct pidlock {
        enum pidlock_state state;
        int pidfd; /* owned; of PIDLOCK_FOUND, else -EBADF */
        pid_t pid; /* what the file says; 0: of PIDLOCK_ABSENT */
};

/* The living daemon whose PID file is path; *ret is yours to pidlock_done() in any case. */
void pidlock_open(struct pidlock *ret, const char *path);
void pidlock_done(struct pidlock *l);
const char *pidlock_why(enum pidlock_state s); /* NULL: there is nothing to doubt */

int pidlock_signal(int pidfd, int signal);               /* 0; -EPERM, -ESRCH */
int pidlock_wait(int pidfd, int timeout_ms);             /* 0: the process has ended; -ETIMEDOUT */
int pidlock_wait_free(const char *path, int timeout_ms); /* 0: nobody holds the lock; -ETIMEDOUT */
