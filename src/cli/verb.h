/* SPDX-License-Identifier: MIT */
/* cli/verb.h - the commands of bal, one row each; parser, help and the dispatch read the table. */
#pragma once

#include "cli/args.h"
#include "cli/out.h"

struct cli { /* one run of the program */
        struct args args;
        struct out out, err; /* standard output and error, each with its own colours */
};

typedef int (*verb_fn)(struct cli *c); /* returns an enum bal_exit */

struct verb {
        const char *name, *sub; /* "config", "keys"; sub NULL: one word, or with none of its subs */
        const char *operand;    /* "NAME... N"; NULL: none */
        const char *needs;      /* "a NAME and a weight", when there are fewer than operands_min */
        size_t operands_min, operands_max;
        uint32_t options;     /* OPTION_BIT()s beside the common ones */
        const char *synopsis; /* its own options, as the manual writes them */
        const char *help;     /* one line */
        const char *more;     /* a few lines for --help */
        bool hidden;          /* for programs: no summary and no hint names it */
        verb_fn run;
};

extern const struct verb verbs[];
extern const size_t n_verbs;

const struct verb *verb_find(const char *name, const char *sub); /* NULL */
const char *verb_closest(const char *name);                      /* the verb meant; NULL */
/* Of a verb with a second word, as "backend drain": */
const struct verb *verb_group(const char *name);                 /* the first row; NULL */
const char *verb_closest_sub(const char *name, const char *sub); /* NULL */
#define VERB_SUBS_MAX 64
const char *verb_subs(const char *name, char buf[static VERB_SUBS_MAX]); /* "list|drain|maint" */
const char *verb_title(const struct verb *v, char buf[static ARGS_COMMAND_MAX]); /* both words */

void verb_help_all(struct out *o);
void verb_help(struct out *o, const struct verb *v);
void verb_help_group(struct out *o, const char *name);

/* Says why on stderr, or with --json as the document bal.error; returns code. */
int verb_fail(struct cli *c, int code, const char *fmt, ...) PRINTF(3, 4);
json_t *verb_error(int code, const char *text); /* that document; NULL: no memory */
/* As verb_fail() with code 64, and it names the help. */
int verb_misused(struct cli *c, const char *fmt, ...) PRINTF(2, 3);

int backend_list_run(struct cli *c);
int backend_set_run(struct cli *c); /* drain, maint, enable */
int backend_weight_run(struct cli *c);
int check_run(struct cli *c);
int complete_run(struct cli *c);
int completion_run(struct cli *c);
int doctor_run(struct cli *c);
int events_run(struct cli *c);
int explain_run(struct cli *c);
int help_run(struct cli *c);
int keys_run(struct cli *c);
int logs_run(struct cli *c);
int metrics_run(struct cli *c);
int reload_run(struct cli *c);
int sessions_close_run(struct cli *c);
int sessions_run(struct cli *c);
int start_run(struct cli *c);
int status_run(struct cli *c);
int stop_run(struct cli *c);
int top_run(struct cli *c);
int version_run(struct cli *c);
