/* SPDX-License-Identifier: MIT */
/* core/clock.h - the two clocks bal reads, in the two units it uses. clock_gettime(2). */
#pragma once

#include "core/base.h"

uint64_t clock_mono_ms(void); /* CLOCK_MONOTONIC: for time-outs and ages */
uint64_t clock_mono_us(void); /* the same: for what is over in less than a millisecond */
uint64_t clock_real_us(void); /* CLOCK_REALTIME: for people */

#define CLOCK_TEXT_MAX 32
/* RFC 3339, UTC, three decimals: "2026-11-20T12:04:28.412Z". */
const char *clock_text(uint64_t real_us, char buf[static CLOCK_TEXT_MAX]);
