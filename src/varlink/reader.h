/* SPDX-License-Identifier: MIT */
/* varlink/reader.h - bytes in any split -> messages, each ended by a NUL. No sockets: the caller
 * receives into room() and says with fed() how much came. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct varlink_reader {
        char *buf; /* owned; [start, end) is held, [start, scanned) has no NUL */
        size_t size, start, scanned, end;
        size_t max; /* of one message, without its NUL; the buffer is never larger than max + 1 */
};

void varlink_reader_init(struct varlink_reader *r, size_t max);
void varlink_reader_done(struct varlink_reader *r);

/* Where the next bytes go, at least one. -EMSGSIZE: full, see next(); -ENOMEM. Moves what is
 * held. */
int varlink_reader_room(struct varlink_reader *r, char **ret, size_t *ret_n);
void varlink_reader_fed(struct varlink_reader *r, size_t n);

/* 1: a message, valid until the next call of room(), with a NUL behind its n bytes; 0: none is
 * whole; -EMSGSIZE: the one under way is longer than max, and the stream of no further use. */
int varlink_reader_next(struct varlink_reader *r, const char **ret, size_t *ret_n);

bool varlink_reader_partial(const struct varlink_reader *r); /* holds bytes */
