/* SPDX-License-Identifier: MIT */
/*
 * A peer (one connection) is in one of three states: it reads until a whole call is there; it waits
 * for the answer to that call; it writes the answer. Only in the first does it read, so replies
 * come in the order of the calls, and who sends calls without reading replies is stopped by the
 * socket's own buffer. All progress is made by peer_run(), one call at a time, and only ever from
 * the event loop: server_reply() just hands over the text and asks for a turn. So a peer is never
 * freed under its caller, and one that has filled its buffer with calls does not keep the others
 * waiting.
 */

#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "control/server_parts.h"
#include "core/clock.h"

static void peer_out_drop(struct peer *p) {
        if (p->shared)
                p->shared = server_text_unref(p->shared);
        else
                free(p->out.bytes);
        p->out = (struct varlink_text){ 0 };
        p->sent = 0;
}

struct peer *peer_free(struct peer *p) {
        if (!p)
                return NULL;

        if (p->call) {
                struct server_call *call = take_ptr(p->call);

                call->peer = NULL;
                if (call->gone)
                        call->gone(call, call->gone_arg);
        }
        if (!link_idle(&p->link)) {
                link_remove(&p->link);
                --p->server->n_peers[p->which];
        }
        sd_event_source_disable_unref(p->io);
        sd_event_source_disable_unref(p->turn);
        sd_event_source_disable_unref(p->deadline);
        varlink_reader_done(&p->reader);
        peer_out_drop(p);
        fd_close(p->fd);
        free(p);
        return NULL;
}

DEFINE_CLEANUP(struct peer *, peer_free)

/* Not while it has a turn to come: whole calls may be left in the reader then, and fill it. */
static bool peer_reads(const struct peer *p) {
        return !p->call && !p->out.bytes && !p->eof &&
               sd_event_source_get_enabled(p->turn, NULL) == 0;
}

