/* SPDX-License-Identifier: MIT */
/* control/sums.h - what fails too often for a record each: summed up, told every ten seconds and at
 * the end, so that the log has few lines and yet the exact numbers. */
#pragma once

#include "core/base.h"

struct supervisor;

struct sums { /* told so far */
        uint64_t at_ms, rejected, no_backend, connect_failed;
};

void sums_start(struct supervisor *s);
void sums_report(struct supervisor *s); /* what has come since */
