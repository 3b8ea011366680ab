/* SPDX-License-Identifier: MIT */
/* `bal stop`: asks over the admin socket; where that does not answer, signals who holds bal.pid. */

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bal/exit.h"
#include "cli/ask.h"
#include "cli/doc.h"
#include "cli/pidfind.h"
#include "config/config.h"
#include "config/find.h"
#include "core/clock.h"
#include "core/str.h"

#define STOP_ANSWER_MS 5000
#define STOP_MARGIN_MS 5000  /* on top of drain_timeout, before stop gives up */
#define STOP_DRAIN_MS  30000 /* where neither daemon nor file tells */
#define STOP_DRAIN_MAX (24 * 3600 * 1000)
#define STOP_LOCK_MS   1000

static void stop_progress(struct cli *c, pid_t pid, int64_t connections, int64_t drain_ms) {
        if (args_has(&c->args, OPTION_BIT(JSON) | OPTION_BIT(BRIEF)))
                return;
        out_printf(&c->err, "bal: stopping pid %lld", (long long)pid);
        if (connections >= 0)
                out_printf(&c->err, ": %lld connection%s", (long long)connections,
                           connections == 1 ? "" : "s");
        out_printf(&c->err, ", up to %lld s to drain\n", (long long)((drain_ms + 999) / 1000));
        out_finish(&c->err);
}

/* Stopped is not for long where systemd holds a socket of bal's. */
static void stop_warn(struct cli *c, const json_t *sockets) {
        struct out *o = &c->out;
        json_t *address;
        size_t i;

        if (json_array_size(sockets) == 0)
                return;
        out_printf(o, "  note: systemd goes on listening on");
        json_array_foreach(sockets, i, address) {
                const char *text = json_string_value(address);

                out_printf(o, i > 0 ? ", " : " ");
                out_clean(o, text ? text : "?");
        }
        out_printf(o,
                   "\n        and starts bal again at the next connection; to prevent that, stop "
                   "the\n        socket unit, too: systemctl list-sockets 'bal*'\n");
}

/* sockets: those of systemd's; NULL: nobody knows. */
static int stop_report(struct cli *c,
                       pid_t pid,
                       int64_t connections,
                       json_t *sockets,
                       uint64_t started_ms) {
        json_t *doc;

        if (!args_has(&c->args, OPTION_BIT(JSON))) {
                out_printf(&c->out, "bal: stopped\n");
                stop_warn(c, sockets);
                return BAL_EXIT_OK;
        }
        doc = out_document("bal.stop");
        if (doc &&
            (json_object_set_new(doc, "stopped", json_true()) < 0 ||
             json_object_set_new(doc, "pid", json_integer(pid)) < 0 ||
             json_object_set_new(doc, "active_connections",
                                 connections < 0 ? json_null() : json_integer(connections)) < 0 ||
             json_object_set_new(doc, "systemd_sockets",
                                 sockets ? json_incref(sockets) : json_null()) < 0 ||
             json_object_set_new(doc, "duration_ms",
                                 json_integer((json_int_t)(clock_mono_ms() - started_ms))) < 0)) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&c->out, doc);
        return BAL_EXIT_OK;
}

/* pidfile: the daemon's; NULL: unknown. A number that only came through a socket may be anybody's,
 * so no command names it unless the file confirms it. */
static int stop_late(struct cli *c, pid_t pid, const char *pidfile, int64_t waited_ms) {
        _cleanup_(pidlock_done) struct pidlock l = { .pidfd = -EBADF };
        char command[64] = "";

        if (pidfile)
                pidlock_open(&l, pidfile);
        if (l.state == PIDLOCK_FOUND && l.pid == pid)
                snprintf(command, sizeof(command), "; to end it at once: kill %d", (int)pid);
        return verb_fail(c, BAL_EXIT_FAILED,
                         "pid %lld is still there after %lld s; look at it: bal status%s",
                         (long long)pid, (long long)(waited_ms / 1000), command);
}

