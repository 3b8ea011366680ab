/* SPDX-License-Identifier: MIT */
/* What systemd knows of bal, where systemd runs. */

#include <stdio.h>
#include <string.h>

#include "cli/doctor/exam.h"
#include "cli/doctor/proc.h"
#include "cli/unit.h"

#define DAEMON_MS 300 /* a stuck daemon is not waited for */

_Static_assert(PROC_UNIT_MAX == UNIT_NAME_MAX, "a name found by one goes to the other");

static bool is(const char *value, const char *wanted) {
        return value && strcmp(value, wanted) == 0;
}

static void judge(struct finding *f, const struct unit *u, pid_t daemon, bool in_unit) {
        if (!is(u->load, "loaded")) {
                finding_ok(f, "systemd has no %s%s", u->name,
                           daemon > 0 ? "; the daemon was started by hand" : "");
                if (is(u->load, "masked"))
                        finding_ok(f, "%s is masked", u->name);
        } else if (is(u->active, "failed")) {
                finding_warn(f, "%s has failed (%s, status %d)", u->name,
                             u->result ? u->result : "?", u->status);
                words_set(&f->what_happened, "systemd has given it up after %u restarts",
                          u->restarts);
                words_set(&f->why_likely, u->status == 78 ? "the configuration is wrong"
                                                          : "the last lines of its log say it");
                words_set(&f->do_this_now, "journalctl -u %s -n 20; then: systemctl restart %s",
                          u->name, u->name);
        } else if (daemon > 0 && !in_unit &&
                   (is(u->active, "active") || is(u->enabled, "enabled"))) {
                finding_warn(f, "pid %d was started by hand, beside %s (%s)", daemon, u->name,
                             u->active);
                words_set(&f->what_happened, "systemd knows nothing of this daemon: it neither "
                                             "watches nor stops it");
                words_set(&f->why_likely,
                          "bal start was typed where systemctl start bal was meant");
                words_set(&f->do_this_now, "bal stop && systemctl start %s", u->name);
        } else if (u->reload_needed) {
                finding_warn(f, "the file of %s was changed and is not in force", u->name);
                words_set(&f->why_likely, "edited by hand, or by a package");
                words_set(&f->do_this_now, "systemctl daemon-reload");
        } else if (is(u->active, "active") && is(u->restart, "no")) {
                finding_warn(f, "%s has Restart=no: after a crash it stays away", u->name);
                words_set(&f->why_likely, "its file, or a drop-in, says so");
                words_set(&f->do_this_now, "systemctl edit %s: Restart=on-failure", u->name);
        } else {
                finding_ok(f, "%s is %s, %s; LimitNOFILE=%llu Restart=%s", u->name, u->active,
                           u->enabled && *u->enabled ? u->enabled : "not enabled",
                           (unsigned long long)u->nofile, u->restart ? u->restart : "?");
        }
}

int check_unit(struct exam *x, struct finding *f) {
        _cleanup_(unit_done) struct unit u = { .name = UNIT_BAL };
        char cgroup[8192];
        bool in_unit = false;
        pid_t daemon;
        int r;

        if (!unit_systemd_runs()) {
                finding_ok(f, "systemd does not run here");
                return 0;
        }
        daemon = exam_pid(x, DAEMON_MS);
        if (daemon > 0 && proc_read_of(daemon, "cgroup", cgroup, sizeof(cgroup)) > 0) {
                char name[PROC_UNIT_MAX];

                in_unit = proc_unit(name, cgroup) && strncmp(name, "bal", 3) == 0;
                if (in_unit)
                        memcpy(u.name, name, sizeof(u.name));
        }
        r = unit_read(&u);
        if (r < 0)
                finding_ok(f, "not known: systemd does not answer (%s)", strerror(-r));
        else
                judge(f, &u, daemon, in_unit);
        return 0;
}
