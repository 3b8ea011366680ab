/* SPDX-License-Identifier: MIT */

#include "control/supervisor.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/backends.h"
#include "control/events.h"
#include "control/history_answer.h"
#include "control/logsink.h"
#include "control/parameter.h"
#include "control/server_socket.h"
#include "control/sessions.h"
#include "control/state.h"
#include "control/status.h"
#include "control/subscribe.h"
#include "core/clock.h"
#include "core/paths.h"
#include "core/str.h"

#define LOG_MODULE "supervisor"

void supervisor_block_signals(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGUSR1);
        sigaddset(&set, SIGUSR2);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGPIPE, SIG_IGN); /* splice(2) knows no MSG_NOSIGNAL */
        signal(SIGXFSZ, SIG_IGN); /* a log as large as files may be is an error of write(2) */
}

/* ---- signals ---- */

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        struct supervisor *s = userdata;
        int r;

        (void)source;
        switch (si->ssi_signo) {
        case SIGTERM:
        case SIGINT:
                supervisor_stop(s, true);
                return 0;
        case SIGHUP:
                change_reload(s, TRIGGER_SIGNAL, NULL);
                return 0;
        case SIGUSR1:
                r = logsink_reopen(s->sink);
                if (r < 0)
                        log_error(log_reopened, "the log file cannot be opened again", F_ERR(r));
                else if (r > 0)
                        log_info(log_reopened, "the log file was opened again");
                else
                        log_info(log_reopened, "there is no log file to open again");
                return 0;
        default: /* SIGUSR2 will be the upgrade in place; until then it must not end the process */
                log_warn(internal_error, "SIGUSR2 has no meaning in this version");
                return 0;
        }
}

