/* SPDX-License-Identifier: MIT */

#include "control/pidfile.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/parse.h"

#define TRIES 16 /* the file may vanish between open and lock, when its daemon ends just now */

static pid_t owner_read(int fd) {
        char text[24] = "";
        uint64_t pid;
        ssize_t n;

        n = pread(fd, text, sizeof(text) - 1, 0);
        if (n <= 0)
                return 0;
        text[strcspn(text, "\n")] = '\0';
        if (parse_u64(&pid, text) < 0 || pid > INT32_MAX)
                return 0;
        return (pid_t)pid;
}

/* Is what we have locked still what the path names? */
static bool is_current(int fd, const char *path) {
        struct stat ours, now;

        return fstat(fd, &ours) == 0 && stat(path, &now) == 0 && ours.st_dev == now.st_dev &&
               ours.st_ino == now.st_ino;
}

/* Whoever holds the lock now: a daemon, or somebody who only looks? Waits a little before it says
 * "only looks". */
static bool is_owned_for_long(int fd) {
        const struct timespec step = { .tv_nsec = 5000000 };
        pid_t owner = owner_read(fd);

        if (owner > 0 && (kill(owner, 0) == 0 || errno == EPERM))
                return true;
        nanosleep(&step, NULL);
        return false;
}

/* What another user left would stay that user's, and `bal stop` does not believe a file that does
 * not belong to the daemon's own user (cli/pidlock.h). */
static bool is_own(int fd) {
        struct stat st;

        return fstat(fd, &st) == 0 && st.st_uid == geteuid();
}

int pidfile_lock(int *ret, const char *path, pid_t *ret_owner) {
        bool replaced = false; /* tried once: some file systems give files to others */

        for (int i = 0; i < TRIES; i++) {
                _cleanup_(fd_closep) int fd = -EBADF;

                fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
                if (fd < 0)
                        return -errno;
                if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                        if (errno != EWOULDBLOCK)
                                return -errno;
                        /* `bal stop` and `bal status` look at the lock, too, for an instant */
                        if (i + 1 < TRIES && !is_owned_for_long(fd))
                                continue;
                        *ret_owner = owner_read(fd);
                        return -EBUSY;
                }
                if (!is_current(fd, path))
                        continue;
                if (is_own(fd) || replaced) {
                        *ret = take_fd(&fd);
                        return 0;
                }
                replaced = true;
                unlink(path);
        }
        return -EAGAIN;
}

int pidfile_write(int fd) {
        char text[24];
        int n = snprintf(text, sizeof(text), "%d\n", getpid());

        if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
                return -errno;
        return 0;
}

void pidfile_remove(int fd, const char *path) {
        if (fd < 0)
                return;
        if (is_current(fd, path))
                unlink(path); /* before the lock goes, so that nobody's new file is hit */
        fd_close(fd);
}
