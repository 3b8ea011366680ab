/* SPDX-License-Identifier: MIT */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "core/parse.h"
#include "net/addr.h"

#define MAPPED_BITS 96 /* before the IPv4 address of ::ffff:10.0.0.1 */

/* "8" behind the slash; nothing means one address. A leading zero could be octal to somebody. */
static int prefix_read(unsigned *ret, const char *text, unsigned max) {
        uint64_t n;
        int r;

        if (!text) {
                *ret = max;
                return 0;
        }
        if (text[0] == '0' && text[1])
                return -EINVAL;
        r = parse_u64(&n, text);
        if (r < 0)
                return r;
        if (n > max)
                return -ERANGE;
        *ret = (unsigned)n;
        return 0;
}

static bool is_clear_behind(const struct addr_net *net, size_t n_bytes) {
        for (size_t i = net->prefix / 8; i < n_bytes; i++) {
                unsigned kept = i == net->prefix / 8 ? net->prefix % 8 : 0;

                if (net->bits[i] & (0xff >> kept))
                        return false;
        }
        return true;
}

/* ::ffff:10.0.0.0/104 is 10.0.0.0/8. */
static void unmap(struct addr_net *net) {
        struct in6_addr in6;

        memcpy(&in6, net->bits, sizeof(in6));
        if (!IN6_IS_ADDR_V4MAPPED(&in6) || net->prefix < MAPPED_BITS)
                return;
        net->family = AF_INET;
        net->prefix -= MAPPED_BITS;
        memmove(net->bits, net->bits + MAPPED_BITS / 8, 4);
        memset(net->bits + 4, 0, sizeof(net->bits) - 4);
}

int addr_net_parse(struct addr_net *ret, const char *text) {
        struct addr_net net = { .family = AF_INET };
        const char *slash = strchr(text, '/');
        size_t n = slash ? (size_t)(slash - text) : strlen(text), n_bytes = 4;
        char host[INET6_ADDRSTRLEN];
        int r;

        if (strcmp(text, "unix:") == 0) {
                *ret = (struct addr_net){ .family = AF_UNIX };
                return 0;
        }
        if (n >= sizeof(host))
                return -EINVAL;
        memcpy(host, text, n);
        host[n] = '\0';
        if (inet_pton(AF_INET, host, net.bits) != 1) {
                if (inet_pton(AF_INET6, host, net.bits) != 1)
                        return -EINVAL;
                net.family = AF_INET6;
                n_bytes = 16;
        }

        r = prefix_read(&net.prefix, slash ? slash + 1 : NULL, (unsigned)n_bytes * 8);
        if (r < 0)
                return r;
        if (!is_clear_behind(&net, n_bytes))
                return -EDOM;
        unmap(&net);
        *ret = net;
        return 0;
}

bool addr_net_has(const struct addr_net *net, const struct sockaddr *sa) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
        const uint8_t *bits = in6->sin6_addr.s6_addr;
        int family = sa->sa_family;
        unsigned whole = net->prefix / 8, rest = net->prefix % 8;

        if (family == AF_INET) {
                bits = (const uint8_t *)&((const struct sockaddr_in *)sa)->sin_addr;
        } else if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
                family = AF_INET;
                bits += MAPPED_BITS / 8;
        }
        if (family != net->family)
                return false;
        if (family == AF_UNIX)
                return true;
        return memcmp(bits, net->bits, whole) == 0 &&
               (rest == 0 || (bits[whole] ^ net->bits[whole]) >> (8 - rest) == 0);
}

const char *addr_net_text(const struct addr_net *net, char buf[static ADDR_NET_TEXT_MAX]) {
        char host[INET6_ADDRSTRLEN];

        if (net->family == AF_UNIX)
                return strcpy(buf, "unix:");
        inet_ntop(net->family, net->bits, host, sizeof(host));
        if (net->prefix == (net->family == AF_INET ? 32 : 128))
                return strcpy(buf, host);
        snprintf(buf, ADDR_NET_TEXT_MAX, "%s/%u", host, net->prefix);
        return buf;
}
