/* SPDX-License-Identifier: MIT */
/* Are there descriptors enough, now and for as many connections as the file allows? */

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor/exam.h"
#include "cli/doctor/proc.h"
#include "control/limits.h"

#define WARN_PERCENT     80
#define CRITICAL_PERCENT 95

/* Since Linux 6.2 the directory has a size; before, its entries are counted. -EACCES: of another
 * user. */
static int64_t open_fds(pid_t pid) {
        char path[64];
        struct stat st;
        int64_t n = 0;
        DIR *dir;

        snprintf(path, sizeof(path), "/proc/%d/fd", pid);
        if (stat(path, &st) == 0 && st.st_size > 0)
                return st.st_size;
        dir = opendir(path);
        if (!dir)
                return -errno;
        while (readdir(dir))
                n++;
        closedir(dir);
        return n > 2 ? n - 2 : 0; /* less "." and ".." */
}

static uint32_t clamp(uint64_t n) {
        return n > INT32_MAX ? INT32_MAX : (uint32_t)n;
}

/* The arithmetic that the daemon itself does at its start. */
static void judge_plan(struct finding *f, const struct config *c, uint64_t nofile, bool daemon) {
        struct limits plan;

        limits_plan(&plan, c, clamp(nofile));
        if (plan.max_sessions >= c->max_connections)
                return;
        finding_warn(f, "%u connections of %u fit into %u descriptors", plan.max_sessions,
                     c->max_connections, plan.nofile);
        words_set(&f->what_happened, "max_connections is %u, and RLIMIT_NOFILE %s %u: %s %u",
                  c->max_connections, daemon ? "of the daemon is" : "here is", plan.nofile,
                  daemon ? "it accepts no more than" : "bal would accept no more than",
                  plan.max_sessions);
        words_set(&f->why_likely, "the limit of the %s is low",
                  daemon ? "unit or shell that started it" : "shell");
        words_set(&f->do_this_now,
                  "in the unit: LimitNOFILE=%u   (in a shell: ulimit -n %u), and start bal again; "
                  "or lower max_connections",
                  plan.needed, plan.needed);
}

static void judge_use(struct finding *f, pid_t pid, uint64_t used, uint64_t soft) {
        unsigned percent = proc_percent(used, soft);

        finding_ok(f, "%" PRIu64 " of %" PRIu64 " in use (%u %%)", used, soft, percent);
        words_set(&f->perf, "fds=%" PRIu64 ";%" PRIu64 ";%" PRIu64 ";0;%" PRIu64, used,
                  soft / 100 * WARN_PERCENT, soft / 100 * CRITICAL_PERCENT, soft);
        if (percent < WARN_PERCENT)
                return;
        if (percent < CRITICAL_PERCENT)
                finding_warn(f, "%" PRIu64 " of %" PRIu64 " in use (%u %%)", used, soft, percent);
        else
                finding_critical(f, "%" PRIu64 " of %" PRIu64 " in use (%u %%)", used, soft,
                                 percent);
        words_set(&f->what_happened, "the daemon (pid %d) is running out of descriptors", pid);
        words_set(&f->why_likely, "more connections than the limit was made for");
        words_set(&f->do_this_now,
                  "raise LimitNOFILE of the unit, and start bal again; now: "
                  "prlimit --nofile --pid %d",
                  pid);
}

/* Then the unit's LimitNOFILE counts, and not that of this shell. */
static bool has_unit(void) {
        static const char *const paths[] = { "/etc/systemd/system/bal.service",
                                             "/run/systemd/system/bal.service",
                                             "/usr/local/lib/systemd/system/bal.service",
                                             "/usr/lib/systemd/system/bal.service",
                                             "/lib/systemd/system/bal.service" };

        if (access("/run/systemd/system", F_OK) < 0)
                return false;
        for (size_t i = 0; i < ELEMENTS(paths); i++)
                if (access(paths[i], F_OK) == 0)
                        return true;
        return false;
}

static void without_daemon(struct exam *x, struct finding *f) {
        const struct config *c = exam_config(x);

        finding_ok(f, "no daemon; the limit here is %u", limits_hard());
        if (c && !has_unit())
                judge_plan(f, c, limits_hard(), false);
}

int check_fds(struct exam *x, struct finding *f) {
        pid_t pid = exam_pid(x, EXAM_DAEMON_MS);
        const struct fact_daemon *d = exam_daemon(x, 0);
        struct proc_limits limits;
        const struct config *c;
        char text[4096];
        int64_t used;

        if (pid == 0 && d && (d->result == ASK_OK || d->result == ASK_FORBIDDEN)) {
                finding_ok(f, "not known: the daemon's process cannot be seen by this user");
                return 0;
        }
        if (pid == 0) {
                without_daemon(x, f);
                return 0;
        }
        if (proc_read_of(pid, "limits", text, sizeof(text)) < 0 || !proc_nofile(&limits, text)) {
                finding_ok(f, "not known: /proc/%d/limits cannot be read", pid);
                return 0;
        }
        used = open_fds(pid);
        if (used < 0)
                finding_ok(f, "at most %" PRIu64 "; how many are in use is not for this user",
                           limits.soft);
        else
                judge_use(f, pid, (uint64_t)used, limits.soft);
        c = exam_config(x);
        if (f->level == LEVEL_OK && c)
                judge_plan(f, c, limits.soft, true);
        return 0;
}
