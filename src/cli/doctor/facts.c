/* SPDX-License-Identifier: MIT */

#include "cli/doctor/facts.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/doc.h"
#include "cli/doctor/run.h"
#include "config/find.h"
#include "core/clock.h"
#include "core/str.h"

static uint64_t mono_us(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Has the pipe's last writer closed it? */
static bool is_over(int pipe_fd, int wait_ms) {
        struct pollfd p = { .fd = pipe_fd };
        uint64_t end = clock_mono_ms() + (uint64_t)wait_ms;

        for (;;) {
                uint64_t now = clock_mono_ms();
                int n = poll(&p, 1, now < end ? (int)(end - now) : 0);

                if (n != 0 && !(n < 0 && errno == EINTR))
                        return n > 0;
                if (n == 0 && now >= end)
                        return false;
        }
}

/* ---- the daemon ---- */

/* Who called listen(): the daemon, but for a socket that systemd has passed on. */
static pid_t peer_of(const struct bal_client *client) {
        struct ucred cred = { 0 };
        socklen_t n = sizeof(cred);

        if (!client || getsockopt(bal_client_fd(client), SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
                return 0;
        return cred.pid > 1 ? cred.pid : 0;
}

/* In one piece: json_dumpfd() would call write(2) for every word. */
static size_t keep(const json_t *doc, int fd) {
        char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
        size_t n = text ? strlen(text) : 0, sent = 0;

        while (sent < n) {
                ssize_t k = write(fd, text + sent, n - sent);

                if (k < 0 && errno != EINTR)
                        break;
                sent += k > 0 ? (size_t)k : 0;
        }
        free(text);
        return sent == n ? n : 0;
}

static void find_daemon(struct facts *f) {
        struct fact_daemon *d = &f->shared->daemon;
        struct answer a = { .result = ASK_OK };
        uint64_t start = mono_us();
        json_t *backends;

        ask(&a, f->cli, BAL_SOCKET_STATUS, BAL_METHOD_GET, FACTS_DAEMON_MS);
        d->took_us = mono_us() - start;
        d->result = a.result;
        d->error = a.error;
        d->peer = peer_of(a.client);
        snprintf(d->socket, sizeof(d->socket), "%s", a.socket ? a.socket : "");
        if (a.result != ASK_OK) {
                snprintf(d->why, sizeof(d->why), "%s", answer_text(&a));
                d->known = true;
                return;
        }
        snprintf(d->config_path, sizeof(d->config_path), "%s",
                 doc_text(a.reply.parameters, "config_path", ""));
        f->path_fd[1] = fd_close(f->path_fd[1]); /* nobody needs more to find the file */
        backends = json_incref(json_object_get(a.reply.parameters, "backends"));
        json_object_del(a.reply.parameters, "backends");
        d->head_size = keep(a.reply.parameters, f->head_fd);
        d->backends_size = keep(backends, f->backends_fd);
        d->known = d->head_size > 0 && d->backends_size > 0;
        json_decref(backends);
        answer_done(&a);
}

/* ---- the file ---- */

static uint64_t us_of(const struct timespec *ts) {
        return (uint64_t)ts->tv_sec * 1000000 + (uint64_t)ts->tv_nsec / 1000;
}

static void find_file(struct facts *f) {
        struct fact_file *file = &f->shared->file;
        _cleanup_(str_freep) char *path = NULL;
        const struct fact_daemon *d = &f->shared->daemon;
        struct stat st;
        int r = 0;

        if (!f->cli->args.config && is_over(f->path_fd[0], FACTS_PATH_MS) &&
            *d->config_path == '/') {
                path = strdup(d->config_path);
                file->of_daemon = true;
        } else {
                r = config_find(&path, f->cli->args.config);
        }
        if (!path || (r < 0 && r != -ENOENT))
                return; /* not known */

        snprintf(file->path, sizeof(file->path), "%s", path);
        if (stat(path, &st) < 0)
                file->error = -errno;
        else {
                file->written_us = us_of(&st.st_mtim);
                file->changed_us = us_of(&st.st_ctim);
        }
        file->known = true;
}

/* ---- processes ---- */

static void helper_end(struct helper *h) {
        if (h->pid > 0) {
                kill(h->pid, SIGKILL);
                waitpid(h->pid, NULL, WNOHANG); /* one that waits for a disk is left to init */
        }
        h->pid = 0;
        h->end_fd = fd_close(h->end_fd);
}

static int helper_start(struct helper *h,
                        struct facts *f,
                        void (*fn)(struct facts *f),
                        int limit_ms) {
        pid_t parent = getpid();
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        h->limit_ms = clock_mono_ms() + (uint64_t)limit_ms;
        h->pid = fork();
        if (h->pid < 0) {
                r = -errno;
                h->pid = 0;
                fd_close(fds[0]);
                fd_close(fds[1]);
                return r;
        }
        if (h->pid == 0) {
                run_child(parent);
                fn(f);
                _exit(0);
        }
        fd_close(fds[1]);
        h->end_fd = fds[0];
        return 0;
}

int facts_start(struct facts *ret, const struct cli *c) {
        struct facts *f = ret;
        int r;

        *f = (struct facts){ .cli = c,
                             .path_fd = { -EBADF, -EBADF },
                             .daemon_helper.end_fd = -EBADF,
                             .file_helper.end_fd = -EBADF,
                             .head_fd = memfd_create("bal-status", MFD_CLOEXEC),
                             .backends_fd = memfd_create("bal-backends", MFD_CLOEXEC) };
        f->shared = mmap(NULL, sizeof(*f->shared), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (f->shared == MAP_FAILED) {
                f->shared = NULL;
                return -errno;
        }
        if (f->head_fd < 0 || f->backends_fd < 0 || pipe2(f->path_fd, O_CLOEXEC) < 0)
                return -EMFILE;
        r = helper_start(&f->daemon_helper, f, find_daemon, FACTS_LIMIT_MS);
        f->path_fd[1] = fd_close(f->path_fd[1]);
        if (r == 0)
                r = helper_start(&f->file_helper, f, find_file, FACTS_FILE_MS);
        return r;
}

void facts_done(struct facts *f) {
        helper_end(&f->daemon_helper);
        helper_end(&f->file_helper);
        fd_close(f->path_fd[0]);
        fd_close(f->path_fd[1]);
        fd_close(f->head_fd);
        fd_close(f->backends_fd);
        if (f->shared)
                munmap(f->shared, sizeof(*f->shared));
}

static void helper_reap(struct helper *h, uint64_t now_ms) {
        if (h->pid == 0)
                return;
        if (waitpid(h->pid, NULL, WNOHANG) != 0)
                h->pid = 0;
        else if (now_ms >= h->limit_ms)
                kill(h->pid, SIGKILL);
}

void facts_reap(struct facts *f, uint64_t now_ms) {
        helper_reap(&f->daemon_helper, now_ms);
        helper_reap(&f->file_helper, now_ms);
}

/* ---- for the checks ---- */

const struct fact_daemon *facts_daemon(const struct facts *f, int wait_ms) {
        const struct fact_daemon *d = &f->shared->daemon;

        return is_over(f->daemon_helper.end_fd, wait_ms) && d->known ? d : NULL;
}

const struct fact_file *facts_file(const struct facts *f, int wait_ms) {
        const struct fact_file *file = &f->shared->file;

        return is_over(f->file_helper.end_fd, wait_ms) && file->known ? file : NULL;
}

static json_t *part_of(int fd, size_t size) {
        void *text;
        json_t *doc;

        if (size == 0)
                return NULL;
        text = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (text == MAP_FAILED)
                return NULL;
        doc = json_loadb(text, size, 0, NULL);
        munmap(text, size);
        return doc;
}

json_t *facts_head(const struct facts *f) {
        const struct fact_daemon *d = facts_daemon(f, 0);

        return d && d->result == ASK_OK ? part_of(f->head_fd, d->head_size) : NULL;
}

json_t *facts_backends(const struct facts *f) {
        const struct fact_daemon *d = facts_daemon(f, 0);

        return d && d->result == ASK_OK ? part_of(f->backends_fd, d->backends_size) : NULL;
}
