/* SPDX-License-Identifier: MIT */
/*
 * tui/link.h - the connections to the daemon. It reconnects for ever; nothing waits for a socket.
 *
 * Four, since replies come in the order of the calls and two of these never end: the subscription,
 * the events, what is asked now and then (history, sessions), and the admin socket.
 */
#pragma once

#include <poll.h>

#include "bal/client.h"
#include "model.h"
#include "ui.h"

#define LINK_FDS 4

enum question { QUESTION_HISTORY, QUESTION_DETAIL, QUESTION_SESSIONS, QUESTIONS_COUNT };

struct link_to {
        const char *option;                               /* borrowed; of --socket; NULL */
        struct bal_client *status, *events, *ask, *admin; /* owned; NULL: not open */
        bool first_events;
        uint32_t wanted; /* bits of enum question */
        bool asking;
        enum question asked;
        uint64_t retry_at_ms, away_since_ms, data_ms, history_ms, order_ms;
        bool once; /* paused, but one sample is wanted */
        int64_t pid, config_number;
};

void link_init(struct link_to *l, const char *option, uint64_t now_ms);
void link_done(struct link_to *l);
/* What is due: connects, asks, notices silence. Bits of DO_. */
unsigned link_tick(struct link_to *l, struct ui *ui, struct model *m, uint64_t now_ms);
int link_timeout(const struct link_to *l, const struct ui *ui, uint64_t now_ms); /* -1: none */
size_t link_polls(const struct link_to *l, struct pollfd fds[static LINK_FDS]);
unsigned link_read(struct link_to *l, struct ui *ui, struct model *m, uint64_t now_ms);

void link_interval(struct link_to *l, uint64_t now_ms); /* subscribes again */
void link_pause(struct link_to *l, const struct ui *ui, uint64_t now_ms);
void link_sample(struct link_to *l, const struct ui *ui, uint64_t now_ms);
void link_want(struct link_to *l, enum question q);
void link_admin(struct link_to *l, struct ui *ui, uint64_t now_ms); /* does it open? */
unsigned link_orders(struct link_to *l, struct ui *ui, uint64_t now_ms);
