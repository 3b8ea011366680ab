/* SPDX-License-Identifier: MIT */
/*
 * control/passed.h - listening sockets that systemd has opened for bal: sd_listen_fds(3).
 *
 * systemd keeps a descriptor of each, so what waits in the queue outlives this process and is
 * served by the next one. Therefore bal never hides, empties or unlinks them when it stops: it just
 * lets go.
 */
#pragma once

#include <jansson.h>

#include "config/config.h"

struct passed {
        struct passed_socket {
                struct addr addr;
                char *name;      /* of FileDescriptorName=; owned */
                int fd;          /* owned; -EBADF: given away, or closed */
                const char *bad; /* static; why it is of no use; NULL: it may be */
                bool used;
        } * sockets; /* owned */
        size_t n;
};

/* All that was passed to this very process; the environment says nothing of it afterwards. So it is
 * asked for once, and before a fork. *ret is NULL when there is none. -ENOMEM, -EINVAL: the
 * environment makes no sense. */
int passed_take(struct passed **ret);
struct passed *passed_free(struct passed *p);
DEFINE_CLEANUP(struct passed *, passed_free);

/* The control sockets' descriptors, one after the other: "status" or "admin", Unix sockets only.
 * -ENOENT: no more. The caller owns what it gets. p may be NULL, here and below. */
int passed_control(struct passed *p, const char *name);

/* What frontend listens on instead of opening it: all that bears its name; start with after NULL.
 * Then its own addresses are not opened. */
struct passed_socket *passed_named(const struct passed *p,
                                   const char *frontend,
                                   const struct passed_socket *after);
/* What covers this address, and bears no frontend's name. "[::]:80" covers "0.0.0.0:80" if it takes
 * IPv4. */
bool passed_covers(const struct passed_socket *s, const struct addr *a);
struct passed_socket *passed_at(const struct passed *p,
                                const struct config *config,
                                const struct addr *addr);

/* After the start: closes what nothing uses, and says so in the log. */
void passed_settle(struct passed *p);

/* The addresses that systemd goes on listening on when bal stops. New reference. */
json_t *passed_describe(const struct passed *p);
