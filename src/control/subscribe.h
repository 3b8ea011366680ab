/* SPDX-License-Identifier: MIT */
/* control/subscribe.h - Subscribe: the document of Get, again and again. */
#pragma once

#include "control/server.h"

struct supervisor;

struct subscriptions { /* what they have in common; zeroed: there are none */
        size_t n;
        struct server_text *text; /* referenced; the newest; NULL: none */
        uint64_t made_ms, cost_ms;
};

/* Ends the call when the client goes; without more after one answer. */
void subscribe_start(struct supervisor *s, struct server_call *call, json_t *parameters);
