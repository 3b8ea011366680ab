/* SPDX-License-Identifier: MIT */
/*
 * From one generation to the next, all or nothing. The steps: read the file; wait, for a second at
 * most, until new host names are resolved; open the sockets that are new; build the generation; let
 * each worker prepare for it; put its limits and weights in force and let the workers commit;
 * retire the sockets that went. Up to the commit anything may fail, and then nothing has changed:
 * what was prepared is dropped, the new sockets are closed, and the verdict says why. From the
 * commit on nothing fails. The start and a reload go the same way.
 *
 * One change at a time. A second caller is told that one is under way; a signal, or an answer of
 * the resolver, that comes meanwhile is remembered. Such an answer is no change of its own: the
 * generation in force gets the new addresses (upstream/upstream.h).
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "control/change_answer.h"
#include "control/logsink.h"
#include "control/state.h"
#include "core/clock.h"
#include "core/str.h"

#define LOG_MODULE "reload"

void change_done(struct change *c) {
        config_unref(c->config);
        upstream_unref(c->upstream);
        listeners_free(c->listeners);
        review_done(&c->review);
        if (c->diags)
                diags_done(c->diags);
        free(c->diags);
        *c = (struct change){ 0 };
}

/* What was asked for while a change was under way. */
static void change_next(struct supervisor *s) {
        if (s->stop.wanted) {
                supervisor_stop(s, s->stop.by_signal);
                if (s->stop.hurry_wanted)
                        supervisor_stop(s, true);
        } else if (s->reload_again) {
                s->reload_again = false;
                change_reload(s, s->trigger_again, NULL);
        } else if (s->names_again) {
                s->names_again = false;
                change_names(s);
        }
}

static void count_reload(struct supervisor *s, enum change_kind kind, bool good) {
        if (kind != CHANGE_RELOAD)
                return;
        s->reloads.good += good;
        s->reloads.bad += !good;
        s->reloads.last_good = good;
}

/* ---- failing ---- */

/* Nothing has changed. Takes text (may be NULL). */
static void change_failed(struct supervisor *s, int r, char *text) {
        struct change *c = &s->change;
        enum change_kind kind = c->kind;
        const char *what = text ? text : strerrordesc_np(-r);

        if (c->call)
                server_error(c->call, BAL_ERROR_RELOAD_FAILED, json_pack("{s:s}", "reason", what));
        if (kind == CHANGE_START)
                log_error(internal_error, "bal cannot start", F_STR("reason", what), F_ERR(r));
        else
                log_error(config_rejected, "nothing was changed", F_STR("path", s->config_path),
                          F_STR("reason", what), F_ERR(r));
        count_reload(s, kind, false);
        change_done(c);

        if (kind == CHANGE_START) {
                s->problem = text;
                sd_event_exit(s->event, r);
                return;
        }
        notify_reloaded(s->notify, false);
        free(text);
        names_forget(s->names, s->config);
        s->names_again |=
                kind == CHANGE_RELOAD; /* answers that came for it are news all the same */
        change_next(s);
}

bool change_give_up(struct supervisor *s) {
        if (!s->change.config || s->change.upstream || s->change.kind == CHANGE_START)
                return false;
        change_failed(s, -ECANCELED, strdup("bal is stopping"));
        return true;
}

/* ---- the steps ---- */

static void apply_process_wide(struct supervisor *s) {
        const struct config *c = s->config;

        log_set_level(s->log_level >= 0 ? (enum log_level)s->log_level : c->log_level);
        log_set_clients(c->log_clients);
        logsink_format(s->sink, c->log_format, c->log_schema);
        if (s->limits.max_sessions < c->max_connections)
                log_warn(limit_lowered, "fewer connections than configured: descriptors are short",
                         F_U64("max_connections", c->max_connections),
                         F_U64("enforced", s->limits.max_sessions),
                         F_U64("descriptors", s->limits.nofile),
                         F_U64("descriptors_needed", s->limits.needed));
}

/* All workers have the new generation. */
static void change_on_committed(int r, void *arg) {
        struct supervisor *s = arg;
        struct change *c = &s->change;
        struct upstream *before = s->upstream;
        struct listeners *old = s->listeners;

        assert(r == 0);
        (void)r;
        if (s->over)
                return;
        s->upstream = take_ptr(c->upstream);
        s->listeners = take_ptr(c->listeners);
        listeners_commit(s->listeners, old, s->event, s->crew, before);
        listeners_tune(s->listeners, c->config);
        leaving_note(&s->leaving, before, s->upstream);
        review_note_marks(&c->review, s->upstream);
        upstream_unref(before);
        checks_adopt(s);
        config_unref(s->config);
        s->config = config_ref(c->config);
        s->config_number++;
        s->config_loaded_us = clock_real_us();
        names_forget(s->names, s->config);
        apply_process_wide(s);
        metrics_adopt(s->metrics, s->config);
        supervisor_watch(s);

        answer_log_loaded(s, c);
        answer_loaded(s, c);
        if (c->kind == CHANGE_START)
                supervisor_on_started(s);
        count_reload(s, c->kind, true);
        notify_reloaded(s->notify, true);
        change_done(c);
        change_next(s);
}

/* All workers are ready for the new generation, or none is. */
static void change_on_prepared(int r, void *arg) {
        struct supervisor *s = arg;
        struct change *c = &s->change;

        if (s->over)
                return;
        if (r < 0) {
                change_failed(s, r, answer_worker_problem(r));
                return;
        }
        if (c->kind == CHANGE_RELOAD && review_make(&c->review, s->upstream, c->config) < 0)
                log_error(internal_error, "no memory to say what a reload changes");
        leaving_take_back(&s->leaving, c->upstream);
        limits_plan(&s->limits, c->config, 0);
        upstream_publish(c->upstream, s->limits.max_sessions);
        crew_set_descriptors(s->crew, s->limits.max_clients);
        crew_commit(s->crew, change_on_committed, s);
}

