/* SPDX-License-Identifier: MIT */
/*
 * control/notify.h - what the service manager hears of bal: sd_notify(3).
 *
 * Without $NOTIFY_SOCKET there is no struct notify, and every function takes NULL and does nothing.
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/base.h"

struct crew;
struct notify;

/* The environment is read once. *ret is NULL where nobody listens. crew is borrowed, and may go
 * before the notify does only if it answers no more pings. */
int notify_new(struct notify **ret, sd_event *event, struct crew *crew);
struct notify *notify_free(struct notify *n);
DEFINE_CLEANUP(struct notify *, notify_free);

/* Connections are served. From now on the watchdog is fed, if there is one. */
void notify_ready(struct notify *n);

/* A reload begins, and has ended; good: the new file is in force. Only the end of one that has
 * begun is told. */
void notify_reloading(struct notify *n);
void notify_reloaded(struct notify *n, bool good);

/* Sessions drain from now on, for at most so long; restart: the manager starts bal again. */
void notify_stopping(struct notify *n, uint64_t drain_timeout_ms, bool restart);

/* Once a second: the line of `systemctl status` is sent when it says something new, else at most
 * every NOTIFY_STATUS_MS; while bal is stopping the manager is asked for more time. */
#define NOTIFY_STATUS_MS 10000
struct notify_facts {
        size_t up, backends;
        uint32_t sessions;
        size_t protected; /* pools whose protection is on */
};
void notify_tick(struct notify *n, const struct notify_facts *facts);

#define NOTIFY_TEXT_MAX 160
/* "3/4 backends up, 120 connections, protection off". Returns buf. */
const char *notify_text(const struct notify_facts *facts, char buf[static NOTIFY_TEXT_MAX]);
