/* SPDX-License-Identifier: MIT */
/* control/status.h - what the daemon says of itself, as JSON; pure, sockets are elsewhere. */
#pragma once

#include "varlink/writer.h"

struct supervisor;

/* The document of io.bal.Status.Get (include/bal/io.bal.Status.varlink), as text. The caller frees
 * ret->bytes. -ENOMEM; -EMSGSIZE: longer than a reply may be. */
int status_write(struct varlink_text *ret, const struct supervisor *s);

/* The same for server_reply(). New reference; NULL: out of memory, or too long. */
json_t *status_describe(const struct supervisor *s);
