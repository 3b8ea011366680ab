/* SPDX-License-Identifier: MIT */

#include "config/host.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/parse.h"

#define UNIX_PREFIX "unix:"

static bool is_unix(const char *text) {
        return strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
}

static enum host_verdict parse_unix(struct host *ret, const char *text) {
        int r;

        r = addr_parse_host(&ret->addr, text, 0);
        if (r == -ENAMETOOLONG)
                return HOST_LONG_PATH;
        return r < 0 ? HOST_BAD_PATH : HOST_OK;
}

/* IPv6 without brackets. An unknown zone is told apart, for the address itself is fine then. */
static enum host_verdict parse_in6(struct host *ret, const char *text, uint16_t port) {
        const char *zone = strchr(text, '%');
        char bare[INET6_ADDRSTRLEN];
        size_t n = zone ? (size_t)(zone - text) : strlen(text);

        if (n >= sizeof(bare))
                return HOST_BAD;
        memcpy(bare, text, n);
        bare[n] = '\0';

        if (addr_parse_host(&ret->addr, bare, port) < 0)
                return HOST_BAD;
        if (!zone)
                return HOST_OK;
        if (strlen(zone + 1) >= sizeof(ret->zone) || addr_parse_host(&ret->addr, text, port) < 0)
                return HOST_NO_ZONE;
        strcpy(ret->zone, zone + 1);
        return HOST_OK;
}

/* Decimal, or hexadecimal as "0x7f", which resolvers read as an address. */
static bool is_number(const char *label) {
        size_t n = strcspn(label, ".");

        if (n > 2 && label[0] == '0' && label[1] == 'x')
                return strspn(label + 2, "0123456789abcdef") == n - 2;
        return strspn(label, "0123456789") == n;
}

/* Labels of letters, digits, '-' and '_', as resolvers take them; one dot at the end is allowed.
 * The last label is not a number, else "300.1.2.3" would be asked of the DNS. */
static enum host_verdict parse_name(struct host *ret, const char *text) {
        size_t n = strlen(text), label = 0, last = 0;

        if (n == 0 || n > HOST_NAME_MAX_LEN)
                return HOST_BAD;
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)text[i];

                ret->name[i] = (char)(c < 0x80 ? tolower(c) : c);
                if (c >= 0x80)
                        return HOST_NOT_ASCII;
                if (c == '.') {
                        if (label == 0 || text[i - 1] == '-')
                                return HOST_BAD;
                        if (i + 1 < n) {
                                label = 0;
                                last = i + 1;
                        }
                        continue;
                }
                if (!isalnum(c) && c != '_' && (c != '-' || label == 0))
                        return HOST_BAD;
                if (++label > 63)
                        return HOST_BAD;
        }

        ret->name[n] = '\0';
        if (label == 0 || text[n - 1] == '-')
                return HOST_BAD;
        return is_number(ret->name + last) ? HOST_BAD_NUMBERS : HOST_OK;
}

enum host_verdict host_parse(struct host *ret, const char *text, uint16_t port) {
        struct host h = { .port = port };
        char inner[INET6_ADDRSTRLEN + sizeof(h.zone)];
        size_t n = strlen(text);
        const char *colon = strchr(text, ':');
        enum host_verdict v;

        if (is_unix(text)) {
                v = parse_unix(&h, text);
                h.port = 0;
        } else if (text[0] == '[') {
                if (text[n - 1] != ']')
                        return strstr(text, "]:") ? HOST_HAS_PORT : HOST_BAD;
                if (n - 2 >= sizeof(inner))
                        return HOST_BAD;
                memcpy(inner, text + 1, n - 2);
                inner[n - 2] = '\0';
                v = strchr(inner, ':') ? parse_in6(&h, inner, port) : HOST_BAD;
        } else if (colon) {
                v = strchr(colon + 1, ':') ? parse_in6(&h, text, port)
                    : strspn(colon + 1, "0123456789") == strlen(colon + 1) ? HOST_HAS_PORT
                                                                           : HOST_BAD;
        } else if (addr_parse_host(&h.addr, text, port) == 0) {
                v = HOST_OK;
        } else {
                v = parse_name(&h, text);
        }

        if (v == HOST_OK)
                *ret = h;
        return v;
}

enum host_verdict host_parse_port(struct host *ret, const char *text) {
        char host[HOST_NAME_MAX_LEN + 64];
        const char *colon = strrchr(text, ':');
        uint64_t port;
        size_t n;

        if (is_unix(text))
                return host_parse(ret, text, 0);
        if (!colon || (text[0] == '[' && text[strlen(text) - 1] == ']')) {
                if (parse_u64(&port, text) == 0)
                        return HOST_PORT_ONLY;
                return HOST_NO_PORT;
        }

        n = (size_t)(colon - text);
        if (n >= sizeof(host))
                return HOST_BAD;
        memcpy(host, text, n);
        host[n] = '\0';
        if (n == 0 || strcmp(host, "*") == 0)
                return HOST_PORT_ONLY;
        if (host[0] != '[' && strchr(host, ':'))
                return HOST_NO_BRACKETS;

        if (strlen(colon + 1) > 5 || parse_u64(&port, colon + 1) < 0 || port == 0 || port > 65535)
                return HOST_BAD_PORT;
        return host_parse(ret, host, (uint16_t)port);
}

bool host_is_unix(const struct host *h) {
        return h->addr.len > 0 && h->addr.sa.sa_family == AF_UNIX;
}

bool host_is_wildcard(const struct addr *a) {
        if (a->len == 0)
                return false;
        if (a->sa.sa_family == AF_INET)
                return a->in4.sin_addr.s_addr == htonl(INADDR_ANY);
        return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

const char *host_text(const struct host *h, char buf[static HOST_TEXT_MAX]) {
        char text[ADDR_TEXT_MAX];
        struct addr bare = h->addr;

        if (h->addr.len == 0) {
                snprintf(buf, HOST_TEXT_MAX, "%s:%u", h->name, h->port);
        } else if (h->zone[0]) {
                /* addr_text() shows the number of the link, which is another one on another node */
                bare.in6.sin6_scope_id = 0;
                snprintf(buf, HOST_TEXT_MAX, "[%s%%%s]:%u", addr_text_host(&bare, text), h->zone,
                         h->port);
        } else {
                snprintf(buf, HOST_TEXT_MAX, "%s", addr_text(&h->addr, text));
        }
        return buf;
}
