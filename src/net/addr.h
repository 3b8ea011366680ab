/* SPDX-License-Identifier: MIT */
/* net/addr.h - one socket address: "10.0.0.1:80", "[::1]:80", "unix:/run/x.sock". */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/base.h"

#define ADDR_TEXT_MAX 128

struct addr {
        socklen_t len; /* 0: none */
        union {
                struct sockaddr sa;
                struct sockaddr_in in4;
                struct sockaddr_in6 in6;
                struct sockaddr_un un;
        };
};

/* "ADDRESS:PORT", "[ADDRESS]:PORT" with an IPv6 zone allowed ("[fe80::1%eth0]:80"), "unix:/path".
 * 0; -EINVAL: not an address (a host name is not one); -ERANGE: port; -ENAMETOOLONG: path. */
int addr_parse(struct addr *ret, const char *text);
/* An address without a port ("10.0.0.1", "::1", "[::1]", "unix:/path") and its port. As above. */
int addr_parse_host(struct addr *ret, const char *host, uint16_t port);

const char *addr_text(const struct addr *a, char buf[static ADDR_TEXT_MAX]);
const char *addr_text_host(const struct addr *a, char buf[static ADDR_TEXT_MAX]); /* no port */
uint16_t addr_port(const struct addr *a);                                         /* 0: unix */
void addr_set_port(struct addr *a, uint16_t port);
bool addr_equal(const struct addr *a, const struct addr *b);
int addr_of(struct addr *ret,
            const struct sockaddr *sa,
            socklen_t len); /* -EINVAL: no such family */

/* The same number on every node and in every release. IPv4 mapped into IPv6 counts as IPv4. */
uint64_t addr_hash(const struct addr *a);           /* address and port */
uint64_t addr_hash_host(const struct sockaddr *sa); /* without the port; a Unix socket: one value */

struct addr_net { /* a network: "10.0.0.0/8", "2001:db8::/32", or one address; "unix:" */
        int family;
        unsigned prefix; /* bits */
        uint8_t bits[16];
};

/* 0; -EINVAL: not a network; -ERANGE: the prefix is too long; -EDOM: bits behind the prefix.
 * A network of IPv4 mapped into IPv6 becomes one of IPv4, so ::/0 means IPv6 alone. */
int addr_net_parse(struct addr_net *ret, const char *text);
/* IPv4 mapped into IPv6 counts as IPv4. */
bool addr_net_has(const struct addr_net *net, const struct sockaddr *sa);

#define ADDR_NET_TEXT_MAX 64
const char *addr_net_text(const struct addr_net *net, char buf[static ADDR_NET_TEXT_MAX]);
