/* SPDX-License-Identifier: MIT */

#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "cli/doc.h"
#include "core/clock.h"
#include "core/str.h"

#define RETRY_FIRST_MS 250
#define RETRY_MOST_MS  1000
#define ORDER_MS       10000
#define HISTORY_MS     5000 /* a cell's length: more often it says nothing new */
#define NEXT_SOON_MS   1000
#define STALE_MS       1500 /* beyond two intervals */

static struct bal_client *drop(struct bal_client **c) {
        *c = bal_client_free(*c);
        return NULL;
}

void link_init(struct link_to *l, const char *option, uint64_t now_ms) {
        *l = (struct link_to){ .option = option, .retry_at_ms = now_ms, .away_since_ms = now_ms };
}

void link_done(struct link_to *l) {
        drop(&l->status);
        drop(&l->events);
        drop(&l->ask);
        drop(&l->admin);
}

/* ---- connecting ---- */

static void lost(struct link_to *l, struct ui *ui, uint64_t now_ms) {
        drop(&l->status);
        drop(&l->events);
        drop(&l->ask);
        l->asking = false;
        if (ui->link != LINK_RECONNECTING && ui->link != LINK_WAITING)
                l->away_since_ms = l->data_ms > 0 ? l->data_ms : now_ms;
        ui->link = l->data_ms > 0 ? LINK_RECONNECTING : LINK_WAITING;
        ui->retry_ms = ui->retry_ms == 0 ? RETRY_FIRST_MS : 2 * ui->retry_ms;
        if (ui->retry_ms > RETRY_MOST_MS)
                ui->retry_ms = RETRY_MOST_MS;
        l->retry_at_ms = now_ms + ui->retry_ms;
}

static int subscribe(struct link_to *l, const struct ui *ui) {
        return bal_client_call(l->status, BAL_METHOD_SUBSCRIBE,
                               json_pack("{s:I}", "interval_ms", (json_int_t)ui_interval_ms(ui)));
}

/* The other two connections may fail: then there is no history, or there are no events. */
static void open_others(struct link_to *l) {
        if (!l->events && bal_client_open(&l->events, BAL_SOCKET_STATUS, l->option, NULL) == 0) {
                l->first_events = true;
                if (bal_client_call(l->events, BAL_METHOD_GET_EVENTS,
                                    json_pack("{s:i}", "limit", 100)) < 0)
                        drop(&l->events);
        }
        if (!l->ask && bal_client_open(&l->ask, BAL_SOCKET_STATUS, l->option, NULL) == 0)
                l->asking = false;
}

static void connect_all(struct link_to *l, struct ui *ui, uint64_t now_ms) {
        _cleanup_(str_freep) char *path = NULL;
        int r;

        r = bal_client_open(&l->status, BAL_SOCKET_STATUS, l->option, &path);
        snprintf(ui->socket, sizeof(ui->socket), "%s", path ? path : "?");
        if (r == 0)
                r = subscribe(l, ui);
        if (r < 0) {
                snprintf(ui->link_why, sizeof(ui->link_why), "%s: %s", path ? path : "?",
                         strerror(-r));
                lost(l, ui, now_ms);
                return;
        }
        open_others(l);
        link_want(l, QUESTION_HISTORY);
}

void link_interval(struct link_to *l, uint64_t now_ms) {
        if (l->status) {
                drop(&l->status);
                l->retry_at_ms = now_ms;
        }
}

void link_pause(struct link_to *l, const struct ui *ui, uint64_t now_ms) {
        if (ui->paused) {
                drop(&l->status);
                drop(&l->events);
                drop(&l->ask);
                l->asking = false;
        }
        l->retry_at_ms = now_ms;
}

void link_sample(struct link_to *l, const struct ui *ui, uint64_t now_ms) {
        l->once = ui->paused;
        link_interval(l, now_ms);
        if (ui->paused)
                l->retry_at_ms = now_ms;
}

/* ---- questions ---- */

void link_want(struct link_to *l, enum question q) {
        l->wanted |= 1U << q;
}

