/* SPDX-License-Identifier: MIT */
/* health/check.h - an endpoint's checks: when, how many failures in a row, up or down. The header
 * for everybody is health/health.h. */
#pragma once

#include "health/guard.h"
#include "health/health.h"
#include "net/loop.h"

struct health {
        struct loop *loop;
        const struct health_hooks *hooks; /* borrowed */
        void *userdata;
        struct upstream *upstream;  /* referenced; NULL: none yet */
        struct link checks, guards; /* owned */
        struct timer news_timer;    /* news that came too soon after the last */
        struct timer guard_timer;   /* while a pool is protected */
        uint64_t looked_ms;         /* at news, last */
        uint64_t random;
        uint64_t n_unable, told_ms; /* checks that could not be made, since it was told */
        int unable;                 /* the newest reason */
        size_t n_checks;
        size_t n_extra; /* attempts beyond the first of their endpoint */
        bool paused;
};

struct check {
        struct link link; /* of health */
        struct health *health;
        struct endpoint *endpoint;            /* referenced */
        struct guard *guard;                  /* of its pool; borrowed */
        const struct upstream_endpoint *view; /* of health's generation; NULL: none yet */
        const struct config_pool *config;     /* likewise */
        struct upstream_addrs *addrs;         /* referenced; that are checked; NULL: none */
        uint64_t number;                      /* of that generation */
        struct timer timer;                   /* the next attempt */
        struct link attempts;                 /* that run, oldest first; owned */
        unsigned n_attempts;
        uint64_t n_started;
        bool spread; /* its place in the interval is still to be found */
        size_t skew; /* so many addresses after the one that did last, the next attempt begins */
        uint32_t streak; /* of the endpoint's failed connects, as far as it was counted */
        bool unserved;   /* and what it was for: endpoint_unserved() */
        uint64_t seen_connected, seen_failed, seen_other; /* of its counters; see guard.c */
        bool by_traffic; /* the newest failure of the row, and when it was counted */
        uint64_t counted_ms;
        struct health_report report;
};

struct check *check_new(struct health *h, struct endpoint *e); /* NULL: out of memory */
struct check *check_free(struct check *c);

/* The same endpoint in another generation. True: its checks begin now, and it was the nth that did
 * so in this adoption. */
bool check_adopt(struct check *c,
                 const struct upstream_endpoint *view,
                 const struct config_pool *config,
                 struct guard *guard,
                 size_t nth);
void check_admin_changed(struct check *c);
void check_news(struct check *c); /* traffic has left some */
void check_stop(struct check *c);
