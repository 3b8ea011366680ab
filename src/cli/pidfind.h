/* SPDX-License-Identifier: MIT */
/* cli/pidfind.h - the PID file of the daemon that is meant, whether or not its socket answers. */
#pragma once

#include <sys/types.h>

#include "cli/ask.h"
#include "cli/pidlock.h"

char *pidfind_beside(const char *socket); /* bal.pid beside a socket; new string; NULL: no memory */

struct pidfound {
        struct pidlock lock;
        char *path; /* owned; of the file that the lock is about; NULL: none was found */
};

/* Beside the socket that was asked, if that is the only one meant; else wherever clients look for
 * one, up to the first file whose lock is held. It holds the daemon if found->lock.state is
 * PIDLOCK_FOUND. */
void pidfind(struct pidfound *ret, const struct cli *c, const struct answer *a);
void pidfound_done(struct pidfound *f);
/* Says why nothing is signalled: no daemon, or no certainty that it is one. An exit code. */
int pidfind_fail(struct cli *c, const struct pidfound *f, const struct answer *a);
