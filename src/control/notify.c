/* SPDX-License-Identifier: MIT */
/*
 * The watchdog: three times within its period all workers are asked, and when the last one has
 * answered it is fed. So each feed says that all loops have turned just now, and a worker that
 * hangs is noticed within the period, not later. While an answer is missing nobody is asked again.
 */

#include "control/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "proxy/crew.h"

#define LOG_MODULE "notify"

#define ASK_MIN_US 1000  /* whatever the environment says */
#define EXTEND_MS  10000 /* asked for each second while sessions drain: a hang is not waited for */

struct notify {
        sd_event *event;
        sd_event_source *watchdog; /* NULL: none is set, or not ready yet */
        struct crew *crew;         /* borrowed */
        uint64_t watchdog_us;      /* 0: none is set */
        uint64_t status_ms;        /* when the line was sent last; 0: never */
        struct notify_facts told;
        bool asked; /* workers are; their answer is on its way */
        bool ready, reloading, rejected, stopping, restarting;
};

int notify_new(struct notify **ret, sd_event *event, struct crew *crew) {
        struct notify *n;
        int r;

        if (!getenv("NOTIFY_SOCKET")) {
                *ret = NULL;
                return 0;
        }
        n = calloc(1, sizeof(*n));
        if (!n)
                return -ENOMEM;
        n->event = sd_event_ref(event);
        n->crew = crew;
        r = sd_watchdog_enabled(0, &n->watchdog_us);
        if (r <= 0)
                n->watchdog_us = 0; /* a value nobody can read is none */
        *ret = n;
        return 0;
}

struct notify *notify_free(struct notify *n) {
        if (!n)
                return NULL;
        sd_event_source_disable_unref(n->watchdog);
        sd_event_unref(n->event);
        free(n);
        return NULL;
}

/* A manager that does not take it is its own problem; bal serves all the same. */
static void tell(const char *text) {
        int r = sd_notify(0, text);

        if (r < 0)
                log_warn(internal_error, "the service manager does not listen", F_ERR(r));
}

/* ---- watchdog ---- */

static void on_turned(int r, void *userdata) {
        struct notify *n = userdata;

        n->asked = false;
        if (r >= 0)
                tell("WATCHDOG=1");
}

static uint64_t ask_each_us(const struct notify *n) {
        return n->watchdog_us / 3 > ASK_MIN_US ? n->watchdog_us / 3 : ASK_MIN_US;
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata) {
        struct notify *n = userdata;

        (void)usec;
        if (!n->asked)
                n->asked = crew_ping(n->crew, on_turned, n) >= 0;
        sd_event_source_set_time_relative(source, ask_each_us(n));
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void watchdog_start(struct notify *n) {
        int r;

        if (n->watchdog_us == 0)
                return;
        r = sd_event_add_time_relative(n->event, &n->watchdog, CLOCK_MONOTONIC, ask_each_us(n),
                                       ask_each_us(n) / 8, on_watchdog, n);
        if (r < 0)
                log_error(internal_error, "the watchdog cannot be fed", F_ERR(r));
}

/* ---- status ---- */

static const char *plural(size_t n) {
        return n == 1 ? "" : "s";
}

const char *notify_text(const struct notify_facts *f, char buf[static NOTIFY_TEXT_MAX]) {
        char protection[48] = "off";

        if (f->protected > 0)
                snprintf(protection, sizeof(protection), "on in %zu pool%s", f->protected,
                         plural(f->protected));
        snprintf(buf, NOTIFY_TEXT_MAX,
                 "%zu/%zu backends up, %" PRIu32 " connection%s, protection %s", f->up, f->backends,
                 f->sessions, plural(f->sessions), protection);
        return buf;
}

static bool is_news(const struct notify_facts *a, const struct notify_facts *b) {
        return a->up != b->up || a->backends != b->backends || a->protected != b->protected;
}

static const char *stop_word(const struct notify *n) {
        if (!n->stopping)
                return "";
        return n->restarting ? "restarting: " : "stopping: ";
}

static void tell_status(struct notify *n, const struct notify_facts *f, uint64_t now_ms) {
        char text[NOTIFY_TEXT_MAX], line[NOTIFY_TEXT_MAX + 128];

        n->told = *f;
        n->status_ms = now_ms;
        notify_text(f, text);
        snprintf(line, sizeof(line), "STATUS=%s%s%s", stop_word(n), text,
                 n->rejected ? "; the last reload failed, the configuration before it is in force"
                             : "");
        tell(line);
}

void notify_tick(struct notify *n, const struct notify_facts *f) {
        uint64_t now_ms = clock_mono_ms();
        char line[64];

        if (!n)
                return;
        if (n->status_ms == 0 || is_news(&n->told, f) ||
            (now_ms - n->status_ms >= NOTIFY_STATUS_MS && f->sessions != n->told.sessions))
                tell_status(n, f, now_ms);
        if (!n->stopping)
                return;
        snprintf(line, sizeof(line), "EXTEND_TIMEOUT_USEC=%" PRIu64, (uint64_t)EXTEND_MS * 1000);
        tell(line);
}

/* ---- from one state to the next ---- */

void notify_ready(struct notify *n) {
        if (!n)
                return;
        n->ready = true;
        tell("READY=1");
        watchdog_start(n);
}

/* The manager compares the time with that of its own request, to tell this reload from an older
 * one. */
void notify_reloading(struct notify *n) {
        struct timespec now;
        char line[64];

        if (!n || !n->ready || n->stopping)
                return; /* one that begins before the start is over is a part of that */
        n->reloading = true;
        clock_gettime(CLOCK_MONOTONIC, &now);
        snprintf(line, sizeof(line), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
        tell(line);
}

void notify_reloaded(struct notify *n, bool good) {
        if (!n || !n->reloading)
                return;
        n->reloading = false;
        n->rejected = !good;
        n->status_ms = 0; /* the line goes out with the next tick, whatever it says */
        tell("READY=1");
}

void notify_stopping(struct notify *n, uint64_t drain_timeout_ms, bool restart) {
        char line[128];

        if (!n)
                return;
        n->stopping = true;
        n->restarting = restart;
        n->status_ms = 0;
        snprintf(line, sizeof(line),
                 "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=%ssessions have %" PRIu64
                 " s to end",
                 (uint64_t)EXTEND_MS * 1000, stop_word(n), (drain_timeout_ms + 999) / 1000);
        tell(line);
}
