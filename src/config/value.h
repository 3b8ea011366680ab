/* SPDX-License-Identifier: MIT */
/* config/value.h - one scalar: its text to the value of its key, or what is wrong with it. */
#pragma once

#include "config/host.h"
#include "config/problem.h"
#include "config/schema.h"

enum verdict {
        VERDICT_OK,
        VERDICT_NOT_NUMBER,
        VERDICT_BELOW,
        VERDICT_ABOVE,
        VERDICT_NOT_BOOL,
        VERDICT_NOT_CHOICE,
        VERDICT_NOT_DURATION,
        VERDICT_NO_UNIT,
        VERDICT_NOT_NAME,
        VERDICT_NOT_PATH,
        VERDICT_NOT_AUTHORITY,
        VERDICT_NOT_TEXT, /* empty or with a control character */
        VERDICT_TOO_LONG,
        VERDICT_NOT_STATUS,
        VERDICT_STATUS_ORDER,
        VERDICT_NOT_SIZE,
        VERDICT_NOT_ACCESS,
        VERDICT_NOT_TARGET,
        VERDICT_HAS_QUERY, /* a path with '?' */
        VERDICT_NOT_NETWORK,
        VERDICT_NETWORK_PREFIX, /* too long */
        VERDICT_NETWORK_BITS,   /* behind the prefix */
        VERDICT_NOT_ROUTE_HOST,
        VERDICT_NOT_METHOD,
        VERDICT_LOWER_METHOD,
        VERDICT_HOST, /* + enum host_verdict */
};

/* Sets the value behind the union of *ret; text is kept by reference. */
unsigned value_parse(struct value *ret, const struct field *f, const char *text);

/* What the scalar of a key is worth; every trouble is reported, then -EINVAL. key: NULL for an
 * item of a list. */
int value_read(struct value *ret,
               const struct context *ctx,
               const struct scope *scope,
               const struct field *f,
               const struct node *key,
               struct node *n);

/* The value as it would stand in the file; buf is for numbers. */
#define VALUE_TEXT_MAX 32
const char *value_text(const struct field *f,
                       const struct value *v,
                       char buf[static VALUE_TEXT_MAX]);
const char *duration_text(uint64_t ms, char buf[static VALUE_TEXT_MAX]); /* "1m30s" */

bool has_control(const char *text); /* a character that nobody sees */
bool is_header_name(const char *s);
