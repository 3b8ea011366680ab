/* SPDX-License-Identifier: MIT */
/*
 * control/logsink.h - the thread that empties the log rings and writes.
 *
 * A thread of its own, because a write to a pipe or a terminal that nobody reads blocks, and the
 * control thread must answer within 50 ms whatever happens. While it hangs, rings fill up and drop,
 * and the count is told as soon as there is room again.
 *
 * Where a write fails, as on a full disk, records are lost and counted at once; it is tried again
 * every LOGSINK_AGAIN_MS. The first record that gets through then says how many are missing, so a
 * gap in the log is told where it is.
 */
#pragma once

#include "config/config.h"

struct logsink;

/* path NULL: standard error; else a file that is appended to. journal: the socket for log_format:
 * journal, JOURNAL_SOCKET of control/journal.h; borrowed. -errno of open(2). */
int logsink_new(struct logsink **ret, const char *path, const char *journal);
/* Writes what is there, for at most LOGSINK_LAST_MS, and ends. */
#define LOGSINK_LAST_MS 1000
struct logsink *logsink_free(struct logsink *sink);
DEFINE_CLEANUP(struct logsink *, logsink_free);

/* Each record that is written is shown to fn too, in the log thread; NULL: no more, and none is
 * under way when this returns. */
typedef void (*logsink_tap_fn)(const struct log_record *record, void *arg);
void logsink_tap(struct logsink *sink, logsink_tap_fn fn, void *arg);

/* Any thread. Where the journal cannot be reached, or does not read for LOGSINK_PATIENCE_MS,
 * log_format: journal writes JSON instead, and tries again after LOGSINK_JOURNAL_MS. */
#define LOGSINK_JOURNAL_MS  2000
#define LOGSINK_PATIENCE_MS 1000
void logsink_format(struct logsink *sink,
                    enum config_log_format format,
                    enum config_log_schema schema);
/* Where it writes: "journal", "stderr", or the path of the file as UTF-8. Any thread. */
const char *logsink_target(const struct logsink *sink);
#define LOGSINK_AGAIN_MS 250
/* Any thread. Why records are lost just now: a negative errno; 0: they are written. */
int logsink_error(const struct logsink *sink);
/* Opens the file again, for log rotation. 1; 0: there is no file; -errno, and the old one stays.
 * Control thread only. */
int logsink_reopen(struct logsink *sink);
