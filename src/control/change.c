/* SPDX-License-Identifier: MIT */
/*
 * From one generation to the next, all or nothing. The steps: read the file; wait, for a second at
 * most, until new host names are resolved; open the sockets that are new; build the generation; let
 * the workers adopt it; retire the sockets that went. Up to the adoption anything may fail, and
 * then nothing has changed. The start, a reload and a new answer of the resolver go the same way.
 *
 * One change at a time. A second caller is told that one is under way; a signal or an answer that
 * comes meanwhile is remembered.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"
#include "control/logsink.h"
#include "control/state.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/str.h"
#include "net/owner.h"

#define LOG_MODULE "reload"

void change_done(struct change *c) {
        config_unref(c->config);
        upstream_unref(c->upstream);
        listeners_free(c->listeners);
        if (c->diags)
                diags_done(c->diags);
        free(c->diags);
        *c = (struct change){ 0 };
}

/* What was asked for while a change was under way. */
static void change_next(struct supervisor *s) {
        if (s->stop_wanted) {
                supervisor_stop(s, false);
                if (s->hurry_wanted)
                        supervisor_stop(s, true);
        } else if (s->reload_again) {
                s->reload_again = false;
                change_reload(s, NULL);
        } else if (s->names_again) {
                s->names_again = false;
                change_names(s);
        }
}

/* ---- the answer ---- */

static void fingerprint_add(const struct config_value *v, void *userdata) {
        uint64_t *sum = userdata;

        *sum = hash_mix(*sum ^ hash_bytes(v->path, strlen(v->path)));
        *sum = hash_mix(*sum ^ hash_bytes(v->value, strlen(v->value)));
}

/* Equal for two files that say the same. */
static uint64_t fingerprint(const struct config *c) {
        uint64_t sum = 0;

        if (c)
                config_values(c, fingerprint_add, &sum);
        return sum;
}

static json_t *strings_of(const struct diags *d, bool warnings) {
        json_t *array = NULL;

        if (d)
                array = warnings ? report_warnings(d) : report_errors(d);
        return array ? array : json_array();
}

static void answer_invalid(struct supervisor *s, struct server_call *call, const struct diags *d) {
        json_t *diagnostics;

        if (!call)
                return;
        diagnostics = d ? report_diagnostics(d) : NULL;
        server_error(call, BAL_ERROR_CONFIG_INVALID,
                     json_pack("{s:s, s:o, s:o, s:o}", "config_path", s->config_shown, "errors",
                               strings_of(d, false), "warnings", strings_of(d, true), "diagnostics",
                               diagnostics ? diagnostics : json_array()));
}

/* What the new file asks for and only a restart can give. */
static json_t *notes_of(const struct supervisor *s) {
        json_t *notes = json_array();

        if (notes && s->config->workers != s->n_workers)
                json_array_append_new(notes, json_sprintf("workers: %u needs a restart; %u are "
                                                          "running",
                                                          s->config->workers, s->n_workers));
        if (notes && s->limits.max_sessions < s->config->max_connections)
                json_array_append_new(
                        notes, json_sprintf("max_connections: %u are enforced instead of %u, "
                                            "because %u descriptors carry no more",
                                            s->limits.max_sessions, s->config->max_connections,
                                            s->limits.nofile));
        return notes;
}

static json_t *count_text(size_t n, const char *noun) {
        return json_sprintf("%zu %s%s", n, noun, n == 1 ? "" : "s");
}

/* "1 frontend, 2 pools, 5 backends; 12 connections go on" */
static json_t *message_of(const struct supervisor *s, bool changed) {
        json_t *counts[] = { count_text(s->config->n_frontends, "frontend"),
                             count_text(s->config->n_pools, "pool"),
                             count_text(config_backends(s->config), "backend"),
                             count_text(supervisor_sessions(s), "connection") };
        json_t *message = json_sprintf("%s, %s, %s; %s stay%s", json_string_value(counts[0]),
                                       json_string_value(counts[1]), json_string_value(counts[2]),
                                       json_string_value(counts[3]),
                                       changed ? "" : "; the file says the same as before");

        for (size_t i = 0; i < ELEMENTS(counts); i++)
                json_decref(counts[i]);
        return message;
}

