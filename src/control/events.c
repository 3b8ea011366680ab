/* SPDX-License-Identifier: MIT */
/*
 * The log thread writes into a ring under a small lock and rings a bell (an eventfd). A follower is
 * a call that remembers the next record it wants; it gets a batch when the bell rings, or a little
 * later when it has not read the last one yet. One that is too slow misses records and is told how
 * many.
 */

#include "control/events.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control/parameter.h"
#include "core/list.h"
#include "core/str.h"

#define LIMIT_DEFAULT 50
#define BATCH_MAX     128    /* records of one answer to a follower */
#define AGAIN_US      200000 /* a follower that has not read yet is looked at again */

struct events {
        pthread_mutex_t lock;
        char *lines[EVENTS_KEPT]; /* owned; NDJSON; number n is at n % EVENTS_KEPT */
        uint64_t n;               /* records so far; the newest is number n - 1 */
        int bell;
        sd_event_source *io, *again;
        struct link followers; /* the control thread's */
};

struct filter {
        enum log_level level; /* and worse */
        char *event;          /* owned; NULL: any */
};

struct follower {
        struct link link;
        struct events *events;
        struct server_call *call;
        struct filter filter;
        uint64_t next; /* the number of the record it wants next */
};

/* ---- the log thread ---- */

void events_tap(const struct log_record *record, void *userdata) {
        struct events *e = userdata;
        char line[LOG_RECORD_MAX], *copy;
        size_t n;

        if (record->site->level > LOG_LEVEL_INFO)
                return;
        n = log_format_json(line, sizeof(line), record);
        copy = malloc(n + 1);
        if (!copy)
                return;
        memcpy(copy, line, n);
        copy[n] = '\0';

        pthread_mutex_lock(&e->lock);
        free(e->lines[e->n % EVENTS_KEPT]);
        e->lines[e->n++ % EVENTS_KEPT] = copy;
        pthread_mutex_unlock(&e->lock);
        eventfd_write(e->bell, 1);
}

/* ---- reading ---- */

/* The record as an object, with its number; NULL: it is gone, or does not match. */
static json_t *record_read(struct events *e, uint64_t number, const struct filter *f) {
        _cleanup_(str_freep) char *line = NULL;
        const char *level, *event;
        json_t *record;

        pthread_mutex_lock(&e->lock); /* the log thread waits for it: a copy is all it costs */
        if (number < e->n && number + EVENTS_KEPT >= e->n && e->lines[number % EVENTS_KEPT])
                line = strdup(e->lines[number % EVENTS_KEPT]);
        pthread_mutex_unlock(&e->lock);
        record = line ? json_loads(line, 0, NULL) : NULL;
        if (!record)
                return NULL;

        level = json_string_value(json_object_get(record, "level"));
        event = json_string_value(json_object_get(record, "event"));
        for (int i = (int)f->level + 1; level && i < LOG_LEVELS_COUNT; i++)
                if (strcmp(level, log_level_word((enum log_level)i)) == 0)
                        level = NULL;
        if (!level || (f->event && (!event || strcmp(event, f->event) != 0))) {
                json_decref(record);
                return NULL;
        }
        json_object_set_new(record, "number", json_integer((json_int_t)number));
        return record;
}

static uint64_t count(struct events *e) {
        uint64_t n;

        pthread_mutex_lock(&e->lock);
        n = e->n;
        pthread_mutex_unlock(&e->lock);
        return n;
}

static json_t *answer(json_t *records, uint64_t missed) {
        return json_pack("{s:o, s:I}", "events", records, "missed", (json_int_t)missed);
}

/* The newest that match, the oldest of them first; *next: what follows them. */
static json_t *newest(struct events *e, const struct filter *f, size_t limit, uint64_t *next) {
        json_t *records = json_array();
        uint64_t n = count(e), first = n > EVENTS_KEPT ? n - EVENTS_KEPT : 0;

        *next = n;
        for (uint64_t i = n; i > first && json_array_size(records) < limit; i--) {
                json_t *record = record_read(e, i - 1, f);

                if (record)
                        json_array_insert_new(records, 0, record);
        }
        return answer(records, 0);
}

/* ---- followers ---- */

static void filter_done(struct filter *f) {
        free(f->event);
}

static void follower_free(struct follower *f) {
        link_remove(&f->link);
        filter_done(&f->filter);
        free(f);
}

static void follower_on_gone(struct server_call *call, void *arg) {
        follower_free(arg);
        server_reply(call, json_object());
}

