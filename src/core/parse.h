/* SPDX-License-Identifier: MIT */
/* core/parse.h - text to numbers, whole or not at all. 0, -EINVAL (not one), -ERANGE (too big). */
#pragma once

#include "core/base.h"

/* Decimal digits only: no sign, no blanks. */
int parse_u64(uint64_t *ret, const char *text);

/* "100ms", "5s", "1m30s", "2h": the larger unit first, each once, no blanks; no plain number. */
int parse_duration_ms(uint64_t *ret, const char *text);
