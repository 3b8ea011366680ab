/* SPDX-License-Identifier: MIT */

#include "cli/doctor/proc.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/parse.h"

#define TCP_STATE_LISTEN 0x0a

ssize_t proc_read(const char *path, char *buf, size_t size) {
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = fd_read(fd, buf, size - 1);
        if (n < 0)
                return n;
        buf[n] = '\0';
        return n;
}

ssize_t proc_read_of(pid_t pid, const char *name, char *buf, size_t size) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
        return proc_read(path, buf, size);
}

int proc_number(uint64_t *ret, const char *path) {
        char text[32];
        ssize_t n = proc_read(path, text, sizeof(text));

        if (n < 0)
                return (int)n;
        text[strcspn(text, "\n")] = '\0';
        return parse_u64(ret, text);
}

static bool limit_read(uint64_t *ret, const char **at) {
        char word[24];
        int used;

        if (sscanf(*at, " %23s%n", word, &used) != 1)
                return false;
        *at += used;
        if (strcmp(word, "unlimited") != 0)
                return parse_u64(ret, word) == 0;
        *ret = UINT64_MAX;
        return true;
}

bool proc_nofile(struct proc_limits *ret, const char *limits) {
        static const char name[] = "Max open files";
        const char *at = strstr(limits, name);
        struct proc_limits l;

        if (!at)
                return false;
        at += sizeof(name) - 1;
        if (!limit_read(&l.soft, &at) || !limit_read(&l.hard, &at))
                return false;
        *ret = l;
        return true;
}

static bool ends_with(const char *s, size_t n, const char *end) {
        size_t k = strlen(end);

        return n > k && memcmp(s + n - k, end, k) == 0;
}

/* The last part of a path that is a service or a scope. */
static bool unit_of_path(char ret[static PROC_UNIT_MAX], const char *path, size_t size) {
        bool found = false;

        for (size_t at = 0; at < size;) {
                const char *part = path + at;
                const char *slash = memchr(part, '/', size - at);
                size_t n = slash ? (size_t)(slash - part) : size - at;

                if (n < PROC_UNIT_MAX &&
                    (ends_with(part, n, ".service") || ends_with(part, n, ".scope"))) {
                        memcpy(ret, part, n);
                        ret[n] = '\0';
                        found = true;
                }
                at += n + 1;
        }
        return found;
}

bool proc_unit(char ret[static PROC_UNIT_MAX], const char *cgroup) {
        for (const char *line = cgroup; *line;) {
                size_t n = strcspn(line, "\n");
                const char *first = memchr(line, ':', n);
                const char *second =
                        first ? memchr(first + 1, ':', n - (size_t)(first + 1 - line)) : NULL;

                /* "0::/x" of v2, "1:name=systemd:/x" of v1; the other hierarchies are no units */
                if (second &&
                    (second == first + 1 || strncmp(first + 1, "name=systemd:", 13) == 0) &&
                    unit_of_path(ret, second + 1, n - (size_t)(second + 1 - line)))
                        return true;
                line += n + (line[n] == '\n');
        }
        return false;
}

char proc_state(const char *stat) {
        const char *end = strrchr(stat, ')'); /* a name may have any of them */

        return end && end[1] == ' ' && isupper((unsigned char)end[2]) ? end[2] : '\0';
}

bool proc_port_range(unsigned *ret_first, unsigned *ret_last, const char *text) {
        unsigned first, last;

        if (sscanf(text, "%u %u", &first, &last) != 2 || first > last || last > 65535)
                return false;
        *ret_first = first;
        *ret_last = last;
        return true;
}

bool proc_kernel(unsigned *ret_major, unsigned *ret_minor, const char *release) {
        return sscanf(release, "%u.%u", ret_major, ret_minor) == 2;
}

bool proc_sockets(uint64_t *ret, const char *sockstat) {
        const char *line =
                strncmp(sockstat, "TCP: ", 5) == 0 ? sockstat : strstr(sockstat, "\nTCP: ");
        uint64_t in_use, orphan, time_wait, all;

        if (!line)
                return false;
        line += *line == '\n';
        if (sscanf(line, "TCP: inuse %" SCNu64 " orphan %" SCNu64 " tw %" SCNu64 " alloc %" SCNu64,
                   &in_use, &orphan, &time_wait, &all) != 4)
                return false;
        *ret = time_wait + (all > in_use ? all : in_use); /* alloc: those of IPv6 as well */
        return true;
}

unsigned proc_percent(uint64_t used, uint64_t max) {
        if (max == 0)
                return 0;
        return used >= max ? 100 : (unsigned)((double)used * 100 / (double)max);
}

static bool remote_read(struct addr *ret, const char *hex, unsigned port) {
        uint32_t words[4];
        size_t n = strlen(hex) / 8;

        for (size_t i = 0; i < n; i++)
                if (sscanf(hex + 8 * i, "%8" SCNx32, &words[i]) != 1)
                        return false;
        *ret = (struct addr){ .len = sizeof(ret->in4) };
        if (n == 1 || (words[0] == 0 && words[1] == 0 && words[2] == htonl(0xffff))) {
                ret->in4.sin_family = AF_INET;
                ret->in4.sin_addr.s_addr = words[n - 1];
        } else {
                ret->len = sizeof(ret->in6);
                ret->in6.sin6_family = AF_INET6;
                memcpy(&ret->in6.sin6_addr, words, sizeof(words));
        }
        addr_set_port(ret, (uint16_t)port);
        return true;
}

bool proc_connection(uint16_t *ret_port, struct addr *ret_remote, const char *line) {
        char here[33], there[33];
        unsigned port, remote, state;

        if (sscanf(line, " %*u: %32[0-9A-F]:%x %32[0-9A-F]:%x %x", here, &port, there, &remote,
                   &state) != 5)
                return false;
        if (state == TCP_STATE_LISTEN || port > 65535 || remote == 0 || remote > 65535)
                return false;
        if (strlen(there) != strlen(here) || (strlen(there) != 8 && strlen(there) != 32))
                return false;
        *ret_port = (uint16_t)port;
        return remote_read(ret_remote, there, remote);
}
