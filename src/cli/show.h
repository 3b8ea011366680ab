/* SPDX-License-Identifier: MIT */
/* cli/show.h - a configuration's problems as people see them: source, caret, three parts. */
#pragma once

#include "cli/out.h"
#include "core/diag.h"

/* Errors first, then warnings, each in the order of their places; then how many were not kept. */
void show_diags(struct out *o, const struct diags *d);
void show_diags_brief(struct out *o, const struct diags *d); /* "file:14:5: error[E014]: text" */

/* "2 errors, 1 warning"; with n_errors 0 only the warnings. */
void show_counts(struct out *o, const struct diags *d);
/* The first error, else the first warning; NULL: none. */
const struct diag *show_first(const struct diags *d);
