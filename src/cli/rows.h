/* SPDX-License-Identifier: MIT */
/* cli/rows.h - what the tables of backends say about one of them, in the words they share. Pure. */
#pragma once

#include <jansson.h>

#include "cli/report.h"

#define ROWS_NAME_CELLS 48 /* a longer name loses its middle */

const char *row_name(const json_t *backend);
/* How long ago; "-" where the document has no time. */
const char *row_age(const json_t *doc,
                    const char *key,
                    uint64_t now_s,
                    char buf[static REPORT_TEXT_MAX]);
/* "10"; "3 (file 10)" when it was set live. */
const char *row_weight(const json_t *backend, char buf[static REPORT_TEXT_MAX]);
/* Until what is left of it is closed: "51 s"; "-" where nothing will be. */
const char *row_deadline(const json_t *backend, char buf[static REPORT_TEXT_MAX]);

/* "ok", "refused 2/3": the last check, and how far it is from marking it down; "-": none yet. */
const char *row_check(const json_t *backend, char buf[static REPORT_TEXT_MAX]);

/* New string, maybe empty: why it is in its state, when it is tried again, what else is odd about
 * it. NULL: no memory. */
char *row_note(const json_t *backend);
/* The same for who leaves: "37 connections, closed in 51 s, oldest 3 h". */
char *row_left(const json_t *backend);
