/* SPDX-License-Identifier: MIT */
/* Listening and accepting; a client that is in is server_peer.c's. */

#include "control/server.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control/server_parts.h"
#include "control/server_socket.h"
#include "core/clock.h"
#include "core/log.h"

#define LOG_MODULE "server"

#define ACCEPT_PAUSE_US   (1000 * 1000)
#define ACCEPTS_AT_A_TIME 16

static_assert(SERVER_PATH_MAX == sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1, "path");

struct listener {
        struct link link; /* in server->listeners */
        struct server *server;
        enum bal_socket which;
        struct server_socket socket;
        sd_event_source *io, *pause;
};

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

/* Somebody who came and says nothing, or reads nothing, shall not lock others out: where all places
 * are taken, the one that has been idle for longest goes. */
static bool make_room(struct server *s, enum bal_socket which) {
        struct peer *idlest;

        if (s->n_peers[which] < BAL_CLIENTS_MAX)
                return true;
        idlest = peer_idlest(s, which);
        if (!idlest)
                return false;
        peer_turn_out(idlest);
        return true;
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
                else if (!make_room(s, l->which))
                        peer_turn_away(fd);
                else
                        r = peer_new(s, l->which, fd);
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
        sd_event_source_set_priority(l->io, SERVER_PRIORITY);

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
        while (!link_idle(&s->peers)) {
                struct peer *p = container_of(s->peers.next, struct peer, link);

                peer_last_words(
                        p); /* who asked us to stop gets his answer, also from an idle bal */
                peer_free(p);
        }
        sd_event_unref(s->event);
        free(s);
        return NULL;
}
