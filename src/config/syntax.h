/* SPDX-License-Identifier: MIT */
/* config/syntax.h - what libyaml complains about, told as people need it. */
#pragma once

#include <yaml.h>

#include "config/problem.h"

/* Reports why the parser stopped. last: the scalar read last, or NULL; run_on: the first text in
 * quotes that ended in a later line, or NULL. */
void syntax_report(const struct context *ctx,
                   const yaml_parser_t *parser,
                   struct node *last,
                   struct node *run_on);
