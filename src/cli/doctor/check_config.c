/* SPDX-License-Identifier: MIT */
/* Is the file right, and is it the one that the daemon runs with? */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/doc.h"
#include "cli/doctor/exam.h"
#include "cli/report.h"
#include "cli/show.h"
#include "core/str.h"

#define ADMIN_MS 700 /* a dry run reads the file and resolves nothing */

static void unusable(struct exam *x, struct finding *f, const struct fact_file *file) {
        const struct diag *first = show_first(&x->diags);

        if (!file || x->config_error == -ETIMEDOUT) {
                finding_critical(f, "the configuration cannot be read: no answer within %.1f s",
                                 FACTS_FILE_MS / 1000.0);
                words_set(&f->why_likely, "its file system is on a server that does not answer");
                words_set(&f->do_this_now, "look for it: cat /proc/mounts");
                return;
        }
        if (x->config_error == -ENOENT && !file->of_daemon) {
                finding_warn(f, "not known: the daemon does not say which file is its own");
                words_set(&f->what_happened, "neither ~/.bal/config.yaml nor /etc/bal/config.yaml "
                                             "is there");
                words_set(&f->why_likely, "the daemon was started with -c, and cannot be asked");
                words_set(&f->do_this_now, "name the file: bal doctor -c FILE");
                return;
        }
        if (x->config_error == -EACCES || x->config_error == -EPERM) {
                finding_warn(f, "%s cannot be read by this user", file->path);
                words_set(&f->what_happened, "permission denied on %s", file->path);
                words_set(&f->why_likely, "it belongs to another user, and its mode is strict");
                words_set(&f->do_this_now, "sudo bal doctor");
                return;
        }
        if (x->config_error != -EINVAL || x->diags.n_errors == 0) {
                finding_critical(f, "%s cannot be read: %s", file->path,
                                 strerror(-x->config_error));
                words_set(&f->what_happened, "the configuration%s cannot be read",
                          file->of_daemon ? " that the daemon runs with" : "");
                words_set(&f->why_likely, x->config_error == -ENOENT
                                                  ? "it was removed, or renamed"
                                                  : "it is no regular file, or its disk fails");
                words_set(&f->do_this_now, "ls -l %s", file->path);
                return;
        }
        finding_critical(f, "%u error%s in %s", x->diags.n_errors,
                         x->diags.n_errors == 1 ? "" : "s", file->path);
        if (first)
                words_set(&f->what_happened, "line %u: %s", first->at.line, first->message);
        words_set(&f->why_likely, "a typing error, or a file of another release");
        words_set(&f->do_this_now, "bal check -c %s", file->path);
}

enum same { SAME, DIFFERS, NOT_KNOWN };

/* The daemon's own word, where it may be asked: a file that was only touched is no news. Nothing is
 * changed by a dry run. */
static enum same ask_daemon(struct exam *x) {
        enum same same = NOT_KNOWN;
        struct answer a;

        ask_with(&a, x->cli, BAL_SOCKET_ADMIN, BAL_METHOD_RELOAD, json_pack("{s:b}", "dry_run", 1),
                 ADMIN_MS);
        if (a.result == ASK_OK && doc_bool(a.reply.parameters, "dry_run"))
                same = doc_bool(a.reply.parameters, "changed") ? DIFFERS : SAME;
        answer_done(&a);
        return same;
}

/* "2026-11-20T12:04:28.412Z" */
static bool time_us(uint64_t *ret, const char *text) {
        const char *dot = strchr(text, '.');
        uint64_t seconds;

        if (report_time(&seconds, text) < 0)
                return false;
        *ret = seconds * 1000000 + (dot ? (uint64_t)(atof(dot) * 1e6) : 0);
        return true;
}

/* Was it written, or put there, after it was loaded? Before the millisecond is over nobody knows,
 * so it counts as loaded. */
static bool is_newer(struct exam *x, const struct fact_file *file, uint64_t loaded_us) {
        if (file->changed_us < loaded_us + 1000)
                return false;
        switch (ask_daemon(x)) {
        case SAME:
                return false;
        case DIFFERS:
                return true;
        case NOT_KNOWN:
                break;
        }
        return file->written_us >= loaded_us + 1000;
}

/* The daemon knows its file by an absolute path, people may use another one to it. */
static bool is_same_file(const char *a, const char *b) {
        struct stat x, y;

        if (strcmp(a, b) == 0)
                return true;
        return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void compare(struct exam *x, struct finding *f, const struct fact_file *file) {
        json_t *head = exam_head(x, EXAM_DAEMON_MS);
        const char *path = doc_text(head, "config_path", "");
        long long number = (long long)doc_int(head, "config_number");
        char age[REPORT_TEXT_MAX];
        uint64_t loaded_us;

        if (!head)
                return;
        if (!is_same_file(path, file->path)) {
                words_append(&f->summary, "the daemon runs with %s", path);
                return;
        }
        if (!time_us(&loaded_us, doc_text(head, "config_loaded_at", "")) ||
            !is_newer(x, file, loaded_us)) {
                words_append(&f->summary, "in force as #%lld", number);
                return;
        }
        finding_warn(f, "%s was changed after the daemon had read it (#%lld)", file->path, number);
        words_set(&f->what_happened,
                  "it was changed %s after it was loaded; what it said before is in force",
                  report_age((file->changed_us - loaded_us) / 1000000, age));
        words_set(&f->why_likely, "edited, and not loaded: watch is off, or the reload has failed");
        words_set(&f->do_this_now, "bal graceful --dry-run && bal graceful");
}

int check_config(struct exam *x, struct finding *f) {
        const struct config *c = exam_config(x);
        const struct fact_file *file = facts_file(x->facts, 0);

        if (x->config_error == -ENOMEM)
                return -ENOMEM;
        if (!c || !file) {
                unusable(x, f, file);
                return 0;
        }
        finding_ok(f, "%s is valid (%zu pool%s, %zu backend%s)", file->path, c->n_pools,
                   c->n_pools == 1 ? "" : "s", config_backends(c),
                   config_backends(c) == 1 ? "" : "s");
        if (x->diags.n_warnings > 0)
                words_append(&f->summary, "%u warning%s of bal check", x->diags.n_warnings,
                             x->diags.n_warnings == 1 ? "" : "s");
        compare(x, f, file);
        return 0;
}
