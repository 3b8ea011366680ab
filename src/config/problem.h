/* SPDX-License-Identifier: MIT */
/*
 * config/problem.h - building one problem: where it is, then its texts, then problem_add().
 *
 *   struct diag p = problem(ctx, DIAG_E021, scope, node);
 *
 *   p.message = str_printf(...);
 *   problem_add(ctx, &p);
 *
 * Texts are owned by the problem until problem_add() has copied and freed them.
 */
#pragma once

#include <limits.h>

#include "config/node.h"
#include "config/text.h"
#include "core/diag.h"

/* Beyond this many errors the rest of a file is not looked at: it is not a configuration. */
#define PROBLEMS_MAX 200

struct context {
        const struct text *text;
        struct diags *diags;
        unsigned errors_before; /* that were in diags when this text began */
        bool partial; /* the text ends at a YAML error: what is missing may stand behind it */
};

/* Where in the tree of keys we are; a chain of local variables. */
struct scope {
        const struct scope *up;
        const char *key;  /* of the file; NULL: an item of a list */
        const char *name; /* of an item that has one: `frontends.web`; else its index is shown */
        unsigned index;   /* SCOPE_KEY: a key that is being read, which has no path of its own */
};
#define SCOPE_KEY UINT_MAX

char *scope_text(const struct scope *s); /* "backends[0].port", "" at the top; NULL: no memory */

struct diag problem(const struct context *ctx,
                    enum diag_code code,
                    const struct scope *scope,
                    const struct node *at);
struct diag problem_at(const struct context *ctx,
                       enum diag_code code,
                       unsigned line,
                       unsigned column);
void problem_other(const struct context *ctx,
                   struct diag *p,
                   const struct node *at,
                   const char *label);
/* Shows also the two lines before it, for problems whose cause lies around them. */
void problem_before(const struct context *ctx, struct diag *p);
void problem_add(const struct context *ctx, struct diag *p); /* takes the texts */

bool problems_enough(const struct context *ctx);
char *quoted(const char *s); /* cleaned and cut for a message: 'prot'; NULL: no memory */
/* The NULL-ended list with blanks between, and before in front of each: "$host $uri"; NULL: no
 * memory. */
char *words_joined(const char *before, const char *const *words);
