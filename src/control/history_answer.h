/* SPDX-License-Identifier: MIT */
/* control/history_answer.h - GetHistory. */
#pragma once

#include "control/server.h"

struct supervisor;

void history_get(const struct supervisor *s, struct server_call *call, json_t *parameters);
