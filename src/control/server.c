/* SPDX-License-Identifier: MIT */
/*
 * A peer (one connection) is in one of three states: it reads until a whole call is there; it waits
 * for the answer to that call; it writes the answer. Only in the first does it read, so replies come
 * in the order of the calls, and who sends calls without reading replies is stopped by the socket's
 * own buffer. All progress is made by peer_run(), one call at a time, and only ever from the event
 * loop: server_reply() just hands over the text and asks for a turn. So a peer is never freed under
 * its caller, and one that has filled its buffer with calls does not keep the others waiting.
 */

#include "control/server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control/server_socket.h"
#include "core/list.h"
#include "core/log.h"
#include "varlink/message.h"
#include "varlink/names.h"
#include "varlink/reader.h"
#include "varlink/writer.h"

#define LOG_MODULE "server"

#define ACCEPT_PAUSE_US   (1000 * 1000)
#define ACCEPTS_AT_A_TIME 16
/* Behind signals, the watchdog and health checks. */
#define PRIORITY          (SD_EVENT_PRIORITY_NORMAL + 10)

static_assert(SERVER_PATH_MAX == sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1, "path");

struct server {
        sd_event *event; /* referenced */
        server_fn fns[BAL_METHODS_COUNT];
        void *userdata;
        struct link listeners;
        struct link peers;
        size_t n_peers[BAL_SOCKETS_COUNT];
};

struct listener {
        struct link link; /* in server->listeners */
        struct server *server;
        enum bal_socket which;
        struct server_socket socket;
        sd_event_source *io, *pause;
};

struct peer {
        struct link link; /* in server->peers */
        struct server *server;
        enum bal_socket which;
        int fd;
        uid_t uid;
        pid_t pid;
        sd_event_source *io, *turn, *deadline;
        struct varlink_reader reader;
        struct server_call *call; /* unanswered; borrowed, it belongs to who answers */
        struct varlink_text out;
        size_t sent;
        bool eof;    /* it sends no more, but may wait for the reply */
        bool ending; /* close it when out is written */
};

struct server_call {
        struct peer *peer;           /* NULL: has gone */
        struct varlink_call message; /* owns what parameters of the server_fn point into */
        enum bal_method method;
        uid_t uid;
        pid_t pid;
};

/* -- peers: coming, going, writing -- */

static struct peer *peer_free(struct peer *p) {
        if (!p)
                return NULL;

        if (p->call)
                p->call->peer = NULL;
        if (!link_idle(&p->link)) {
                link_remove(&p->link);
                --p->server->n_peers[p->which];
        }
        sd_event_source_disable_unref(p->io);
        sd_event_source_disable_unref(p->turn);
        sd_event_source_disable_unref(p->deadline);
        varlink_reader_done(&p->reader);
        free(p->out.bytes);
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

static void peer_wants_turn(struct peer *p) {
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
        free(p->out.bytes);
        p->out = (struct varlink_text){ 0 };
        p->sent = 0;
        return 1;
}

static int error_text(struct varlink_text *ret, enum bal_error e, json_t *parameters) {
        int r = varlink_write_error(ret, bal_error_name(e), parameters);

        json_decref(parameters);
        return r;
}

/* Takes parameters. Out of memory: no answer is better than none ever, so the peer goes. */
static void peer_say_error(struct peer *p, enum bal_error e, json_t *parameters) {
        if (error_text(&p->out, e, parameters) < 0)
                p->ending = true;
        peer_wants_turn(p);
}

static void peer_say(struct peer *p, json_t *parameters) {
        int r = varlink_write_reply(&p->out, parameters, false);

        json_decref(parameters);
        if (r == -EMSGSIZE)
                peer_say_error(p, BAL_ERROR_REPLY_TOO_LARGE,
                               json_pack("{s:i}", "limit", BAL_REPLY_MAX));
        else if (r < 0)
                peer_say_error(p, BAL_ERROR_INTERNAL,
                               json_pack("{s:s}", "what", "the reply could not be written"));
        else
                peer_wants_turn(p);
}

/* -- calls -- */

static void call_free(struct server_call *call) {
        if (call->peer)
                call->peer->call = NULL;
        varlink_call_done(&call->message);
        free(call);
}

/* Whom to answer, if anybody. A oneway caller gets his turn at once: his next call may be there. */
static struct peer *call_peer(struct server_call *call) {
        struct peer *p = call->peer;

