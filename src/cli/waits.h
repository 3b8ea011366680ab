/* SPDX-License-Identifier: MIT */
/* cli/waits.h - clients that wait, in the daemon's status document. */
#pragma once

#include <jansson.h>

#include "core/base.h"

struct waits { /* over all frontends */
        int64_t slot, full;
};
struct waits waits_of(const json_t *doc);
int64_t waits_held(const json_t *doc); /* clients that no backend can take, over all pools */

#define WAITS_TEXT_MAX 384
/* "12 clients wait for a backend of pool web: none can take them now"; false: no client of this
 * pool is held. */
bool waits_held_text(const json_t *pool, char ret[static WAITS_TEXT_MAX]);
