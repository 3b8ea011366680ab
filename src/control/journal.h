/* SPDX-License-Identifier: MIT */
/*
 * control/journal.h - what bal needs of the system's journal: is a descriptor one of its streams,
 * and a socket for records with fields.
 *
 * Not sd_journal_sendv(): without a journal that says the record was sent, and when the journal has
 * stopped reading it waits for ever, after some ten records. Here both are errors.
 */
#pragma once

#include <sys/types.h>

#include "core/base.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* Does what is written to fd go to the journal? JOURNAL_STREAM names the stream's device and inode;
 * that it is set says nothing, since whatever the service starts with another fd 2 inherits it. */
bool journal_is_stream(int fd);

int journal_connect(const char *path); /* a descriptor; -errno */
/* One record of log_format_native(). 0; -EAGAIN: the journal's queue is full; -errno: it is
 * gone. */
int journal_send(int fd, const char *record, size_t size);
