/* SPDX-License-Identifier: MIT */
/* control/state.h - the supervisor's insides, shared by the files of this floor only. */
#pragma once

#include <systemd/sd-event.h>

#include "control/leaving.h"
#include "control/limits.h"
#include "control/listeners.h"
#include "control/metrics.h"
#include "control/metrics_scene.h"
#include "control/names.h"
#include "control/notify.h"
#include "control/passed.h"
#include "control/rates.h"
#include "control/restart.h"
#include "control/review.h"
#include "control/server.h"
#include "control/subscribe.h"
#include "control/sums.h"
#include "control/supervisor.h"
#include "control/watch.h"
#include "health/health.h"
#include "proxy/crew.h"
#include "upstream/upstream.h"

enum change_kind {
        CHANGE_START,  /* the first generation */
        CHANGE_RELOAD, /* the file was read again */
};

/* Why the file was read. X(enum, word) */
#define CHANGE_TRIGGERS(X)                                                                         \
        X(START, "start")                                                                          \
        X(SIGNAL, "signal")                                                                        \
        X(CALL, "call")                                                                            \
        X(FILE, "file") /* it has changed */
enum change_trigger {
#define X(id, word) TRIGGER_##id,
        CHANGE_TRIGGERS(X)
#undef X
};

struct change { /* from one generation to the next; one at a time */
        enum change_kind kind;
        enum change_trigger trigger;
        struct config *config;       /* referenced; NULL: no change is under way */
        struct server_call *call;    /* to be answered; NULL: a signal */
        struct diags *diags;         /* owned; warnings for the answer; NULL: none */
        struct review review;        /* of a reload: what it changes */
        struct upstream *upstream;   /* referenced; the next one */
        struct listeners *listeners; /* owned; the plan */
};

enum stop_phase {
        STOP_NONE,
        STOP_ASKING,    /* systemd is: whether it is a restart */
        STOP_SERVING,   /* sessions drain, new clients are accepted; only in a restart */
        STOP_DETACHING, /* the workers let go of the listeners */
        STOP_LAST,      /* responses under way have a moment; only in a restart */
        STOP_DRAINING,  /* sessions have the rest of the time */
};

struct stop {
        enum stop_phase phase;
        bool wanted, by_signal, hurry_wanted; /* asked for while a change was under way */
        bool restart;                         /* systemd starts bal again afterwards */
        uint64_t until_ms;                    /* CLOCK_MONOTONIC; then sessions are closed */
        struct restart_question *question;    /* owned; NULL: none was asked */
};

struct supervisor {
        sd_event *event;
        sd_event_source *crew_source, *tick_source;
        sd_event_source *checks_source, *checks_timer, *news_timer;
        struct crew *crew;
        struct health *health;
        struct server *server;
        struct events *events;
        struct metrics *metrics;
        struct names *names;
        struct logsink *sink;  /* borrowed */
        struct watch *watch;   /* of the file; NULL: switched off */
        bool no_watch;         /* whatever the file says */
        uint64_t file_sum;     /* of what was read last; control/watch.h */
        struct notify *notify; /* NULL: no service manager listens */
        struct passed *passed; /* borrowed; NULL: systemd has passed nothing */

        char *config_path;  /* owned */
        char *config_shown; /* owned; the same as UTF-8, whatever bytes are in it */
        struct config *config;
        struct upstream *upstream;
        struct listeners *listeners;
        struct limits limits;
        int log_level; /* -1: the file's */
        unsigned n_workers;

        struct change change;
        bool reload_again, names_again; /* asked for while a change was under way */
        enum change_trigger trigger_again;
        bool ready_told; /* ready.c; or there is nobody to be told */
        struct stop stop;
        bool stopping, over;

        uint64_t config_number, config_loaded_us, started_ms, started_us, listening_ms;
        struct scene_reloads reloads;
        struct rates rates;
        struct leaving leaving;
        struct upstream_addrs *retired; /* owned; workers may still look at them */
        struct subscriptions subscriptions;
        unsigned n_ticks;
        struct sums sums; /* told in the log so far */

        char *runtime_dir;        /* owned */
        bool shared;              /* see supervisor_options */
        void (*ready)(void *arg); /* the daemon's, called once */
        void *ready_arg;
        char *problem; /* owned */
};

/* change.c: the steps of a change; each ends in the next or in change_failed(). */
int change_start(struct supervisor *s, struct config *config);
void change_reload(struct supervisor *s, enum change_trigger trigger, struct server_call *call);
void change_try(struct supervisor *s, struct server_call *call); /* a dry run */
void change_names(struct supervisor *s); /* no generation: new addresses for the one in force */
void change_on_names_settled(struct supervisor *s);
void change_done(struct change *c); /* frees what is left of one */
/* One that only waits for names need not end well. False: it is further, or there is none. */
bool change_give_up(struct supervisor *s);

/* supervisor.c: the first generation is in force; the file says whether it is watched, which it is
 * only once the start is over. */
void supervisor_on_started(struct supervisor *s);
void supervisor_watch(struct supervisor *s);

/* checks.c: the health floor in this event loop. */
int checks_new(struct supervisor *s);
void checks_free(struct supervisor *s);
void checks_adopt(struct supervisor *s); /* s->upstream is in force */
void checks_on_news(void *supervisor);   /* for crew_options */
void checks_pause(struct supervisor *s); /* no more, for the time of a stop */
/* e->admin, its deadline or its weight were set: health and the workers shall know. */
void checks_admin_changed(struct supervisor *s, struct endpoint *e);

/* ready.c: the service manager hears of it when the first checks have ended. */
int ready_start(struct supervisor *s);

/* stop.c: a signal may be half of a restart; a second one does not wait for the sessions. */
void supervisor_stop(struct supervisor *s, bool by_signal);

/* tick.c: once a second a sample for the rates, every ten seconds sums for the log. */
int tick_start(struct supervisor *s);
uint32_t supervisor_sessions(const struct supervisor *s);
