/* SPDX-License-Identifier: MIT */

#include "control/subscribe.h"

#include <stdlib.h>

#include "control/state.h"
#include "control/status.h"
#include "core/clock.h"

#define INTERVAL_DEFAULT_MS 1000
#define INTERVAL_MAX_MS     3600000
#define COST_FACTOR         20 /* a document that took 5 ms is made each 100 ms at most */

struct subscription {
        struct supervisor *supervisor;
        struct server_call *call;
        sd_event_source *timer;
        uint64_t interval_ms;
};

static void subscription_free(struct subscription *s) {
        sd_event_source_disable_unref(s->timer);
        free(s);
}

static void subscription_on_gone(struct server_call *call, void *arg) {
        subscription_free(arg);
        server_reply(call, json_object());
}

/* Returns after how long the next one is due. A client that has not read the last one misses this
 * one, and nothing is computed for it. */
static uint64_t subscription_tell(struct subscription *s) {
        uint64_t start_ms = clock_mono_ms(), cost_ms;
        struct varlink_text text;

        if (server_call_has_room(s->call) && status_write(&text, s->supervisor) == 0)
                server_reply_more_text(s->call, &text);
        cost_ms = COST_FACTOR * (clock_mono_ms() - start_ms);
        return cost_ms > s->interval_ms ? cost_ms : s->interval_ms;
}

static int subscription_on_timer(sd_event_source *source, uint64_t at, void *userdata) {
        uint64_t ms = subscription_tell(userdata);

        (void)at;
        sd_event_source_set_time_relative(source, ms * 1000);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void subscribe_start(struct supervisor *s, struct server_call *call, json_t *parameters) {
        const json_t *interval = json_object_get(parameters, "interval_ms");
        json_int_t ms = INTERVAL_DEFAULT_MS;
        struct subscription *sub;

        if (interval && !json_is_null(interval))
                ms = json_is_integer(interval) ? json_integer_value(interval) : 0;
        if (ms < BAL_INTERVAL_MIN_MS || ms > INTERVAL_MAX_MS) {
                server_invalid(call, "interval_ms");
                return;
        }
        if (!server_call_wants_more(call)) {
                status_answer(s, call);
                return;
        }

        sub = malloc(sizeof(*sub));
        if (!sub) {
                server_reply(call, NULL);
                return;
        }
        *sub = (struct subscription){ .supervisor = s, .call = call, .interval_ms = (uint64_t)ms };
        if (sd_event_add_time_relative(s->event, &sub->timer, CLOCK_MONOTONIC,
                                       sub->interval_ms * 1000, 1000, subscription_on_timer,
                                       sub) < 0) {
                free(sub);
                server_reply(call, NULL);
                return;
        }
        sd_event_source_set_priority(sub->timer, SD_EVENT_PRIORITY_NORMAL + 10);
        server_call_on_gone(call, subscription_on_gone, sub);
        subscription_tell(sub);
}
