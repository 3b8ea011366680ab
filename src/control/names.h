/* SPDX-License-Identifier: MIT */
/* control/names.h - what is known of the host names in the configuration; asks again and again.
 * A name that fails keeps its last good answer. */
#pragma once

#include <systemd/sd-event.h>

#include "config/config.h"
#include "upstream/upstream.h"

struct names;

/* changed: an answer differs from the one before. settled: all names that names_use() brought have
 * been answered once, or NAMES_PATIENCE_MS have passed since. */
typedef void (*names_fn)(void *userdata);
#define NAMES_PATIENCE_MS 1000

int names_new(struct names **ret,
              sd_event *event,
              names_fn changed,
              names_fn settled,
              void *userdata);
struct names *names_free(struct names *n);
DEFINE_CLEANUP(struct names *, names_free);

/* The names of c from now on; those it does not have are forgotten when names_forget() says so.
 * Calls settled() later, never from within, also when there is nothing to ask. */
int names_use(struct names *n, const struct config *c);
void names_forget(struct names *n, const struct config *c); /* all that c does not have */

/* What is behind this name has failed, and may have moved: asks now, out of turn. Not while it is
 * asked already, nor within NAMES_REST_MS of the last time; an answer that stays the same makes the
 * rest longer, up to the interval. A name that nobody uses is ignored. */
#define NAMES_REST_MS 1000
void names_ask_again(struct names *n, const char *host);

/* Ends with host NULL; borrowed until the next turn of the event loop; NULL: out of memory. */
const struct upstream_names *names_table(struct names *n);
