/* SPDX-License-Identifier: MIT */
/* config/walk_report.h - the problems that walk.c finds, as people read them. */
#pragma once

#include "config/problem.h"
#include "config/schema.h"

#define KEYS_MAX 64 /* of one section; bits of a mask */

struct walk {
        struct context *ctx;
        struct arena *arena;
        const struct node *frontends; /* the key that made it the full dialect, or NULL */
};

/* Returns the key that was most likely meant, or NULL. */
const struct field *walk_report_unknown(struct walk *w,
                                        const struct section *s,
                                        const void *raw,
                                        const struct node *key,
                                        const struct scope *scope);
void walk_report_duplicate(struct walk *w,
                           const struct node *first,
                           const struct node *key,
                           const struct scope *scope);
void walk_report_no_word(struct walk *w, const struct node *key, const struct scope *scope);
void walk_report_missing(struct walk *w,
                         const struct section *s,
                         const struct field *f,
                         const struct node *map,
                         const struct scope *scope);
void walk_report_kind(struct walk *w,
                      const struct field *f,
                      const struct node *n,
                      const struct scope *scope);
void walk_report_empty(struct walk *w, const struct node *at, const struct scope *scope);
void walk_report_count(struct walk *w,
                       const struct field *f,
                       const struct node *n,
                       const struct scope *scope);
void walk_report_statuses(struct walk *w,
                          const struct node *n,
                          size_t count,
                          const struct scope *scope);
void walk_report_header(struct walk *w, const struct node *key, const struct scope *scope);
void walk_report_page(struct walk *w, const struct node *key, const struct scope *scope);
void walk_report_removal(struct walk *w, const struct node *key, const struct scope *scope);
void walk_warn_historic(struct walk *w, const struct node *key, const struct scope *scope);
