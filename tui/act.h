/* SPDX-License-Identifier: MIT */
/*
 * tui/act.h - changes of backends: what is asked before one, and what is sent. Pure.
 *
 * An action is about the tagged backends, or else the selected one; their names are noted when it
 * begins, so whatever moves on the screen meanwhile, it is about these. The default is No. Where a
 * pool would be left with less than half of its backends in use, or none, its name has to be typed;
 * the daemon has the last word about that, and may ask for it after the answer too.
 */
#pragma once

#include "ui.h"

unsigned act_begin(struct ui *ui, struct model *m, enum act verb, uint64_t now_ms);
unsigned act_key(struct ui *ui, struct model *m, int key, uint64_t now_ms); /* in a prompt */
void act_forget(struct ui *ui);       /* what was asked about */
const char *act_state(enum act verb); /* "drain", "maint", "ready" */
