/* SPDX-License-Identifier: MIT */
/* cli/report_parts.h - what the files of the report share, and nobody else. */
#pragma once

#include "cli/report.h"

#define REPORT_ROWS_MAX 20 /* of trouble in the default report; the rest with --verbose */

void report_name(struct out *o, const char *name); /* squeezed and cleaned */
void report_listen(struct out *o, const json_t *doc);
void report_tables(struct out *o, const struct report *r); /* of --verbose */
