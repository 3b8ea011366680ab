/* SPDX-License-Identifier: MIT */
/* config/tree.h - from YAML to a tree, and every way in which a text fails to be YAML. */
#pragma once

#include "config/problem.h"

#define TREE_DEPTH_MAX 16
#define TREE_NODES_MAX 400000

/* *ret lives in the arena; NULL: nothing usable, and ctx->diags says why. After a YAML error it is
 * what stands before it, and ctx->partial is set. -ENOMEM. */
int tree_read(struct node **ret, struct context *ctx, struct arena *a);
