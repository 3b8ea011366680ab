/* SPDX-License-Identifier: MIT */
/* cli/event_line.h - a record of GetEvents as a line for people or for programs. Pure. */
#pragma once

#include <jansson.h>

#include "cli/out.h"

/* "2026-11-20 12:04:28Z WARN  the backend is down  pool=web backend=10.20.0.17:8080"; verbose: with
 * milliseconds, and the event's name and module behind it. */
void event_line(struct out *o, const json_t *record, bool verbose);

/* Of a record that was asked for again, after the connection was lost: was it told before? last is
 * the newest of those that were. */
bool event_is_known(const json_t *record, const json_t *last);
/* Does the same daemon answer that told last? Its numbers go on; those of another begin anew. */
bool event_goes_on(const json_t *records, const json_t *last);
