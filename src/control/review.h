/* SPDX-License-Identifier: MIT */
/*
 * control/review.h - what a new configuration would change in what runs: for the answer to Reload,
 * for the log, and for a dry run. Pure: looks, and changes nothing.
 */
#pragma once

#include <jansson.h>

#include "config/diff.h"
#include "upstream/upstream.h"

#define REVIEW_CHANGES_MAX 1000 /* told; more are counted */
#define REVIEW_NOTES_MAX   20   /* of live settings that are replaced; likewise */
#define REVIEW_LINES_MAX   50   /* in the log */

struct review {
        json_t *changes; /* owned; objects as in io.bal.Admin.varlink */
        size_t n_changes;
        struct {
                size_t added, removed, changed; /* with those of whole pools */
        } backends;
        uint32_t draining; /* sessions of backends that are removed */
        json_t *notes;     /* owned; sentences on live weights and marks */
};

/* now: the generation in force, before next is published. -ENOMEM: *ret tells what it can. Both
 * leave *ret to review_done(), which is safe on a zeroed one. */
int review_make(struct review *ret, const struct upstream *now, const struct config *next);
/* What was just added may have been there before, and keep the mark that an operator gave it. */
void review_note_marks(struct review *r, const struct upstream *now);
void review_done(struct review *r);

void review_log(const struct review *r); /* a line per change */
