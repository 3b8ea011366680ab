/* SPDX-License-Identifier: MIT */
/* cli/doctor/exam.h - what a check can look at. One for the run; each check has a copy of its own,
 * since it runs in a process of its own, and so nothing that is found here is ever freed. */
#pragma once

#include "cli/doctor/facts.h"
#include "cli/doctor/run.h"
#include "config/config.h"

struct exam {
        const struct cli *cli;
        struct facts *facts;
        bool plugin;         /* --plugin: no daemon is critical */
        bool config_checked; /* the check `config` runs too, and says what is wrong with the file */
        const char *pool, *backend; /* --backend; NULL: all */

        /* by exam_config() */
        struct config *config;
        struct diags diags;
        int config_error; /* of config_load() */
        bool config_tried;
        /* by exam_daemon() */
        json_t *head;
};

#define EXAM_DAEMON_MS FACTS_LIMIT_MS /* as long as there is any hope */

/* The daemon's answer, waiting for it at most wait_ms; NULL: there is none. */
const struct fact_daemon *exam_daemon(struct exam *x, int wait_ms);
json_t *exam_head(struct exam *x, int wait_ms); /* borrowed; its document without `backends` */

/* The daemon's process as we see it, from its answer, its socket or its PID file; 0: unknown. */
pid_t exam_pid(struct exam *x, int wait_ms);
char *exam_pid_path(struct exam *x); /* bal.pid beside the socket; new string; NULL: unknown */

/* The configuration; NULL: it cannot be used, and the diags or the error say why. */
const struct config *exam_config(struct exam *x);
/* For a check that needs it: NULL, and *f says that the check was left out. */
const struct config *exam_config_or_skip(struct exam *x, struct finding *f);

/* Borrowed: "nginx (pid 77, nginx.service)" into buf. */
struct owner;
#define EXAM_OWNER_MAX 200
const char *exam_owner_text(const struct owner *o, char buf[static EXAM_OWNER_MAX]);

/* The checks, in the order in which scripts know them. */
extern const struct check checks[];
extern const size_t n_checks;

/* clang-format off */
/* X(id, longest in ms, needs the file, its row is shown also when all is well) */
#define CHECKS(X)                                                                                  \
        X(config,     2600, true,  true)                                                           \
        X(pid,        2600, false, false)                                                          \
        X(bind,       2600, true,  true)                                                           \
        X(backend,    2600, true,  true)                                                           \
        X(daemon,     2600, false, true)                                                           \
        X(fds,        2600, false, true)                                                           \
        X(conntrack,  1000, false, false)                                                          \
        X(dns,        2600, true,  false)                                                          \
        X(protection, 2600, false, true)                                                           \
        X(waiting,    2600, false, false)                                                          \
        X(sockets,    2600, false, false)                                                          \
        X(backlog,    2600, true,  false)                                                          \
        X(ports,      2600, true,  false)                                                          \
        X(metrics,    2600, true,  false)                                                          \
        X(log,        2600, false, false)                                                          \
        X(unit,       1200, false, false)                                                          \
        X(version,    2600, false, false)
/* clang-format on */

#define X(id, limit_ms, needs_file, shown) int check_##id(struct exam *x, struct finding *f);
CHECKS(X)
#undef X
