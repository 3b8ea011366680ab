/* SPDX-License-Identifier: MIT */
/* control/pidfile.h - bal.pid: the lock that makes a daemon the only one of its runtime directory.
 * The pid in it means something only while somebody holds the lock, flock(2). */
#pragma once

#include <sys/types.h>

#include "core/base.h"

#define PIDFILE_NAME "bal.pid"

/* *ret is the descriptor that holds the lock; it lives as long as the daemon. -EBUSY: another
 * daemon holds it, *ret_owner is its pid (0: it has not written it yet). Else open(2)'s errors. */
int pidfile_lock(int *ret, const char *path, pid_t *ret_owner);
int pidfile_write(int fd);                     /* this process's pid; after the fork of -d */
void pidfile_remove(int fd, const char *path); /* closes fd */
