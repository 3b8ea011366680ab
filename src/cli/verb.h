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
        const char *name, *sub; /* "config", "keys"; sub NULL: one word */
        const char *operand;    /* "CODE"; NULL: none */
        uint32_t options;       /* OPTION_BIT()s beside the common ones */
        bool operand_optional;
        const char *synopsis; /* its own options, as the manual writes them */
        const char *help;     /* one line */
        const char *more;     /* a few lines for --help */
        verb_fn run;
};

extern const struct verb verbs[];
extern const size_t n_verbs;

const struct verb *verb_find(const char *name, const char *sub); /* NULL */
const char *verb_closest(const char *name);                      /* the verb meant; NULL */

void verb_help_all(struct out *o);
void verb_help(struct out *o, const struct verb *v);

/* Says why on stderr, or with --json as the document bal.error; returns code. */
int verb_fail(struct cli *c, int code, const char *fmt, ...) PRINTF(3, 4);

int check_run(struct cli *c);
int explain_run(struct cli *c);
int help_run(struct cli *c);
int keys_run(struct cli *c);
int reload_run(struct cli *c);
int start_run(struct cli *c);
int status_run(struct cli *c);
int stop_run(struct cli *c);
int version_run(struct cli *c);
