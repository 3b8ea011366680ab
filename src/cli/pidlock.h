/* SPDX-License-Identifier: MIT */
/*
 * cli/pidlock.h - the daemon behind bal.pid, when its socket does not answer.
 *
 * The number in the file means nothing by itself: the process may be gone and the number somebody
 * else's. Only while the daemon holds its lock on the file is the number the daemon's, so the lock
 * is looked at before and after the number has been turned into a pidfd.
 */
#pragma once

#include <sys/types.h>

#include "core/base.h"

/* The pidfd of the living daemon whose PID file is path. 0; -ENOENT: no file; -ESRCH: nobody holds
 * its lock, or it does not say who; -EACCES. */
int pidlock_open(int *ret_pidfd, pid_t *ret_pid, const char *path);

int pidlock_signal(int pidfd, int signal);               /* 0; -EPERM, -ESRCH */
int pidlock_wait(int pidfd, int timeout_ms);             /* 0: the process has ended; -ETIMEDOUT */
int pidlock_wait_free(const char *path, int timeout_ms); /* 0: nobody holds the lock; -ETIMEDOUT */