static int ask(struct link_to *l, const struct ui *ui, enum question q) {
        switch (q) {
        case QUESTION_DETAIL:
                return bal_client_call(l->ask, BAL_METHOD_GET_HISTORY,
                                       json_pack("{s:s?, s:s?, s:i}", "pool", ui->pool, "backend",
                                                 ui->name, "cells", STRIP_LONG));
        case QUESTION_SESSIONS:
                return bal_client_call(l->ask, BAL_METHOD_GET_SESSIONS,
                                       json_pack("{s:s, s:i}", "sort",
                                                 sorts[ui->sort[PAGE_SESSIONS]].method, "limit",
                                                 SESSIONS_ASKED));
        default:
                return bal_client_call(l->ask, BAL_METHOD_GET_HISTORY,
                                       json_pack("{s:i}", "cells", STRIP_CELLS));
        }
}

static void ask_next(struct link_to *l, const struct ui *ui) {
        if (!l->ask || l->asking || l->wanted == 0)
                return;
        for (enum question q = 0; q < QUESTIONS_COUNT; q++) {
                if (!(l->wanted & (1U << q)))
                        continue;
                l->wanted &= ~(1U << q);
                if (q == QUESTION_DETAIL && !ui->name)
                        continue;
                l->asked = q;
                l->asking = ask(l, ui, q) == 0;
                if (!l->asking)
                        drop(&l->ask);
                return;
        }
}

static void answered(struct link_to *l,
                     struct ui *ui,
                     struct model *m,
                     const json_t *doc,
                     struct scan_text backends) {
        if (l->asked == QUESTION_HISTORY) {
                model_history(m, doc, backends);
                ui->settled_ms = 0;
        } else if (l->asked == QUESTION_SESSIONS) {
                model_sessions(m, doc);
        } else if (ui->name) {
                model_strip(&ui->detail, backends, ui->pool, ui->name);
        }
}

/* ---- time ---- */

static bool is_silent(const struct link_to *l, const struct ui *ui, uint64_t now_ms) {
        return now_ms - l->data_ms > 2 * ui_interval_ms(ui) + STALE_MS;
}

unsigned link_tick(struct link_to *l, struct ui *ui, struct model *m, uint64_t now_ms) {
        enum link_state before = ui->link;
        uint64_t link_s = ui->link_s;

        (void)m;
        if (l->admin && ui->n_orders > 0 && now_ms - l->order_ms > ORDER_MS) {
                drop(&l->admin);
                ui_answered(ui, NULL, "the daemon does not answer; look before you try again",
                            now_ms);
        }
        if (ui->paused && !l->once) {
                ui->link = LINK_PAUSED;
                return before == ui->link ? 0 : DO_DRAW;
        }
        if (ui->link == LINK_PAUSED && !ui->paused)
                ui->link = l->data_ms > 0 ? LINK_STALE : LINK_WAITING;
        if (!l->status && now_ms >= l->retry_at_ms)
                connect_all(l, ui, now_ms);
        if (l->status && ui->link == LINK_LIVE && is_silent(l, ui, now_ms)) {
                ui->link = LINK_STALE;
                l->away_since_ms = l->data_ms;
        }
        if (ui->link != LINK_LIVE)
                ui->link_s = (now_ms - l->away_since_ms) / 1000;
        ask_next(l, ui);
        return before != ui->link || link_s != ui->link_s ? DO_DRAW : 0;
}

static int until(uint64_t at_ms, uint64_t now_ms) {
        return at_ms > now_ms ? (int)(at_ms - now_ms) : 0;
}

int link_timeout(const struct link_to *l, const struct ui *ui, uint64_t now_ms) {
        int soonest = -1, t;

        if (ui->n_orders > 0 && l->admin)
                soonest = until(l->order_ms + ORDER_MS + 1, now_ms);
        if (ui->paused && !l->once)
                return soonest;
        if (!l->status)
                t = until(l->retry_at_ms, now_ms);
        else if (ui->link == LINK_LIVE)
                t = until(l->data_ms + 2 * ui_interval_ms(ui) + STALE_MS + 1, now_ms);
        else
                t = 1000 - (int)((now_ms - l->away_since_ms) % 1000);
        return soonest < 0 || t < soonest ? t : soonest;
}

/* ---- reading ---- */

