/* SPDX-License-Identifier: MIT */

#include "net/sock.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int set_int(int fd, int level, int option, int value) {
        return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* None of the options below decides whether bal works, so a kernel that refuses one is no reason to
 * stop. */

static void tune(int fd) {
        set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1); /* else an urgent byte is lost */
}

static void tune_listening(int fd, sa_family_t family) {
        tune(fd);
        if (family == AF_UNIX)
                return;
        sock_no_delay(fd);
        sock_keep_alive(fd, SOCK_USER_TIMEOUT_MS);
}

void sock_no_delay(int fd) {
        set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void sock_keep_alive(int fd, uint32_t idle_timeout_ms) {
        set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, SOCK_KEEPALIVE_IDLE_S);
        set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, SOCK_KEEPALIVE_EACH_S);
        set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        sock_set_user_timeout(fd, idle_timeout_ms);
}

void sock_set_user_timeout(int fd, uint32_t idle_timeout_ms) {
        uint32_t ms = idle_timeout_ms;

        if (ms < SOCK_USER_TIMEOUT_MS)
                ms = SOCK_USER_TIMEOUT_MS;
        if (ms > SOCK_USER_TIMEOUT_MAX_MS)
                ms = 0;
        set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)ms); /* a Unix socket refuses, rightly */
        if (ms == 0) /* else the kernel does not count probes, tcp(7) */
                set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, SOCK_KEEPALIVE_PROBES);
}

/* A socket file without a listener is left over from a crash; one that answers is somebody's. */
static int unix_clear(const struct addr *a) {
        _cleanup_(fd_closep) int fd = -EBADF;
        struct stat st;

        if (lstat(a->un.sun_path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EADDRINUSE;

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, &a->sa, a->len) == 0 || errno != ECONNREFUSED)
                return -EADDRINUSE;
        return unlink(a->un.sun_path) < 0 ? -errno : 0;
}

/* What comes between socket() and bind(). */
static int prepare(int fd, const struct addr *a) {
        int r;

        r = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (r < 0 || a->sa.sa_family != AF_INET6)
                return r;
        return set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, !IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr));
}

static bool may_remove(const char *dir, const struct stat *file) {
        struct stat st;

        if (stat(dir, &st) < 0 || !(st.st_mode & S_ISVTX) || geteuid() == 0)
                return true;
        return file->st_uid == geteuid() || st.st_uid == geteuid();
}

