/* SPDX-License-Identifier: MIT */
/* The PID file: whose number stands in it, and does anybody hold it? */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor/exam.h"
#include "cli/doctor/proc.h"
#include "cli/pidlock.h"
#include "core/parse.h"
#include "core/str.h"

struct pid_file {
        char *path;
        int fd;
        pid_t pid; /* 0: it holds no number */
        bool locked;
};

static int open_file(struct pid_file *p) {
        struct stat st;
        char text[32];
        uint64_t pid;
        ssize_t n;

        p->fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (p->fd < 0)
                return -errno;
        if (fstat(p->fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ELOOP;
        n = pread(p->fd, text, sizeof(text) - 1, 0);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        if (parse_u64(&pid, text) == 0 && pid > 0 && pid <= INT32_MAX)
                p->pid = (pid_t)pid;
        /* A shared lock is had for a moment when nobody holds the exclusive one. */
        if (flock(p->fd, LOCK_SH | LOCK_NB) == 0)
                flock(p->fd, LOCK_UN);
        else
                p->locked = errno == EWOULDBLOCK;
        return 0;
}

static void unreadable(struct finding *f, const char *path, int r, pid_t daemon) {
        if (r == -ENOENT && daemon == 0) {
                finding_ok(f, "no PID file, as no daemon runs here");
        } else if (r == -ENOENT) {
                finding_warn(f, "the daemon (pid %d) has no PID file", daemon);
                words_set(&f->what_happened, "%s is gone, though its daemon lives", path);
                words_set(&f->why_likely, "somebody removed it, or cleaned the directory");
                words_set(&f->do_this_now,
                          "bal graceful works without it; the next start writes a new one");
        } else if (r == -EACCES || r == -EPERM) {
                finding_ok(f, "not known: this user may not read %s", path);
        } else {
                finding_warn(f, "%s cannot be used: %s", path,
                             r == -ELOOP ? "it is no regular file" : strerror(-r));
                words_set(&f->why_likely, "something else was put in its place");
                words_set(&f->do_this_now, "look at it: ls -l %s", path);
        }
}

/* No daemon answers, and the process with the number in the file is not the one that holds it. */
static bool is_doubtful(struct finding *f, const struct pid_file *p) {
        _cleanup_(pidlock_done) struct pidlock l = { .pidfd = -EBADF };

        pidlock_open(&l, p->path);
        if (!pidlock_why(l.state))
                return false;
        finding_warn(f, "%s is locked and names pid %d, but %s", p->path, l.pid,
                     pidlock_why(l.state));
        words_set(&f->what_happened, "bal stop and bal logs --reopen signal nobody");
        words_set(&f->why_likely, "the daemon counts in another PID namespace (a container), or "
                                  "somebody else wrote the file");
        words_set(&f->do_this_now, "see who holds it: lslocks -o PID,COMMAND,PATH");
        return true;
}

static void held(struct finding *f, const struct pid_file *p, pid_t daemon) {
        if (daemon == 0 && is_doubtful(f, p))
                return;
        if (daemon == 0 || p->pid == daemon) {
                finding_ok(f, "%s is held by pid %d", p->path, p->pid);
                return;
        }
        finding_warn(f, "%s says pid %d, but the daemon is pid %d", p->path, p->pid, daemon);
        words_set(&f->what_happened, "the file beside the socket belongs to another daemon");
        words_set(&f->why_likely, "two daemons use one directory, or they count in different "
                                  "PID namespaces");
        words_set(&f->do_this_now, "ps -o pid,user,args -p %d,%d", p->pid, daemon);
}

static void stale(struct finding *f, const struct pid_file *p, pid_t daemon) {
        char comm[32];
        ssize_t n = p->pid > 0 ? proc_read_of(p->pid, "comm", comm, sizeof(comm)) : -ENOENT;

        words_set(&f->do_this_now, "nothing is lost: the next start takes the file over; or: rm %s",
                  p->path);
        if (daemon > 0 && p->pid == daemon) {
                finding_warn(f, "%s is not locked by its daemon (pid %d)", p->path, daemon);
                words_set(&f->what_happened, "the daemon holds the lock of another file");
                words_set(&f->why_likely, "the file was replaced, or copied, while it ran");
                words_set(&f->do_this_now, "restart bal when it suits you; until then "
                                           "a second daemon could be started here");
                return;
        }
        if (n > 0) {
                comm[strcspn(comm, "\n")] = '\0';
                finding_warn(f, "%s is stale: pid %d is now %s", p->path, p->pid, comm);
                words_set(&f->what_happened, "nobody holds the file's lock, and its number belongs "
                                             "to a process that has nothing to do with it");
                words_set(&f->why_likely, "bal was killed, and the number was used again");
                return;
        }
        if (p->pid == 0)
                finding_warn(f, "%s is stale: it holds no number", p->path);
        else
                finding_warn(f, "%s is stale: pid %d does not exist", p->path, p->pid);
        words_set(&f->what_happened, "nobody holds the file's lock");
        words_set(&f->why_likely, "bal was killed, or the machine went down");
}

int check_pid(struct exam *x, struct finding *f) {
        pid_t daemon = exam_pid(x, EXAM_DAEMON_MS);
        struct pid_file p = { .path = exam_pid_path(x), .fd = -EBADF };
        int r;

        if (!p.path) {
                finding_ok(f, "not known: no runtime directory; set HOME or RUNTIME_DIRECTORY");
                return 0;
        }
        r = open_file(&p);
        if (r < 0)
                unreadable(f, p.path, r, daemon);
        else if (p.locked)
                held(f, &p, daemon);
        else
                stale(f, &p, daemon);
        return 0;
}
