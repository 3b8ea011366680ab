/* SPDX-License-Identifier: MIT */
/* tui/options.h - the command line of bal-top. */
#pragma once

#include <stdio.h>

#include "cli/args.h"
#include "core/base.h"
#include "text.h"

enum output { OUTPUT_SCREEN, OUTPUT_ONCE, OUTPUT_BATCH, OUTPUT_JSON, OUTPUT_STAT, OUTPUT_PLAIN };

struct options {
        const char *socket, *filter; /* borrowed; NULL */
        enum output output;
        enum chars chars;
        enum args_color color;
        uint64_t count; /* of -n; 0: for ever */
        uint64_t interval_ms;
        bool admin, mouse, help, version;
};

/* 0, or -EINVAL and a sentence in *ret_problem (the caller frees it; NULL: no memory). */
int options_parse(struct options *ret, int argc, char **argv, char **ret_problem);
void options_help(FILE *to);