/* A bind to a path makes a file, so there it only looks. */
static int try_path(int fd, const struct addr *a) {
        char dir[sizeof(a->un.sun_path)];
        const char *where = ".";
        struct stat st;
        char *slash;

        strcpy(dir, a->un.sun_path);
        slash = strrchr(dir, '/');
        if (slash) {
                slash[slash == dir] = '\0';
                where = dir;
        }
        if (lstat(a->un.sun_path, &st) == 0) {
                if (!S_ISSOCK(st.st_mode) || connect(fd, &a->sa, a->len) == 0 ||
                    errno != ECONNREFUSED)
                        return -EADDRINUSE;
                if (!may_remove(where, &st))
                        return -EPERM;
        }
        return faccessat(AT_FDCWD, where, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int bind_in(int fd, const struct addr *a, unsigned backlog) {
        if (backlog == SOCK_TRY && a->sa.sa_family == AF_UNIX)
                return try_path(fd, a);
        if (bind(fd, &a->sa, a->len) < 0)
                return -errno;
        return backlog != SOCK_TRY && listen(fd, (int)backlog) < 0 ? -errno : 0;
}

static int listen_on(int *ret, const struct addr *a, unsigned backlog, bool share) {
        _cleanup_(fd_closep) int fd = -EBADF;
        int r = 0;

        fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        tune_listening(fd, a->sa.sa_family);
        if (a->sa.sa_family != AF_UNIX)
                r = prepare(fd, a);
        else if (backlog != SOCK_TRY)
                r = unix_clear(a);
        if (r < 0)
                return r;

        if (share)
                set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        r = bind_in(fd, a, backlog);
        if (r < 0)
                return r;
        if (share)
                set_int(fd, SOL_SOCKET, SO_REUSEPORT, 0);
        *ret = take_fd(&fd);
        return 0;
}

int sock_try_listen(const struct addr *a) {
        _cleanup_(fd_closep) int fd = -EBADF;

        return listen_on(&fd, a, SOCK_TRY, false);
}

int sock_listen(int *ret, const struct addr *a, unsigned backlog) {
        return listen_on(ret, a, backlog, false);
}

int sock_listen_beside(int *ret,
                       const struct addr *a,
                       unsigned backlog,
                       const int *own,
                       size_t n_own) {
        int r;

        for (size_t i = 0; i < n_own; i++)
                set_int(own[i], SOL_SOCKET, SO_REUSEPORT, 1);
        r = listen_on(ret, a, backlog, true);
        for (size_t i = 0; i < n_own; i++)
                set_int(own[i], SOL_SOCKET, SO_REUSEPORT, 0);
        return r;
}

static int get_int(int fd, int level, int option, int *ret) {
        socklen_t len = sizeof(*ret);

        return getsockopt(fd, level, option, ret, &len) < 0 ? -errno : 0;
}

static int local_addr(int fd, struct addr *ret) {
        struct addr a = { .len = sizeof(a.un) };

        if (getsockname(fd, &a.sa, &a.len) < 0)
                return -errno;
        return addr_of(ret, &a.sa, a.len);
}

int sock_adopt(int fd, struct addr *ret) {
        int type, listening, flags, r;

        r = get_int(fd, SOL_SOCKET, SO_TYPE, &type);
        if (r < 0)
                return r;
        if (type != SOCK_STREAM)
                return -EPROTOTYPE;
        r = get_int(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening);
        if (r < 0 || !listening)
                return -EINVAL;
        r = local_addr(fd, ret);
        if (r < 0)
                return -EAFNOSUPPORT;

        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
            fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return -errno;
        tune_listening(fd, ret->sa.sa_family);
        return 0;
}

bool sock_takes_ipv4(int fd) {
        int only = 1;

        return get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only) == 0 && !only;
}

int sock_connect(int *ret, const struct addr *a) {
        _cleanup_(fd_closep) int fd = -EBADF;
        int r = 0;

        fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        tune(fd);
        if (a->sa.sa_family != AF_UNIX)
                sock_ack_late(fd, true);

        if (connect(fd, &a->sa, a->len) < 0) {
                r = -errno;
                if (r == -EINTR)
                        r = -EINPROGRESS;
                if (r == -EAGAIN && a->sa.sa_family != AF_UNIX)
                        r = -EADDRNOTAVAIL; /* connect(2) has two words for no ports left */
                if (r != -EINPROGRESS)
                        return r;
        }
        *ret = take_fd(&fd);
        return r;
}

void sock_ack_late(int fd, bool late) {
        set_int(fd, IPPROTO_TCP, TCP_QUICKACK, !late);
}

void sock_ack_now(int fd) {
        sock_ack_late(fd, false);
}

int sock_error(int fd) {
        socklen_t len = sizeof(int);
        int error;

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
                return -errno;
        return -error;
}

void sock_reset_at_close(int fd) {
        static const struct linger now = { .l_onoff = 1 };

        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

bool sock_met_itself(int fd) {
        struct addr own = { .len = sizeof(own.un) }, peer = { .len = sizeof(peer.un) };

        if (getsockname(fd, &own.sa, &own.len) < 0 || getpeername(fd, &peer.sa, &peer.len) < 0)
                return false;
        return own.sa.sa_family != AF_UNIX && addr_equal(&own, &peer);
}

int sock_hide(int fd) {
        return set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, INT_MAX);
}

enum sock_accept sock_accept_verdict(int r) {
        switch (r) {
        case -EAGAIN:
                return SOCK_ACCEPT_AGAIN;
        case -EMFILE:
        case -ENFILE:
        case -ENOBUFS:
        case -ENOMEM:
        case -EPERM: /* of a security module, which leaves the connection in the queue */
        case -EACCES:
        case -EBADF: /* these are bal's own mistakes: better a pause than a spin */
        case -EFAULT:
        case -EINVAL:
        case -ENOTSOCK:
                return SOCK_ACCEPT_PAUSE;
        default: /* the error of a connection that has died in the queue, accept(2) */
                return SOCK_ACCEPT_NEXT;
        }
}
