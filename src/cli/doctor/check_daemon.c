/* SPDX-License-Identifier: MIT */
/* Does the daemon answer, and how fast? */

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doc.h"
#include "cli/doctor/exam.h"
#include "cli/doctor/proc.h"
#include "cli/report.h"
#include "cli/unit.h"

#define SLOW_US 500000 /* thousands of backends take a tenth of it */

/* Would it be systemd that starts it? */
static bool is_service(struct exam *x) {
        const struct fact_file *file = facts_file(x->facts, FACTS_FILE_MS);

        return file && unit_starts(file->path);
}

static void absent(struct exam *x, struct finding *f, const struct fact_daemon *d) {
        finding_warn(f, "no daemon answers on %s (%s)", d->socket, d->why);
        if (x->plugin)
                f->level = LEVEL_CRITICAL;
        words_set(&f->what_happened, "nobody listens on %s", d->socket);
        words_set(&f->why_likely, d->error == -ECONNREFUSED
                                          ? "the daemon died and left its socket behind"
                                          : "not started, or with another runtime directory");
        words_set(&f->do_this_now, "bal check && %s",
                  is_service(x) ? "systemctl start bal" : "bal start -d");
}

static const char *state_text(char state) {
        switch (state) {
        case 'T':
        case 't':
                return "the process is stopped (by a signal or a debugger)";
        case 'D':
                return "the process waits for a disk or a file server";
        case 'Z':
                return "the process has ended, and its parent has not noticed";
        case 'R':
                return "the process is busy, or the machine is overloaded";
        default:
                return "the daemon hangs, or the machine is overloaded";
        }
}

static void silent(struct exam *x, struct finding *f, const struct fact_daemon *d) {
        pid_t pid = exam_pid(x, 0);
        char stat[1024], state = '\0';

        if (pid > 0 && proc_read_of(pid, "stat", stat, sizeof(stat)) > 0)
                state = proc_state(stat);
        if (pid > 0)
                finding_critical(f, "pid %d does not answer: %s", pid, d ? d->why : "too late");
        else
                finding_critical(f, "no valid answer from %s: %s", d ? d->socket : "the daemon",
                                 d ? d->why : "too late");
        words_set(&f->what_happened, "%s accepts a connection, and no answer comes within %.1f s",
                  d && *d->socket ? d->socket : "the status socket", FACTS_DAEMON_MS / 1000.0);
        words_set(&f->why_likely, "%s", state_text(state));
        if (state == 'T')
                words_set(&f->do_this_now, "let it go on: kill -CONT %d", pid);
        else if (pid > 0)
                words_set(&f->do_this_now, "look at it: top -H -p %d", pid);
        else
                words_set(&f->do_this_now, "see what listens there: ss -xlp src %s",
                          d && *d->socket ? d->socket : "the socket");
}

static void running(struct exam *x, struct finding *f, const struct fact_daemon *d) {
        json_t *head = exam_head(x, 0);
        double ms = (double)d->took_us / 1000;
        char up[REPORT_TEXT_MAX];

        report_uptime((uint64_t)doc_int(head, "uptime_s"), up);
        finding_ok(f, "pid %lld answers in %.1f ms, up %s, config #%lld",
                   (long long)doc_int(head, "pid"), ms, up,
                   (long long)doc_int(head, "config_number"));
        words_set(&f->perf, "answer_ms=%.1f uptime_s=%llds connections=%lld;;;0;%lld", ms,
                  (long long)doc_int(head, "uptime_s"),
                  (long long)doc_int(head, "active_connections"),
                  (long long)doc_int(head, "max_connections"));
        if (doc_bool(head, "restarting")) {
                finding_ok(f, "pid %lld is being restarted by systemd: new connections are served",
                           (long long)doc_int(head, "pid"));
        } else if (doc_bool(head, "draining")) {
                finding_warn(f, "pid %lld is stopping: no new connections",
                             (long long)doc_int(head, "pid"));
                words_set(&f->what_happened, "%lld connections are left; it ends after the last",
                          (long long)doc_int(head, "active_connections"));
                words_set(&f->why_likely, "bal stop, systemctl stop, or SIGTERM");
                words_set(&f->do_this_now, "wait for it; afterwards: bal start -d");
        } else if (d->took_us > SLOW_US) {
                finding_warn(f, "pid %lld answers, but only after %.0f ms",
                             (long long)doc_int(head, "pid"), ms);
                words_set(&f->why_likely, "the machine is overloaded, or memory is swapped out");
                words_set(&f->do_this_now, "vmstat 1 5");
        }
}

static void forbidden(struct finding *f, const struct fact_daemon *d) {
        const struct passwd *user = getpwuid(geteuid());
        const char *name = user ? user->pw_name : "this user";
        const struct group *group = NULL;
        struct stat st;

        if (stat(d->socket, &st) == 0 && (st.st_mode & 0060) == 0060)
                group = getgrgid(st.st_gid);
        finding_warn(f, "user '%s' may not ask the daemon: permission denied on %s", name,
                     d->socket);
        words_set(&f->what_happened, "what only the daemon knows is missing in this report");
        if (group) {
                words_set(&f->why_likely, "'%s' is not in group '%s'", name, group->gr_name);
                words_set(&f->do_this_now,
                          "sudo bal doctor   (or: sudo usermod -aG %s %s, log in again)",
                          group->gr_name, name);
                return;
        }
        words_set(&f->why_likely, "the daemon belongs to another user");
        words_set(&f->do_this_now, "sudo bal doctor");
}

int check_daemon(struct exam *x, struct finding *f) {
        const struct fact_daemon *d = exam_daemon(x, EXAM_DAEMON_MS);

        if (!d) {
                silent(x, f, NULL);
                return 0;
        }
        switch (d->result) {
        case ASK_OK:
                running(x, f, d);
                break;
        case ASK_ABSENT:
                absent(x, f, d);
                break;
        case ASK_FORBIDDEN:
                forbidden(f, d);
                break;
        case ASK_SILENT:
                silent(x, f, d);
                break;
        case ASK_REFUSED:
                finding_warn(f, "the daemon refuses to answer: %s", d->why);
                words_set(&f->why_likely, "too many clients on its socket, or another release");
                words_set(&f->do_this_now, "see who asks: ss -xp src %s", d->socket);
                break;
        }
        return 0;
}
