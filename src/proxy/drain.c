/* SPDX-License-Identifier: MIT */
/*
 * How the sessions of one worker end when bal stops. Each call of the crew says what it waits for
 * and how long (enum crew_drain). The calls come one after the other, and the answer to an earlier
 * one may still be owed when the next one comes.
 */

#include <assert.h>

#include "proxy/http_session.h"
#include "proxy/worker.h"

/* A session that was accepted or moved a byte since then is not at rest: the next message of a TLS
 * handshake may be on its way. */
#define QUIET_MS 100
#define LOOK_MS  10 /* between two looks at whether sessions are at rest */

void worker_drain_init(struct worker *w) {
        timer_init(&w->drain.timer, worker_on_drain_timer);
}

static struct session *session_at(struct link *l) {
        return container_of(l, struct session, link);
}

static bool is_new(const struct worker *w, const struct session *s) {
        return s->id >= w->drain.first_new;
}

/* Between two requests, as far as bal can see: a response is not under way, and none is awaited. Of
 * TCP only the first one is known to be awaited. */
static bool is_at_rest(const struct session *s) {
        if (session_now_ms(s) - s->active_ms < QUIET_MS)
                return false;
        return s->phase == SESSION_IDLE ||
               (s->phase == SESSION_RELAY && (s->up.bytes == 0 || s->down.bytes > 0));
}

static bool has_new_busy(const struct worker *w) {
        for (struct link *l = w->sessions.prev; l != &w->sessions; l = l->prev) {
                if (!is_new(w, session_at(l)))
                        return false; /* the list is in the order of their birth */
                if (!is_at_rest(session_at(l)))
                        return true;
        }
        return false;
}

static bool has_new(const struct worker *w) {
        return !link_idle(&w->sessions) && is_new(w, session_at(w->sessions.prev));
}

static bool has_old(const struct worker *w) {
        return !link_idle(&w->sessions) && !is_new(w, session_at(w->sessions.next));
}

static void drain_answer(struct worker *w, enum crew_drain what) {
        if (w->drain.answers[what])
                crew_answer(w->crew, take_ptr(w->drain.answers[what]), 0);
}

/* A session has ended, or a call has come. This is cheap, because it happens for each session. */
void worker_drain_check(struct worker *w) {
        if (!w->drain.on)
                return;
        if (!has_old(w))
                drain_answer(w, CREW_DRAIN_OLD);
        if (!has_new(w))
                drain_answer(w, CREW_DRAIN_BUSY);
        if (link_idle(&w->sessions))
                drain_answer(w, CREW_DRAIN_ALL);
}

static bool is_due(const struct worker *w, enum crew_drain what) {
        return w->drain.answers[what] && loop_now_ms(w->loop) >= w->drain.until_ms[what];
}

static void drain_set_timer(struct worker *w) {
        uint64_t at_ms = UINT64_MAX;

        for (size_t i = 0; i < CREW_DRAINS; i++)
                if (w->drain.answers[i] && w->drain.until_ms[i] < at_ms)
                        at_ms = w->drain.until_ms[i];
        if (w->drain.answers[CREW_DRAIN_BUSY] && loop_now_ms(w->loop) + LOOK_MS < at_ms)
                at_ms = loop_now_ms(w->loop) + LOOK_MS;
        if (at_ms < UINT64_MAX)
                timer_set(w->loop, &w->drain.timer, at_ms);
        else
                wheel_cancel(&w->drain.timer);
}

void worker_on_drain_timer(struct timer *t) {
        struct worker *w = container_of(t, struct worker, drain.timer);

        if (is_due(w, CREW_DRAIN_ALL))
                worker_close_sessions(w);
        if (is_due(w, CREW_DRAIN_OLD))
                drain_answer(w, CREW_DRAIN_OLD);
        if (is_due(w, CREW_DRAIN_BUSY) || !has_new_busy(w))
                drain_answer(w, CREW_DRAIN_BUSY);
        drain_set_timer(w);
}

static void drain_begin(struct worker *w) {
        w->drain.on = true;
        w->drain.first_new = w->next_session;
        warm_sweep(w, true);
        http_drain(w);
}

void worker_drain(struct worker *w, enum crew_drain what, uint64_t until_ms, struct mail *answer) {
        struct drain *d = &w->drain;

        assert(what < CREW_DRAINS);
        if (!d->on)
                drain_begin(w);
        if (what != CREW_DRAIN_OLD)
                worker_forget_listeners(w);
        if (d->answers[what])
                crew_answer(w->crew, answer, 0); /* the first one waits for the end */
        else
                d->answers[what] = answer;
        d->until_ms[what] = until_ms;
        worker_drain_check(w);
        if (what == CREW_DRAIN_BUSY && !has_new_busy(w))
                drain_answer(w, CREW_DRAIN_BUSY);
        drain_set_timer(w);
}

void worker_drain_cancel(struct worker *w) {
        wheel_cancel(&w->drain.timer);
        for (size_t i = 0; i < CREW_DRAINS; i++)
                if (w->drain.answers[i])
                        crew_answer(w->crew, take_ptr(w->drain.answers[i]), -ECANCELED);
}
