/* SPDX-License-Identifier: MIT */
/*
 * control/parameter.h - what a call brings: one parameter, its type and range looked at.
 *
 * All: 1: *ret is set; 0: it is absent or null, which mean the same, and *ret stays; -EINVAL: it is
 * not of its type, or out of range.
 */
#pragma once

#include <jansson.h>

#include "core/base.h"

int parameter_text(const char **ret, const json_t *parameters, const char *key); /* borrowed */
int parameter_number(uint64_t *ret,
                     const json_t *parameters,
                     const char *key,
                     uint64_t min,
                     uint64_t max);
int parameter_flag(bool *ret, const json_t *parameters, const char *key);

/* A word of a table: find() returns its index, or a negative errno. */
int parameter_word(int *ret,
                   const json_t *parameters,
                   const char *key,
                   int (*find)(const char *word));
