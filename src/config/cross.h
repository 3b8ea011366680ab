/* SPDX-License-Identifier: MIT */
/* config/cross.h - what no single key shows: contradictions, duplicates, circles, idle pools. */
#pragma once

#include "config/plan.h"

int cross_check(const struct context *ctx, struct arena *a, const struct plan *plan); /* -ENOMEM */

/* Simple dialect, before values are filled: one value under two names. */
void cross_twins(const struct context *ctx, const struct raw_simple *raw);

/* Parts of cross_check(), in cross_address.c. */
int cross_addresses(const struct context *ctx, struct arena *a, const struct plan *plan);
void cross_wildcard(const struct context *ctx, const struct plan *plan);