/* What it waits for, and how long. Without a wish epoll still tells that the peer is gone. */
static void peer_wait(struct peer *p) {
        bool reads = peer_reads(p);
        uint64_t ms = 0;

        sd_event_source_set_io_events(p->io, p->out.bytes ? EPOLLOUT : reads ? EPOLLIN : 0);

        if (p->out.bytes)
                ms = BAL_STALL_MS;
        else if (reads && varlink_reader_partial(&p->reader))
                ms = BAL_PARTIAL_MS;
        if (ms > 0)
                sd_event_source_set_time_relative(p->deadline, ms * 1000);
        sd_event_source_set_enabled(p->deadline, ms > 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

void peer_wants_turn(struct peer *p) {
        sd_event_source_set_enabled(p->turn, SD_EVENT_ONESHOT);
}

/* 1: all is out; 0: the socket is full; negative: the peer is of no more use. */
static int peer_flush(struct peer *p) {
        while (p->sent < p->out.n) {
                ssize_t n = send(p->fd, p->out.bytes + p->sent, p->out.n - p->sent,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                p->sent += (size_t)n;
        }
        peer_out_drop(p);
        return 1;
}

/* Whether there is nothing on the way to it that it has not read yet. */
static bool peer_has_read(const struct peer *p) {
        int unread = 0;

        return p->sent == p->out.n && (ioctl(p->fd, SIOCOUTQ, &unread) < 0 || unread == 0);
}

void peer_last_words(struct peer *p) {
        (void)peer_flush(p);
}

static int error_text(struct varlink_text *ret, enum bal_error e, json_t *parameters) {
        int r = varlink_write_error(ret, bal_error_name(e), parameters);

        json_decref(parameters);
        return r;
}

/* Behind what is not out yet, the answer before of a call with more. Takes text. */
static int peer_put(struct peer *p, struct varlink_text *text) {
        struct varlink_text both = { .n = p->out.n - p->sent + text->n };

        if (!p->out.bytes) {
                p->out = *text;
                return 0;
        }
        both.bytes = malloc(both.n);
        if (both.bytes) {
                memcpy(both.bytes, p->out.bytes + p->sent, p->out.n - p->sent);
                memcpy(both.bytes + p->out.n - p->sent, text->bytes, text->n);
                peer_out_drop(p);
                p->out = both;
        }
        free(text->bytes);
        return both.bytes ? 0 : -ENOMEM;
}

/* Takes parameters. Out of memory: no answer is better than none ever, so the peer goes. */
void peer_say_error(struct peer *p, enum bal_error e, json_t *parameters) {
        struct varlink_text text;

        if (error_text(&text, e, parameters) < 0 || peer_put(p, &text) < 0)
                p->ending = true;
        peer_wants_turn(p);
}

/* r: of writing text, which is taken. */
static void peer_say_written(struct peer *p, int r, struct varlink_text *text) {
        if (r == 0)
                r = peer_put(p, text);
        if (r == -EMSGSIZE)
                peer_say_error(p, BAL_ERROR_REPLY_TOO_LARGE,
                               json_pack("{s:i}", "limit", BAL_REPLY_MAX));
        else if (r < 0)
                peer_say_error(p, BAL_ERROR_INTERNAL,
                               json_pack("{s:s}", "what", "the reply could not be written"));
        else
                peer_wants_turn(p);
}

void peer_say(struct peer *p, json_t *parameters) {
        struct varlink_text text;
        int r = varlink_write_reply(&text, parameters, false);

        json_decref(parameters);
        peer_say_written(p, r, &text);
}

void peer_say_text(struct peer *p, const struct varlink_text *parameters) {
        struct varlink_text text;
        int r = varlink_write_reply_text(&text, parameters->bytes, parameters->n, false);

        peer_say_written(p, r, &text);
}

int peer_say_more(struct peer *p, json_t *parameters) {
        int r = varlink_write_reply(&p->out, parameters, true);

        if (r < 0)
                return r;
        peer_wants_turn(p);
        return 1;
}

void peer_say_shared(struct peer *p, struct server_text *t) {
        t->refs++;
        p->shared = t;
        p->out = t->text;
        peer_wants_turn(p);
}

/* -- reading -- */

/* Who does not even speak JSON is told so and goes. */
static void peer_complain(struct peer *p, enum varlink_verdict verdict, bool oneway) {
        if (verdict == VARLINK_NOT_JSON || verdict == VARLINK_TOO_DEEP)
                p->ending = true;
        if (oneway)
                peer_wants_turn(p);
        else
                peer_say_error(p, BAL_ERROR_INVALID_PARAMETER,
                               json_pack("{s:s}", "parameter", varlink_verdict_member(verdict)));
}

static void peer_message(struct peer *p, const char *text, size_t n) {
        struct varlink_call message;
        int verdict = varlink_read_call(&message, text, n);

        if (verdict == VARLINK_OK && message.upgrade)
                verdict = VARLINK_BAD_UPGRADE; /* there is no other protocol to go over to */
        if (verdict == VARLINK_OK) {
                call_start(p, &message);
                return;
        }
        if (verdict < 0) {
                p->ending = true;
                peer_wants_turn(p);
        } else
                peer_complain(p, verdict, message.oneway);
        varlink_call_done(&message);
}

/* One step. Frees the peer when it is done or lost. */
static void peer_run(struct peer *p) {
        const char *text;
        size_t n;
        int r;

        if (peer_has_read(p))
                p->used_ms = clock_mono_ms();
        r = peer_flush(p);
        if (r < 0 || (r > 0 && p->ending)) {
                peer_free(p);
                return;
        }
        if (r == 0 || p->call) {
                peer_wait(p);
                return;
        }

        r = varlink_reader_next(&p->reader, &text, &n);
        if (r > 0)
                peer_message(p, text, n);
        else if (r < 0)
                peer_complain(p, VARLINK_NOT_JSON, false);
        else if (p->eof) {
                peer_free(p);
                return;
        }
        peer_wait(p);
}

/* -- events -- */

/* 1: something changed; 0: nothing came; negative: lost. */
static int peer_receive(struct peer *p) {
        char *room;
        size_t n;
        ssize_t got;
        int r;

        r = varlink_reader_room(&p->reader, &room, &n);
        if (r < 0)
                return r;

        got = recv(p->fd, room, n, MSG_DONTWAIT);
        if (got < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (got == 0)
                p->eof = true;
        p->used_ms = clock_mono_ms();
        varlink_reader_fed(&p->reader, (size_t)got);
        return 1;
}

static int on_peer(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct peer *p = userdata;
        int r = 1;

        (void)source, (void)fd;

        if (peer_reads(p) && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                r = peer_receive(p);
        else if ((p->call || p->out.bytes) && (events & (EPOLLHUP | EPOLLERR)))
                r = -ECONNRESET; /* nobody is left to read the answer */

        if (r < 0)
                peer_free(p);
        else if (r > 0)
                peer_run(p);
        return 0;
}

static int on_turn(sd_event_source *source, void *userdata) {
        (void)source;
        peer_run(userdata);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        (void)source, (void)usec;
        peer_free(userdata);
        return 0;
}

/* -- coming -- */

static int peer_add_sources(struct peer *p) {
        sd_event *e = p->server->event;
        int r;

        r = sd_event_add_io(e, &p->io, p->fd, EPOLLIN, on_peer, p);
        if (r < 0)
                return r;
        r = sd_event_add_defer(e, &p->turn, on_turn, p);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(e, &p->deadline, CLOCK_MONOTONIC, 0, 0, on_deadline, p);
        if (r < 0)
                return r;

        sd_event_source_set_enabled(p->turn, SD_EVENT_OFF);
        sd_event_source_set_enabled(p->deadline, SD_EVENT_OFF);
        sd_event_source_set_priority(p->io, SERVER_PRIORITY);
        sd_event_source_set_priority(p->turn, SERVER_PRIORITY);
        sd_event_source_set_priority(p->deadline, SERVER_PRIORITY);
        return 0;
}

/* Takes fd. */
int peer_new(struct server *s, enum bal_socket which, int fd) {
        _cleanup_(peer_freep) struct peer *p = malloc(sizeof(*p));
        struct ucred who;
        socklen_t n = sizeof(who);
        int r;

        if (!p) {
                fd_close(fd);
                return -ENOMEM;
        }
        *p = (struct peer){ .server = s, .which = which, .fd = fd, .used_ms = clock_mono_ms() };
        link_init(&p->link);
        varlink_reader_init(&p->reader, BAL_CALL_MAX);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
                return -errno;
        p->uid = who.uid;
        p->pid = who.pid;

        r = peer_add_sources(p);
        if (r < 0)
                return r;

        link_before(&p->server->peers, &p->link);
        ++p->server->n_peers[p->which];
        take_ptr(p);
        return 0;
}

/* Who waits for an answer is not idle, unless it has not even read the one before. */
static bool peer_idles(const struct peer *p) {
        return !p->call || !peer_has_read(p);
}

struct peer *peer_idlest(const struct server *s, enum bal_socket which) {
        struct peer *idlest = NULL;

        list_for_each(l, &s->peers) {
                struct peer *p = container_of(l, struct peer, link);

                if (p->which == which && (!idlest || p->used_ms < idlest->used_ms) && peer_idles(p))
                        idlest = p;
        }
        return idlest;
}

/* One message fits into any socket buffer; who misses it sees the end at least. */
static void say_too_many(int fd) {
        struct varlink_text text;

        if (error_text(&text, BAL_ERROR_TOO_MANY_CLIENTS,
                       json_pack("{s:i}", "limit", BAL_CLIENTS_MAX)) == 0) {
                (void)!send(fd, text.bytes, text.n, MSG_DONTWAIT | MSG_NOSIGNAL);
                free(text.bytes);
        }
}

void peer_turn_out(struct peer *p) {
        if (!p->out.bytes)
                say_too_many(p->fd);
        peer_free(p);
}

/* Takes fd. */
void peer_turn_away(int fd) {
        say_too_many(fd);
        fd_close(fd);
}
