/* SPDX-License-Identifier: MIT */
/*
 * The end. A change that is under way ends first.
 *
 * Of a stop the steps are: the workers let go of the listeners; what waits in their queues still
 * becomes sessions; then sessions have drain_timeout.
 *
 * A stop that is half of a restart has new clients that want to be served. A signal does not say
 * what it is, so systemd is asked, and until its answer bal goes on as before. If it is a restart,
 * sessions drain while new clients are still accepted: until the sessions that existed have ended,
 * or three quarters of restart_drain are over. The rest is for what clients await a response that
 * came meanwhile: only now the listeners are let go of, so that the next process is not far.
 */

#include <assert.h>

#include "control/state.h"
#include "core/clock.h"

#define LOG_MODULE "supervisor"

/* At the end of a restart's drain, for responses under way, nobody is accepted. */
#define LAST_PART   4 /* one part in so many, */
#define LAST_MAX_MS 500

static void stop_over(struct supervisor *s) {
        struct crew_totals totals;

        crew_sum(s->crew, &totals);
        sums_report(s);
        log_info(daemon_stopped, "all sessions have ended", F_BOOL("restart", s->stop.restart),
                 F_U64("cut", totals.closed[CLOSE_SHUTDOWN]));
        sd_event_exit(s->event, 0);
}

static void on_drained(int r, void *arg);

static void stop_drain(struct supervisor *s, enum crew_drain what, uint64_t until_ms) {
        int r;

        r = crew_drain(s->crew, what, until_ms, on_drained, s);
        if (r < 0) {
                log_error(internal_error, "no memory to wait for the sessions", F_ERR(r));
                sd_event_exit(s->event, 0);
        }
}

static void on_drained(int r, void *arg) {
        struct supervisor *s = arg;

        (void)r;
        if (s->over)
                return;
        if (s->stop.phase == STOP_LAST) {
                s->stop.phase = STOP_DRAINING;
                stop_drain(s, CREW_DRAIN_ALL, clock_mono_ms());
        } else {
                stop_over(s);
        }
}

static void stop_detached(struct supervisor *s) {
        struct stop *stop = &s->stop;

        listeners_retire_all_now();
        listeners_close(take_ptr(s->listeners), s->crew, s->upstream);
        stop->phase = stop->restart ? STOP_LAST : STOP_DRAINING;
        stop_drain(s, stop->restart ? CREW_DRAIN_BUSY : CREW_DRAIN_ALL, stop->until_ms);
}

static void on_detached(int r, void *arg) {
        struct supervisor *s = arg;

        (void)r;
        if (!s->over)
                stop_detached(s);
}

static void stop_accepting(struct supervisor *s) {
        s->stop.phase = STOP_DETACHING;
        checks_pause(s);
        if (crew_adopt(s->crew, s->upstream, NULL, 0, on_detached, s) < 0)
                stop_detached(s);
}

/* They have ended, or their time is over. It may be called later, when neither matters any more. */
static void on_old_drained(int r, void *arg) {
        struct supervisor *s = arg;

        (void)r;
        if (!s->over && s->stop.phase == STOP_SERVING)
                stop_accepting(s);
}

static uint32_t smaller(uint32_t a, uint32_t b) {
        return a < b ? a : b;
}

/* Goes on to serve. */
static void stop_serving(struct supervisor *s, uint32_t allowed_ms) {
        uint32_t last_ms = smaller(allowed_ms / LAST_PART, LAST_MAX_MS);

        s->stop.phase = STOP_SERVING;
        log_info(daemon_stopping,
                 "systemd restarts bal: sessions have time to end, new clients are still served",
                 F_BOOL("restart", true), F_U64("sessions", supervisor_sessions(s)),
                 F_U64("drain_timeout_ms", allowed_ms));
        if (crew_drain(s->crew, CREW_DRAIN_OLD, s->stop.until_ms - last_ms, on_old_drained, s) < 0)
                stop_accepting(s);
}

static void stop_begin(struct supervisor *s, bool restart) {
        const struct config *c = s->config;
        uint32_t allowed_ms =
                restart ? smaller(c->restart_drain_ms, c->drain_timeout_ms) : c->drain_timeout_ms;

        assert(s->stop.phase <= STOP_ASKING);
        s->stop.restart = restart;
        s->stop.until_ms = clock_mono_ms() + allowed_ms;
        notify_stopping(s->notify, allowed_ms, restart);
        if (restart) {
                stop_serving(s, allowed_ms);
                return;
        }
        log_info(daemon_stopping, "no new connections; the others have time to end",
                 F_BOOL("restart", false), F_U64("sessions", supervisor_sessions(s)),
                 F_U64("drain_timeout_ms", allowed_ms));
        stop_accepting(s);
}

static void on_answer(bool restart, void *arg) {
        struct supervisor *s = arg;

        if (s->stop.phase == STOP_ASKING)
                stop_begin(s, restart);
}

/* The sessions are closed as soon as the steps before have been taken. */
static void stop_hurry(struct supervisor *s) {
        if (s->stop.phase == STOP_ASKING) {
                s->stop.question = restart_forget(s->stop.question);
                stop_begin(s, false);
        }
        s->stop.until_ms = clock_mono_ms();
        crew_drain(s->crew, CREW_DRAIN_ALL, s->stop.until_ms, NULL, NULL);
}

void supervisor_stop(struct supervisor *s, bool by_signal) {
        struct stop *stop = &s->stop;

        if (s->stopping) {
                if (by_signal)
                        stop_hurry(s);
                return;
        }
        if (s->change.config) {
                stop->hurry_wanted |= by_signal && stop->wanted;
                stop->by_signal |= by_signal && !stop->wanted;
                stop->wanted = true;
                if (s->change.kind == CHANGE_START)
                        sd_event_exit(s->event, 0); /* nobody was served yet */
                else
                        change_give_up(s); /* comes back here */
                return;
        }

        s->stopping = true;
        stop->phase = STOP_ASKING;
        if (!by_signal || restart_ask(&stop->question, s->event, on_answer, s) < 0)
                stop_begin(s, false);
}
