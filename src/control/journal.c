/* SPDX-License-Identifier: MIT */

#include "control/journal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "core/parse.h"

/* "8:1234" */
static int parse_stream(uint64_t *ret_dev, uint64_t *ret_ino, const char *s) {
        const char *colon = strchr(s, ':');
        char dev[24];

        if (!colon || (size_t)(colon - s) >= sizeof(dev))
                return -EINVAL;
        memcpy(dev, s, (size_t)(colon - s));
        dev[colon - s] = '\0';
        if (parse_u64(ret_dev, dev) < 0)
                return -EINVAL;
        return parse_u64(ret_ino, colon + 1);
}

bool journal_is_stream(int fd) {
        const char *s = getenv("JOURNAL_STREAM");
        uint64_t dev, ino;
        struct stat st;

        return s && parse_stream(&dev, &ino, s) >= 0 && fstat(fd, &st) == 0 && st.st_dev == dev &&
               st.st_ino == ino;
}

int journal_connect(const char *path) {
        _cleanup_(fd_closep) int fd = -EBADF;
        struct sockaddr_un sa = { .sun_family = AF_UNIX };

        if (strlen(path) >= sizeof(sa.sun_path))
                return -ENAMETOOLONG;
        strcpy(sa.sun_path, path);

        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
                return -errno;
        return take_fd(&fd);
}

int journal_send(int fd, const char *record, size_t size) {
        if (send(fd, record, size, MSG_NOSIGNAL) >= 0)
                return 0;
        /* out of memory for the moment is no reason to give the journal up */
        return errno == ENOBUFS || errno == ENOMEM || errno == EINTR ? -EAGAIN : -errno;
}
