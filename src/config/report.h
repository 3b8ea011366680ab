/* SPDX-License-Identifier: MIT */
/* config/report.h - a list of problems as the JSON that check, reload and admin.sock share. */
#pragma once

#include <jansson.h>

#include "core/diag.h"

/* New references; NULL: out of memory. */
json_t *report_errors(const struct diags *d);      /* ["file:14:5: error[E014]: ...", ...] */
json_t *report_warnings(const struct diags *d);    /* the same form */
json_t *report_diagnostics(const struct diags *d); /* [{severity code file line column end_column
                                                      message hint}, ...] */
char *report_brief(const struct diag *d); /* one such line; owned by the caller; NULL: no memory */
