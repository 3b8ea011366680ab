/* SPDX-License-Identifier: MIT */
/* config/value_report.h - the problems that value_read() finds, as people read them. */
#pragma once

#include "config/value.h"

struct value_fault { /* of an enum verdict; NULL: told from the value */
        enum diag_code code;
        const char *message; /* "... for PATH" */
        const char *label, *do_this_now;
};
extern const struct value_fault value_faults[];

void value_report_verdict(const struct context *ctx,
                          const struct scope *scope,
                          const struct field *f,
                          const struct node *n,
                          unsigned verdict);
void value_report_kind(const struct context *ctx,
                       const struct scope *scope,
                       const struct field *f,
                       const struct node *n);
void value_report_null(const struct context *ctx,
                       const struct scope *scope,
                       const struct field *f,
                       const struct node *key,
                       const struct node *n);
void value_report_lines(const struct context *ctx, const struct scope *scope, const struct node *n);
void value_report_control(const struct context *ctx,
                          const struct scope *scope,
                          const struct node *n);
