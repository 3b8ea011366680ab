/* SPDX-License-Identifier: MIT */
/*
 * With -d the process forks before it has threads. The parent waits at a pipe: a byte says "ready",
 * the end of the pipe says that the child has gone, and its exit status is the parent's. Until then
 * the child shares the parent's standard error, so errors of the start reach the terminal.
 */

#include "daemon/start.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bal/exit.h"
#include "config/config.h"
#include "config/find.h"
#include "control/journal.h"
#include "control/limits.h"
#include "control/logsink.h"
#include "control/passed.h"
#include "control/pidfile.h"
#include "control/supervisor.h"
#include "control/watch.h"
#include "core/clock.h"
#include "core/parse.h"
#include "core/paths.h"
#include "core/str.h"

#define LOG_MODULE "daemon"
#define LOG_NAME   "bal.log"

struct daemon {
        const struct start_options *options;
        char *config_path, *runtime_dir, *pid_path, *log_path; /* owned */
        struct config *config;
        struct diags warnings; /* of the configuration */
        uint64_t config_sum;   /* of its file */
        struct logsink *sink;
        struct passed *passed; /* owned */
        int pid_fd, ready_fd;  /* ready_fd: to the parent; -EBADF: there is none */
        bool created;          /* config_path was written just now */
        bool ready;            /* it has been */
};

/* One line on the terminal, or an error in the journal; paths in it may hold anything, so it is
 * cleaned as a whole. */
PRINTF(1, 2) static void say(const char *fmt, ...) {
        _cleanup_(str_freep) char *text = NULL, *clean = NULL;
        va_list ap;

        va_start(ap, fmt);
        if (vasprintf(&text, fmt, ap) < 0)
                text = NULL;
        va_end(ap);
        clean = text ? str_clean(text) : NULL;
        /* in one piece: the log thread may be writing, too */
        fprintf(stderr, "%sbal: %s\n", journal_is_stream(STDERR_FILENO) ? "<3>" : "",
                clean ? clean : "out of memory");
}

static void daemon_done(struct daemon *d) {
        config_unref(d->config);
        diags_done(&d->warnings);
        log_thread_done();
        logsink_free(d->sink);
        pidfile_remove(d->pid_fd, d->pid_path);
        passed_free(d->passed);
        fd_close(d->ready_fd);
        free(d->config_path);
        free(d->runtime_dir);
        free(d->pid_path);
        free(d->log_path);
}

static enum bal_exit exit_of(int r) {
        if (r >= 0)
                return BAL_EXIT_OK;
        return r == -EACCES || r == -EPERM ? BAL_EXIT_NO_RIGHT : BAL_EXIT_FAILED;
}

/* ---- configuration ---- */

/* The daemon reads the file again later, perhaps from another directory. */
static enum bal_exit make_absolute(char **path) {
        _cleanup_(str_freep) char *here = NULL;
        char *absolute;

        if (**path == '/')
                return BAL_EXIT_OK;
        here = getcwd(NULL, 0);
        if (!here || paths_join(&absolute, here, *path) < 0) {
                say("cannot tell where %s is: %s", *path, strerror(errno));
                return BAL_EXIT_FAILED;
        }
        free(*path);
        *path = absolute;
        return BAL_EXIT_OK;
}

static enum bal_exit find_config(struct daemon *d) {
        int r;

        r = config_find(&d->config_path, d->options->config);
        if (r == 0)
                return make_absolute(&d->config_path);
        if (r != -ENOENT) {
                say("cannot look for a configuration: %s", strerrordesc_np(-r));
                return BAL_EXIT_FAILED;
        }
        if (d->options->config) {
                say("there is no configuration file %s", d->options->config);
                return BAL_EXIT_NO_INPUT;
        }

        r = d->config_path ? config_write_first(d->config_path) : -ENOENT;
        if (r < 0) {
                say("no configuration found, and %s cannot be written: %s",
                    d->config_path ? d->config_path : "~/.bal/config.yaml", strerrordesc_np(-r));
                return r == -EACCES || r == -EPERM ? BAL_EXIT_NO_RIGHT : BAL_EXIT_NO_INPUT;
        }
        if (!journal_is_stream(STDERR_FILENO)) /* there the log says so */
                say("no configuration found; wrote %s", d->config_path);
        d->created = true;
        return BAL_EXIT_OK;
}

/* Warnings are in the log, too; there is nobody to whom the journal must be shown them twice. */
static enum bal_exit load_config(struct daemon *d) {
        int r;

