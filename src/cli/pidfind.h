/* SPDX-License-Identifier: MIT */
/* cli/pidfind.h - the PID file of the daemon that is meant, whether or not its socket answers. */
#pragma once

#include <sys/types.h>

#include "cli/ask.h"

char *pidfind_beside(const char *socket); /* bal.pid beside a socket; new string; NULL: no memory */

/* The pidfd of the living daemon: beside the socket that was asked, if that is the only one meant;
 * else wherever clients look for one. -ESRCH: there is none. */
int pidfind(int *ret_pidfd, pid_t *ret_pid, const struct cli *c, const struct answer *a);
