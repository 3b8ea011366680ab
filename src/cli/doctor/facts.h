/* SPDX-License-Identifier: MIT */
/*
 * cli/doctor/facts.h - what several checks want to know, found out once: what the daemon answers,
 * and which file is the configuration.
 *
 * Each is found out by a process of its own, for a daemon may be stuck and a file may lie on a
 * server that is gone. The answer is left in memory that all share; that it is complete everybody
 * learns by the end of a pipe, whose only writer is that process.
 */
#pragma once

#include <jansson.h>
#include <limits.h>
#include <sys/types.h>

#include "cli/ask.h"

#define FACTS_DAEMON_MS 1000 /* a daemon that is well answers in one or two */
#define FACTS_LIMIT_MS  2200 /* then the process is ended, whatever it waits for */
#define FACTS_FILE_MS   1200 /* likewise, of the file */
/* So long the search for the file waits for a daemon that might name it. */
#define FACTS_PATH_MS   600

struct fact_daemon {
        bool known; /* set last */
        enum ask_result result;
        int error;
        char socket[PATH_MAX]; /* asked, or what the error is about; "": no memory */
        char why[128];         /* answer_text(), unless result is ASK_OK */
        char config_path[PATH_MAX];
        uint64_t took_us;
        pid_t peer; /* who opened the socket, as we see processes; 0: unknown */
        size_t head_size, backends_size;
};

struct fact_file {
        bool known;
        int error;                       /* -ENOENT: there is none; other errno of stat(2) */
        char path[PATH_MAX];             /* to use, or that `bal start` would create */
        bool of_daemon;                  /* the daemon says that it uses it */
        uint64_t changed_us, written_us; /* CLOCK_REALTIME: of the file or its name; its text */
};

struct helper {     /* a process that finds out */
        pid_t pid;  /* 0: it has ended, and was waited for */
        int end_fd; /* owned; the end of the pipe says that it is done, or gone */
        uint64_t limit_ms;
};

struct facts {
        const struct cli *cli;
        struct shared { /* with all processes */
                struct fact_daemon daemon;
                struct fact_file file;
        } * shared;
        int head_fd, backends_fd; /* the daemon's document in two parts: most want the first */
        int path_fd[2]; /* its end: config_path of the daemon is known, or nobody says it */
        struct helper daemon_helper, file_helper;
};

int facts_start(struct facts *ret, const struct cli *c); /* 0, negative errno */
void facts_done(struct facts *f);                        /* ends the helpers */
void facts_reap(struct facts *f, uint64_t now_ms);       /* ends those whose time is up */

/* Any process, any number of times. NULL: it is not known, and after wait_ms not yet. */
const struct fact_daemon *facts_daemon(const struct facts *f, int wait_ms);
const struct fact_file *facts_file(const struct facts *f, int wait_ms);

/* New references; NULL: no answer. The document without `backends`, and `backends`. */
json_t *facts_head(const struct facts *f);
json_t *facts_backends(const struct facts *f);
