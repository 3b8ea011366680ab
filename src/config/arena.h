/* SPDX-License-Identifier: MIT */
/* config/arena.h - memory that is freed all at once: a parsed file, a configuration. */
#pragma once

#include "core/base.h"

struct arena {
        struct arena_chunk *chunks; /* owned; the newest first */
};

void *arena_alloc(struct arena *a,
                  size_t n); /* zeroed, aligned for anything; NULL: out of memory */
char *arena_copy(struct arena *a, const char *s, size_t n); /* with a NUL behind; NULL likewise */
void arena_done(struct arena *a);                           /* for _cleanup_(); safe twice */
