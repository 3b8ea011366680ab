/* SPDX-License-Identifier: MIT */
/* control/server_socket.h - making a listening Unix socket where an old one may lie; its
 * removal. */
#pragma once

#include <sys/types.h>

struct server_socket {
        int fd;     /* owned */
        char *path; /* owned; NULL: somebody else's file, which stays */
        dev_t dev;  /* of the file as we made it */
        ino_t ino;
};

/* See server_listen(). *ret only on success. */
int server_socket_new(struct server_socket *ret, const char *path, mode_t mode);

/* Opens a socket's file to the members of a group: 0660. -ENOENT: no such group; -EPERM: not ours
 * to give. Then it stays as it was. Asks the name service: for the time of the start. */
int server_socket_share(const char *path, const char *group);

/* 0: fd is a listening Unix stream socket; it is then non-blocking and closed on exec. -EINVAL. */
int server_socket_check(int fd);

/* Closes, and unlinks the file unless it is another one by now. Also twice. */
void server_socket_done(struct server_socket *s);