/* False: it has to be looked at again. */
static bool follower_feed(struct follower *f) {
        struct events *e = f->events;
        uint64_t n = count(e), missed = 0;
        json_t *records;

        if (f->next == n)
                return true;
        if (!server_call_has_room(f->call))
                return false;
        if (f->next + EVENTS_KEPT < n) {
                missed = n - EVENTS_KEPT - f->next;
                f->next = n - EVENTS_KEPT;
        }

        records = json_array();
        while (f->next < n && json_array_size(records) < BATCH_MAX) {
                json_t *record = record_read(e, f->next++, &f->filter);

                if (record)
                        json_array_append_new(records, record);
        }
        if (json_array_size(records) > 0 || missed > 0)
                server_reply_more(f->call, answer(records, missed));
        else
                json_decref(records);
        return f->next == n;
}

static void feed_all(struct events *e) {
        bool through = true;

        list_for_each(l, &e->followers)
                through &= follower_feed(container_of(l, struct follower, link));
        if (through)
                return;
        sd_event_source_set_time_relative(e->again, AGAIN_US);
        sd_event_source_set_enabled(e->again, SD_EVENT_ONESHOT);
}

static int on_bell(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        eventfd_t value;

        (void)source;
        (void)events;
        eventfd_read(fd, &value);
        feed_all(userdata);
        return 0;
}

static int on_again(sd_event_source *source, uint64_t at, void *userdata) {
        (void)source;
        (void)at;
        feed_all(userdata);
        return 0;
}

/* Takes what is in filter. */
static void follow(struct events *e,
                   struct server_call *call,
                   struct filter *filter,
                   size_t limit) {
        struct follower *f = malloc(sizeof(*f));

        if (!f) {
                filter_done(filter);
                server_reply(call, NULL);
                return;
        }
        *f = (struct follower){ .events = e, .call = call, .filter = *filter };
        link_init(&f->link);
        server_call_on_gone(call, follower_on_gone, f);
        link_before(&e->followers, &f->link);
        server_reply_more(call, newest(e, &f->filter, limit, &f->next));
}

/* ---- the call ---- */

/* NULL: all is right; else the parameter that is not. */
static const char *read_parameters(struct filter *f, uint64_t *limit, const json_t *parameters) {
        const char *event = NULL;
        int level = f->level;

        if (parameter_word(&level, parameters, "level", log_level_find) < 0)
                return "level";
        f->level = (enum log_level)level;
        if (parameter_text(&event, parameters, "event") < 0)
                return "event";
        f->event = event ? strdup(event) : NULL;
        return parameter_number(limit, parameters, "limit", 0, EVENTS_KEPT) < 0 ? "limit" : NULL;
}

void events_get(struct events *e, struct server_call *call, json_t *parameters) {
        struct filter f = { .level = LOG_LEVEL_INFO };
        uint64_t limit = LIMIT_DEFAULT;
        const char *wrong = read_parameters(&f, &limit, parameters);
        uint64_t next;

        if (wrong) {
                filter_done(&f);
                server_invalid(call, wrong);
        } else if (server_call_wants_more(call)) {
                follow(e, call, &f, limit);
        } else {
                server_reply(call, newest(e, &f, limit, &next));
                filter_done(&f);
        }
}

/* ---- birth and death ---- */

int events_new(struct events **ret, sd_event *event) {
        _cleanup_(events_freep) struct events *e = calloc(1, sizeof(*e));
        int r;

        if (!e)
                return -ENOMEM;
        pthread_mutex_init(&e->lock, NULL);
        link_init(&e->followers);
        e->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (e->bell < 0)
                return -errno;
        r = sd_event_add_io(event, &e->io, e->bell, EPOLLIN, on_bell, e);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(event, &e->again, CLOCK_MONOTONIC, 0, 0, on_again, e);
        if (r < 0)
                return r;
        sd_event_source_set_enabled(e->again, SD_EVENT_OFF);
        *ret = take_ptr(e);
        return 0;
}

struct events *events_free(struct events *e) {
        if (!e)
                return NULL;

        sd_event_source_disable_unref(e->io);
        sd_event_source_disable_unref(e->again);
        fd_close(e->bell);
        for (size_t i = 0; i < EVENTS_KEPT; i++)
                free(e->lines[i]);
        pthread_mutex_destroy(&e->lock);
        free(e);
        return NULL;
}
