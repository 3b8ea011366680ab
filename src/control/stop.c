/* SPDX-License-Identifier: MIT */
/*
 * The end. The workers let go of the listeners; what waits in their queues still becomes sessions;
 * then sessions have the drain time. A change that is under way ends first.
 */

#include "control/state.h"
#include "core/clock.h"

#define LOG_MODULE "supervisor"

static void on_drained(int r, void *arg) {
        struct supervisor *s = arg;

        (void)r;
        sums_report(s);
        log_info(daemon_stopped, "all sessions have ended");
        sd_event_exit(s->event, 0);
}

static void drain(struct supervisor *s) {
        uint64_t until_ms = clock_mono_ms() + s->config->drain_timeout_ms;
        int r;

        listeners_retire_all_now();
        listeners_close(take_ptr(s->listeners), s->crew, s->upstream);
        r = crew_drain(s->crew, CREW_DRAIN_ALL, until_ms, on_drained, s);
        if (r < 0) {
                log_error(internal_error, "no memory to wait for the sessions", F_ERR(r));
                sd_event_exit(s->event, 0);
        }
}

static void on_detached(int r, void *arg) {
        struct supervisor *s = arg;

        (void)r;
        if (!s->over)
                drain(s);
}

void supervisor_stop(struct supervisor *s, bool hurry) {
        if (s->stopping) {
                if (hurry)
                        crew_drain(s->crew, CREW_DRAIN_ALL, clock_mono_ms(), NULL, NULL);
                return;
        }
        if (s->change.config) {
                s->hurry_wanted |= hurry && s->stop_wanted;
                s->stop_wanted = true;
                if (s->change.kind == CHANGE_START)
                        sd_event_exit(s->event, 0); /* nobody was served yet */
                else
                        change_give_up(s); /* comes back here */
                return;
        }

        s->stopping = true;
        checks_pause(s);
        log_info(daemon_stopping, "no new connections; the others have time to end",
                 F_U64("sessions", supervisor_sessions(s)),
                 F_U64("drain_timeout_ms", s->config->drain_timeout_ms));
        notify_stopping(s->notify, s->config->drain_timeout_ms);
        if (crew_adopt(s->crew, s->upstream, NULL, 0, on_detached, s) < 0)
                drain(s);
}
