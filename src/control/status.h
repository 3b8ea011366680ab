/* SPDX-License-Identifier: MIT */
/* control/status.h - what the daemon says of itself, as JSON; pure, sockets are elsewhere. */
#pragma once

#include "varlink/writer.h"

struct server_call;
struct supervisor;

/* The document of io.bal.Status.Get (include/bal/io.bal.Status.varlink), as text. The caller frees
 * ret->bytes. -ENOMEM; -EMSGSIZE: longer than a reply may be. */
int status_write(struct varlink_text *ret, const struct supervisor *s);

/* Ends the call with it, or with what is wrong. */
void status_answer(const struct supervisor *s, struct server_call *call);