size_t link_polls(const struct link_to *l, struct pollfd fds[static LINK_FDS]) {
        struct bal_client *const clients[LINK_FDS] = { l->status, l->events, l->ask, l->admin };
        size_t n = 0;

        for (size_t i = 0; i < LINK_FDS; i++) {
                if (clients[i])
                        fds[n++] = (struct pollfd){ .fd = bal_client_fd(clients[i]),
                                                    .events = bal_client_events(clients[i]) };
        }
        return n;
}

static void announce(struct link_to *l, struct ui *ui, const struct model *m, uint64_t now_ms) {
        if (l->pid != 0 && l->pid != m->pid)
                ui_say(ui, now_ms, "bal was restarted: pid %lld -> %lld, configuration #%lld",
                       (long long)l->pid, (long long)m->pid, (long long)m->config_number);
        else if (l->pid != 0 && l->config_number != m->config_number)
                ui_say(ui, now_ms, "configuration #%lld is in force", (long long)m->config_number);
        l->pid = m->pid;
        l->config_number = m->config_number;
}

static void is_live(struct link_to *l, struct ui *ui, const struct model *m, uint64_t now_ms) {
        ui->link = LINK_LIVE;
        ui->link_s = ui->retry_ms = 0;
        ui->data_real_s = m->real_s;
        l->data_ms = now_ms;
        announce(l, ui, m, now_ms);
        if (now_ms - l->history_ms >= HISTORY_MS) {
                l->history_ms = now_ms;
                link_want(l, QUESTION_HISTORY);
                if (ui->mode == MODE_DETAIL)
                        link_want(l, QUESTION_DETAIL);
        }
        if (ui->page == PAGE_SESSIONS)
                link_want(l, QUESTION_SESSIONS);
        if (l->once) {
                l->once = false;
                link_pause(l, ui, now_ms);
        }
}

static unsigned read_status(struct link_to *l, struct ui *ui, struct model *m, uint64_t now_ms) {
        struct bal_reply reply;
        struct scan_text backends;
        unsigned what = 0;
        int r = 0;

        while (l->status &&
               (r = bal_client_receive_list(l->status, "backends", &reply, &backends)) == 0) {
                if (reply.error)
                        r = -EPROTO;
                else
                        r = model_snapshot(m, reply.parameters, backends, now_ms,
                                           clock_real_us() / 1000000);
                if (r < 0)
                        snprintf(ui->link_why, sizeof(ui->link_why), "%s: %s", ui->socket,
                                 reply.error ? reply.error : "no valid answer");
                bal_reply_done(&reply);
                if (r < 0)
                        break;
                is_live(l, ui, m, now_ms);
                what |= DO_DRAW;
        }
        if (l->status && r < 0 && r != -EAGAIN) {
                lost(l, ui, now_ms);
                what |= DO_DRAW;
        }
        return what;
}

static unsigned read_events(struct link_to *l, struct model *m) {
        struct bal_reply reply;
        unsigned what = 0;
        int r = 0;

        while (l->events && (r = bal_client_receive(l->events, &reply)) == 0) {
                if (!reply.error && model_events(m, reply.parameters, l->first_events) == 0)
                        what |= DO_DRAW;
                l->first_events = false;
                if (reply.error || !reply.continues)
                        r = -EPROTO;
                bal_reply_done(&reply);
                if (r < 0)
                        break;
        }
        if (l->events && r < 0 && r != -EAGAIN)
                drop(&l->events);
        return what;
}

/* History comes right behind a snapshot. Drawn at once it would cost every row twice, now and when
 * rows change places, which they may then do together with the next snapshot. */
static bool can_wait(const struct link_to *l, const struct ui *ui, bool first) {
        return l->asked == QUESTION_HISTORY && !first && ui->link == LINK_LIVE &&
               ui_interval_ms(ui) <= NEXT_SOON_MS;
}

