/* SPDX-License-Identifier: MIT */

#include "cli/doctor/run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"

#define TICK_MS 100

void run_child(pid_t parent) {
        const struct rlimit none = { 0, 0 };

        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != parent)
                _exit(1); /* the parent was quicker */
        setrlimit(RLIMIT_CORE, &none);
}

/* The process of a check; whatever it holds ends with it. */
__attribute__((__noreturn__)) static void child(const struct check *check, struct exam *x, int fd) {
        struct finding f = { .level = LEVEL_OK };
        int r = check->run(x, &f);

        if (r < 0) {
                finding_done(&f);
                finding_critical(&f, "internal: the check could not be made: %s", strerror(-r));
                words_set(&f.why_likely, r == -ENOMEM ? "memory is short" : "a fault in bal");
        }
        _exit(finding_write(fd, &f) < 0);
}

static void end(struct visit *v, const struct run_hooks *hooks) {
        v->over = true;
        v->fd = fd_close(v->fd);
        v->duration_ms = (unsigned)(clock_mono_ms() - v->started_ms);
        free(v->bytes);
        v->bytes = NULL;
        if (hooks->over)
                hooks->over(v, hooks->userdata);
}

static void internal(struct visit *v, const char *what) {
        struct finding *f = &v->finding;

        finding_critical(f, "internal: the check %s", what);
        words_set(&f->what_happened, "the check '%s' %s and found nothing out", v->check->id, what);
        words_set(&f->why_likely, "a fault in bal, or a machine without memory or processes left");
        words_set(&f->do_this_now, "bal doctor --skip %s, and please report this", v->check->id);
}

static void start(struct visit *v, struct exam *x, const struct run_hooks *hooks) {
        pid_t parent = getpid();
        int fds[2] = { -EBADF, -EBADF };

        v->started_ms = clock_mono_ms();
        v->fd = -EBADF;
        v->bytes = malloc(FINDING_MAX);
        v->pid = v->bytes && pipe2(fds, O_CLOEXEC) == 0 ? fork() : -1;
        if (v->pid == 0) {
                run_child(parent);
                child(v->check, x, fds[1]);
        }
        fd_close(fds[1]);
        v->fd = fds[0];
        if (v->pid < 0) {
                internal(v, "could not be started");
                end(v, hooks);
        }
}

/* The pipe has ended: so has the process, or it is about to. */
static void take(struct visit *v, const struct run_hooks *hooks) {
        char what[64] = "ended without a word";
        int status = 0;

        while (waitpid(v->pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (WIFSIGNALED(status))
                snprintf(what, sizeof(what), "crashed (signal %d)", WTERMSIG(status));
        if (status != 0 || finding_read(&v->finding, v->bytes, v->n_bytes) < 0)
                internal(v, what);
        end(v, hooks);
}

static void hear(struct visit *v, const struct run_hooks *hooks) {
        ssize_t n = read(v->fd, v->bytes + v->n_bytes, FINDING_MAX - v->n_bytes);

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return;
        if (n > 0)
                v->n_bytes += (size_t)n;
        else
                take(v, hooks);
}

static void give_up(struct visit *v, const struct run_hooks *hooks) {
        struct finding *f = &v->finding;

        kill(v->pid, SIGKILL);
        waitpid(v->pid, NULL, WNOHANG); /* one that waits for a disk cannot be waited for */
        finding_warn(f, "not known: no result within %.1f s", v->check->limit_ms / 1000.0);
        words_set(&f->why_likely,
                  "a file system, a name server or a service that it asked does not answer");
        words_set(&f->do_this_now, "again: bal doctor --only %s", v->check->id);
        end(v, hooks);
}

/* How long poll() may wait; ends those whose time is up. -1: all are over. */
static int pass(struct visit *visits, size_t n, const struct run_hooks *hooks) {
        uint64_t now = clock_mono_ms(), wait = TICK_MS;
        bool any = false;

        for (size_t i = 0; i < n; i++) {
                struct visit *v = &visits[i];
                uint64_t limit = v->started_ms + v->check->limit_ms;

                if (v->over)
                        continue;
                if (now >= limit) {
                        give_up(v, hooks);
                        continue;
                }
                any = true;
                if (limit - now < wait)
                        wait = limit - now;
        }
        return any ? (int)wait : -1;
}

void run_all(struct visit *visits, size_t n, struct exam *x, const struct run_hooks *hooks) {
        struct pollfd *fds = calloc(n ? n : 1, sizeof(*fds));
        int wait;

        for (size_t i = 0; i < n; i++) {
                visits[i].over = false;
                if (fds)
                        start(&visits[i], x, hooks);
        }
        while (fds && (wait = pass(visits, n, hooks)) >= 0) {
                for (size_t i = 0; i < n; i++)
                        fds[i] = (struct pollfd){ .fd = visits[i].over ? -1 : visits[i].fd,
                                                  .events = POLLIN };
                if (poll(fds, n, wait) > 0) {
                        for (size_t i = 0; i < n; i++) {
                                if (!visits[i].over && fds[i].revents)
                                        hear(&visits[i], hooks);
                        }
                }
                if (hooks->tick)
                        hooks->tick(hooks->userdata);
        }
        for (size_t i = 0; i < n && !fds; i++) {
                visits[i].fd = -EBADF;
                visits[i].started_ms = clock_mono_ms();
                internal(&visits[i], "could not be started");
                end(&visits[i], hooks);
        }
        free(fds);
}
