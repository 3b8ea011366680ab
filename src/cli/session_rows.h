/* SPDX-License-Identifier: MIT */
/* cli/session_rows.h - the answer to GetSessions as rows. Pure. */
#pragma once

#include <jansson.h>

#include "cli/report.h"

const char *session_bytes(uint64_t n, char buf[static REPORT_TEXT_MAX]); /* "1.9MiB" */
/* Round trips to the client and to the backend, in ms: "0.2/12", "3.4/-"; "-": neither. */
const char *session_rtt(const json_t *session, char buf[static REPORT_TEXT_MAX]);

/* sort is the one that was asked for, or NULL: what it goes by is not left out. */
void session_rows_table(struct out *o, const json_t *sessions, const char *sort, bool verbose);
void session_rows_brief(struct out *o, const json_t *sessions); /* a line each, whole numbers */
/* "100 of 230 connections that match, 14210 in all; --limit=230 shows more" */
void session_rows_total(struct out *o, const json_t *answer, bool filtered);
