/* SPDX-License-Identifier: MIT */
/* config/cross.h - what no single key shows: contradictions, duplicates, circles, idle pools. */
#pragma once

#include "config/plan.h"

int cross_check(const struct context *ctx, struct arena *a, const struct plan *plan); /* -ENOMEM */

/* Simple dialect, before values are filled: one value under two names. */
void cross_twins(const struct context *ctx, const struct raw_simple *raw);

/* Parts of cross_check(): cross_http.c, cross_route.c, cross_address.c. */
void cross_http(const struct context *ctx, const struct plan_frontend *f); /* whatever it speaks */
void cross_passive(const struct context *ctx, const struct plan *plan, const struct plan_pool *p);
int cross_routes(const struct context *ctx, struct arena *a, const struct plan_frontend *f);
struct variables { /* what a text with variables in it is for */
        const struct value *value;
        const char *path;
        bool backend; /* those that need a backend have a value */
};
void cross_variables(const struct context *ctx, const struct variables *v);

int cross_addresses(const struct context *ctx, struct arena *a, const struct plan *plan);
void cross_wildcard(const struct context *ctx, const struct plan *plan);
