/* SPDX-License-Identifier: MIT */
/*
 * The number of leading zeros is the whole part. The table has log2(1 + i / 128), rounded to the
 * nearest, for the rest, and between two entries there is a straight line. These numbers decide
 * which backend a client of ip_hash meets, so they may never change; test_log2.c knows them.
 */

#include "balance/log2.h"

#define INDEX_BITS 7
#define FRAC_BITS  30 /* times a step of the table, 34 bits: fits in 64 */

/* clang-format off */
static const uint64_t table[(1 << INDEX_BITS) + 1] = {
        0x00000000000, 0x002dfca16de, 0x005b9e5a171, 0x0088e68ea8a, 0x00b5d69bac7, 0x00e26fd5c85,
        0x010eb389fa3, 0x013aa2fdd28, 0x01663f6fac9, 0x01918a16e46, 0x01bc84240ae, 0x01e72ec1180,
        0x02118b119b5, 0x023b9a32eaa, 0x02655d3c4f1, 0x028ed53f308, 0x02b803473f8, 0x02e0e85a9de,
        0x0309857a05e, 0x0331dba0efd, 0x0359ebc5b6a, 0x0381b6d9bb3, 0x03a93dc9865, 0x03d0817ce9d,
        0x03f782d7205, 0x041e42b6ec1, 0x0444c1f6b4c, 0x046b016ca48, 0x049101eac38, 0x04b6c43f136,
        0x04dc4933a93, 0x0501918ec6c, 0x05269e12f34, 0x054b6f7f132, 0x0570068e7ef, 0x059463f919e,
        0x05b88873674, 0x05dc74ae9fc, 0x06002958c58, 0x0623a71cb83, 0x0646eea247c, 0x066a008e479,
        0x068cdd829fe, 0x06af861e5fc, 0x06d1fafdce2, 0x06f43cba79e, 0x07164beb4a5, 0x073829248e9,
        0x0759d4f80cc, 0x077b4ff5109, 0x079c9aa879d, 0x07bdb59cca4, 0x07dea15a32c, 0x07ff5e66a10,
        0x081fed45cbd, 0x08404e793fc, 0x086082806b2, 0x088089d8a9e, 0x08a064fd50f, 0x08c01467b95,
        0x08df988f4af, 0x08fef1e9874, 0x091e20ea139, 0x093d2602c2e, 0x095c01a39fc, 0x097ab43af5a,
        0x09993e355a5, 0x09b79ffdb6d, 0x09d5d9fd501, 0x09f3ec9bcfc, 0x0a11d83f4c3, 0x0a2f9d4c510,
        0x0a4d3c25e69, 0x0a6ab52d99e, 0x0a8808c3845, 0x0aa5374652a, 0x0ac241134c5, 0x0adf26865a9,
        0x0afbe7fa0f0, 0x0b1885c7aaa, 0x0b35004723c, 0x0b5157cf2d0, 0x0b6d8cb53b1, 0x0b899f4d8ab,
        0x0ba58feb270, 0x0bc15edfeed, 0x0bdd0c7c9a8, 0x0bf89910c16, 0x0c1404eadf4, 0x0c2f5058594,
        0x0c4a7ba5837, 0x0c65871da5a, 0x0c80730b000, 0x0c9b3fb6d05, 0x0cb5ed69566, 0x0cd07c69d87,
        0x0ceaecfea81, 0x0d053f6d261, 0x0d1f73f9c71, 0x0d398ae8179, 0x0d53847ac01, 0x0d6d60f388e,
        0x0d8720935e6, 0x0da0c39a548, 0x0dba4a47aaa, 0x0dd3b4d9cf2, 0x0ded038e634, 0x0e0636a23e3,
        0x0e1f4e5170d, 0x0e384ad748f, 0x0e512c6e54a, 0x0e69f350654, 0x0e829fb6930, 0x0e9b31d93fa,
        0x0eb3a9f0197, 0x0ecc08321eb, 0x0ee44cd5a00, 0x0efc7810435, 0x0f148a17070, 0x0f2c831e441,
        0x0f446359b13, 0x0f5c2afc654, 0x0f73da38d9d, 0x0f8b7140edc, 0x0fa2f045e78, 0x0fba577877d,
        0x0fd1a708bbe, 0x0fe8df263f9, 0x10000000000,
};
/* clang-format on */

uint64_t log2_minus(uint64_t v) {
        unsigned zeros = (unsigned)__builtin_clzll(v | 1);
        uint64_t m = (v | 1) << zeros << 1; /* behind the leading one: a fraction of 64 bits */
        uint64_t i = m >> (64 - INDEX_BITS);
        uint64_t frac = m << INDEX_BITS >> (64 - FRAC_BITS);
        uint64_t log = table[i] + ((table[i + 1] - table[i]) * frac >> FRAC_BITS);

        return (zeros + 1) * LOG2_ONE - log;
}
