/* SPDX-License-Identifier: MIT */
/*
 * `bal logs`: where the log is, and the command that reads it. `bal logs --reopen`: the daemon
 * opens its file again, for log rotation. It has no method for that: SIGUSR1 is what every tool for
 * rotation knows, and it works when the control sockets do not.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-login.h>
#include <time.h>
#include <unistd.h>

#include "bal/exit.h"
#include "cli/ask.h"
#include "cli/doc.h"
#include "cli/pidfind.h"
#include "core/clock.h"
#include "core/str.h"

#define REOPEN_MS 2000
#define FDS_MAX   1024 /* the log is among the first descriptors of a daemon */

struct logs {
        const char *target; /* borrowed: "journal", "stderr", or a path */
        pid_t pid;
        char *unit;    /* owned; NULL: it is no service */
        bool is_users; /* of a user's service manager */
        char *file;    /* owned; what standard error is; NULL: unknown */
        char *command; /* owned; reads the log; NULL: there is none */
};

static void logs_done(struct logs *l) {
        free(l->unit);
        free(l->file);
        free(l->command);
}

/* "/dev/pts/3", "pipe:[1234]", "/var/log/bal.log"; NULL: no right to see that */
static char *standard_error_of(pid_t pid) {
        char path[64], target[4096];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, STDERR_FILENO);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
                return NULL;
        target[n] = '\0';
        return str_clean(target);
}

/* A path in a shell's command. */
static char *quoted(const char *path) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "/._-+,:@%";
        size_t n = 0;
        char *text;

        if (strspn(path, plain) == strlen(path))
                return strdup(path);
        text = malloc(4 * strlen(path) + 3);
        if (!text)
                return NULL;
        text[n++] = '\'';
        for (const char *p = path; *p; p++) {
                if (*p == '\'') {
                        memcpy(text + n, "'\\'", 3);
                        n += 3;
                }
                text[n++] = *p;
        }
        text[n++] = '\'';
        text[n] = '\0';
        return text;
}

static char *command_of_file(const char *path) {
        _cleanup_(str_freep) char *name = quoted(path);

        return name ? str_printf("tail -F %s", name) : NULL;
}

static bool is_service(const char *unit) {
        size_t n = strlen(unit);

        return n > 8 && strcmp(unit + n - 8, ".service") == 0;
}

/* What a user starts by hand is in the unit of the user's manager, which is not meant. */
static void find_unit(struct logs *l) {
        l->is_users = sd_pid_get_user_unit(l->pid, &l->unit) >= 0;
        if (!l->is_users && sd_pid_get_unit(l->pid, &l->unit) < 0)
                l->unit = NULL;
        if (l->unit && (!is_service(l->unit) || strncmp(l->unit, "user@", 5) == 0))
                str_freep(&l->unit);
}

static char *command_of_journal(const struct logs *l) {
        if (l->unit)
                return str_printf("journalctl %s-u %s -t bal -o cat -f",
                                  l->is_users ? "--user " : "", l->unit);
        return str_printf("journalctl _PID=%d -o cat -f", (int)l->pid);
}

static void logs_find(struct logs *l, const json_t *status) {
        l->target = doc_text(status, "log", "stderr");
        l->pid = (pid_t)doc_int(status, "pid");
        find_unit(l);
        if (strcmp(l->target, "journal") == 0) {
                l->command = command_of_journal(l);
        } else if (*l->target == '/') {
                l->command = command_of_file(l->target);
        } else {
                l->file = standard_error_of(l->pid);
                if (l->file && *l->file == '/' && strncmp(l->file, "/dev/", 5) != 0)
                        l->command = command_of_file(l->file);
        }
}

static int logs_document(struct cli *c, const struct logs *l, bool reopened) {
        json_t *doc = out_document("bal.logs");
        int r = doc ? 0 : -1;

        if (r == 0) {
                r |= json_object_set_new(doc, "pid", json_integer(l->pid));
                r |= json_object_set_new(doc, "log", out_text(l->target));
                r |= json_object_set_new(doc, "unit", out_text(l->unit));
                r |= json_object_set_new(doc, "stderr", out_text(l->file));
                r |= json_object_set_new(doc, "command", out_text(l->command));
                r |= json_object_set_new(doc, "reopened", json_boolean(reopened));
        }
        if (r < 0) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&c->out, doc);
        return BAL_EXIT_OK;
}

static void print_where(struct out *o, const struct logs *l) {
        if (strcmp(l->target, "journal") == 0) {
                out_printf(o, "the journal");
                if (l->unit)
                        out_printf(o, ", unit %s", l->unit);
        } else if (*l->target == '/') {
                out_clean(o, l->target);
        } else {
                out_printf(o, "standard error of pid %d", (int)l->pid);
                if (l->file)
                        out_printf(o, ", %s", l->file);
        }
}