static int add_signals(struct supervisor *s) {
        static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };

        for (size_t i = 0; i < ELEMENTS(signals); i++) {
                int r = sd_event_add_signal(s->event, NULL, signals[i], on_signal, s);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- the control sockets ---- */

static void on_get(struct server_call *call, json_t *parameters, void *userdata) {
        (void)parameters;
        status_answer(userdata, call);
}

static void on_subscribe(struct server_call *call, json_t *parameters, void *userdata) {
        subscribe_start(userdata, call, parameters);
}

static void on_get_history(struct server_call *call, json_t *parameters, void *userdata) {
        history_get(userdata, call, parameters);
}

static void on_get_events(struct server_call *call, json_t *parameters, void *userdata) {
        struct supervisor *s = userdata;

        events_get(s->events, call, parameters);
}

static void on_get_sessions(struct server_call *call, json_t *parameters, void *userdata) {
        struct supervisor *s = userdata;

        sessions_get(s->crew, call, parameters);
}

static void on_close_sessions(struct server_call *call, json_t *parameters, void *userdata) {
        struct supervisor *s = userdata;

        sessions_close(s->crew, call, parameters);
}

static void on_reload(struct server_call *call, json_t *parameters, void *userdata) {
        bool dry_run = false;

        if (parameter_flag(&dry_run, parameters, "dry_run") < 0)
                server_invalid(call, "dry_run");
        else if (dry_run)
                change_try(userdata, call);
        else
                change_reload(userdata, TRIGGER_CALL, call);
}

static void on_stop(struct server_call *call, json_t *parameters, void *userdata) {
        struct supervisor *s = userdata;

        (void)parameters;
        server_reply(call, json_pack("{s:i, s:i, s:I, s:o}", "pid", (int)getpid(),
                                     "active_connections", (int)supervisor_sessions(s),
                                     "drain_timeout_ms", (json_int_t)s->config->drain_timeout_ms,
                                     "systemd_sockets", passed_describe(s->passed)));
        supervisor_stop(s, false);
}

static void on_get_metrics(struct server_call *call, json_t *parameters, void *userdata) {
        metrics_answer(userdata, call, parameters);
}

static const struct server_method methods[] = {
        { BAL_METHOD_GET, on_get },
        { BAL_METHOD_SUBSCRIBE, on_subscribe },
        { BAL_METHOD_GET_HISTORY, on_get_history },
        { BAL_METHOD_GET_EVENTS, on_get_events },
        { BAL_METHOD_GET_SESSIONS, on_get_sessions },
        { BAL_METHOD_GET_METRICS, on_get_metrics },
        { BAL_METHOD_CLOSE_SESSIONS, on_close_sessions },
        { BAL_METHOD_RELOAD, on_reload },
        { BAL_METHOD_SET_STATE, backends_on_set_state },
        { BAL_METHOD_SET_WEIGHT, backends_on_set_weight },
        { BAL_METHOD_STOP, on_stop },
};

struct control { /* one of the two */
        enum bal_socket which;
        const char *name, *file;
        const char *group; /* whose members may use it where it is shared */
};

/* Those that systemd has made, with the rights that its unit gives them. Returns how many. */
static int adopt_control(struct supervisor *s, const struct control *c) {
        int fd, n = 0, r;

        while ((fd = passed_control(s->passed, c->name)) >= 0) {
                r = server_adopt(s->server, c->which, fd);
                if (r < 0)
                        return r;
                n++;
        }
        return n;
}

/* If not, what is in it is the daemon's alone, whatever its groups: asking for them may load the
 * modules of name services, and wait for those. */
static bool others_may_enter(const char *dir) {
        struct stat st;

        return stat(dir, &st) < 0 || st.st_uid != geteuid() || st.st_mode & (S_IXGRP | S_IXOTH);
}

/* Where there is no such group, nobody expects anything else. */
static void share_control(const char *path, const char *group) {
        int r = server_socket_share(path, group);

        if (r < 0 && r != -ENOENT)
                log_info(socket_private, "a control socket is for its owner alone",
                         F_STR("path", path), F_STR("group", group), F_ERR(r));
}

static int listen_control(struct supervisor *s, const struct control *c) {
        _cleanup_(str_freep) char *path = NULL;
        int r;

        r = adopt_control(s, c);
        if (r != 0)
                return r < 0 ? r : 0;
        r = paths_join(&path, s->runtime_dir, c->file);
        if (r < 0)
                return r;
        r = server_listen(s->server, c->which, path, 0600);
        if (r < 0)
                s->problem = str_printf("cannot open the control socket %s: %s", path,
                                        strerrordesc_np(-r));
        if (r == 0 && s->shared && others_may_enter(s->runtime_dir))
                share_control(path, c->group);
        return r;
}

static int open_control(struct supervisor *s) {
        static const struct control controls[] = {
                { BAL_SOCKET_STATUS, "status", BAL_STATUS_SOCKET, "bal" },
                { BAL_SOCKET_ADMIN, "admin", BAL_ADMIN_SOCKET, "bal-admin" },
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(controls) && r == 0; i++)
                r = listen_control(s, &controls[i]);
        return r;
}

/* ---- birth and death ---- */

static int on_crew(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct supervisor *s = userdata;

        (void)source;
        (void)fd;
        (void)events;
        crew_dispatch(s->crew);
        return 0;
}

static void on_names_changed(void *userdata) {
        change_names(userdata);
}

static void on_names_settled(void *userdata) {
        change_on_names_settled(userdata);
}

static int build(struct supervisor *s, const struct supervisor_options *o) {
        struct crew_options crew;
        int r;

        r = sd_event_new(&s->event);
        if (r < 0)
                return r;
        r = add_signals(s);
        if (r < 0)
                return r;

        limits_plan(&s->limits, o->config, 0);
        s->n_workers = o->config->workers;
        crew = (struct crew_options){ .n_workers = s->n_workers,
                                      .max_pipes = s->limits.max_pipes,
                                      .news = checks_on_news,
                                      .arg = s };
        r = crew_new(&s->crew, &crew);
        if (r < 0)
                return r;
        r = sd_event_add_io(s->event, &s->crew_source, crew_fd(s->crew), EPOLLIN, on_crew, s);
        if (r < 0)
                return r;

        r = events_new(&s->events, s->event);
        if (r < 0)
                return r;
        logsink_tap(s->sink, events_tap, s->events);
        r = checks_new(s);
        if (r < 0)
                return r;
        r = names_new(&s->names, s->event, on_names_changed, on_names_settled, s);
        if (r < 0)
                return r;
        r = metrics_new(&s->metrics, s);
        if (r < 0)
                return r;
        r = notify_new(&s->notify, s->event, s->crew);
        if (r < 0)
                return r;
        return server_new(&s->server, s->event, methods, ELEMENTS(methods), s);
}

static void on_file_changed(void *userdata) {
        change_reload(userdata, TRIGGER_FILE, NULL);
}

void supervisor_watch(struct supervisor *s) {
        bool wanted = s->config->watch && !s->no_watch;
        int r = 0;

        if (wanted == !!s->watch || !s->ready_told)
                return;
        if (wanted)
                r = watch_new(&s->watch, s->event, s->config_path, s->file_sum, on_file_changed, s);
        else
                s->watch = watch_free(s->watch);
        if (r < 0)
                log_warn(config_watch_failed, "the configuration file cannot be watched",
                         F_STR("path", s->config_path), F_ERR(r));
        else
                log_info(config_watch, "watching the configuration file was switched",
                         F_STR("path", s->config_path), F_BOOL("on", wanted));
}

/* The sockets open when there is something to tell; the file lock has made sure they are ours. */
void supervisor_on_started(struct supervisor *s) {
        int r;

        r = open_control(s);
        if (r == 0)
                r = tick_start(s);
        if (r == 0)
                r = ready_start(s);
        if (r < 0) {
                sd_event_exit(s->event, r);
                return;
        }
        log_info(daemon_ready, "bal is ready", F_STR("version", BAL_VERSION),
                 F_I64("pid", getpid()), F_U64("workers", s->n_workers),
                 F_U64("max_connections", s->limits.max_sessions));
        passed_settle(s->passed);
        s->ready(s->ready_arg);
}

int supervisor_new(struct supervisor **ret, const struct supervisor_options *o) {
        _cleanup_(supervisor_freep) struct supervisor *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        leaving_init(&s->leaving);
        s->sink = o->sink;
        s->log_level = o->log_level;
        s->no_watch = o->no_watch;
        s->file_sum = o->config_sum;
        s->passed = o->passed;
        s->shared = o->shared;
        s->started_ms = clock_mono_ms();
        s->started_us = clock_real_us();
        s->reloads.last_good = true;
        s->ready = o->ready;
        s->ready_arg = o->arg;
        s->config_path = strdup(o->config_path);
        s->config_shown = str_clean(o->config_path);
        s->runtime_dir = strdup(o->runtime_dir);
        if (!s->config_path || !s->config_shown || !s->runtime_dir)
                return -ENOMEM;

        r = build(s, o);
        if (r < 0)
                return r;
        r = change_start(s, o->config);
        if (r < 0)
                return r;
        *ret = take_ptr(s);
        return 0;
}

int supervisor_run(struct supervisor *s) {
        return sd_event_loop(s->event);
}

const char *supervisor_problem(const struct supervisor *s) {
        return s->problem;
}

struct supervisor *supervisor_free(struct supervisor *s) {
        if (!s)
                return NULL;

        s->over = true; /* what the workers still answer changes nothing any more */
        server_free(s->server);
        metrics_free(s->metrics);
        logsink_tap(s->sink, NULL, NULL);
        events_free(s->events);
        if (s->crew && s->listeners)
                listeners_close(s->listeners, s->crew, s->upstream);
        if (s->crew)
                listeners_retire_all_now();
        sd_event_source_disable_unref(s->crew_source);
        sd_event_source_disable_unref(s->tick_source);
        crew_free(s->crew);
        restart_forget(s->stop.question);
        checks_free(s);
        notify_free(s->notify);
        change_done(&s->change);
        watch_free(s->watch);
        names_free(s->names);
        leaving_done(&s->leaving);
        upstream_retired_free(s->retired);
        upstream_unref(s->upstream);
        config_unref(s->config);
        sd_event_unref(s->event);
        free(s->config_path);
        free(s->config_shown);
        free(s->runtime_dir);
        free(s->problem);
        free(s);
        return NULL;
}