        d->config_sum = watch_sum(d->config_path); /* before: what comes later is noticed */
        r = config_load(&d->config, d->config_path, &d->warnings);
        if (r < 0 || (d->warnings.n_warnings > 0 && !journal_is_stream(STDERR_FILENO)))
                d->options->show(&d->warnings, d->config_path);
        if (r >= 0)
                return BAL_EXIT_OK;
        if (r == -EACCES || r == -EPERM)
                return BAL_EXIT_NO_RIGHT;
        return r == -ENOENT ? BAL_EXIT_NO_INPUT : BAL_EXIT_CONFIG;
}

/* ---- the only one ---- */

static enum bal_exit make_runtime_dir(struct daemon *d) {
        int r;

        r = paths_runtime_dir(&d->runtime_dir);
        if (r < 0) {
                say("no runtime directory: set HOME, or RUNTIME_DIRECTORY to an absolute path");
                return BAL_EXIT_FAILED;
        }
        r = mkdir(d->runtime_dir, 0700) < 0 ? -errno : 0;
        if (r < 0 && r != -EEXIST) {
                say("cannot make the runtime directory %s: %s", d->runtime_dir,
                    strerrordesc_np(-r));
                return exit_of(r);
        }
        if (paths_join(&d->pid_path, d->runtime_dir, PIDFILE_NAME) < 0 ||
            paths_join(&d->log_path, d->runtime_dir, LOG_NAME) < 0)
                return BAL_EXIT_FAILED;
        return BAL_EXIT_OK;
}

static enum bal_exit lock(struct daemon *d) {
        pid_t owner = 0;
        int r;

        r = pidfile_lock(&d->pid_fd, d->pid_path, &owner);
        if (r == 0)
                r = pidfile_write(d->pid_fd);
        if (r == -EBUSY) {
                say("bal is already running: pid %d, %s", owner, d->pid_path);
                fputs("     to load a changed configuration: bal graceful\n", stderr);
                return BAL_EXIT_FAILED;
        }
        if (r < 0) {
                say("cannot lock %s: %s", d->pid_path, strerrordesc_np(-r));
                return r == -EACCES || r == -EPERM ? BAL_EXIT_NO_RIGHT : BAL_EXIT_FAILED;
        }
        return BAL_EXIT_OK;
}

/* ---- the service manager ---- */

/* A Type=notify unit waits for word from the process that it started, and with -d that one goes.
 * Where the variable was merely inherited, from a script in some service, -d is right, and it is
 * not bal that the service waits for. */
static enum bal_exit leave_manager(void) {
        const char *text = getenv("SYSTEMD_EXEC_PID");
        uint64_t pid;

        if (!getenv("NOTIFY_SOCKET"))
                return BAL_EXIT_OK;
        if (text && parse_u64(&pid, text) == 0 && pid == (uint64_t)getpid()) {
                say("systemd waits for this process (Type=notify): leave -d out of ExecStart=");
                return BAL_EXIT_USAGE;
        }
        unsetenv("NOTIFY_SOCKET");
        return BAL_EXIT_OK;
}

static enum bal_exit meet_manager(struct daemon *d) {
        enum bal_exit code = d->options->detach ? leave_manager() : BAL_EXIT_OK;
        int r;

        if (code != BAL_EXIT_OK)
                return code;
        r = passed_take(&d->passed);
        if (r < 0)
                say("the sockets that systemd has passed cannot be taken: %s", strerrordesc_np(-r));
        return r < 0 ? BAL_EXIT_FAILED : BAL_EXIT_OK;
}

/* ---- running ---- */

/* What the terminal must not keep: once it is ready, a daemon has its log and nothing else. */
static void let_go_of_terminal(void) {
        _cleanup_(fd_closep) int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        for (int i = STDIN_FILENO; fd >= 0 && i <= STDERR_FILENO; i++)
                dup2(fd, i);
}

static void on_ready(void *arg) {
        struct daemon *d = arg;

        d->ready = true;
        if (d->ready_fd < 0)
                return;
        if (write(d->ready_fd, "1", 1) < 0)
                log_warn(internal_error, "the process that started bal is gone");
        d->ready_fd = fd_close(d->ready_fd);
        let_go_of_terminal();
}

/* The one line of the log that is seen on the terminal before a detached daemon is on its own. */
static void announce(const struct daemon *d) {
        static const struct log_site site =
                LOG_SITE(LOG_LEVEL_INFO, daemon_starting, "bal v" BAL_VERSION " starting");
        const struct log_field fields[] = { F_STR("version", BAL_VERSION), F_I64("pid", getpid()),
                                            F_STR("config", d->config_path) };
        const struct log_record record = { &site, clock_real_us(), fields, ELEMENTS(fields) };
        char line[LOG_RECORD_MAX];

        log_emit(&site, fields, ELEMENTS(fields));
        if (!d->options->detach)
                return;
        fprintf(stderr, "%s%.*s\n", journal_is_stream(STDERR_FILENO) ? "<6>" : "",
                (int)log_format_json(line, sizeof(line), &record), line);
}

