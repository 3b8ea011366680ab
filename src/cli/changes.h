/* SPDX-License-Identifier: MIT */
/* cli/changes.h - what a new configuration changes, as the daemon's answer to Reload tells it.
 * Pure. */
#pragma once

#include <jansson.h>

#include "cli/out.h"

#define CHANGES_ROWS_MAX 20 /* unless all are wanted */

/* A row for each change: a mark and a word, the thing, its name, how; then how many there are
 * beyond. */
void changes_print(struct out *o, const json_t *answer, bool all);
/* "  connections  14210 stay, 12 of them until they end: their backends are removed" */
void changes_connections(struct out *o, const json_t *answer);