static unsigned read_answer(struct link_to *l, struct ui *ui, struct model *m) {
        struct bal_reply reply;
        struct scan_text backends;
        unsigned what = 0;
        int r = 0;

        while (l->ask &&
               (r = bal_client_receive_list(l->ask, "backends", &reply, &backends)) == 0) {
                bool first = m->all.n == 0;

                if (!reply.error)
                        answered(l, ui, m, reply.parameters, backends);
                bal_reply_done(&reply);
                l->asking = false;
                what |= can_wait(l, ui, first) ? 0 : DO_DRAW;
                ask_next(l, ui);
        }
        if (l->ask && r < 0 && r != -EAGAIN) {
                drop(&l->ask);
                l->asking = false;
        }
        return what;
}

/* ---- the admin socket ---- */

void link_admin(struct link_to *l, struct ui *ui, uint64_t now_ms) {
        struct bal_client *c = NULL;
        int r;

        r = bal_client_open(&c, BAL_SOCKET_ADMIN, l->option, NULL);
        bal_client_free(c);
        ui_admin(ui, r, now_ms);
}

static json_t *order_parameters(const struct ui *ui, const struct order *o) {
        json_t *p = json_pack("{s:s, s:s, s:b}", "pool", o->pool, "backend", o->backend,
                              "confirmed", o->confirmed);
        int r;

        if (ui->verb == ACT_WEIGHT)
                r = json_object_set_new(p, "weight", json_integer(ui->weight));
        else
                r = json_object_set_new(p, "state", json_string(act_state(ui->verb)));
        if (r == 0)
                return p;
        json_decref(p);
        return NULL;
}

unsigned link_orders(struct link_to *l, struct ui *ui, uint64_t now_ms) {
        const struct order *o = ui_next_order(ui);
        json_t *p;
        int r = 0;

        if (!o)
                return 0;
        p = order_parameters(ui, o);
        if (!p)
                return ui_answered(ui, NULL, "out of memory", now_ms);
        if (!l->admin)
                r = bal_client_open(&l->admin, BAL_SOCKET_ADMIN, l->option, NULL);
        if (r < 0) {
                json_decref(p);
                return ui_answered(ui, NULL, strerror(-r), now_ms);
        }
        l->order_ms = now_ms;
        r = bal_client_call(
                l->admin, ui->verb == ACT_WEIGHT ? BAL_METHOD_SET_WEIGHT : BAL_METHOD_SET_STATE, p);
        if (r == 0)
                return 0;
        drop(&l->admin);
        return ui_answered(ui, NULL, strerror(-r), now_ms);
}

/* A sentence for what the daemon did not do. */
static const char *refusal(const struct bal_reply *reply, char *buf, size_t size) {
        const char *dot = strrchr(reply->error, '.');

        if (reply->error_id == BAL_ERROR_NO_SUCH_BACKEND)
                snprintf(buf, size, "the daemon has no backend %s any more",
                         doc_text(reply->parameters, "backend", "?"));
        else if (reply->error_id == BAL_ERROR_BUSY)
                snprintf(buf, size, "the daemon is busy: %s",
                         doc_text(reply->parameters, "what", "?"));
        else
                snprintf(buf, size, "the daemon refused: %s", dot ? dot + 1 : reply->error);
        return buf;
}

static unsigned read_admin(struct link_to *l, struct ui *ui, uint64_t now_ms) {
        struct bal_reply reply;
        char text[MESSAGE_MAX];
        unsigned what = 0;
        int r = 0;

        while (l->admin && (r = bal_client_receive(l->admin, &reply)) == 0) {
                if (reply.error && reply.error_id == BAL_ERROR_POOL_WOULD_EMPTY)
                        what |= ui_refused(ui, reply.parameters, now_ms);
                else
                        what |= ui_answered(
                                ui, reply.parameters,
                                reply.error ? refusal(&reply, text, sizeof(text)) : NULL, now_ms);
                bal_reply_done(&reply);
        }
        if (l->admin && ((r < 0 && r != -EAGAIN) || ui->n_orders == 0)) {
                drop(&l->admin);
                if (ui->n_orders > 0)
                        what |= ui_answered(
                                ui, NULL, "the daemon has gone; look before you try again", now_ms);
        }
        return what;
}

unsigned link_read(struct link_to *l, struct ui *ui, struct model *m, uint64_t now_ms) {
        unsigned what = read_status(l, ui, m, now_ms);

        what |= read_events(l, m);
        what |= read_answer(l, ui, m);
        return what | read_admin(l, ui, now_ms);
}
