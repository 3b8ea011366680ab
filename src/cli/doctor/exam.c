/* SPDX-License-Identifier: MIT */

#include "cli/doctor/exam.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/doc.h"
#include "cli/doctor/proc.h"
#include "cli/pidlock.h"
#include "control/pidfile.h"
#include "core/paths.h"
#include "core/str.h"
#include "net/owner.h"

const struct check checks[] = {
#define X(id_, limit_ms_, needs_file_, shown_)                                                     \
        { .id = #id_,                                                                              \
          .run = check_##id_,                                                                      \
          .limit_ms = (limit_ms_),                                                                 \
          .needs_file = (needs_file_),                                                             \
          .shown = (shown_) },
        CHECKS(X)
#undef X
};
const size_t n_checks = ELEMENTS(checks);

const struct fact_daemon *exam_daemon(struct exam *x, int wait_ms) {
        return facts_daemon(x->facts, wait_ms);
}

json_t *exam_head(struct exam *x, int wait_ms) {
        if (!x->head && exam_daemon(x, wait_ms))
                x->head = facts_head(x->facts);
        return x->head;
}

/* Where --socket says, where somebody answered, or where a daemon of ours would be. */
char *exam_pid_path(struct exam *x) {
        const struct fact_daemon *d = exam_daemon(x, 0);
        const char *socket = x->cli->args.socket;
        _cleanup_(str_freep) char *dir = NULL;
        const char *slash;
        char *path;

        if (!socket && d && *d->socket && d->result != ASK_ABSENT)
                socket = d->socket;
        if (socket) {
                slash = strrchr(socket, '/');
                return slash ? str_printf("%.*s/" PIDFILE_NAME, (int)(slash - socket), socket)
                             : str_printf(PIDFILE_NAME);
        }
        if (paths_runtime_dir(&dir) < 0)
                return NULL;
        if (paths_join(&path, dir, PIDFILE_NAME) < 0)
                return NULL;
        if (access(path, F_OK) < 0 && access(PATHS_RUN "/" PIDFILE_NAME, F_OK) == 0)
                words_set(&path, PATHS_RUN "/" PIDFILE_NAME);
        return path;
}

static bool is_there(pid_t pid) {
        return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

pid_t exam_pid(struct exam *x, int wait_ms) {
        const struct fact_daemon *d = exam_daemon(x, wait_ms);
        _cleanup_(pidlock_done) struct pidlock l = { .pidfd = -EBADF };
        _cleanup_(str_freep) char *path = NULL;
        pid_t pid = 0;

        /* The kernel's word first: the daemon may count in another PID namespace. */
        if (d && is_there(d->peer))
                return d->peer;
        if (d && d->result == ASK_OK)
                pid = (pid_t)doc_int(exam_head(x, 0), "pid");
        if (is_there(pid))
                return pid;
        path = exam_pid_path(x);
        if (path)
                pidlock_open(&l, path);
        return l.state == PIDLOCK_FOUND ? l.pid : 0;
}

const struct config *exam_config(struct exam *x) {
        const struct fact_file *file;

        if (x->config_tried)
                return x->config;
        x->config_tried = true;
        diags_init(&x->diags);
        file = facts_file(x->facts, FACTS_FILE_MS + 100);
        if (!file)
                x->config_error = -ETIMEDOUT;
        else if (file->error < 0)
                x->config_error = file->error;
        else
                x->config_error = config_load(&x->config, file->path, &x->diags);
        return x->config;
}

const struct config *exam_config_or_skip(struct exam *x, struct finding *f) {
        const char *why = "has errors";

        if (exam_config(x))
                return x->config;
        if (x->config_error != -EINVAL && x->config_error != -EFBIG)
                why = "cannot be read";
        if (x->config_checked) {
                finding_ok(f, "skipped: the configuration %s", why);
        } else {
                finding_warn(f, "not checked: the configuration %s", why);
                words_set(&f->why_likely, "the check 'config' says more");
                words_set(&f->do_this_now, "bal doctor --only config");
        }
        return NULL;
}

const char *exam_owner_text(const struct owner *o, char buf[static EXAM_OWNER_MAX]) {
        char unit[PROC_UNIT_MAX], cgroup[8192];

        if (o->pid == 0) {
                snprintf(buf, EXAM_OWNER_MAX, "a process that this user cannot see");
                return buf;
        }
        if (proc_read_of(o->pid, "cgroup", cgroup, sizeof(cgroup)) > 0 && proc_unit(unit, cgroup))
                snprintf(buf, EXAM_OWNER_MAX, "%s (pid %d, %s)", o->command, o->pid, unit);
        else
                snprintf(buf, EXAM_OWNER_MAX, "%s (pid %d)", o->command, o->pid);
        return buf;
}
