/* SPDX-License-Identifier: MIT */
/* The three parts of every trouble: what happened, why that is likely, what to do now. */

#include <stdio.h>
#include <string.h>

#include "paint.h"

static const struct {
        const char *reason, *what, *why, *brief;
} reasons[] = {
        { "refused", "were refused", "nothing listens there (service stopped or wrong port)",
          "nothing listens there?" },
        { "timeout", "got no answer in time", "the host is off, or a firewall drops the packets",
          "host off, or a firewall?" },
        { "unresolved", "found no address for the name", "the name server does not know the name",
          "no address for the name" },
        { "http_status", "got another status than expected", "the service says it is not well",
          "the service is not well?" },
        { "http_invalid", "got no HTTP", "another service listens on this port",
          "another service on this port?" },
        { "closed", "were closed without an answer", "the service ends connections at once",
          "the service closes at once?" },
        { "other", "failed", "the network or the host reports an error", "network error?" },
};

static size_t reason_of(const struct backend *b) {
        for (size_t i = 0; i < ELEMENTS(reasons); i++) {
                if (strcmp(reasons[i].reason, b->reason) == 0)
                        return i;
        }
        return ELEMENTS(reasons) - 1;
}

static void what_to_type(struct advice *a, const struct backend *b) {
        const char *colon = strrchr(b->name, ':');
        const char *port = colon ? colon + 1 : "";

        if (strcmp(b->reason, "refused") == 0 && *port && strncmp(b->name, "unix:", 5) != 0)
                snprintf(a->now, sizeof(a->now),
                         "on %.*s run: ss -ltn 'sport = :%s'   then: bal doctor --backend %s",
                         (int)(colon - b->name), b->name, port, b->name);
        else
                snprintf(a->now, sizeof(a->now), "bal doctor --backend %s", b->name);
}

static void advise_down(struct advice *a, const struct backend *b) {
        size_t i = reason_of(b);
        long long active = (long long)b->active;

        snprintf(a->what, sizeof(a->what), "%lld in a row %s; %lld connection%s left on it",
                 (long long)b->check.failed_in_a_row, reasons[i].what, active,
                 active == 1 ? "" : "s");
        snprintf(a->why, sizeof(a->why), "%s", reasons[i].why);
        snprintf(a->brief, sizeof(a->brief), "%s x%lld, check every %.1fs: %s", b->reason,
                 (long long)b->check.failed_in_a_row, (double)b->check.interval_ms / 1000,
                 reasons[i].brief);
        what_to_type(a, b);
}

static void advise_cool(struct advice *a, const struct backend *b) {
        size_t i = reason_of(b);
        double retry = b->retry_in_ms > 0 ? (double)b->retry_in_ms / 1000 : 0;

        snprintf(a->what, sizeof(a->what), "connects %s; tried again in %.1fs", reasons[i].what,
                 retry);
        snprintf(a->why, sizeof(a->why), "%s", reasons[i].why);
        snprintf(a->brief, sizeof(a->brief), "%s, retry in %.1fs: %s", b->reason, retry,
                 reasons[i].brief);
        what_to_type(a, b);
}

static void advise_out(struct advice *a, const struct backend *b) {
        char age[TEXT_MAX];
        bool ends = b->deadline_in_ms >= 0 && b->active > 0;

        snprintf(a->what, sizeof(a->what), "%s; %lld connection%s left%s%s",
                 b->state == STATE_MAINT ? "out of service, and not checked" : "no new connections",
                 (long long)b->active, b->active == 1 ? "" : "s",
                 b->oldest_s >= 0 && b->active > 0 ? ", the oldest " : "",
                 b->oldest_s >= 0 && b->active > 0 ? text_age(b->oldest_s, age) : "");
        snprintf(a->why, sizeof(a->why), "%s", *b->text ? b->text : "an operator has set it so");
        if (ends)
                snprintf(a->now, sizeof(a->now), "wait: closed in %s; e: back into service",
                         text_age((b->deadline_in_ms + 999) / 1000, age));
        else
                snprintf(a->now, sizeof(a->now), "e: back into service");
        snprintf(a->brief, sizeof(a->brief), "%s", a->what);
}

static void advise_up(struct advice *a, const struct backend *b) {
        snprintf(a->what, sizeof(a->what), "in service%s; %lld connections, %lld since the start",
                 b->backup ? " as a backup" : "", (long long)b->active, (long long)b->total);
        if (b->weight == 0)
                snprintf(a->why, sizeof(a->why), "its weight is 0: it gets no new connections");
        else if (b->slow_start_percent >= 0)
                snprintf(a->why, sizeof(a->why), "slow start: %lld %% of its share",
                         (long long)b->slow_start_percent);
        else
                snprintf(a->why, sizeof(a->why), "nothing is wrong with it");
        snprintf(a->now, sizeof(a->now), "%s", b->weight == 0 ? "w: give it a weight" : "nothing");
        snprintf(a->brief, sizeof(a->brief), "%s", a->what);
}

void advise(struct advice *a, const struct backend *b) {
        if (b->state == STATE_DOWN)
                advise_down(a, b);
        else if (b->state == STATE_COOL)
                advise_cool(a, b);
        else if (b->state == STATE_UP)
                advise_up(a, b);
        else
                advise_out(a, b);
}
