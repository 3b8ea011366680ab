/* SPDX-License-Identifier: MIT */
/* cli/doctor/screen.h - the report of doctor: rows, one line, a line for monitoring, JSON. */
#pragma once

#include <jansson.h>

#include "cli/doctor/run.h"
#include "cli/out.h"

struct doctor_report {
        struct visit *visits; /* borrowed; in the order of checks[] */
        size_t n;
        bool all_rows; /* --verbose, or only some checks were asked for */
        char hostname[256], time[32];
        uint64_t started_ms, elapsed_ms;
        /* for screen_row() */
        size_t printed; /* rows of the order on the screen that are done with */
        size_t folded;  /* of them: not shown, since all is well */
};

struct doctor_counts {
        size_t of[LEVELS_COUNT];
        enum level worst;
};
struct doctor_counts screen_counts(const struct doctor_report *r);

/* The rows come as they are known: first the head, then those that are next on the screen and
 * over, at last the verdict. */
void screen_head(struct out *o, const struct doctor_report *r);
void screen_rows(struct out *o, struct doctor_report *r);
void screen_verdict(struct out *o, const struct doctor_report *r);

void screen_brief(struct out *o, const struct doctor_report *r);  /* one line */
void screen_plugin(struct out *o, const struct doctor_report *r); /* one line, with numbers */

/* The document bal.doctor; protection is taken, it may be NULL. NULL: no memory. */
json_t *screen_document(const struct doctor_report *r, json_t *protection);
