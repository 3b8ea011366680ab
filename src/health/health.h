/* SPDX-License-Identifier: MIT */
/*
 * health/health.h - is a backend up? Checks it, listens to what traffic learned, decides, tells.
 *
 * All of it runs in the control thread, on a loop of its own (net/loop.h) that is nested in the
 * caller's. It is the only one that marks endpoints up and down and switches protection.
 *
 * An endpoint goes down after `fall` failures in a row. Failed checks count, and so do failed
 * connects of traffic, but a short outage that both meet counts no faster than checks alone would
 * count it. Without active checks nothing is marked down, the cooldown is all there is. It comes
 * back after `rise` good checks in a row, or at once when traffic works where the check proves
 * nothing more than that (tcp, on the port of the traffic).
 * An endpoint that lets down the sessions that were connected (endpoint_unserved()) fails in a way
 * that good checks say nothing of: neither do they clear what was counted, nor do they mark it up.
 * A session that is served does, at once. A check that fails as well makes it theirs.
 * An endpoint whose name has no address is down until it has one.
 *
 * Protection counts every time-out and refusal that traffic meets, and those checks that fail on a
 * backend that still counted as up. What a backend that is known to be down does is no news: its
 * failing checks neither switch protection on nor keep it from ending.
 */
#pragma once

#include "upstream/upstream.h"

struct health;

struct health_hooks {
        /* Marked down just now; its pool may want its sessions closed. */
        void (*went_down)(struct endpoint *e, const struct config_pool *pool, void *userdata);
        /* A connect or a check failed; a name behind it may have moved. host: of the file. */
        void (*failed)(const char *host, void *userdata);
        /* Marked up again, or its rest is over: clients may be waiting for it. NULL: no matter. */
        void (*came_up)(struct endpoint *e, void *userdata);
};

/* The most descriptors that checks hold at a time: one for each endpoint, and some more for those
 * that hang. */
size_t health_descriptors(const struct config *c);

int health_new(struct health **ret, const struct health_hooks *hooks, void *userdata);
struct health *health_free(struct health *h);
DEFINE_CLEANUP(struct health *, health_free);

/* For the caller's event loop: call health_run() when the fd is readable, and at the latest after
 * so many milliseconds (UINT64_MAX: no matter when; each call of a function here may change it). It
 * never blocks. Hooks may not call back. */
int health_fd(const struct health *h);
uint64_t health_next_ms(struct health *h);
void health_run(struct health *h);

/* A generation is in force: new endpoints are checked at once, those that went are forgotten, the
 * others keep what is known of them. One whose address or question has changed is checked at once.
 * -ENOMEM: what could not be taken over is not checked. */
int health_adopt(struct health *h, struct upstream *u);

/* Workers said that there is news: looks at what they left in endpoints and pools. */
void health_news(struct health *h);

/* An operator has changed e->admin: maintenance ends its checks, the way back begins with one. */
void health_admin_changed(struct health *h, struct endpoint *e);

/* No more checks; what runs is dropped. For the time of a stop. */
void health_pause(struct health *h);

/* ---- for status ---- */

struct health_report {
        bool checked;          /* it has active checks, and is not in maintenance */
        uint32_t fails, rises; /* in a row */
        int last;              /* of the newest check: 0, or a failure (upstream/failure.h) */
        uint64_t last_ms;      /* CLOCK_MONOTONIC of its end; 0: none yet */
        uint32_t took_ms;
        uint64_t passed, failed;          /* checks since the start */
        uint64_t changes;                 /* between up and down */
        uint32_t fall, rise, interval_ms; /* interval: the one in force now */
};
void health_endpoint_report(const struct endpoint *e, struct health_report *ret);

struct protection_report {
        enum protection_reason reason;         /* PROTECTION_OFF: off */
        uint64_t since_us;                     /* CLOCK_REALTIME of the last switch; 0: never */
        uint32_t failures, trigger, window_ms; /* so many within the window; so many switch it on */
        uint32_t successes, stable;            /* while on: so many in a row; so many end it */
        uint64_t activations[PROTECTION_REASONS_COUNT];
        uint64_t last_ms; /* how long it was on the last time; 0: never, or on now */
};
void health_pool_report(const struct pool *p, struct protection_report *ret);
