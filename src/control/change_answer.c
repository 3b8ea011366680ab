/* SPDX-License-Identifier: MIT */

#include "control/change_answer.h"

#include <stdlib.h>
#include <string.h>

#include "config/report.h"
#include "core/str.h"
#include "net/owner.h"

#define LOG_MODULE "reload"

static const char *const trigger_words[] = {
#define X(id, word) word,
        CHANGE_TRIGGERS(X)
#undef X
};

/* ---- a file with errors ---- */

static json_t *strings_of(const struct diags *d, bool warnings) {
        json_t *array = NULL;

        if (d)
                array = warnings ? report_warnings(d) : report_errors(d);
        return array ? array : json_array();
}

void answer_invalid(struct supervisor *s, struct server_call *call, const struct diags *d) {
        json_t *diagnostics;

        if (!call)
                return;
        diagnostics = d ? report_diagnostics(d) : NULL;
        server_error(call, BAL_ERROR_CONFIG_INVALID,
                     json_pack("{s:s, s:o, s:o, s:o}", "config_path", s->config_shown, "errors",
                               strings_of(d, false), "warnings", strings_of(d, true), "diagnostics",
                               diagnostics ? diagnostics : json_array()));
}

/* ---- notes ---- */

/* What the new file asks for and only a restart can give. */
static void note_restart(json_t *notes, const struct supervisor *s, const struct config *config) {
        if (config->workers != s->n_workers)
                json_array_append_new(notes, json_sprintf("workers: %u needs a restart; %u are "
                                                          "running",
                                                          config->workers, s->n_workers));
}

static void note_limits(json_t *notes, const struct limits *l, const struct config *config) {
        if (l->max_sessions < config->max_connections)
                json_array_append_new(
                        notes, json_sprintf("max_connections: %u are enforced instead of %u, "
                                            "because %u descriptors carry no more",
                                            l->max_sessions, config->max_connections, l->nofile));
}

/* Takes text, which may be NULL. */
static void note_text(json_t *notes, char *text) {
        if (text)
                json_array_append_new(notes, json_string(text));
        free(text);
}

/* Takes what the review has to say. */
static json_t *notes_new(const struct review *r) {
        json_t *notes = json_array();

        if (r->notes)
                json_array_extend(notes, r->notes);
        return notes;
}

/* ---- a file without ---- */

static json_t *count_text(size_t n, const char *noun) {
        return json_sprintf("%zu %s%s", n, noun, n == 1 ? "" : "s");
}

/* "1 frontend, 2 pools, 5 backends; 12 connections stay" */
static json_t *message_of(const struct supervisor *s, const struct config *config, bool changed) {
        json_t *counts[] = { count_text(config->n_frontends, "frontend"),
                             count_text(config->n_pools, "pool"),
                             count_text(config_backends(config), "backend"),
                             count_text(supervisor_sessions(s), "connection") };
        json_t *message = json_sprintf("%s, %s, %s; %s stay%s", json_string_value(counts[0]),
                                       json_string_value(counts[1]), json_string_value(counts[2]),
                                       json_string_value(counts[3]),
                                       changed ? "" : "; the file says the same as before");

        for (size_t i = 0; i < ELEMENTS(counts); i++)
                json_decref(counts[i]);
        return message;
}

struct answer {
        const struct config *config;
        const struct diags *diags;
        const struct review *review;
        bool dry_run;
        json_t *notes; /* owned */
};

/* Takes a->notes. */
static json_t *answer_new(struct supervisor *s, const struct answer *a) {
        json_t *changes = a->review->changes ? json_incref(a->review->changes) : json_array();
        bool changed = a->review->n_changes > 0;

        return json_pack("{s:b, s:I, s:s, s:b, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "dry_run",
                         (int)a->dry_run, "config_number", (json_int_t)s->config_number,
                         "config_path", s->config_shown, "changed", (int)changed, "message",
                         message_of(s, a->config, changed), "warnings", strings_of(a->diags, true),
                         "notes", a->notes, "changes", changes, "changes_total",
                         (json_int_t)a->review->n_changes, "connections_kept",
                         (json_int_t)supervisor_sessions(s), "connections_draining",
                         (json_int_t)a->review->draining);
}

