/* SPDX-License-Identifier: MIT */
/* daemon/start.h - from the command line to a running daemon: `bal start`. */
#pragma once

#include "core/diag.h"

struct start_options {
        const char *config; /* of -c, or NULL: look it up; borrowed */
        int log_level;      /* enum log_level, or -1: the file's */
        bool detach;        /* -d: return once the daemon is ready, or with its error */
        bool no_watch;      /* --no-watch */
        /* Prints the problems of the file as `bal check` would, on stderr. */
        void (*show)(const struct diags *d, const char *path);
};

/* Runs the daemon until it is stopped; with detach only its start. Returns an enum bal_exit and has
 * told people on stderr why when that is not BAL_EXIT_OK. */
int daemon_start(const struct start_options *o);
