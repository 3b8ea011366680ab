/* SPDX-License-Identifier: MIT */
/* config/host.h - addresses as people write them in a file, and what can be wrong with one. */
#pragma once

#include "net/addr.h"

#define HOST_NAME_MAX_LEN 253
#define HOST_TEXT_MAX     (HOST_NAME_MAX_LEN + sizeof("[]:65535"))

enum host_verdict {
        HOST_OK,
        HOST_BAD,         /* neither address nor name */
        HOST_BAD_NUMBERS, /* "300.1.2.3", "10.0.0": meant to be IPv4 */
        HOST_NOT_ASCII,   /* a name in another script */
        HOST_HAS_PORT,    /* where none belongs */
        HOST_NO_PORT,     /* where one belongs */
        HOST_BAD_PORT,    /* not a number from 1 to 65535 */
        HOST_NO_BRACKETS, /* "::1:80" */
        HOST_IS_NAME,     /* where only an address can be used */
        HOST_IS_UNIX,     /* likewise */
        HOST_BAD_PATH,    /* unix: without an absolute path */
        HOST_LONG_PATH,   /* beyond what a socket address holds */
        HOST_NO_ZONE,     /* "fe80::1%nosuch" */
        HOST_PORT_ONLY,   /* ":8080", "*:8080", "8080" */
        HOST_WILDCARD,    /* 0.0.0.0 as a backend; host_parse() itself accepts it */
        HOST_VERDICTS
};

struct host {
        struct addr addr;                 /* len 0: it is a name; with the port */
        char name[HOST_NAME_MAX_LEN + 1]; /* lower case */
        char zone[64];                    /* of IPv6 "fe80::1%eth0"; "" */
        uint16_t port;
};

/* HOST_OK sets *ret, also its port. A name is accepted; who wants none looks at addr.len. */
enum host_verdict host_parse(struct host *ret, const char *text, uint16_t port);
enum host_verdict host_parse_port(struct host *ret, const char *text); /* with ":PORT", or unix: */

bool host_is_unix(const struct host *h);
bool host_is_wildcard(const struct addr *a); /* 0.0.0.0 or :: */

/* The one spelling of it: lower case, IPv6 short and in brackets, the zone as given. The identity
 * of a backend rests on it, so it holds nothing that another node would see differently. */
const char *host_text(const struct host *h, char buf[static HOST_TEXT_MAX]);
