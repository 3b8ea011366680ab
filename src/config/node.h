/* SPDX-License-Identifier: MIT */
/*
 * config/node.h - a YAML text as a tree in which everything knows its place.
 *
 * Built from libyaml's events and not from its document, which has lost the anchors, the aliases
 * and the tags that bal refuses, and which follows the text as deep as it goes.
 */
#pragma once

#include "config/arena.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP, NODE_ALIAS };
enum node_style { NODE_PLAIN, NODE_QUOTED, NODE_BLOCK };

struct node {
        enum node_kind kind;
        enum node_style style;         /* of a scalar */
        bool flow;                     /* a list or a section in brackets */
        bool reported;                 /* a problem was told about it; say nothing more */
        unsigned line, column;         /* from 1, in characters */
        unsigned end_line, end_column; /* the first place behind it */
        const char *text;              /* of a scalar; NUL-terminated */
        size_t n;                      /* its bytes, which may hold a NUL */
        struct node *first, *next;     /* first item or first key; next item or next key */
        struct node *value;            /* of a key */
        size_t n_children;
};

/* `key:` with nothing behind it, ~ and null. */
bool node_is_null(const struct node *n);
