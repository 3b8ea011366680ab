/* SPDX-License-Identifier: MIT */

#include "control/server_socket.h"

#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base.h"

/* For a crowd that comes at once: connect() with a time limit does not wait for room. */
#define BACKLOG 1024

static int socket_address(struct sockaddr_un *ret, const char *path) {
        size_t n = strlen(path);

        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (n == 0)
                return -EINVAL; /* an empty one would be an autobound abstract name */
        if (n >= sizeof(ret->sun_path))
                return -ENAMETOOLONG;
        memcpy(ret->sun_path, path, n);
        return 0;
}

/* 0: the file is a socket nobody listens on. A full backlog (EAGAIN) is somebody, too. */
static int socket_is_stale(const struct sockaddr_un *sa) {
        _cleanup_(fd_closep) int fd = -EBADF;
        struct stat st;

        if (lstat(sa->sun_path, &st) < 0)
                return -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST; /* connect() would say ECONNREFUSED for a plain file as well */

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 && errno == ECONNREFUSED)
                return 0;
        return -EADDRINUSE; /* also when we may not ask: what we cannot judge we do not remove */
}

static int socket_bind(int fd, const struct sockaddr_un *sa) {
        int r;

        if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0)
                return 0;
        if (errno != EADDRINUSE)
                return -errno;

        r = socket_is_stale(sa);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r == 0 && unlink(sa->sun_path) < 0)
                return -errno;
        return bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ? -errno : 0;
}

/* The mode of an unbound socket is that of the file to be, less the umask: so the file never has
 * more than it should, and what the umask took is given back afterwards, not through a symlink. */
static int socket_set_mode(const char *path, mode_t mode) {
        if (fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        if (errno != EOPNOTSUPP) /* it needs /proc */
                return -errno;
        return chmod(path, mode) < 0 ? -errno : 0;
}

/* How much room a group takes depends on its members; nobody has a mebibyte of them. */
static int group_find(gid_t *ret, const char *name) {
        struct group group, *found = NULL;
        int r = ERANGE;

        for (size_t size = 4096; r == ERANGE && size <= 1024 * 1024; size *= 4) {
                char *buf = malloc(size);

                if (!buf)
                        return -ENOMEM;
                r = getgrnam_r(name, &group, buf, size, &found);
                if (r == 0 && found)
                        *ret = group.gr_gid;
                free(buf);
        }
        return r != 0 ? -r : found ? 0 : -ENOENT;
}

int server_socket_share(const char *path, const char *group) {
        gid_t gid = (gid_t)-1;
        int r;

        r = group_find(&gid, group);
        if (r < 0)
                return r;
        if (fchownat(AT_FDCWD, path, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        return socket_set_mode(path, 0660);
}

int server_socket_new(struct server_socket *ret, const char *path, mode_t mode) {
        _cleanup_(server_socket_done) struct server_socket s = { .fd = -EBADF };
        struct sockaddr_un sa;
        struct stat st;
        int r;

        r = socket_address(&sa, path);
        if (r < 0)
                return r;

        s.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (s.fd < 0 || fchmod(s.fd, mode) < 0)
                return -errno;

        r = socket_bind(s.fd, &sa);
        if (r < 0)
                return r;

        if (lstat(path, &st) < 0)
                return -errno;
        s.dev = st.st_dev;
        s.ino = st.st_ino;
        s.path = strdup(path);
        if (!s.path) {
                unlink(path);
                return -ENOMEM;
        }

        r = socket_set_mode(path, mode);
        if (r < 0)
                return r;
        if (listen(s.fd, BACKLOG) < 0)
                return -errno;

        *ret = s;
        s = (struct server_socket){ .fd = -EBADF };
        return 0;
}

static int socket_option(int fd, int option) {
        int v = -1;
        socklen_t n = sizeof(v);

        return getsockopt(fd, SOL_SOCKET, option, &v, &n) < 0 ? -1 : v;
}

int server_socket_check(int fd) {
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || socket_option(fd, SO_DOMAIN) != AF_UNIX ||
            socket_option(fd, SO_TYPE) != SOCK_STREAM || socket_option(fd, SO_ACCEPTCONN) != 1)
                return -EINVAL;
        if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return -errno;
        return 0;
}

void server_socket_done(struct server_socket *s) {
        struct stat st;

        if (s->path && lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
                unlink(s->path);
        free(s->path);
        fd_close(s->fd);
        *s = (struct server_socket){ .fd = -EBADF };
}
