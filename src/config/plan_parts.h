/* SPDX-License-Identifier: MIT */
/* config/plan_parts.h - what plan_simple() and plan_full() are made of. */
#pragma once

#include "config/plan.h"

/* "frontends.web.listen", or "frontends[0].listen" where name is NULL; in the arena; NULL: no
 * memory. */
char *plan_path(struct arena *a,
                const char *before,
                const char *name,
                unsigned index,
                const char *after);

/* Names given twice, and the pools of frontends and routes. whole: all pools of the file are in the
 * plan, so that one which is not there is an error. -ENOMEM. */
int plan_link(struct plan *plan, const struct context *ctx, struct arena *a, bool whole);

/* Of one frontend, without what their backends mean. -ENOMEM. */
int plan_routes(struct plan_frontend *f, struct arena *a, const struct value *routes);

/* Reads the files of error_pages; each that cannot be read is reported. -ENOMEM. */
int plan_pages(struct plan *plan, const struct context *ctx, struct arena *a);
