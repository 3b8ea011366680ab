/* SPDX-License-Identifier: MIT */
/*
 * control/logsink.h - the thread that empties the log rings and writes.
 *
 * A thread of its own, because a write to a pipe or a terminal that nobody reads blocks, and the
 * control thread must answer within 50 ms whatever happens. While it hangs, rings fill up and drop,
 * and the count is told as soon as there is room again.
 */
#pragma once

#include "config/config.h"

struct logsink;

/* path NULL: standard error; else a file that is appended to. -errno of open(2). */
int logsink_new(struct logsink **ret, const char *path);
/* Writes what is there, for at most LOGSINK_LAST_MS, and ends. */
#define LOGSINK_LAST_MS 1000
struct logsink *logsink_free(struct logsink *sink);
DEFINE_CLEANUP(struct logsink *, logsink_free);

void logsink_format(struct logsink *sink, enum config_log_format format); /* any thread */
/* Opens the file again, for log rotation. 0; -errno, and the old one stays. Control thread only. */
int logsink_reopen(struct logsink *sink);
