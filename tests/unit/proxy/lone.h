/* SPDX-License-Identifier: MIT */
/*
 * A worker without a thread: the test runs its loop. It is worker 0 for its endpoints; the crew it
 * knows has two real ones, of which worker 1 is the other one.
 */
#pragma once

#include "stage.h"

#include "proxy/listener.h"
#include "proxy/worker.h"

struct lone {
        struct stage stage;
        struct worker *w;
};

void lone_init(struct lone *l, const char *frontend, const char *server);
void lone_init_text(struct lone *l, const char *text, const struct upstream_names *names);
void lone_adopt(struct lone *l, const struct crew_listen *listens, size_t n);
void lone_give(struct lone *l); /* a client, as another worker passes one on */
void lone_done(struct lone *l);
/* Turns until the condition is true; fails when that takes too long. */
#define lone_until(l, condition)                                                                   \
        do {                                                                                       \
                uint64_t until_ = clock_mono_ms() + PATIENCE;                                      \
                while (!(condition) && clock_mono_ms() < until_)                                   \
                        lone_turn(l);                                                              \
                assert_true(condition);                                                            \
        } while (0)
void lone_turn(struct lone *l); /* waits a few milliseconds at most */
