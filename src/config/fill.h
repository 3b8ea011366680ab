/* SPDX-License-Identifier: MIT */
/* config/fill.h - what the file does not say: defaults, tuning, values that hold in two places. */
#pragma once

#include "config/arena.h"
#include "config/schema.h"

/* Leaves no value unset that has a default, and no section NULL. Values that are VALUE_BAD stay so.
 * -ENOMEM. */
int fill_simple(struct raw_simple *raw, struct arena *a);
int fill_full(struct raw_full *raw, struct arena *a);

/* Keys of health_check and of runtime that are two names of one value, in the simple dialect. */
struct twin {
        size_t check, runtime; /* offsets in raw_check and raw_runtime */
        const char *check_name, *runtime_name;
};
#define FILL_TWINS 4
extern const struct twin fill_twins[FILL_TWINS];
