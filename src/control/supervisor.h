/* SPDX-License-Identifier: MIT */
/*
 * control/supervisor.h - the control thread: sd-event, signals, workers, configuration.
 *
 * Owns the listening sockets. Workers borrow them, so changing workers or generations closes none
 * and loses no waiting connection.
 */
#pragma once

#include "config/config.h"

struct logsink;
struct passed;
struct supervisor;

struct supervisor_options {
        struct config *config;    /* the first one; borrowed */
        const char *config_path;  /* read again by a reload; borrowed */
        uint64_t config_sum;      /* watch_sum() of the file from before it was read */
        bool no_watch;            /* do not reload when the file changes, whatever it says */
        const char *runtime_dir;  /* of status.sock and admin.sock; borrowed */
        struct passed *passed;    /* what systemd has opened; borrowed; NULL: nothing */
        bool shared;              /* sockets are for groups bal and bal-admin, where these get in */
        struct logsink *sink;     /* borrowed */
        int log_level;            /* enum log_level, or -1: the file's */
        void (*ready)(void *arg); /* called once, when connections are accepted */
        void *arg;
};

/* Signals must be blocked in all threads by then: supervisor_block_signals(). */
int supervisor_new(struct supervisor **ret, const struct supervisor_options *o);
struct supervisor *supervisor_free(struct supervisor *s);
DEFINE_CLEANUP(struct supervisor *, supervisor_free);

/* Until SIGTERM and the drain time. 0; a negative errno when there was no start: then
 * supervisor_problem() says in words what was in the way, if it is known. */
int supervisor_run(struct supervisor *s);
const char *supervisor_problem(const struct supervisor *s); /* borrowed; NULL: nothing known */

void supervisor_block_signals(void);
