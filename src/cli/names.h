/* SPDX-License-Identifier: MIT */
/* cli/names.h - which backend is meant by "10.20.0.22:8080" or "web/10.20.0.22:8080". Pure. */
#pragma once

#include <jansson.h>

#include "core/base.h"

struct backend_name { /* borrowed from the document */
        const char *pool, *name;
};

/* Looks text up among the backends of a document of bal.status. 0; -ENOENT, -ENOTUNIQ: *ret_problem
 * is one sentence with what was meant, or with the pools; -ENOMEM. */
int name_find(struct backend_name *ret, const json_t *doc, const char *text, char **ret_problem);

/* A word of `backend list`: a pool, a part of "pool/name", "state:WORD", "pool:NAME". */
struct name_filter {
        enum { NAME_BY_STATE, NAME_BY_POOL, NAME_BY_TEXT } by;
        const char *word;
};
struct name_filter name_filter(const json_t *doc, const char *text); /* borrows text */
bool name_fits(const json_t *backend, const struct name_filter *f);
/* The sentence about a filter that no backend of doc fits; NULL: an empty list is a good answer to
 * it, or no memory. */
char *name_filter_problem(const json_t *doc, const struct name_filter *f);
