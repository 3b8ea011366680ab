/* SPDX-License-Identifier: MIT */
/* core/hash.h - a 64-bit hash that is the same on every node and in every release: ip_hash and the
 * identity of backends rest on it, so it may never change. Not for hostile keys in hash tables. */
#pragma once

#include "core/base.h"

uint64_t hash_bytes(const void *bytes, size_t n); /* FNV-1a, then hash_mix() */
uint64_t hash_mix(uint64_t v); /* splitmix64's finaliser: every bit depends on all */
