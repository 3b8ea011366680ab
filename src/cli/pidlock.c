/* SPDX-License-Identifier: MIT */

#include "cli/pidlock.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
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

/* ---- is it the process that holds the lock? ---- */

#define NAME_MAX_COMM 15 /* of Name: in /proc/PID/status, proc(5) */

struct suspect {
        pid_t pid;
        struct stat file; /* the PID file */
        uid_t uid;        /* effective */
        char name[64];
};

/* "Name:" and "Uid:" of /proc/PID/status, which anybody may read. */
static bool suspect_read(struct suspect *s) {
        char path[64], line[256];
        unsigned long uid;
        bool found = false;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/status", s->pid);
        f = fopen(path, "re");
        while (f && !found && fgets(line, sizeof(line), f)) {
                if (sscanf(line, "Name:\t%63[^\n]", s->name) == 1)
                        continue;
                found = sscanf(line, "Uid:\t%*u\t%lu", &uid) == 1;
        }
        if (f)
                fclose(f);
        s->uid = found ? (uid_t)uid : 0;
        return found;
}

/* A line of /proc/PID/fdinfo/N or /proc/locks about flock(2) for writing. */
static bool is_flock(const char *line) {
        return strstr(line, " FLOCK ") && strstr(line, " WRITE ");
}

static bool descriptor_locks(int dir_fd, const char *fd) {
        _cleanup_(fd_closep) int info_fd = -EBADF;
        char path[64], text[1024];
        ssize_t n;

        snprintf(path, sizeof(path), "fdinfo/%.16s", fd);
        info_fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
        n = info_fd >= 0 ? fd_read(info_fd, text, sizeof(text) - 1) : -1;
        if (n < 0)
                return false;
        text[n] = '\0';
        return strstr(text, "\nlock:") && is_flock(strstr(text, "\nlock:"));
}

/* Without waiting for file servers: what the process has open is its own affair. */
static bool is_same_file(int dir_fd, const char *fd, const struct stat *file) {
        char path[64];
        struct statx x;

        snprintf(path, sizeof(path), "fd/%.16s", fd);
        return statx(dir_fd, path, AT_STATX_DONT_SYNC, STATX_INO, &x) == 0 &&
               x.stx_ino == file->st_ino &&
               makedev(x.stx_dev_major, x.stx_dev_minor) == file->st_dev;
}

/* Does one of its descriptors hold the lock? -EACCES: no right to look. */
static int holds_by_descriptors(const struct suspect *s) {
        _cleanup_(fd_closep) int dir_fd = -EBADF;
        const struct dirent *each;
        char path[64];
        bool held = false;
        DIR *dir;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d", s->pid);
        dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        fd = dir_fd >= 0 ? openat(dir_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir) {
                fd_close(fd);
                return -ENOMEM;
        }
        while (!held && (each = readdir(dir)))
                held = is_same_file(dir_fd, each->d_name, &s->file) &&
                       descriptor_locks(dir_fd, each->d_name);
        closedir(dir);
        return held;
}

/* The kernel's list of locks has numbers that may have been used again since, and devices that not
 * every file system calls by the same number as stat(2). It serves where a process has more rights
 * than whoever asks, who may not look into it then. */
static bool holds_by_list(const struct suspect *s) {
        unsigned long long inode;
        char line[256];
        bool held = false;
        FILE *f = fopen("/proc/locks", "re");
        int pid;

        while (f && !held && fgets(line, sizeof(line), f))
                held = is_flock(line) &&
                       sscanf(line, "%*s %*s %*s %*s %d %*x:%*x:%llu", &pid, &inode) == 2 &&
                       pid == s->pid && inode == s->file.st_ino;
        if (f)
                fclose(f);
        return held;
}

static const char *base_of(char *path) {
        static const char gone[] = " (deleted)"; /* its file was replaced, by a newer one */
        size_t n = strlen(path);
        const char *slash;

        if (n > sizeof(gone) - 1 && strcmp(path + n - (sizeof(gone) - 1), gone) == 0)
                path[n - (sizeof(gone) - 1)] = '\0';
        slash = strrchr(path, '/');
        return slash ? slash + 1 : path;
}

static bool program_of(char *buf, size_t size, const char *path) {
        ssize_t n = readlink(path, buf, size - 1);

        if (n >= 0)
                buf[n] = '\0';
        return n >= 0;
}

/* The same program as this one, by its name: the daemon may be an older or a newer one. */
static bool runs_bal(const struct suspect *s) {
        char link[64], own[PATH_MAX], other[PATH_MAX];
        const char *name;

        if (!program_of(own, sizeof(own), "/proc/self/exe"))
                return false;
        name = base_of(own);
        snprintf(link, sizeof(link), "/proc/%d/exe", s->pid);
        if (program_of(other, sizeof(other), link))
                return strcmp(base_of(other), name) == 0;
        return errno == EACCES && strncmp(s->name, name, NAME_MAX_COMM) == 0;
}

static enum pidlock_state suspect_judge(struct suspect *s) {
        int r;

        if (!suspect_read(s))
                return PIDLOCK_ELSEWHERE;
        if (s->uid != s->file.st_uid)
                return PIDLOCK_OWNER;
        r = holds_by_descriptors(s);
        if (r == 0 || (r < 0 && !holds_by_list(s)))
                return PIDLOCK_LOCK;
        return runs_bal(s) ? PIDLOCK_FOUND : PIDLOCK_PROGRAM;
}

/* ---- all of it ---- */

/* The file is locked, and says the same as before. */
static bool is_unchanged(int fd, pid_t pid) {
        pid_t again;

        return is_locked(fd) && read_pid(&again, fd) == 0 && again == pid;
}

void pidlock_open(struct pidlock *ret, const char *path) {
        _cleanup_(fd_closep) int fd = -EBADF, pidfd = -EBADF;
        struct suspect s = { .pid = 0 };
        enum pidlock_state state;

        *ret = (struct pidlock){ .state = PIDLOCK_ABSENT, .pidfd = -EBADF };
        if (open_file(&fd, path) < 0 || fstat(fd, &s.file) < 0 || !is_locked(fd) ||
            read_pid(&s.pid, fd) < 0)
                return;

        pidfd = (int)syscall(SYS_pidfd_open, s.pid, 0);
        state = pidfd < 0 ? PIDLOCK_ELSEWHERE : suspect_judge(&s);
        if (!is_unchanged(fd, s.pid))
                return; /* a daemon that ends just now, and perhaps the next one */
        if (pidfd >= 0 && pidlock_wait(pidfd, 0) == 0)
                state = PIDLOCK_ELSEWHERE; /* what was looked at may have been another process */
        *ret = (struct pidlock){ .state = state,
                                 .pidfd = state == PIDLOCK_FOUND ? take_fd(&pidfd) : -EBADF,
                                 .pid = s.pid };
}

void pidlock_done(struct pidlock *l) {
        l->pidfd = fd_close(l->pidfd);
}

const char *pidlock_why(enum pidlock_state s) {
        static const char *const whys[] = {
#define X(id, why) why,
                PIDLOCK_STATES(X)
#undef X
        };

        return whys[s];
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
