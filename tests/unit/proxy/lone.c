/* SPDX-License-Identifier: MIT */

#include "lone.h"

#include "core/clock.h"

static void lone_begin(struct lone *l) {
        const struct crew_options o = { .n_workers = WORKERS, .max_pipes = 4 };

        assert_int_equal(worker_new(&l->w, l->stage.crew, 0, &o), 0);
        lone_adopt(l, NULL, 0);
}

void lone_init(struct lone *l, const char *frontend, const char *server) {
        *l = (struct lone){ 0 };
        stage_init_with(&l->stage, frontend, server);
        lone_begin(l);
}

void lone_init_text(struct lone *l, const char *text, const struct upstream_names *names) {
        *l = (struct lone){ 0 };
        stage_init_text(&l->stage, text, names);
        lone_begin(l);
}

void lone_adopt(struct lone *l, const struct crew_listen *listens, size_t n) {
        assert_int_equal(worker_prepare(l->w, l->stage.u, listens, n), 0);
        worker_commit(l->w, l->stage.u, listens, n);
}

static void on_nudge(struct timer *t) {
        (void)t;
}

void lone_turn(struct lone *l) {
        struct timer nudge;

        timer_init(&nudge, on_nudge);
        timer_set(l->w->loop, &nudge, clock_mono_ms() + 5);
        assert_int_equal(loop_turn(l->w->loop), 0);
        wheel_cancel(&nudge);
}

void lone_give(struct lone *l) {
        stage_give_to(&l->stage, l->w);
}

void lone_done(struct lone *l) {
        lone_adopt(l, NULL, 0);
        while (!link_idle(&l->w->sessions))
                session_close(container_of(l->w->sessions.next, struct session, link),
                              CLOSE_SHUTDOWN);
        warm_sweep(l->w, true);
        wheel_cancel(&l->w->drain.timer);
        wheel_cancel(&l->w->mind_timer);
        wheel_cancel(&l->w->admit_timer);
        mailbox_detach(l->w->mailbox);
        worker_free(l->w);
        stage_done(&l->stage);
}
