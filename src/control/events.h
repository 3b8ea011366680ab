/* SPDX-License-Identifier: MIT */
/*
 * control/events.h - the newest records of the log, for GetEvents: whoever looks now sees what has
 * happened, and with "more" what happens from then on.
 *
 * The log thread brings them, the control thread hands them out. What a session's end leaves at
 * level debug is not kept.
 */
#pragma once

#include <systemd/sd-event.h>

#include "control/server.h"
#include "core/log.h"

struct events;

#define EVENTS_KEPT 512 /* records; older ones are forgotten */

int events_new(struct events **ret, sd_event *event);
struct events *events_free(struct events *e); /* after server_free(): followers are gone by then */
DEFINE_CLEANUP(struct events *, events_free);

/* In the log thread, for each record that is written. Never blocks for long. */
void events_tap(const struct log_record *record, void *events);

/* Ends the call; with more, when the client goes. */
void events_get(struct events *e, struct server_call *call, json_t *parameters);
