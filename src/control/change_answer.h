/* SPDX-License-Identifier: MIT */
/* control/change_answer.h - what is said of a change: to the caller of Reload, and in the log. */
#pragma once

#include "control/state.h"

/* These answer a call, if there is one. */
void answer_invalid(struct supervisor *s, struct server_call *call, const struct diags *d);
void answer_loaded(struct supervisor *s, struct change *c);
void answer_tried(struct supervisor *s, /* of a dry run, whose file has no errors */
                  struct server_call *call,
                  const struct config *config,
                  const struct diags *d);

/* Why a socket cannot be opened: one line for people; owned by the caller. NULL: out of memory. */
char *answer_listen_problem(const struct listeners_problem *p);
/* Likewise, why a worker cannot take a generation over. */
char *answer_worker_problem(int r);

void answer_log_loaded(const struct supervisor *s, const struct change *c);
void answer_log_rejected(const struct supervisor *s, const struct change *c, int r);