static int64_t clamp_drain(int64_t ms) {
        return ms < 0 ? STOP_DRAIN_MS : ms > STOP_DRAIN_MAX ? STOP_DRAIN_MAX : ms;
}

/* Started again already, by a socket of systemd's or by somebody. */
static bool is_another(const char *path, pid_t pid) {
        _cleanup_(pidlock_done) struct pidlock l = { .pidfd = -EBADF };

        pidlock_open(&l, path);
        return l.state == PIDLOCK_FOUND && l.pid != pid;
}

static int stop_asked(struct cli *c, struct answer *a, uint64_t started_ms) {
        const json_t *p = a->reply.parameters;
        pid_t pid = (pid_t)doc_int(p, "pid");
        int64_t connections = doc_int(p, "active_connections");
        int64_t limit_ms = clamp_drain(doc_int(p, "drain_timeout_ms")) + STOP_MARGIN_MS;
        _cleanup_(str_freep) char *path = a->socket ? pidfind_beside(a->socket) : NULL;

        stop_progress(c, pid, connections, limit_ms - STOP_MARGIN_MS);
        if (bal_client_wait_closed(a->client, (int)limit_ms) < 0)
                return stop_late(c, pid, path, limit_ms);
        /* The kernel closes the files of a process one by one; the next start needs the last. */
        if (path && pidlock_wait_free(path, STOP_LOCK_MS) < 0 && !is_another(path, pid))
                return stop_late(c, pid, path, limit_ms);
        return stop_report(c, pid, connections, doc_array(p, "systemd_sockets"), started_ms);
}

/* What the daemon that cannot be asked most likely uses. */
static int64_t drain_of_file(const struct cli *c) {
        _cleanup_(config_unrefp) struct config *config = NULL;
        _cleanup_(str_freep) char *path = NULL;
        struct diags diags;
        int64_t ms = STOP_DRAIN_MS;

        if (config_find(&path, c->args.config) < 0)
                return ms;
        diags_init(&diags);
        if (config_load(&config, path, &diags) == 0)
                ms = config->drain_timeout_ms;
        diags_done(&diags);
        return clamp_drain(ms);
}

static int stop_signal(struct cli *c, const struct pidfound *f, uint64_t started_ms) {
        int64_t drain_ms = drain_of_file(c);
        pid_t pid = f->lock.pid;
        int r;

        stop_progress(c, pid, -1, drain_ms);
        r = pidlock_signal(f->lock.pidfd, SIGTERM);
        if (r == -EPERM)
                return verb_fail(c, BAL_EXIT_NO_RIGHT, "no right to stop pid %lld; try with sudo",
                                 (long long)pid);
        if (r < 0 && r != -ESRCH)
                return verb_fail(c, BAL_EXIT_FAILED, "cannot signal pid %lld: %s", (long long)pid,
                                 strerror(-r));
        if (pidlock_wait(f->lock.pidfd, (int)(drain_ms + STOP_MARGIN_MS)) < 0)
                return stop_late(c, pid, f->path, drain_ms + STOP_MARGIN_MS);
        return stop_report(c, pid, -1, NULL, started_ms);
}

static int stop_by_pid(struct cli *c, const struct answer *a, uint64_t started_ms) {
        _cleanup_(pidfound_done) struct pidfound f = { .lock.pidfd = -EBADF };

        pidfind(&f, c, a);
        if (f.lock.state != PIDLOCK_FOUND)
                return pidfind_fail(c, &f, a);
        return stop_signal(c, &f, started_ms);
}

int stop_run(struct cli *c) {
        _cleanup_(answer_done) struct answer a = { .result = ASK_OK };
        uint64_t started_ms = clock_mono_ms();

        ask(&a, c, BAL_SOCKET_ADMIN, BAL_METHOD_STOP, STOP_ANSWER_MS);
        switch (a.result) {
        case ASK_OK:
                return stop_asked(c, &a, started_ms);
        case ASK_ABSENT:
        case ASK_SILENT:
                return stop_by_pid(c, &a, started_ms);
        case ASK_FORBIDDEN:
        case ASK_REFUSED:
                break;
        }
        return answer_fail(c, &a);
}
