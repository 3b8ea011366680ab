/* SPDX-License-Identifier: MIT */
/*
 * cli/report.h - the document of bal.status as text. Pure: the document goes in, text comes out,
 * and whoever calls says what time it is.
 */
#pragma once

#include "cli/out.h"

enum report_level { REPORT_BRIEF, REPORT_DEFAULT, REPORT_VERBOSE };

struct report {
        const json_t *doc; /* borrowed; report_valid() */
        enum report_level level;
        bool live;      /* it is printed again and again */
        uint64_t now_s; /* CLOCK_REALTIME */
};

/* NULL, or the name of the first member that is missing or of a wrong type. */
const char *report_valid(const json_t *doc);

void report_running(struct out *o, const struct report *r);
/* The document that status makes itself when there is no daemon; it has what_happened, ... too. */
void report_stopped(struct out *o, const struct report *r);

#define REPORT_TEXT_MAX 32
const char *report_uptime(uint64_t seconds, char buf[static REPORT_TEXT_MAX]); /* "3d04h12m" */
const char *report_age(uint64_t seconds, char buf[static REPORT_TEXT_MAX]);    /* "2 h" */
const char *report_duration(uint64_t ms, char buf[static REPORT_TEXT_MAX]);    /* "1h30m" */
const char *report_bytes(uint64_t n, char buf[static REPORT_TEXT_MAX]);        /* "1.9M" */
const char *report_rate(double per_s, char buf[static REPORT_TEXT_MAX]);       /* "4736", "0.6" */
int report_time(uint64_t *ret_s, const char *rfc3339);                         /* -EINVAL */
