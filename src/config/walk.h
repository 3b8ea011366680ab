/* SPDX-License-Identifier: MIT */
/* config/walk.h - a tree along the schema: every key known, every value of its kind and range. */
#pragma once

#include "config/problem.h"
#include "config/schema.h"

enum config_dialect walk_dialect(const struct node *root); /* by the key `frontends` */

/* Fills raw, the struct of values of the section. Problems go to ctx->diags, the values they are
 * about become VALUE_BAD. -ENOMEM. */
int walk(void *raw,
         struct context *ctx,
         struct arena *a,
         const struct section *s,
         struct node *root);
