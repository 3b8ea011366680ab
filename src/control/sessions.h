/* SPDX-License-Identifier: MIT */
/* control/sessions.h - GetSessions and CloseSessions, answered when all workers have looked. */
#pragma once

#include "control/server.h"
#include "proxy/crew.h"

/* Both end the call, at once or later; crew_free() at the latest makes all answers. */
void sessions_get(struct crew *crew, struct server_call *call, json_t *parameters);
void sessions_close(struct crew *crew, struct server_call *call, json_t *parameters);