static int logs_show(struct cli *c, const struct logs *l) {
        struct out *o = &c->out;

        if (args_has(&c->args, OPTION_BIT(JSON)))
                return logs_document(c, l, false);
        out_printf(o, "bal: the log goes to ");
        print_where(o, l);
        out_printf(o, "\n");
        if (l->command)
                out_printf(o, "  read it: %s\n", l->command);
        return BAL_EXIT_OK;
}

/* Does one of its descriptors lead to the file that has this name now? -EACCES: no right to
 * look. */
static int has_open(pid_t pid, const char *path) {
        struct stat file, st;
        char name[64];
        int r = 0;

        if (stat(path, &file) < 0)
                return 0;
        for (int fd = 0; fd < FDS_MAX; fd++) {
                snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)pid, fd);
                if (stat(name, &st) == 0) {
                        if (st.st_dev == file.st_dev && st.st_ino == file.st_ino)
                                return 1;
                } else if (errno == EACCES) {
                        r = -EACCES;
                }
        }
        return r;
}

static int wait_reopened(pid_t pid, const char *path) {
        const struct timespec step = { .tv_nsec = 5 * 1000 * 1000 };
        uint64_t until_ms = clock_mono_ms() + REOPEN_MS;
        int r;

        while ((r = has_open(pid, path)) == 0 && clock_mono_ms() < until_ms)
                nanosleep(&step, NULL);
        return r;
}

static int logs_reopened(struct cli *c, const struct logs *l) {
        if (args_has(&c->args, OPTION_BIT(JSON)))
                return logs_document(c, l, true);
        out_printf(&c->out, "bal: ");
        out_clean(&c->out, l->target);
        out_printf(&c->out, " was opened again\n");
        return BAL_EXIT_OK;
}

static int signal_failed(struct cli *c, int r, pid_t pid) {
        if (r == -EPERM)
                return verb_fail(c, BAL_EXIT_NO_RIGHT, "no right to signal pid %d; try with sudo",
                                 (int)pid);
        return verb_fail(c, BAL_EXIT_FAILED, "cannot signal pid %d: %s", (int)pid, strerror(-r));
}

/* The daemon that does not answer is told as well; it says in its log what came of it. */
static int logs_reopen(struct cli *c, const struct answer *a, const struct logs *l) {
        _cleanup_(pidfound_done) struct pidfound f = { .lock.pidfd = -EBADF };
        pid_t pid;
        int r;

        if (a->result == ASK_OK && *l->target != '/') {
                if (args_has(&c->args, OPTION_BIT(JSON)))
                        return logs_document(c, l, false);
                out_printf(&c->out, "bal: nothing to open again, the log goes to ");
                print_where(&c->out, l);
                out_printf(&c->out, "\n");
                return BAL_EXIT_OK;
        }
        pidfind(&f, c, a);
        if (f.lock.state != PIDLOCK_FOUND)
                return pidfind_fail(c, &f, a);
        pid = f.lock.pid;
        r = pidlock_signal(f.lock.pidfd, SIGUSR1);
        if (r < 0)
                return signal_failed(c, r, pid);
        if (a->result != ASK_OK) {
                out_printf(&c->out, "bal: pid %d was told to open its log again\n", (int)pid);
                return BAL_EXIT_OK;
        }
        if (wait_reopened(pid, l->target) == 0)
                return verb_fail(c, BAL_EXIT_FAILED,
                                 "pid %d has not opened %s again; the log it writes to says why",
                                 (int)pid, l->target);
        return logs_reopened(c, l);
}

/* When it has died its log is wanted most. */
static int logs_of_nobody(struct cli *c, const struct answer *a) {
        const char *slash = a->socket ? strrchr(a->socket, '/') : NULL;
        _cleanup_(str_freep) char *path = NULL;

        if (slash)
                path = str_printf("%.*s/bal.log", (int)(slash - a->socket), a->socket);
        if (a->result != ASK_ABSENT || !path || access(path, F_OK) < 0)
                return answer_fail(c, a);
        return verb_fail(c, answer_code(a),
                         "bal is not running; the log of the last one in the background: %s", path);
}

int logs_run(struct cli *c) {
        _cleanup_(answer_done) struct answer a = { .result = ASK_OK };
        _cleanup_(logs_done) struct logs l = { .target = "stderr" };

        ask(&a, c, BAL_SOCKET_STATUS, BAL_METHOD_GET, ASK_MS);
        if (a.result == ASK_OK)
                logs_find(&l, a.reply.parameters);
        if (args_has(&c->args, OPTION_BIT(REOPEN)))
                return logs_reopen(c, &a, &l);
        return a.result == ASK_OK ? logs_show(c, &l) : logs_of_nobody(c, &a);
}
