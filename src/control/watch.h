/* SPDX-License-Identifier: MIT */
/*
 * control/watch.h - tells when the configuration file says something else than it did when it was
 * read last, however it was written: in place, renamed over, or behind symbolic links. inotify(7).
 *
 * It compares the bytes, so a touch is no change, and a file that is broken is told once.
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/base.h"

struct watch;
typedef void (*watch_fn)(void *userdata);

/* What a file says, as a number; 0: there is no regular file, or it cannot be read. */
uint64_t watch_sum(const char *path);

/* path is absolute. seen: the watch_sum() of what was read last; what the file says now is compared
 * with it at once, so nothing is missed in between. changed() comes from the event loop, never from
 * within, and may free the watch. -ENOMEM and the like; that the file or its directory cannot be
 * watched is told in the log, and tried again. */
int watch_new(struct watch **ret,
              sd_event *event,
              const char *path,
              uint64_t seen,
              watch_fn changed,
              void *userdata);
struct watch *watch_free(struct watch *w);
DEFINE_CLEANUP(struct watch *, watch_free);

/* The file is read for another reason, and says this. */
void watch_saw(struct watch *w, uint64_t sum);
