/* SPDX-License-Identifier: MIT */
/* control/state.h - the supervisor's insides, shared by the files of this floor only. */
#pragma once

#include <systemd/sd-event.h>

#include "control/leaving.h"
#include "control/limits.h"
#include "control/listeners.h"
#include "control/names.h"
#include "control/rates.h"
#include "control/server.h"
#include "control/supervisor.h"
#include "proxy/crew.h"
#include "upstream/upstream.h"

enum change_kind {
        CHANGE_START,  /* the first generation */
        CHANGE_RELOAD, /* the file was read again */
        CHANGE_NAMES,  /* the same file, new addresses */
};

struct change { /* from one generation to the next; one at a time */
        enum change_kind kind;
        struct config *config;       /* referenced; NULL: no change is under way */
        struct server_call *call;    /* to be answered; NULL: a signal */
        struct diags *diags;         /* owned; warnings for the answer; NULL: none */
        struct upstream *upstream;   /* referenced; the next one */
        struct listeners *listeners; /* owned; the plan; NULL: those in force stay */
};

struct supervisor {
        sd_event *event;
        sd_event_source *crew_source, *tick_source;
        struct crew *crew;
        struct server *server;
        struct names *names;
        struct logsink *sink; /* borrowed */

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
        bool stopping, stop_wanted, hurry_wanted, over;

        uint64_t config_number, config_loaded_us, started_ms;
        struct rates rates;
        struct leaving leaving;
        unsigned n_ticks;
        struct sample reported; /* overloads told so far */

        char *runtime_dir;        /* owned */
        void (*ready)(void *arg); /* the daemon's, called once */
        void *ready_arg;
        char *problem; /* owned */
};

/* change.c: the steps of a change; each ends in the next or in change_failed(). */
int change_start(struct supervisor *s, struct config *config);
void change_reload(struct supervisor *s, struct server_call *call); /* call NULL: a signal */
void change_names(struct supervisor *s);
void change_on_names_settled(struct supervisor *s);
void change_done(struct change *c); /* frees what is left of one */
/* One that only waits for names need not end well. False: it is further, or there is none. */
bool change_give_up(struct supervisor *s);

/* supervisor.c: the first generation is in force. */
void supervisor_on_started(struct supervisor *s);

/* stop.c: hurry: do not wait for the sessions. */
void supervisor_stop(struct supervisor *s, bool hurry);

/* tick.c: once a second a sample for the rates, every ten seconds sums for the log. */
int tick_start(struct supervisor *s);
uint32_t supervisor_sessions(const struct supervisor *s);
