/* SPDX-License-Identifier: MIT */

#include "http/request_id.h"

bool http_request_id_ok(struct span id) {
        for (size_t i = 0; i < id.n; i++)
                if (id.p[i] <= ' ' || id.p[i] > '~')
                        return false;
        return id.n > 0 && id.n <= HTTP_REQUEST_ID_MAX;
}

/* The last digits hexadecimal digits of v. */
static char *hex_write(char *to, uint64_t v, unsigned digits) {
        for (unsigned i = digits; i-- > 0; v >>= 4)
                to[i] = "0123456789abcdef"[v & 15];
        return to + digits;
}

void http_uuid7(char ret[static HTTP_UUID_SIZE],
                uint64_t unix_ms,
                const uint64_t random[static 2]) {
        char *p = hex_write(ret, unix_ms >> 16, 8);

        *p++ = '-';
        p = hex_write(p, unix_ms, 4);
        *p++ = '-';
        p = hex_write(p, 0x7000 | (random[0] & 0xfff), 4); /* the version */
        *p++ = '-';
        p = hex_write(p, 0x8000 | (random[1] >> 48 & 0x3fff), 4); /* the variant */
        *p++ = '-';
        hex_write(p, random[1], 12);
}
