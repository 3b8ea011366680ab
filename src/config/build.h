/* SPDX-License-Identifier: MIT */
/* config/build.h - from a plan without errors to the model, and the memory both dialects share. */
#pragma once

#include <stdatomic.h>

#include "config/plan.h"

/* What config_ref() and config_unref() work on; the arena holds everything, this struct too. */
struct loaded {
        struct config config;
        atomic_uint refs;
        struct arena arena;
        void *raw; /* values and their origins, for config_values() */
};

int build(struct loaded *l, const struct plan *plan); /* -ENOMEM */