static void answer_loaded(struct supervisor *s, struct change *c, bool changed) {
        if (!c->call)
                return;
        server_reply(c->call,
                     json_pack("{s:I, s:s, s:b, s:o, s:o, s:o}", "config_number",
                               (json_int_t)s->config_number, "config_path", s->config_shown,
                               "changed", (int)changed, "message", message_of(s, changed),
                               "warnings", strings_of(c->diags, true), "notes", notes_of(s)));
}

/* ---- failing ---- */

/* As supervisor_problem() and the log tell it; one line for the caller of a reload. */
static char *listen_problem_text(const struct listeners_problem *p) {
        bool is_unix = p->addr.sa.sa_family == AF_UNIX;
        const char *frontend = p->frontend ? p->frontend : "?";
        const char *what = strerrordesc_np(-p->error);
        char addr[ADDR_TEXT_MAX];
        const char *remedy = "";
        struct owner owner;

        addr_text(&p->addr, addr);
        if (p->error == -EADDRINUSE && owner_of_addr(&owner, &p->addr) == 0)
                return str_printf("cannot listen on %s (frontend '%s'): %s by pid %d (%s); stop "
                                  "it, or choose another %s",
                                  addr, frontend, what, owner.pid, owner.command,
                                  is_unix ? "path" : "port");

        if (p->error == -EADDRINUSE && is_unix)
                remedy = "; something else is there: see what it is, or choose another path";
        else if (p->error == -EADDRINUSE)
                remedy = "; see who has it: ss -ltnp";
        else if (p->error == -EACCES && !is_unix)
                remedy = "; ports below 1024 need root or CAP_NET_BIND_SERVICE";
        else if (p->error == -EADDRNOTAVAIL)
                remedy = "; no interface has this address: ip addr";
        return str_printf("cannot listen on %s (frontend '%s'): %s%s", addr, frontend, what,
                          remedy);
}

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
        change_done(c);

        if (kind == CHANGE_START) {
                s->problem = text;
                sd_event_exit(s->event, r);
                return;
        }
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
        logsink_format(s->sink, c->log_format);
        if (s->limits.max_sessions < c->max_connections)
                log_warn(limit_lowered, "fewer connections than configured: descriptors are short",
                         F_U64("max_connections", c->max_connections),
                         F_U64("enforced", s->limits.max_sessions),
                         F_U64("descriptors", s->limits.nofile),
                         F_U64("descriptors_needed", s->limits.needed));
}

static void log_loaded(const struct supervisor *s, const struct change *c) {
        if (c->kind == CHANGE_NAMES) {
                log_debug(config_loaded, "backends have their new addresses",
                          F_U64("generation", s->upstream->number));
                return;
        }
        log_info(config_loaded, "the configuration is in force", F_STR("path", s->config_path),
                 F_U64("number", s->config_number), F_U64("generation", s->upstream->number),
                 F_U64("frontends", s->config->n_frontends), F_U64("pools", s->config->n_pools),
                 F_U64("backends", config_backends(s->config)),
                 F_U64("sessions", supervisor_sessions(s)));
        if (!c->diags)
                return;
        list_for_each(l, &c->diags->list) {
                const struct diag *d = container_of(l, struct diag, link);

                log_warn(config_warning, "a warning of the configuration",
                         F_STR("code", diag_info(d->code)->name), F_STR("file", d->at.file),
                         F_U64("line", d->at.line), F_U64("column", d->at.column),
                         F_STR("text", d->brief));
        }
}

