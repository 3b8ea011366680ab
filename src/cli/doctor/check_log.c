/* SPDX-License-Identifier: MIT */
/* Is the log written? While it is not, it cannot say so itself. */

#include <string.h>

#include "cli/doc.h"
#include "cli/doctor/exam.h"

static const struct {
        const char *error, *why_likely, *do_this_now;
} causes[] = {
        { "ENOSPC", "the file system is full",
          "make room (df -h, df -i); bal goes on writing by itself" },
        { "EDQUOT", "the quota of the user that bal runs as is used up",
          "make room, or raise the quota; bal goes on writing by itself" },
        { "EFBIG", "the file is as large as the limit of the process allows",
          "rotate it, then: bal logs --reopen   (the limit: LimitFSIZE of the unit, ulimit -f)" },
        { "EIO", "the disk has failed, or the terminal is gone", "dmesg --level=err" },
        { "EROFS", "the file system became read-only, mostly after a failure of the disk",
          "dmesg --level=err" },
        { "EPIPE", "the process that read standard error has ended",
          "start bal again with another reader, or bal start -d, which writes a file" },
        { "EBADF", "standard error was closed when bal was started",
          "start bal again with standard error open, or bal start -d, which writes a file" },
};

static void failing(struct finding *f, const json_t *head, const char *error) {
        long long lost = (long long)doc_int(head, "log_dropped");

        finding_warn(f, "%s cannot be written (%s): %lld record%s lost",
                     doc_text(head, "log", "the log"), error, lost, lost == 1 ? "" : "s");
        words_set(&f->what_happened, "clients are served, but what happens to them is not logged; "
                                     "bal events shows it");
        words_set(&f->why_likely, "the device or the file does not take what is written");
        words_set(&f->do_this_now, "see where it leads: bal logs");
        for (size_t i = 0; i < ELEMENTS(causes); i++) {
                if (strcmp(causes[i].error, error) != 0)
                        continue;
                words_set(&f->why_likely, "%s", causes[i].why_likely);
                words_set(&f->do_this_now, "%s", causes[i].do_this_now);
        }
}

int check_log(struct exam *x, struct finding *f) {
        json_t *head = exam_head(x, EXAM_DAEMON_MS);
        const char *error = doc_text(head, "log_error", NULL);
        long long lost = (long long)doc_int(head, "log_dropped");

        if (!head) {
                finding_ok(f, "not known: no daemon answers");
                return 0;
        }
        words_set(&f->perf, "log_dropped=%lldc", lost);
        if (error)
                failing(f, head, error);
        else if (lost > 0)
                finding_ok(f, "%s is written; %lld record%s lost since the start",
                           doc_text(head, "log", "?"), lost, lost == 1 ? " was" : "s were");
        else
                finding_ok(f, "%s is written", doc_text(head, "log", "?"));
        return 0;
}
