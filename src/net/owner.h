/* SPDX-License-Identifier: MIT */
/*
 * net/owner.h - who has an address that bind(2) has refused, so that a message can name him.
 *
 * The way there is text in /proc: an address is found in the tables of sockets, its inode among the
 * descriptors of the processes. Only root sees those of other users. proc(5)
 */
#pragma once

#include <sys/types.h>

#include "net/addr.h"

#define OWNER_COMMAND_MAX 16 /* what the kernel keeps, with NUL */

struct owner {
        pid_t pid;
        char command[OWNER_COMMAND_MAX]; /* printable ASCII, the rest is '?' */
};

/* The process whose socket stands in the way of listening on a; of several that share it the first
 * in /proc. -ENOENT: there is none, or it cannot be seen. Other errors of open(2): there is no
 * /proc to read. Takes milliseconds, more on a machine with very many descriptors: not for a
 * worker. */
int owner_of_addr(struct owner *ret, const struct addr *a);

/* The same for many addresses in one walk over the processes. */
struct owner_query {
        struct addr addr; /* in */
        enum owner_state {
                OWNER_FREE,
                OWNER_IN_USE,  /* not by a listener: a connection has the port as its own end */
                OWNER_LISTENS, /* somebody listens */
        } state;
        struct owner owner; /* pid 0: there is none, or it cannot be seen */
};
/* first: this process is preferred where several share a socket, its network is the one that is
 * looked at, and its descriptors are looked through first; 0: none. 0, or as above. */
int owner_find(struct owner_query *queries, size_t n, pid_t first);

/* The parts that only read text. A row of a table is a socket with this inode, and how sure it is
 * that it stands in the way: the most for one that listens on the same family. */
struct owner_row {
        uint64_t inode;
        unsigned rank;
};
#define OWNER_RANK_FAMILY 1u /* as a is: "::" may have left IPv4 alone, so it counts less */
#define OWNER_RANK_LISTEN 2u

/* One line of /proc/net/tcp or of tcp6. False: it is no row, or not in the way of a. */
bool owner_row_tcp(struct owner_row *ret, const char *line, const struct addr *a);
/* One line of /proc/net/unix. False: it is no row, or nobody listens there, or at another path. */
bool owner_row_unix(struct owner_row *ret, const char *line, const struct addr *a);
/* "socket:[4711]", as links in /proc/PID/fd say. */
bool owner_link_inode(uint64_t *ret, const char *link);
