/* SPDX-License-Identifier: MIT */
/* cli/status.h - one report, and many of them. */
#pragma once

#include "cli/verb.h"

int status_once(struct cli *c); /* an enum bal_exit */
/* Every args.watch_ms, until the reader or the terminal goes away. */
int status_live(struct cli *c);
