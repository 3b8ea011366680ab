/* SPDX-License-Identifier: MIT */
/*
 * FNV-1a takes a byte at a time and needs no table, no alignment and no byte order, so every
 * machine gets the same value. Its upper bits depend too little on the last bytes ("host:9001" and
 * "host:9002" differ in the last one); hash_mix() repairs that. The keys are short texts; speed
 * does not matter here.
 */

#include "core/hash.h"

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x00000100000001b3)

uint64_t hash_mix(uint64_t v) {
        v = (v ^ (v >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        v = (v ^ (v >> 27)) * UINT64_C(0x94d049bb133111eb);
        return v ^ (v >> 31);
}

uint64_t hash_bytes(const void *bytes, size_t n) {
        const unsigned char *p = bytes;
        uint64_t hash = FNV_OFFSET;

        for (size_t i = 0; i < n; i++)
                hash = (hash ^ p[i]) * FNV_PRIME;
        return hash_mix(hash);
}
