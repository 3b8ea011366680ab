/* SPDX-License-Identifier: MIT */
/*
 * core/diag.h - problems told to people: all of them, each with place, code and the way out.
 *
 * A problem is data. `bal check`, start-up, a reload and the tests all print the same list; how it
 * looks on a screen is the CLI's business, how it looks in JSON is config/report.h's.
 */
#pragma once

#include "core/list.h"

enum diag_level { DIAG_WARNING, DIAG_ERROR };

/* The codes, with the text and the two examples of `bal explain`, are rows of core/diag_codes.h. */
enum diag_code {
#define DIAG(id, ...) DIAG_##id,
#include "core/diag_codes.h"
        DIAG_CODES
};

struct diag_info {        /* one row of the table, for `bal explain` and the manual page */
        const char *name; /* "E014" */
        const char *title, *explanation;
        const char *wrong, *right; /* examples; several lines */
};

struct place {
        const char *file;      /* copied by diags_add() */
        unsigned line, column; /* from 1, column in characters (code points); 0: the whole file */
        unsigned end_column;   /* the first column after it; 0: unknown, one caret */
};

struct diag {
        struct link link;
        enum diag_level level;
        enum diag_code code;
        struct place at;
        struct place other;  /* line 0: none; the first of two duplicate keys, an opening quote */
        char *path;          /* "pools.web.backends[2].weight"; never NULL, may be "" */
        char *message;       /* the headline: "unknown key 'prot' in backends[0]"; never NULL */
        char *label;         /* behind the caret: "did you mean 'port'?"; NULL: none */
        char *brief;         /* the one-line form: "unknown key 'prot', did you mean 'port'?" */
        char *what_happened; /* these three may be NULL, do_this_now never is */
        char *why_likely;
        char *do_this_now;
        char *source[3];   /* the line itself last, up to two before it; NULL where there is none */
        char *other_label; /* behind the caret of other: "first given here"; NULL: none */
        char *other_source; /* the line of other; NULL: none, or it is one of source[] */
};

struct diags {
        struct link list;              /* of struct diag, in the order of their places; owned */
        unsigned n_errors, n_warnings; /* all, also those not kept */
        unsigned n_suppressed;         /* beyond DIAGS_MAX: counted, not kept */
};

#define DIAGS_MAX 20 /* kept per level; a broken file shall not scroll the first error away */

void diags_init(struct diags *d);
void diags_done(struct diags *d); /* safe on an initialised struct at any time, also twice */

/* Takes nothing, copies everything; all members but the links may be set by the caller in *problem.
 * An absent brief becomes the message; other texts that are never NULL become "". Never fails: out
 * of memory counts the problem and does not keep it. */
void diags_add(struct diags *d, const struct diag *problem);
void diag_free_texts(struct diag *p); /* for who has built one: every text, but no file's name */

const struct diag_info *diag_info(enum diag_code code);
int diag_find(enum diag_code *ret, const char *name); /* "E014", any case; -ENOENT */
