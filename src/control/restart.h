/* SPDX-License-Identifier: MIT */
/*
 * control/restart.h - whether the service manager ends bal only to start it again.
 *
 * SIGTERM looks the same for a stop and a restart. What tells them apart is the job that systemd
 * runs for the unit, and systemd says it over D-Bus to everybody who asks. The bus is connected
 * when the question is asked, and not before.
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/base.h"

struct restart_question;

#define RESTART_ANSWER_MS 1000 /* no answer by then: it is no restart */

/* Called once, from the event loop. */
typedef void (*restart_fn)(bool restart, void *arg);

/* Returns at once. -ENOTSUP: systemd did not start this process; another error: systemd cannot be
 * asked. fn is not called then, and *ret is not set. */
int restart_ask(struct restart_question **ret, sd_event *event, restart_fn fn, void *arg);
/* Not from within fn. fn is not called any more. */
struct restart_question *restart_forget(struct restart_question *q);
DEFINE_CLEANUP(struct restart_question *, restart_forget);
