/* SPDX-License-Identifier: MIT */
/* tools/common.h - what the load tools share: addresses, sockets, time, numbers at random. */
#pragma once

#include <sys/socket.h>

#include "core/base.h"

struct target {
        socklen_t len;
        struct sockaddr_storage sa;
};

/* "127.0.0.1:80", "[::1]:80", "unix:/path"; says what is wrong and exits with 64. */
struct target target_parse(const char *text);

int target_listen(const struct target *t, int backlog); /* non-blocking; exits when it cannot */

/* Non-blocking; buffer: bytes of SO_RCVBUF and SO_SNDBUF, 0: the system's; from NULL: any address.
 * A descriptor, perhaps still connecting; negative errno. */
int target_connect(const struct target *t, const struct target *from, int buffer);

void socket_shape(int fd, int buffer); /* TCP_NODELAY, and buffers as above */
int socket_error(int fd);              /* negative errno of the failed connect, or 0 */

int64_t now_us(void);
void raise_limits(void);               /* descriptors up to the hard limit; SIGPIPE ignored */
uint64_t mix64(uint64_t x);            /* a good hash of one number */
uint64_t random_next(uint64_t *state); /* xorshift; *state is not 0 */
uint64_t number(const char *text);     /* decimal with k, M, G; exits with 64 */
_Noreturn void fail(const char *fmt, ...) PRINTF(1, 2);
