/* SPDX-License-Identifier: MIT */

#include "net/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/parse.h"

#define UNIX_PREFIX "unix:"

static int unix_parse(struct addr *ret, const char *path) {
        size_t n = strlen(path);
        struct addr a = { .un.sun_family = AF_UNIX };

        if (path[0] != '/')
                return -EINVAL;
        if (n >= sizeof(a.un.sun_path))
                return -ENAMETOOLONG;

        memcpy(a.un.sun_path, path, n + 1);
        a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
        *ret = a;
        return 0;
}

/* "fe80::1%eth0": the zone is a link's name or number. */
static int in6_parse(struct addr *ret, const char *host, uint16_t port) {
        struct addr a = { .len = sizeof(a.in6), .in6.sin6_family = AF_INET6 };
        char text[INET6_ADDRSTRLEN];
        const char *zone = strchr(host, '%');
        size_t n = zone ? (size_t)(zone - host) : strlen(host);
        uint64_t number;

        if (n >= sizeof(text))
                return -EINVAL;
        memcpy(text, host, n);
        text[n] = '\0';
        if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) != 1)
                return -EINVAL;
        if (zone) {
                a.in6.sin6_scope_id = if_nametoindex(zone + 1);
                if (a.in6.sin6_scope_id == 0) {
                        if (parse_u64(&number, zone + 1) < 0 || number == 0 || number > UINT32_MAX)
                                return -EINVAL;
                        a.in6.sin6_scope_id = (uint32_t)number;
                }
        }

        a.in6.sin6_port = htons(port);
        *ret = a;
        return 0;
}

static int in_parse(struct addr *ret, const char *host, uint16_t port) {
        struct addr a = { .len = sizeof(a.in4), .in4.sin_family = AF_INET };

        if (inet_pton(AF_INET, host, &a.in4.sin_addr) != 1)
                return in6_parse(ret, host, port);

        a.in4.sin_port = htons(port);
        *ret = a;
        return 0;
}

