/* SPDX-License-Identifier: MIT */
/*
 * control/logwrite.h - whole lines to a descriptor that may take only some of them.
 *
 * A disk that becomes full takes half a line. In a regular file the other half is kept and written
 * first as soon as there is room, if nobody has touched the file meanwhile; anywhere else, and in a
 * file that was left with half a line by somebody else, the next line begins behind a line feed.
 */
#pragma once

#include <sys/types.h>

#include "core/log.h"

struct logwrite {
        int fd;                  /* borrowed */
        const _Atomic int *over; /* borrowed; 2: stop waiting for a descriptor that is not ready */
        _Atomic bool is_other;   /* another file has taken the number of fd */
        int error;               /* of the last call: 0, or a negative errno */
        bool torn;               /* the last line has no end */
        char rest[LOG_RECORD_MAX];
        size_t n_rest; /* > 0: the other half of that line, for the place below */
        dev_t device;
        ino_t inode;
        off_t size;
};

void logwrite_init(struct logwrite *w, int fd, const _Atomic int *over);
/* Any thread, after dup2() to fd. */
void logwrite_other(struct logwrite *w);

/* Writes lines, each of less than LOG_RECORD_MAX bytes with its '\n', and before them what is left
 * of the last call. Returns how many lines are lost, and w->error says why. */
size_t logwrite_lines(struct logwrite *w, const char *bytes, size_t size);
size_t logwrite_count(const char *bytes, size_t size); /* lines */
