/* SPDX-License-Identifier: MIT */
/* The kernel's table of connections, where there is one: full, it drops new ones without a word. */

#include <inttypes.h>

#include "cli/doctor/exam.h"
#include "cli/doctor/ports.h"
#include "cli/doctor/proc.h"

#define DIR              "/proc/sys/net/netfilter/nf_conntrack_"
#define WARN_PERCENT     80
#define CRITICAL_PERCENT 95

void conntrack_judge(struct finding *f, uint64_t count, uint64_t max) {
        unsigned percent = proc_percent(count, max);

        finding_ok(f, "nf_conntrack %u %% full (%" PRIu64 " of %" PRIu64 ")", percent, count, max);
        words_set(&f->perf, "conntrack=%" PRIu64 ";%" PRIu64 ";%" PRIu64 ";0;%" PRIu64, count,
                  max / 100 * WARN_PERCENT, max / 100 * CRITICAL_PERCENT, max);
        if (percent < WARN_PERCENT)
                return;
        f->level = percent < CRITICAL_PERCENT ? LEVEL_WARN : LEVEL_CRITICAL;
        words_set(&f->what_happened, "the kernel's table of connections is %s",
                  count >= max ? "full: new connections are dropped" : "nearly full");
        words_set(&f->why_likely,
                  "many connections, and each stays for minutes after its end; with "
                  "bal every client counts twice");
        words_set(&f->do_this_now, "sysctl net.netfilter.nf_conntrack_max=%" PRIu64, 2 * max);
}

int check_conntrack(struct exam *x, struct finding *f) {
        uint64_t count, max;

        (void)x;
        if (proc_number(&count, DIR "count") < 0 || proc_number(&max, DIR "max") < 0)
                finding_ok(f, "nf_conntrack is not in use");
        else if (max == 0)
                finding_ok(f, "nf_conntrack has no limit (%" PRIu64 ")", count);
        else
                conntrack_judge(f, count, max);
        return 0;
}
