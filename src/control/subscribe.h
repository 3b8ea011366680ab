/* SPDX-License-Identifier: MIT */
/* control/subscribe.h - Subscribe: the document of Get, again and again. */
#pragma once

#include "control/server.h"

struct supervisor;

/* Ends the call when the client goes; without more after one answer. */
void subscribe_start(struct supervisor *s, struct server_call *call, json_t *parameters);
