/* SPDX-License-Identifier: MIT */
/*
 * cli/doctor/run.h - all checks at once, each in a process of its own.
 *
 * A check may crash, or wait for ever for a disk or a name server; neither may take the report
 * along, and a thread could be neither survived nor given up. What a check has found comes through
 * a pipe; one whose time is up is killed and reported as late.
 */
#pragma once

#include "cli/doctor/finding.h"

#include <sys/types.h>

struct exam;

struct check {
        const char *id;
        /* Fills *f. A negative errno: bal could not look, which is a fault of bal's own. */
        int (*run)(struct exam *x, struct finding *f);
        unsigned limit_ms;
        bool needs_file; /* nothing of it works without the configuration */
        bool shown;      /* its row stands in the report also when all is well */
};

struct visit { /* one check of this run */
        const struct check *check;
        struct finding finding; /* when it is over */
        unsigned duration_ms;
        bool over;
        /* for run.c */
        pid_t pid;
        int fd;
        uint64_t started_ms;
        char *bytes;
        size_t n_bytes;
};

struct run_hooks {
        void (*over)(struct visit *v, void *userdata); /* one is over; may be NULL */
        void (*tick)(void *userdata);                  /* now and then; may be NULL */
        void *userdata;
};

/* Every visit is over when it returns, after the longest limit at the latest. */
void run_all(struct visit *visits, size_t n, struct exam *x, const struct run_hooks *hooks);

/* In a process just forked: it goes with its parent, and leaves no core file behind. */
void run_child(pid_t parent);