static void log_warnings(const struct daemon *d) {
        list_for_each(l, &d->warnings.list) {
                const struct diag *w = container_of(l, struct diag, link);

                log_warn(config_warning, "a warning of the configuration",
                         F_STR("code", diag_info(w->code)->name), F_STR("file", w->at.file),
                         F_U64("line", w->at.line), F_U64("column", w->at.column),
                         F_STR("text", w->brief));
        }
}

static enum bal_exit supervise(struct daemon *d) {
        const struct supervisor_options options = { .config = d->config,
                                                    .config_path = d->config_path,
                                                    .config_sum = d->config_sum,
                                                    .no_watch = d->options->no_watch,
                                                    .runtime_dir = d->runtime_dir,
                                                    .passed = d->passed,
                                                    .shared = getenv("RUNTIME_DIRECTORY") != NULL,
                                                    .sink = d->sink,
                                                    .log_level = d->options->log_level,
                                                    .ready = on_ready,
                                                    .arg = d };
        _cleanup_(supervisor_freep) struct supervisor *s = NULL;
        int r;

        r = supervisor_new(&s, &options);
        if (r == 0)
                r = supervisor_run(s);
        if (r < 0)
                say("%s", s && supervisor_problem(s) ? supervisor_problem(s) : strerrordesc_np(-r));
        /* A manager shall try again after this one, and not after a start that failed. */
        return r < 0 && d->ready ? BAL_EXIT_SOFTWARE : exit_of(r);
}

static enum bal_exit run(struct daemon *d) {
        const struct start_options *o = d->options;
        enum bal_exit code;
        int r;

        code = lock(d);
        if (code != BAL_EXIT_OK)
                return code;

        supervisor_block_signals();
        limits_raise();
        log_set_level(o->log_level >= 0 ? (enum log_level)o->log_level : d->config->log_level);
        log_set_clients(d->config->log_clients);
        r = log_thread_init();
        if (r == 0)
                r = logsink_new(&d->sink, o->detach ? d->log_path : NULL, JOURNAL_SOCKET);
        if (r < 0) {
                say("cannot open the log %s: %s", o->detach ? d->log_path : "",
                    strerrordesc_np(-r));
                return exit_of(r);
        }
        logsink_format(d->sink, d->config->log_format, d->config->log_schema);

        announce(d);
        if (d->created)
                log_info(config_created, "no configuration was found, a first one was written",
                         F_STR("path", d->config_path));
        log_warnings(d);
        return supervise(d);
}

/* ---- detaching ---- */

/* The parent's part. */
static enum bal_exit wait_until_ready(pid_t child, int fd) {
        int status;
        ssize_t n;
        char c;

        do
                n = read(fd, &c, 1);
        while (n < 0 && errno == EINTR);
        if (n == 1)
                return BAL_EXIT_OK;

        if (waitpid(child, &status, 0) < 0)
                return BAL_EXIT_FAILED;
        if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
                return (enum bal_exit)WEXITSTATUS(status);
        if (WIFSIGNALED(status))
                say("the daemon was ended by signal %d before it was ready", WTERMSIG(status));
        else
                say("the daemon was stopped before it was ready");
        return BAL_EXIT_FAILED;
}

/* True in the child, and without -d; in the parent *ret_code is what to return. */
static bool detach(struct daemon *d, enum bal_exit *ret_code) {
        int fds[2];
        pid_t pid;

        if (!d->options->detach)
                return true;
        if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
                say("cannot detach: %s", strerror(errno));
                *ret_code = BAL_EXIT_FAILED;
                return false;
        }
        if (pid > 0) {
                fd_close(fds[1]);
                *ret_code = wait_until_ready(pid, fds[0]);
                fd_close(fds[0]);
                return false;
        }
        fd_close(fds[0]);
        d->ready_fd = fds[1];
        setsid();
        if (chdir("/") < 0) /* no file system is kept busy by a daemon's directory */
                say("cannot leave the current directory: %s", strerror(errno));
        return true;
}

int daemon_start(const struct start_options *o) {
        struct daemon d = { .options = o, .pid_fd = -EBADF, .ready_fd = -EBADF };
        enum bal_exit code;

        diags_init(&d.warnings);
        code = find_config(&d);
        if (code == BAL_EXIT_OK)
                code = load_config(&d);
        if (code == BAL_EXIT_OK)
                code = make_runtime_dir(&d);
        if (code == BAL_EXIT_OK)
                code = meet_manager(&d);
        if (code == BAL_EXIT_OK && detach(&d, &code))
                code = run(&d);
        daemon_done(&d);
        return code;
}