/* All workers have the new generation. */
static void change_on_adopted(int r, void *arg) {
        struct supervisor *s = arg;
        struct change *c = &s->change;
        struct upstream *before = s->upstream;
        bool changed = fingerprint(s->config) != fingerprint(c->config);

        if (s->over)
                return;
        if (r < 0) /* some worker lacks memory and goes on with what it has */
                log_error(internal_error, "not every worker could take the configuration over",
                          F_ERR(r));
        s->upstream = take_ptr(c->upstream);
        if (c->listeners) {
                struct listeners *old = take_ptr(s->listeners);

                s->listeners = take_ptr(c->listeners);
                listeners_commit(s->listeners, old, s->event, s->crew, before);
                listeners_tune(s->listeners, c->config);
        }
        leaving_note(&s->leaving, before, s->upstream);
        upstream_unref(before);
        if (c->kind != CHANGE_NAMES) {
                config_unref(s->config);
                s->config = config_ref(c->config);
                s->config_number++;
                s->config_loaded_us = clock_real_us();
                names_forget(s->names, s->config);
                apply_process_wide(s);
        }

        log_loaded(s, c);
        answer_loaded(s, c, changed);
        if (c->kind == CHANGE_START)
                supervisor_on_started(s);
        change_done(c);
        change_next(s);
}

static int change_adopt(struct supervisor *s) {
        struct change *c = &s->change;
        const struct listeners *l = c->listeners ? c->listeners : s->listeners;
        struct crew_listen *listens = listeners_for_crew(l);
        int r;

        if (!listens)
                return -ENOMEM;
        upstream_publish(c->upstream, s->limits.max_sessions);
        r = crew_adopt(s->crew, c->upstream, listens, l->n, change_on_adopted, s);
        if (r < 0 && s->upstream) {
                limits_plan(&s->limits, s->config, 0);
                upstream_publish(s->upstream, s->limits.max_sessions);
        }
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
        if (r == 0 && c->kind != CHANGE_NAMES) {
                r = listeners_plan(&c->listeners, c->config, s->listeners, &problem);
                if (r < 0) {
                        change_failed(s, r, listen_problem_text(&problem));
                        return;
                }
        }
        if (r == 0)
                r = upstream_new(&c->upstream, c->config, names, s->upstream, s->n_workers);
        if (r == 0) {
                limits_plan(&s->limits, c->config, 0);
                r = change_adopt(s);
        }
        if (r < 0)
                change_failed(s, r, NULL);
}

int change_start(struct supervisor *s, struct config *config) {
        s->change = (struct change){ .kind = CHANGE_START, .config = config_ref(config) };
        return names_use(s->names, config);
}

static void log_rejected(const struct supervisor *s, const struct diags *d, int r) {
        const struct diag *first = NULL;

        list_for_each(l, &d->list) {
                const struct diag *each = container_of(l, struct diag, link);

                if (!first && each->level == DIAG_ERROR)
                        first = each;
        }
        log_error(config_rejected, "the file has errors; the configuration before stays in force",
                  F_STR("path", s->config_path), F_U64("errors", d->n_errors), F_ERR(r),
                  F_U64("line", first ? first->at.line : 0),
                  F_U64("column", first ? first->at.column : 0),
                  F_STR("first", first ? first->brief : NULL));
}

void change_reload(struct supervisor *s, struct server_call *call) {
        struct change *c = &s->change;
        int r;

        if (s->stopping || c->config) {
                if (call)
                        server_error(call, BAL_ERROR_BUSY,
                                     json_pack("{s:s}", "what", s->stopping ? "stop" : "reload"));
                else
                        s->reload_again = true;
                return;
        }

        *c = (struct change){ .kind = CHANGE_RELOAD, .diags = calloc(1, sizeof(struct diags)) };
        if (!c->diags) {
                c->call = call;
                change_failed(s, -ENOMEM, NULL);
                return;
        }
        diags_init(c->diags);
        r = config_load(&c->config, s->config_path, c->diags);
        if (r < 0) {
                log_rejected(s, c->diags, r);
                answer_invalid(s, call, c->diags);
                change_done(c);
                change_next(s);
                return;
        }

        c->call = call;
        r = names_use(s->names, c->config);
        if (r < 0)
                change_failed(s, r, NULL);
}

void change_names(struct supervisor *s) {
        struct change *c = &s->change;

        if (s->stopping)
                return;
        if (c->config) {
                s->names_again = true;
                return;
        }
        *c = (struct change){ .kind = CHANGE_NAMES, .config = config_ref(s->config) };
        change_on_names_settled(s);
}
