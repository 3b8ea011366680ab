/* SPDX-License-Identifier: MIT */
/*
 * cli/args.h - the command line: one table of options, and argv turned into what is asked for.
 *
 * Options stand anywhere, "--" ends them, names are full names only: an abbreviation that works
 * today would stand in the way of a longer option tomorrow.
 */
#pragma once

#include <assert.h>

#include "core/base.h"

/* clang-format off */
/* X(enum, name, letter or 0, name of its value or NULL ("[N]": behind '=' or none at all), every
 * command takes it, help) */
#define OPTIONS(X)                                                                                 \
        X(CONFIG,    "config",    'c', "FILE", true,  "the configuration file")                    \
        X(SOCKET,    "socket",    0,   "PATH", true,  "the daemon's status socket")                \
        X(JSON,      "json",      0,   NULL,   true,  "one JSON document on standard output")      \
        X(BRIEF,     "brief",     0,   NULL,   true,  "one line per finding")                      \
        X(VERBOSE,   "verbose",   'v', NULL,   true,  "everything there is to say")                \
        X(QUIET,     "quiet",     'q', NULL,   true,  "only the exit code")                        \
        X(STRICT,    "strict",    0,   NULL,   true,  "warnings fail as errors do")                \
        X(COLOR,     "color",     0,   "WHEN", true,  "colours: auto, always or never")            \
        X(HELP,      "help",      'h', NULL,   true,  "this help")                                 \
        X(VERSION,   "version",   'V', NULL,   true,  "the version")                               \
        X(DETACH,    "detach",    'd', NULL,   false, "run in the background; return when ready")  \
        X(LOG_LEVEL, "log-level", 0,   "L",    false, "error, warn, info, debug or trace")         \
        X(NO_WATCH,  "no-watch",  0,   NULL,   false, "do not reload when the file changes")       \
        X(REOPEN,    "reopen",    0,   NULL,   false, "the daemon opens its log file again")       \
        X(WAIT,      "wait",      0,   "TIME", false, "how long to wait for the verdict (10s)")    \
        X(DRY_RUN,   "dry-run",   0,   NULL,   false, "only say what would change")                \
        X(EXIT_CODE, "exit-code", 0,   NULL,   false, "3 when not running, 4 when unknown")        \
        X(WATCH,     "watch",     0,   "[2]",  false, "again and again, every 2 s; redraws")       \
        X(FOLLOW,    "follow",    0,   NULL,   false, "goes on, appended; NDJSON with --json")     \
        X(SORT,      "sort",      0,   "KEY",  false, "age, idle, bytes, rtt or retransmits")      \
        X(LIMIT,     "limit",     0,   "N",    false, "at most so many")                           \
        X(LEVEL,     "level",     0,   "L",    false, "error, warn or info, and what is worse")    \
        X(EVENT,     "event",     0,   "NAME", false, "of one kind; bal-logs(7) has the names")    \
        X(YES,       "yes",       0,   NULL,   false, "do not ask")                                \
        X(DEADLINE,  "deadline",  0,   "TIME", false, "then close what is left; 0s: never")        \
        X(ONLY,      "only",      0,   "ID",   false, "only these checks: config,bind")             \
        X(SKIP,      "skip",      0,   "ID",   false, "all checks but these")                      \
        X(BACKEND,   "backend",   0,   "NAME", false, "only this backend: host:port")              \
        X(PLUGIN,    "plugin",    0,   NULL,   false, "a line for monitoring; exits 0, 1, 2, 3")   \
        X(VALIDATE,  "validate",  0,   NULL,   false, "without a command: the same as check")

enum option {
#define X(id, name, letter, value, common, help) OPTION_##id,
        OPTIONS(X)
#undef X
        OPTIONS_COUNT
};
/* clang-format on */

static_assert(OPTIONS_COUNT <= 32, "a bit for each");

#define OPTION_BIT(id) (1U << OPTION_##id)

struct option_info {
        const char *name;
        char letter;       /* 0: none */
        const char *value; /* "FILE"; "[2]": only behind '='; NULL: a switch */
        bool common;       /* every command takes it */
        const char *help;
};
extern const struct option_info options[OPTIONS_COUNT];

#define ARGS_COMMAND_MAX 32

enum args_color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct verb;

struct args {                    /* strings are argv's */
        const struct verb *verb; /* NULL: none, but --help or --version */
        uint32_t given;          /* OPTION_BIT()s */
        const char *config, *socket;
        const char *operand;   /* the first of operands; NULL: none */
        const char **operands; /* in words */
        size_t n_operands;
        const char **words;        /* owned; whatever is no option */
        const char **only, **skip; /* in words, behind the others; each may be "a,b" */
        size_t n_only, n_skip;
        const char *backend; /* of --backend; NULL: all */
        const char *sort;    /* of --sort, as the daemon wants it; NULL: not given */
        const char *level;   /* of --level, likewise */
        const char *event;   /* of --event, likewise */
        int64_t limit;       /* -1: not given */
        enum args_color color;
        int log_level; /* enum log_level; -1: not given */
        int wait_ms;
        int watch_ms;                   /* between two reports of --watch and --follow */
        int64_t deadline_ms;            /* from now; 0: none; -1: not given */
        bool group;                     /* "bal backend --help": verb is the first of several */
        char command[ARGS_COMMAND_MAX]; /* what a hint names: "", "check", "backend drain" */
};

#define ARGS_WAIT_MS         10000   /* --wait, if it is not given */
#define ARGS_WAIT_MAX_MS     3600000 /* an hour */
#define ARGS_WATCH_MS        2000    /* --watch without a value, and --follow */
#define ARGS_WATCH_MIN_MS    100
#define ARGS_WATCH_MAX_MS    3600000
#define ARGS_DEADLINE_MAX_MS (168 * 3600 * 1000LL) /* a week */

static inline bool args_has(const struct args *a, uint32_t bit) {
        return (a->given & bit) != 0;
}

/* 0; -EINVAL: *ret_problem is one sentence for people, and *ret holds what was understood so far;
 * -ENOMEM. */
int args_parse(struct args *ret, int argc, char **argv, char **ret_problem);
void args_done(struct args *a);
