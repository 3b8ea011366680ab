/* SPDX-License-Identifier: MIT */

#include "control/passed.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "core/log.h"
#include "net/sock.h"

#define LOG_MODULE "passed"

static const char *why_bad(int r) {
        switch (r) {
        case -ENOTSOCK:
                return "it is not a socket";
        case -EPROTOTYPE:
                return "it is not a stream socket";
        case -EINVAL:
                return "it does not listen; a socket unit must not say Accept=yes";
        case -EAFNOSUPPORT:
                return "it is neither IPv4, IPv6 nor Unix";
        default:
                return "it cannot be used";
        }
}

static int socket_take(struct passed_socket *s, int fd, const char *name) {
        int r;

        *s = (struct passed_socket){ .fd = fd, .name = strdup(name ? name : "") };
        if (!s->name)
                return -ENOMEM;
        r = sock_adopt(fd, &s->addr);
        if (r < 0)
                s->bad = why_bad(r);
        return 0;
}

static void names_free(char ***names) {
        for (char **name = *names; name && *name; name++)
                free(*name);
        free(*names);
}

int passed_take(struct passed **ret) {
        _cleanup_(passed_freep) struct passed *p = NULL;
        _cleanup_(names_free) char **names = NULL;
        int n, r;

        n = sd_listen_fds_with_names(true, &names);
        if (n <= 0) {
                *ret = NULL;
                return n;
        }
        p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        p->sockets = calloc((size_t)n, sizeof(*p->sockets));
        if (!p->sockets)
                return -ENOMEM;

        for (int i = 0; i < n; i++) {
                r = socket_take(&p->sockets[p->n++], SD_LISTEN_FDS_START + i, names[i]);
                if (r < 0)
                        return r;
        }
        *ret = take_ptr(p);
        return 0;
}

struct passed *passed_free(struct passed *p) {
        if (!p)
                return NULL;
        for (size_t i = 0; i < p->n; i++) {
                free(p->sockets[i].name);
                fd_close(p->sockets[i].fd);
        }
        free(p->sockets);
        free(p);
        return NULL;
}

static bool is_unix(const struct passed_socket *s) {
        return s->addr.sa.sa_family == AF_UNIX;
}

/* These two names are taken, for Unix sockets. */
static bool is_control(const struct passed_socket *s) {
        return is_unix(s) && (strcmp(s->name, "status") == 0 || strcmp(s->name, "admin") == 0);
}

int passed_control(struct passed *p, const char *name) {
        for (size_t i = 0; p && i < p->n; i++) {
                struct passed_socket *s = &p->sockets[i];

                if (s->bad || s->fd < 0 || !is_control(s) || strcmp(s->name, name) != 0)
                        continue;
                s->used = true;
                return take_fd(&s->fd);
        }
        return -ENOENT;
}

static bool is_for_frontends(const struct passed_socket *s) {
        return !s->bad && s->fd >= 0 && !is_control(s);
}

struct passed_socket *passed_named(const struct passed *p,
                                   const char *frontend,
                                   const struct passed_socket *after) {
        size_t i = after ? (size_t)(after - p->sockets) + 1 : 0;

        for (; p && i < p->n; i++) {
                struct passed_socket *s = &p->sockets[i];

                if (is_for_frontends(s) && strcmp(s->name, frontend) == 0)
                        return s;
        }
        return NULL;
}

static bool is_named(const struct passed_socket *s, const struct config *config) {
        for (size_t i = 0; i < config->n_frontends; i++)
                if (strcmp(s->name, config->frontends[i].name) == 0)
                        return true;
        return false;
}

/* Whoever asks for all of IPv4 has it, too, if the socket takes both families. */
bool passed_covers(const struct passed_socket *s, const struct addr *a) {
        if (addr_equal(&s->addr, a))
                return true;
        return a->sa.sa_family == AF_INET && a->in4.sin_addr.s_addr == INADDR_ANY &&
               s->addr.sa.sa_family == AF_INET6 &&
               IN6_IS_ADDR_UNSPECIFIED(&s->addr.in6.sin6_addr) &&
               addr_port(&s->addr) == addr_port(a) && sock_takes_ipv4(s->fd);
}

struct passed_socket *passed_at(const struct passed *p,
                                const struct config *config,
                                const struct addr *addr) {
        for (size_t i = 0; p && i < p->n; i++) {
                struct passed_socket *s = &p->sockets[i];

                if (is_for_frontends(s) && passed_covers(s, addr) && !is_named(s, config))
                        return s;
        }
        return NULL;
}

void passed_settle(struct passed *p) {
        char text[ADDR_TEXT_MAX];

        for (size_t i = 0; p && i < p->n; i++) {
                struct passed_socket *s = &p->sockets[i];

                if (s->used)
                        continue;
                log_warn(socket_unused, "a socket that systemd passed is of no use and closed",
                         F_STR("name", s->name),
                         F_STR("address", s->addr.len > 0 ? addr_text(&s->addr, text) : NULL),
                         F_STR("reason",
                               s->bad ? s->bad : "no frontend has this name or this address"));
                s->fd = fd_close(s->fd);
        }
}

json_t *passed_describe(const struct passed *p) {
        json_t *array = json_array();
        char text[ADDR_TEXT_MAX];

        for (size_t i = 0; p && i < p->n; i++)
                if (p->sockets[i].used)
                        json_array_append_new(array,
                                              json_string(addr_text(&p->sockets[i].addr, text)));
        return array;
}
