/* SPDX-License-Identifier: MIT */
/* Are command and daemon of one release, and is the kernel new enough? */

#include <string.h>
#include <sys/utsname.h>

#include "cli/doc.h"
#include "cli/doctor/exam.h"
#include "cli/doctor/proc.h"

/* pidfd_open(2) is of 5.3, SO_BINDTOIFINDEX of 5.1; 5.4 is the first long-term one with both. */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 4

static bool is_old(const char *release) {
        unsigned major, minor;

        if (!proc_kernel(&major, &minor, release))
                return false;
        return major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR);
}

int check_version(struct exam *x, struct finding *f) {
        const char *daemon = doc_text(exam_head(x, EXAM_DAEMON_MS), "version", NULL);
        struct utsname u;

        if (uname(&u) < 0)
                return -errno;
        if (is_old(u.release)) {
                finding_warn(f, "Linux %s is older than %d.%d", u.release, KERNEL_MAJOR,
                             KERNEL_MINOR);
                words_set(&f->what_happened,
                          "bal stop may not find its daemon, and a reload may refuse connections");
                words_set(&f->why_likely, "the kernel lacks pidfd_open(2) or SO_BINDTOIFINDEX");
                words_set(&f->do_this_now, "upgrade the kernel");
        } else if (daemon && strcmp(daemon, BAL_VERSION) != 0) {
                finding_warn(f, "the daemon is %s, this command is %s", daemon, BAL_VERSION);
                words_set(&f->what_happened,
                          "the program was replaced, and the old one still runs");
                words_set(&f->why_likely, "an upgrade of the package, without a restart");
                words_set(&f->do_this_now, "start bal again when it suits you");
        } else {
                finding_ok(f, "bal %s%s, Linux %s", BAL_VERSION,
                           daemon ? " here and in the daemon" : "", u.release);
        }
        return 0;
}
