/* SPDX-License-Identifier: MIT */
/* balance/log2.h - a logarithm that gives the same bits everywhere; libm and floating point do not
 * promise that. */
#pragma once

#include "core/base.h"

#define LOG2_ONE (UINT64_C(1) << 40) /* what stands for 1 */

/* -log2(v / 2^64), at most 64 * LOG2_ONE, never rising with v. Off by less than 0.000012, and by
 * less than 0.3 % of itself until v is so near 2^64 that the bits end. */
uint64_t log2_minus(uint64_t v);