static int change_prepare(struct supervisor *s) {
        struct change *c = &s->change;
        struct crew_listen *listens = listeners_for_crew(c->listeners);
        const struct crew_adoption adoption = { c->upstream, listens, c->listeners->n };
        int r;

        if (!listens)
                return -ENOMEM;
        r = crew_prepare(s->crew, &adoption, change_on_prepared, s);
        free(listens);
        return r;
}

/* The names are known, or have had their time. */
void change_on_names_settled(struct supervisor *s) {
        struct change *c = &s->change;
        const struct upstream_names *names = names_table(s->names);
        struct listeners_problem problem;
        int r;

        if (!c->config || c->upstream)
                return; /* a wait that was given up, or a step further already */
        r = names ? 0 : -ENOMEM;
        if (r == 0) {
                r = listeners_plan(&c->listeners, c->config, s->listeners, s->passed, &problem);
                if (r < 0) {
                        change_failed(s, r, answer_listen_problem(&problem));
                        return;
                }
        }
        if (r == 0)
                r = upstream_new(&c->upstream, c->config, names, s->upstream, s->n_workers);
        if (r == 0)
                r = change_prepare(s);
        if (r < 0)
                change_failed(s, r, NULL);
}

int change_start(struct supervisor *s, struct config *config) {
        s->change = (struct change){ .kind = CHANGE_START, .config = config_ref(config) };
        return names_use(s->names, config);
}

static bool is_busy(struct supervisor *s, enum change_trigger trigger, struct server_call *call) {
        if (!s->stopping && !s->change.config)
                return false;
        if (call) {
                server_error(call, BAL_ERROR_BUSY,
                             json_pack("{s:s}", "what", s->stopping ? "stop" : "reload"));
        } else {
                s->reload_again = true;
                s->trigger_again = trigger;
        }
        return true;
}

void change_reload(struct supervisor *s, enum change_trigger trigger, struct server_call *call) {
        struct change *c = &s->change;
        int r;

        if (is_busy(s, trigger, call))
                return;
        notify_reloading(s->notify);
        *c = (struct change){ .kind = CHANGE_RELOAD,
                              .trigger = trigger,
                              .diags = calloc(1, sizeof(struct diags)) };
        if (!c->diags) {
                c->call = call;
                change_failed(s, -ENOMEM, NULL);
                return;
        }
        diags_init(c->diags);
        s->file_sum = watch_sum(s->config_path); /* before: what comes later is noticed */
        if (s->watch)
                watch_saw(s->watch, s->file_sum);
        r = config_load(&c->config, s->config_path, c->diags);
        if (r < 0) {
                count_reload(s, CHANGE_RELOAD, false);
                answer_log_rejected(s, c, r);
                answer_invalid(s, call, c->diags);
                notify_reloaded(s->notify, false);
                change_done(c);
                change_next(s);
                return;
        }

        c->call = call;
        r = names_use(s->names, c->config);
        if (r < 0)
                change_failed(s, r, NULL);
}

static void on_workers_turned(int r, void *arg) {
        (void)r; /* or they have ended, which is as good */
        upstream_retired_free(arg);
}

/* A worker may be about to take a reference; when each has been through a turn, none is. */
static void retire_addrs(struct supervisor *s, struct upstream_addrs *list) {
        struct upstream_addrs **tail = &s->retired;

        while (*tail) /* what was left over for want of memory */
                tail = &(*tail)->next;
        *tail = list;
        if (s->retired && crew_ping(s->crew, on_workers_turned, s->retired) == 0)
                s->retired = NULL;
}

void change_names(struct supervisor *s) {
        const struct upstream_names *names;
        struct upstream_moves moves;

        if (s->stopping)
                return;
        if (s->change.config) {
                s->names_again = true;
                return;
        }
        names = names_table(s->names);
        if (!names || upstream_move(s->upstream, names, &moves) < 0)
                log_error(internal_error, "no memory for the new addresses of backends",
                          F_ERR(-ENOMEM));
        if (!names || moves.n == 0)
                return;
        retire_addrs(s, moves.retired);
        checks_adopt(s);
        crew_mind(s->crew); /* some may have waited for one of these */
        log_debug(config_loaded, "backends have their new addresses", F_U64("backends", moves.n));
}

/* The reload would be refused for r, which may be about a socket. */
static void change_try_failed(struct server_call *call,
                              int r,
                              const struct listeners_problem *problem) {
        _cleanup_(str_freep) char *text = answer_listen_problem(problem);

        server_error(call, BAL_ERROR_RELOAD_FAILED,
                     json_pack("{s:s}", "reason", text ? text : strerrordesc_np(-r)));
}

/* Nothing is resolved, opened to clients or remembered; and its verdict is that of the reload. */
void change_try(struct supervisor *s, struct server_call *call) {
        _cleanup_(config_unrefp) struct config *config = NULL;
        struct listeners_problem problem;
        struct diags diags;
        int r;

        if (is_busy(s, TRIGGER_CALL, call))
                return;
        diags_init(&diags);
        r = config_load(&config, s->config_path, &diags);
        if (r < 0) {
                answer_invalid(s, call, &diags);
        } else {
                r = listeners_try(config, s->listeners, s->passed, &problem);
                if (r < 0)
                        change_try_failed(call, r, &problem);
                else
                        answer_tried(s, call, config, &diags);
        }
        diags_done(&diags);
}
