/* SPDX-License-Identifier: MIT */
/* control/status.h - what the daemon says of itself, as JSON; pure, sockets are elsewhere. */
#pragma once

#include <jansson.h>

struct supervisor;

/* The document of io.bal.Status.Get (include/bal/io.bal.Status.varlink). New reference; NULL: out
 * of memory. */
json_t *status_describe(const struct supervisor *s);