int addr_parse_host(struct addr *ret, const char *host, uint16_t port) {
        char inner[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
        size_t n = strlen(host);

        if (strncmp(host, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
                return unix_parse(ret, host + strlen(UNIX_PREFIX));
        if (host[0] != '[')
                return in_parse(ret, host, port);
        if (n < 2 || host[n - 1] != ']' || n - 2 >= sizeof(inner))
                return -EINVAL;

        memcpy(inner, host + 1, n - 2);
        inner[n - 2] = '\0';
        return in6_parse(ret, inner, port);
}

int addr_parse(struct addr *ret, const char *text) {
        char host[ADDR_TEXT_MAX];
        const char *colon = strrchr(text, ':');
        uint64_t port;
        size_t n;
        int r;

        if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
                return unix_parse(ret, text + strlen(UNIX_PREFIX));
        if (!colon)
                return -EINVAL;

        n = (size_t)(colon - text);
        if (n >= sizeof(host))
                return -EINVAL;
        memcpy(host, text, n);
        host[n] = '\0';
        if (strchr(host, ':') && host[0] != '[')
                return -EINVAL; /* "::1:80" could be read two ways */

        r = parse_u64(&port, colon + 1);
        if (r < 0)
                return r;
        if (port > UINT16_MAX)
                return -ERANGE;
        return addr_parse_host(ret, host, (uint16_t)port);
}

static const char *in6_text(const struct addr *a, char *buf, size_t size) {
        char text[INET6_ADDRSTRLEN];

        inet_ntop(AF_INET6, &a->in6.sin6_addr, text, sizeof(text));
        if (a->in6.sin6_scope_id != 0)
                snprintf(buf, size, "%s%%%u", text, a->in6.sin6_scope_id);
        else
                snprintf(buf, size, "%s", text);
        return buf;
}

/* inet_ntop(3) prints, which takes ten times as long; each request has an address to write. */
static const char *in4_text(const struct addr *a, char *buf) {
        const uint8_t *bytes = (const uint8_t *)&a->in4.sin_addr;
        char *p = buf;

        for (int i = 0; i < 4; i++) {
                unsigned v = bytes[i];

                if (v >= 100)
                        *p++ = (char)('0' + v / 100);
                if (v >= 10)
                        *p++ = (char)('0' + v / 10 % 10);
                *p++ = (char)('0' + v % 10);
                *p++ = '.';
        }
        p[-1] = '\0';
        return buf;
}

const char *addr_text_host(const struct addr *a, char buf[static ADDR_TEXT_MAX]) {
        if (a->len == 0)
                return "none";
        if (a->sa.sa_family == AF_INET)
                return in4_text(a, buf);
        if (a->sa.sa_family == AF_INET6)
                return in6_text(a, buf, ADDR_TEXT_MAX);
        if (a->len <= offsetof(struct sockaddr_un, sun_path) || !a->un.sun_path[0])
                return UNIX_PREFIX; /* an unnamed socket, as a client's mostly is */
        snprintf(buf, ADDR_TEXT_MAX, UNIX_PREFIX "%.*s", (int)sizeof(a->un.sun_path),
                 a->un.sun_path);
        return buf;
}

const char *addr_text(const struct addr *a, char buf[static ADDR_TEXT_MAX]) {
        char host[ADDR_TEXT_MAX];

        if (a->len == 0 || a->sa.sa_family == AF_UNIX)
                return addr_text_host(a, buf);
        snprintf(buf, ADDR_TEXT_MAX, a->sa.sa_family == AF_INET6 ? "[%.100s]:%u" : "%.100s:%u",
                 addr_text_host(a, host), addr_port(a));
        return buf;
}

uint16_t addr_port(const struct addr *a) {
        if (a->sa.sa_family == AF_INET)
                return ntohs(a->in4.sin_port);
        return a->sa.sa_family == AF_INET6 ? ntohs(a->in6.sin6_port) : 0;
}

void addr_set_port(struct addr *a, uint16_t port) {
        if (a->sa.sa_family == AF_INET)
                a->in4.sin_port = htons(port);
        else if (a->sa.sa_family == AF_INET6)
                a->in6.sin6_port = htons(port);
}

/* Member by member: padding and sin_zero may differ between equal addresses. */
bool addr_equal(const struct addr *a, const struct addr *b) {
        if (a->len == 0 || b->len == 0)
                return a->len == b->len;
        if (a->sa.sa_family != b->sa.sa_family)
                return false;
        if (a->sa.sa_family == AF_INET)
                return a->in4.sin_port == b->in4.sin_port &&
                       a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr;
        if (a->sa.sa_family == AF_INET6)
                return a->in6.sin6_port == b->in6.sin6_port &&
                       a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
                       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(struct in6_addr)) == 0;
        return a->len == b->len && memcmp(&a->un, &b->un, a->len) == 0;
}

int addr_of(struct addr *ret, const struct sockaddr *sa, socklen_t len) {
        struct addr a = { .len = len };

        if (len < sizeof(sa_family_t) || len > sizeof(a.un))
                return -EINVAL;
        if ((sa->sa_family == AF_INET && len < sizeof(a.in4)) ||
            (sa->sa_family == AF_INET6 && len < sizeof(a.in6)))
                return -EINVAL;
        if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6 && sa->sa_family != AF_UNIX)
                return -EINVAL;

        memcpy(&a.un, sa, len);
        *ret = a;
        return 0;
}

/* Family-tagged bytes of the host, IPv4 as four; returns how many. */
static size_t host_bytes(const struct sockaddr *sa, uint8_t out[static 16]) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

        if (sa->sa_family == AF_INET) {
                memcpy(out, &((const struct sockaddr_in *)sa)->sin_addr, 4);
                return 4;
        }
        if (sa->sa_family != AF_INET6)
                return 0;
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
                memcpy(out, in6->sin6_addr.s6_addr + 12, 4);
                return 4;
        }
        memcpy(out, &in6->sin6_addr, 16);
        return 16;
}

uint64_t addr_hash_host(const struct sockaddr *sa) {
        uint8_t bytes[16];

        return hash_bytes(bytes, host_bytes(sa, bytes));
}

uint64_t addr_hash(const struct addr *a) {
        uint16_t port = addr_port(a);
        uint8_t bytes[16 + 2];
        size_t n;

        if (a->sa.sa_family == AF_UNIX)
                return hash_bytes(a->un.sun_path, strnlen(a->un.sun_path, sizeof(a->un.sun_path)));
        n = host_bytes(&a->sa, bytes);
        bytes[n++] = (uint8_t)(port >> 8);
        bytes[n++] = (uint8_t)port;
        return hash_bytes(bytes, n);
}
