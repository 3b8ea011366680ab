/* SPDX-License-Identifier: MIT */

#include "cli/pidlock.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/parse.h"

static int open_file(int *ret, const char *path) {
        _cleanup_(fd_closep) int fd = -EBADF;
        struct stat st;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ESRCH;
        *ret = take_fd(&fd);
        return 0;
}

/* A shared lock is had for a moment when nobody holds the exclusive one. */
static bool is_locked(int fd) {
        if (flock(fd, LOCK_SH | LOCK_NB) < 0)
                return errno == EWOULDBLOCK;
        flock(fd, LOCK_UN);
        return false;
}

static int read_pid(pid_t *ret, int fd) {
        char text[32];
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
        uint64_t pid;

        if (n < 0)
                return -errno;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        if (parse_u64(&pid, text) < 0 || pid <= 1 || pid > INT32_MAX || (pid_t)pid == getpid())
                return -ESRCH;
        *ret = (pid_t)pid;
        return 0;
}

int pidlock_open(int *ret_pidfd, pid_t *ret_pid, const char *path) {
        _cleanup_(fd_closep) int fd = -EBADF, pidfd = -EBADF;
        pid_t pid, again;
        int r;

        r = open_file(&fd, path);
        if (r < 0)
                return r == -ELOOP ? -ESRCH : r;
        if (!is_locked(fd))
                return -ESRCH;
        r = read_pid(&pid, fd);
        if (r < 0)
                return r;

        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pidfd < 0)
                return -errno;
        /* Held and unchanged: then it was the daemon that pidfd_open() found under the number. */
        if (!is_locked(fd) || read_pid(&again, fd) < 0 || again != pid)
                return -ESRCH;

        *ret_pidfd = take_fd(&pidfd);
        *ret_pid = pid;
        return 0;
}

int pidlock_signal(int pidfd, int signal) {
        return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int pidlock_wait(int pidfd, int timeout_ms) {
        uint64_t end = clock_mono_ms() + (uint64_t)timeout_ms;

        for (;;) {
                uint64_t now = clock_mono_ms();
                struct pollfd p = { .fd = pidfd, .events = POLLIN };
                int n = poll(&p, 1, now < end ? (int)(end - now) : 0);

                if (n > 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0 && now >= end)
                        return -ETIMEDOUT;
        }
}

int pidlock_wait_free(const char *path, int timeout_ms) {
        uint64_t end = clock_mono_ms() + (uint64_t)timeout_ms;
        _cleanup_(fd_closep) int fd = -EBADF;

        if (open_file(&fd, path) < 0)
                return 0; /* a daemon that ends may take its file along */
        while (is_locked(fd)) {
                struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };

                if (clock_mono_ms() >= end)
                        return -ETIMEDOUT;
                nanosleep(&pause, NULL);
        }
        return 0;
}