        if (p && call->message.oneway) {
                peer_wants_turn(p);
                return NULL;
        }
        return p;
}

void server_reply(struct server_call *call, json_t *parameters) {
        struct peer *p;

        if (!parameters) {
                server_error(call, BAL_ERROR_INTERNAL,
                             json_pack("{s:s}", "what", "the reply could not be built"));
                return;
        }
        p = call_peer(call);
        if (p)
                peer_say(p, parameters);
        else
                json_decref(parameters);
        call_free(call);
}

void server_error(struct server_call *call, enum bal_error error, json_t *parameters) {
        struct peer *p = call_peer(call);

        if (p)
                peer_say_error(p, error, parameters);
        else
                json_decref(parameters);
        call_free(call);
}

void server_invalid(struct server_call *call, const char *parameter) {
        server_error(call, BAL_ERROR_INVALID_PARAMETER, json_pack("{s:s}", "parameter", parameter));
}

void server_call_peer(const struct server_call *call, uid_t *ret_uid, pid_t *ret_pid) {
        *ret_uid = call->uid;
        *ret_pid = call->pid;
}

/* -- org.varlink.service -- */

static void answer_info(struct server_call *call) {
        json_t *names = json_array();

        for (int i = 0; names && i < BAL_INTERFACES_COUNT; ++i)
                if (varlink_interface_on(i, call->peer->which))
                        json_array_append_new(names, json_string(bal_interface_name(i)));

        server_reply(call, json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", "bal", "product", "bal",
                                     "version", BAL_VERSION, "url", "man:bal-status(7)",
                                     "interfaces", names));
}

static void answer_description(struct server_call *call, json_t *parameters) {
        const char *name = json_string_value(json_object_get(parameters, "interface"));
        int i;

        if (!name) {
                server_invalid(call, "interface");
                return;
        }
        i = varlink_interface_find(name, strlen(name));
        if (i < 0 || !varlink_interface_on(i, call->peer->which))
                server_error(call, BAL_ERROR_NO_INTERFACE, json_pack("{s:s}", "interface", name));
        else
                server_reply(call, json_pack("{s:s}", "description", varlink_description(i)));
}

/* -- from a message to the function that answers it -- */

static void call_run(struct server_call *call) {
        struct server *s = call->peer->server;
        _cleanup_(json_decrefp) json_t *none = NULL;
        json_t *parameters = call->message.parameters;
        const char *key;
        json_t *value;

        if (!parameters)
                parameters = none = json_object();
        if (!parameters) {
                server_reply(call, NULL);
                return;
        }
        json_object_foreach(parameters, key, value) {
                if (!varlink_method_takes(call->method, key)) {
                        server_invalid(call, key);
                        return;
                }
        }

        if (varlink_method_interface(call->method) == BAL_INTERFACE_ADMIN)
                log_info(admin_call, "a method of the admin socket was called",
                         F_STR("method", bal_method_name(call->method)), F_U64("uid", call->uid),
                         F_I64("pid", call->pid));

        if (s->fns[call->method])
                s->fns[call->method](call, parameters, s->userdata);
        else if (call->method == BAL_METHOD_GET_INFO)
                answer_info(call);
        else if (call->method == BAL_METHOD_GET_DESCRIPTION)
                answer_description(call, parameters);
        else
                server_error(call, BAL_ERROR_NOT_IMPLEMENTED,
                             json_pack("{s:s}", "method", bal_method_name(call->method)));
}

/* Takes message. */
static void peer_call(struct peer *p, struct varlink_call *message) {
        const char *name = message->method;
        size_t n = (size_t)(strrchr(name, '.') - name);
        int i = varlink_interface_find(name, n), m = varlink_method_find(name);
        struct server_call *call = malloc(sizeof(*call));

        if (!call) {
                varlink_call_done(message);
                p->ending = true;
                peer_wants_turn(p);
                return;
        }

        *call = (struct server_call){
                .peer = p, .message = *message, .method = m, .uid = p->uid, .pid = p->pid
        };
        p->call = call;

        if (i < 0 || !varlink_interface_on(i, p->which))
                server_error(call, BAL_ERROR_NO_INTERFACE,
                             json_pack("{s:s%}", "interface", name, n));
        else if (m < 0)
                server_error(call, BAL_ERROR_NO_METHOD, json_pack("{s:s}", "method", name));
        else
                call_run(call);
}

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
                peer_call(p, &message);
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

/* -- accepting -- */

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
        sd_event_source_set_priority(p->io, PRIORITY);
        sd_event_source_set_priority(p->turn, PRIORITY);
        sd_event_source_set_priority(p->deadline, PRIORITY);
        return 0;
}

