/* SPDX-License-Identifier: MIT */
/* config/walk_lists.h - values that are lists, maps, or one of several forms; parts of walk(). */
#pragma once

#include "config/walk_report.h"

/* True: a list or section as wanted, with a number of entries in range. Else it is reported. */
bool walk_shape(struct walk *w,
                const struct field *f,
                const struct node *key,
                struct node *n,
                enum node_kind kind,
                const struct scope *scope);

/* These read what stands behind key into v. What is wrong is reported and v stays VALUE_BAD.
 * -ENOMEM. */
int walk_texts(struct walk *w, /* field_has_texts() */
               const struct field *f,
               struct value *v,
               struct node *key,
               struct node *n,
               const struct scope *scope);
int walk_map(struct walk *w, /* field_has_pairs() */
             const struct field *f,
             struct value *v,
             struct node *key,
             struct node *n,
             const struct scope *scope);
int walk_statuses(struct walk *w,
                  const struct field *f,
                  struct value *v,
                  struct node *key,
                  struct node *n,
                  const struct scope *scope);
int walk_access(struct walk *w,
                const struct field *f,
                struct value *v,
                struct node *key,
                struct node *n,
                const struct scope *scope);
