/* SPDX-License-Identifier: MIT */

#include "control/subscribe.h"

#include <stdlib.h>

#include "control/parameter.h"
#include "control/state.h"
#include "control/status.h"
#include "core/clock.h"

#define INTERVAL_DEFAULT_MS 1000
#define INTERVAL_MAX_MS     3600000
#define SLACK_MS            10     /* timers that are due together share a document */
#define COST_FACTOR         20     /* a document that took 5 ms is made each 100 ms at most */
#define BYTES_PER_MS        100000 /* for all together; who asks for more gets it less often */

/* All share one document, which is made when somebody is due and the last one is too old. So what
 * they cost grows with their number only by what is sent. */
struct subscription {
        struct supervisor *supervisor;
        struct server_call *call;
        sd_event_source *timer;
        uint64_t interval_ms;
};

static void subscription_free(struct subscription *sub) {
        struct subscriptions *all = &sub->supervisor->subscriptions;

        if (--all->n == 0)
                all->text = server_text_unref(all->text);
        sd_event_source_disable_unref(sub->timer);
        free(sub);
}

static void subscription_on_gone(struct server_call *call, void *arg) {
        subscription_free(arg);
        server_reply(call, json_object());
}

/* The document, or NULL. */
static struct server_text *document(struct supervisor *s) {
        struct subscriptions *all = &s->subscriptions;
        uint64_t start_ms = clock_mono_ms(), keep_ms = all->cost_ms * COST_FACTOR;
        struct server_text *text;
        struct varlink_text bytes;

        if (keep_ms < BAL_INTERVAL_MIN_MS - SLACK_MS)
                keep_ms = BAL_INTERVAL_MIN_MS - SLACK_MS;
        if (all->text && start_ms - all->made_ms < keep_ms)
                return all->text;
        if (status_write(&bytes, s) < 0 || server_text_new(&text, &bytes) < 0)
                return NULL;
        server_text_unref(all->text);
        all->text = text;
        all->made_ms = clock_mono_ms();
        all->cost_ms = all->made_ms - start_ms;
        return text;
}

/* Returns after how long the next one is due. A client that has not read the last one misses this
 * one, and nothing is computed for it. */
static uint64_t subscription_tell(struct subscription *sub) {
        const struct subscriptions *all = &sub->supervisor->subscriptions;
        struct server_text *text;
        uint64_t ms = 0;

        if (!server_call_has_room(sub->call))
                return sub->interval_ms;
        text = document(sub->supervisor);
        if (text) {
                server_reply_more_text(sub->call, text);
                ms = server_text_size(text) * all->n / BYTES_PER_MS;
        }
        return ms > sub->interval_ms ? ms : sub->interval_ms;
}

static int subscription_on_timer(sd_event_source *source, uint64_t at, void *userdata) {
        uint64_t ms = subscription_tell(userdata);

        (void)at;
        sd_event_source_set_time_relative(source, ms * 1000);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void subscribe_start(struct supervisor *s, struct server_call *call, json_t *parameters) {
        uint64_t ms = INTERVAL_DEFAULT_MS;
        struct subscription *sub;

        if (parameter_number(&ms, parameters, "interval_ms", BAL_INTERVAL_MIN_MS, INTERVAL_MAX_MS) <
            0) {
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
        *sub = (struct subscription){ .supervisor = s, .call = call, .interval_ms = ms };
        if (sd_event_add_time_relative(s->event, &sub->timer, CLOCK_MONOTONIC,
                                       sub->interval_ms * 1000, 1000, subscription_on_timer,
                                       sub) < 0) {
                free(sub);
                server_reply(call, NULL);
                return;
        }
        sd_event_source_set_priority(sub->timer, SD_EVENT_PRIORITY_NORMAL + 10);
        s->subscriptions.n++;
        server_call_on_gone(call, subscription_on_gone, sub);
        subscription_tell(sub);
}