/* Takes fd. */
static int peer_new(struct listener *l, int fd) {
        _cleanup_(peer_freep) struct peer *p = malloc(sizeof(*p));
        struct ucred who;
        socklen_t n = sizeof(who);
        int r;

        if (!p) {
                fd_close(fd);
                return -ENOMEM;
        }
        *p = (struct peer){ .server = l->server, .which = l->which, .fd = fd };
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

/* Takes fd. Its one message fits into any socket buffer; who misses it sees the end at least. */
static void turn_away(int fd) {
        struct varlink_text text;

        if (error_text(&text, BAL_ERROR_TOO_MANY_CLIENTS,
                       json_pack("{s:i}", "limit", BAL_CLIENTS_MAX)) == 0) {
                (void)!send(fd, text.bytes, text.n, MSG_DONTWAIT | MSG_NOSIGNAL);
                free(text.bytes);
        }
        fd_close(fd);
}

static void listener_pause(struct listener *l, int error) {
        log_warn(accept_paused, "a control socket waits a second before it accepts", F_ERR(error));
        sd_event_source_set_enabled(l->io, SD_EVENT_OFF);
        sd_event_source_set_time_relative(l->pause, ACCEPT_PAUSE_US);
        sd_event_source_set_enabled(l->pause, SD_EVENT_ONESHOT);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        struct listener *l = userdata;

        (void)source, (void)usec;
        sd_event_source_set_enabled(l->io, SD_EVENT_ON);
        return 0;
}

static bool is_shortage(int error) {
        return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

static int on_listener(sd_event_source *source, int listen_fd, uint32_t events, void *userdata) {
        struct listener *l = userdata;
        struct server *s = l->server;
        int r = 0;

        (void)source, (void)events;

        for (int i = 0; i < ACCEPTS_AT_A_TIME && r == 0; ++i) {
                int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd < 0)
                        r = -errno;
                else if (s->n_peers[l->which] >= BAL_CLIENTS_MAX)
                        turn_away(fd);
                else
                        r = peer_new(l, fd);
        }
        if (is_shortage(r))
                listener_pause(l, r); /* level-triggered: it would spin */
        return 0;
}

static struct listener *listener_free(struct listener *l) {
        if (!l)
                return NULL;
        link_remove(&l->link);
        sd_event_source_disable_unref(l->io);
        sd_event_source_disable_unref(l->pause);
        server_socket_done(&l->socket);
        free(l);
        return NULL;
}

DEFINE_CLEANUP(struct listener *, listener_free)

/* Takes socket. */
static int listener_new(struct server *s, enum bal_socket which, struct server_socket *socket) {
        _cleanup_(listener_freep) struct listener *l = malloc(sizeof(*l));
        int r;

        if (!l) {
                server_socket_done(socket);
                return -ENOMEM;
        }
        *l = (struct listener){ .server = s, .which = which, .socket = *socket };
        link_init(&l->link);

        r = sd_event_add_io(s->event, &l->io, l->socket.fd, EPOLLIN, on_listener, l);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(s->event, &l->pause, CLOCK_MONOTONIC, 0, 0, on_pause_over,
                                       l);
        if (r < 0)
                return r;
        sd_event_source_set_enabled(l->pause, SD_EVENT_OFF);
        sd_event_source_set_priority(l->io, PRIORITY);

        link_before(&s->listeners, &l->link);
        take_ptr(l);
        return 0;
}

int server_listen(struct server *s, enum bal_socket which, const char *path, mode_t mode) {
        struct server_socket socket;
        int r;

        r = server_socket_new(&socket, path, mode);
        if (r < 0)
                return r;
        return listener_new(s, which, &socket);
}

int server_adopt(struct server *s, enum bal_socket which, int fd) {
        struct server_socket socket = { .fd = fd };
        int r;

        r = server_socket_check(fd);
        if (r < 0) {
                server_socket_done(&socket);
                return r;
        }
        return listener_new(s, which, &socket);
}

/* -- the server -- */

int server_new(struct server **ret,
               sd_event *event,
               const struct server_method *methods,
               size_t n,
               void *userdata) {
        struct server *s = malloc(sizeof(*s));

        if (!s)
                return -ENOMEM;

        *s = (struct server){ .event = sd_event_ref(event), .userdata = userdata };
        link_init(&s->listeners);
        link_init(&s->peers);
        for (size_t i = 0; i < n; ++i)
                s->fns[methods[i].method] = methods[i].fn;

        *ret = s;
        return 0;
}

void server_stop_accepting(struct server *s) {
        while (!link_idle(&s->listeners))
                listener_free(container_of(s->listeners.next, struct listener, link));
}

struct server *server_free(struct server *s) {
        if (!s)
                return NULL;

        server_stop_accepting(s);
        while (!link_idle(&s->peers))
                peer_free(container_of(s->peers.next, struct peer, link));
        sd_event_unref(s->event);
        free(s);
        return NULL;
}

size_t server_clients(const struct server *s, enum bal_socket which) {
        return s->n_peers[which];
}
