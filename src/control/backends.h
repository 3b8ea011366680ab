/* SPDX-License-Identifier: MIT */
/*
 * control/backends.h - what an operator sets while bal runs: states and weights of backends.
 *
 * Both are methods of io.bal.Admin (include/bal/io.bal.Admin.varlink). What they set outlives
 * generations, because endpoints do.
 */
#pragma once

#include "control/server.h"
#include "upstream/upstream.h"

/* Of the table of methods; userdata is the supervisor. */
void backends_on_set_state(struct server_call *call, json_t *parameters, void *userdata);
void backends_on_set_weight(struct server_call *call, json_t *parameters, void *userdata);

/* Does it count as usable? Up or cooling, in service, and with a weight. */
bool backend_usable(const struct upstream_endpoint *e);

/* Would a pool of `total` backends, `usable` of them now and `left` afterwards, be left with none,
 * or with less than half? Only where that makes it worse. */
bool backends_too_few(size_t usable, size_t left, size_t total);
