/* SPDX-License-Identifier: MIT */
/* cli/unit.h - what systemd knows of bal's unit. */
#pragma once

#include "core/base.h"

#define UNIT_BAL      "bal.service"
#define UNIT_NAME_MAX 128

struct unit {
        char name[UNIT_NAME_MAX];
        char *load, *active, *enabled, *restart, *result; /* owned; NULL: unknown */
        uint64_t nofile, exited_us; /* exited_us: CLOCK_REALTIME of the last exit; 0: none yet */
        uint32_t restarts;
        int32_t code, status; /* of the last exit: CLD_EXITED and its status, or a signal */
        bool reload_needed;
};

bool unit_systemd_runs(void); /* sd_booted(3) */
/* Would systemd be who starts bal with this file? */
bool unit_starts(const char *config_path);

/* Fills in what systemd says of u->name, for 400 ms a question at most. With a load that is not
 * "loaded" the rest is unknown. 0, or a negative errno: it does not answer. */
int unit_read(struct unit *u);
void unit_done(struct unit *u);

/* "last exit 12:01:07 status 78 (configuration)", local time, a new string. NULL: there was none
 * since the machine has started, or no memory. */
char *unit_last_exit(const struct unit *u);