void answer_loaded(struct supervisor *s, struct change *c) {
        struct answer a = { .config = s->config, .diags = c->diags, .review = &c->review };

        if (!c->call)
                return;
        a.notes = notes_new(a.review);
        note_restart(a.notes, s, a.config);
        note_limits(a.notes, &s->limits, a.config);
        note_text(a.notes, metrics_problem(s->metrics));
        server_reply(c->call, answer_new(s, &a));
}

void answer_tried(struct supervisor *s,
                  struct server_call *call,
                  const struct config *config,
                  const struct diags *d) {
        struct review review;
        struct answer a = { .config = config, .diags = d, .review = &review, .dry_run = true };
        struct limits limits;

        if (review_make(&review, s->upstream, config) < 0) {
                review_done(&review);
                server_reply(call, NULL);
                return;
        }
        limits_plan(&limits, config, 0);
        a.notes = notes_new(a.review);
        note_restart(a.notes, s, config);
        note_limits(a.notes, &limits, config);
        note_text(a.notes, metrics_try(s->metrics, config));
        server_reply(call, answer_new(s, &a));
        review_done(&review);
}

/* ---- words ---- */

char *answer_worker_problem(int r) {
        const char *remedy = "";

        if (r == -ENOMEM)
                remedy = "; give the service more memory (MemoryMax=), or reload later";
        else if (r == -ENOSPC)
                remedy = "; raise the limit: sysctl fs.epoll.max_user_watches";
        return str_printf("a worker cannot take the configuration over: %s%s",
                          r == -ENOSPC ? "no epoll watch is left" : strerrordesc_np(-r), remedy);
}

char *answer_listen_problem(const struct listeners_problem *p) {
        bool is_unix = p->addr.sa.sa_family == AF_UNIX;
        const char *frontend = p->frontend ? p->frontend : "?";
        const char *what = strerrordesc_np(-p->error);
        char addr[ADDR_TEXT_MAX];
        const char *remedy = "";
        struct owner owner = { 0 };

        addr_text(&p->addr, addr);
        if (p->error == -EADDRINUSE)
                owner_of_addr(&owner, &p->addr);
        if (owner.pid == 1 && strcmp(owner.command, "systemd") == 0)
                return str_printf("cannot listen on %s (frontend '%s'): %s: systemd has it for a "
                                  "socket unit; see which: systemctl list-sockets",
                                  addr, frontend, what);
        if (owner.pid > 0)
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

/* ---- the log ---- */

static void log_warnings(const struct diags *d) {
        list_for_each(l, &d->list) {
                const struct diag *w = container_of(l, struct diag, link);

                log_warn(config_warning, "a warning of the configuration",
                         F_STR("code", diag_info(w->code)->name), F_STR("file", w->at.file),
                         F_U64("line", w->at.line), F_U64("column", w->at.column),
                         F_STR("text", w->brief));
        }
}

void answer_log_loaded(const struct supervisor *s, const struct change *c) {
        const struct review *r = &c->review;

        log_info(config_loaded, "the configuration is in force", F_STR("path", s->config_path),
                 F_STR("trigger", trigger_words[c->trigger]), F_U64("number", s->config_number),
                 F_U64("generation", s->upstream->number),
                 F_U64("frontends", s->config->n_frontends), F_U64("pools", s->config->n_pools),
                 F_U64("backends", config_backends(s->config)), F_U64("added", r->backends.added),
                 F_U64("removed", r->backends.removed), F_U64("changed", r->backends.changed),
                 F_U64("sessions", supervisor_sessions(s)), F_U64("draining", r->draining));
        review_log(r);
        if (c->diags)
                log_warnings(c->diags);
}

void answer_log_rejected(const struct supervisor *s, const struct change *c, int r) {
        const struct diags *d = c->diags;
        const struct diag *first = NULL;

        list_for_each(l, &d->list) {
                const struct diag *each = container_of(l, struct diag, link);

                if (!first && each->level == DIAG_ERROR)
                        first = each;
        }
        log_error(config_rejected, "the file has errors; the configuration before stays in force",
                  F_STR("path", s->config_path), F_STR("trigger", trigger_words[c->trigger]),
                  F_U64("errors", d->n_errors), F_ERR(r), F_U64("line", first ? first->at.line : 0),
                  F_U64("column", first ? first->at.column : 0),
                  F_STR("first", first ? first->brief : NULL));
}
