/* SPDX-License-Identifier: MIT */
/*
 * close() on a listening socket resets what waits in its queue. So a socket that goes is hidden
 * first (net/sock.h), which lets handshakes under way end but no new one begin; what comes out of
 * the queue is served like any other connection; and only half a second later is it closed.
 * Meanwhile its address can be opened again, since the hidden one takes nothing away.
 */

#include "control/listeners.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "net/sock.h"

#define LOG_MODULE "listeners"

#define OWN_MAX 64 /* own sockets on one port; more are not looked at */

struct plan { /* what the sockets of a set depend on */
        const struct config *config;
        const struct listeners *current; /* NULL: none */
        const struct passed *passed;     /* NULL: none */
        bool dry;                        /* nobody is to notice, see SOCK_TRY */
};

struct retirement {
        struct link link; /* of retiring */
        struct addr addr;
        int fd; /* owned */
        size_t frontend;
        struct crew *crew;
        struct upstream *upstream; /* referenced */
        sd_event_source *io, *timer;
};

/* The control thread's alone. Process-wide, because they end by themselves. */
static struct link retiring = { &retiring, &retiring };

static struct listener_socket *socket_find(const struct listeners *l, const struct addr *a) {
        for (size_t i = 0; l && i < l->n; i++)
                if (addr_equal(&l->sockets[i].addr, a))
                        return &l->sockets[i];
        return NULL;
}

/* What two sets share is the same descriptor; two of systemd's may even have the same address. */
static struct listener_socket *socket_find_fd(const struct listeners *l, int fd) {
        for (size_t i = 0; l && i < l->n; i++)
                if (l->sockets[i].fd == fd)
                        return &l->sockets[i];
        return NULL;
}

/* Own sockets on the same port may stand in the way of a bind that is right nevertheless. */
static int open_beside(int *ret,
                       const struct addr *a,
                       unsigned backlog,
                       const struct listeners *current) {
        int own[OWN_MAX];
        size_t n = 0;
        int r;

        r = sock_listen(ret, a, backlog);
        if (r != -EADDRINUSE || addr_port(a) == 0)
                return r;
        for (size_t i = 0; current && i < current->n && n < ELEMENTS(own); i++)
                if (addr_port(&current->sockets[i].addr) == addr_port(a) &&
                    !current->sockets[i].passed) /* systemd would go on listening there */
                        own[n++] = current->sockets[i].fd;
        list_for_each(l, &retiring) {
                const struct retirement *t = container_of(l, struct retirement, link);

                if (addr_port(&t->addr) == addr_port(a) && n < ELEMENTS(own))
                        own[n++] = t->fd;
        }
        return n > 0 ? sock_listen_beside(ret, a, backlog, own, n) : r;
}

/* Only the file this socket was bound to: meanwhile somebody else's may lie there. */
static void unlink_unix(const struct listener_socket *s) {
        const char *path = s->addr.un.sun_path;
        struct stat st;

        if (s->addr.sa.sa_family == AF_UNIX && lstat(path, &st) == 0 && st.st_dev == s->dev &&
            st.st_ino == s->ino)
                unlink(path);
}

static void note_unix(struct listener_socket *s) {
        struct stat st;

        if (s->addr.sa.sa_family != AF_UNIX || lstat(s->addr.un.sun_path, &st) < 0)
                return;
        s->dev = st.st_dev;
        s->ino = st.st_ino;
}

static int socket_plan(struct listener_socket *s,
                       const struct config_frontend *f,
                       const struct plan *plan) {
        const struct listener_socket *old = socket_find(plan->current, &s->addr);
        int fd, r;

        if (old && !old->passed) { /* one of systemd's belongs to another frontend, by its name */
                s->fd = old->fd;
                s->dev = old->dev;
                s->ino = old->ino;
                s->kept = true;
                return 0;
        }
        r = open_beside(&fd, &s->addr, plan->dry ? SOCK_TRY : f->backlog, plan->current);
        if (r < 0)
                return r;
        s->fd = fd;
        if (!plan->dry)
                note_unix(s); /* it is the file of this socket */
        return 0;
}

/* Its length stays, too: the socket unit's Backlog= is the word of who owns it. */
static void passed_plan(struct listener_socket *s,
                        struct passed_socket *p,
                        const struct plan *plan) {
        s->addr = p->addr;
        s->fd = p->fd;
        s->passed = true;
        s->kept = socket_find_fd(plan->current, p->fd) != NULL;
        p->used |= !plan->dry;
}

static void tell_replaced(const struct config_frontend *f, const struct passed *passed) {
        char text[ADDR_TEXT_MAX];

        for (size_t i = 0; i < f->n_listen; i++) {
                const struct passed_socket *p = passed_named(passed, f->name, NULL);

                while (p && !passed_covers(p, &f->listen[i]))
                        p = passed_named(passed, f->name, p);
                if (!p)
                        log_warn(listener_replaced,
                                 "an address of the file is not opened: systemd has passed others",
                                 F_STR("frontend", f->name),
                                 F_STR("address", addr_text(&f->listen[i], text)));
        }
}

/* All that bears the frontend's name. False: nothing does. */
static bool named_plan(struct listeners *l,
                       const struct config_frontend *f,
                       const struct listener_socket *blank,
                       const struct plan *plan) {
        struct passed_socket *p = passed_named(plan->passed, f->name, NULL);

        if (!p)
                return false;
        for (; p; p = passed_named(plan->passed, f->name, p)) {
                l->sockets[l->n] = *blank;
                passed_plan(&l->sockets[l->n++], p, plan);
        }
        if (!plan->dry)
                tell_replaced(f, plan->passed);
        return true;
}

static int frontend_plan(struct listeners *l, size_t i, const struct plan *plan) {
        const struct listener_socket blank = { .fd = -EBADF, .frontend = i };
        const struct config_frontend *f = &plan->config->frontends[i];
        int r;

        if (named_plan(l, f, &blank, plan))
                return 0;
        for (size_t j = 0; j < f->n_listen; j++) {
                struct listener_socket *s = &l->sockets[l->n];
                struct passed_socket *p = passed_at(plan->passed, plan->config, &f->listen[j]);

                *s = blank;
                s->addr = f->listen[j];
                if (p) {
                        passed_plan(s, p, plan);
                } else {
                        r = socket_plan(s, f, plan);
                        if (r < 0)
                                return r;
                }
                l->n++;
        }
        return 0;
}

static int plan_carry_out(struct listeners **ret,
                          const struct plan *plan,
                          struct listeners_problem *ret_problem) {
        _cleanup_(listeners_freep) struct listeners *l = calloc(1, sizeof(*l));
        const struct config *config = plan->config;
        size_t n = plan->passed ? plan->passed->n : 0;

        for (size_t i = 0; i < config->n_frontends; i++)
                n += config->frontends[i].n_listen;
        *ret_problem = (struct listeners_problem){ .error = -ENOMEM };
        if (!l)
                return -ENOMEM;
        l->sockets = calloc(n, sizeof(*l->sockets));
        if (!l->sockets)
                return -ENOMEM;

        for (size_t i = 0; i < config->n_frontends; i++) {
                int r = frontend_plan(l, i, plan);

                if (r < 0) { /* the one behind the last that is there */
                        *ret_problem = (struct listeners_problem){ l->sockets[l->n].addr,
                                                                   config->frontends[i].name, r };
                        return r;
                }
        }
        *ret = take_ptr(l);
        return 0;
}

int listeners_plan(struct listeners **ret,
                   const struct config *config,
                   const struct listeners *current,
                   const struct passed *passed,
                   struct listeners_problem *ret_problem) {
        const struct plan plan = { .config = config, .current = current, .passed = passed };

        return plan_carry_out(ret, &plan, ret_problem);
}

int listeners_try(const struct config *config,
                  const struct listeners *current,
                  const struct passed *passed,
                  struct listeners_problem *ret_problem) {
        const struct plan plan = { config, current, passed, .dry = true };
        _cleanup_(listeners_freep) struct listeners *l = NULL;

        return plan_carry_out(&l, &plan, ret_problem);
}

struct listeners *listeners_free(struct listeners *l) {
        if (!l)
                return NULL;

        for (size_t i = 0; i < l->n; i++) {
                if (l->sockets[i].kept || l->sockets[i].passed)
                        continue;
                unlink_unix(&l->sockets[i]);
                fd_close(l->sockets[i].fd);
        }
        free(l->sockets);
        free(l);
        return NULL;
}

const struct addr *listeners_addr(const struct listeners *l, size_t frontend, size_t nth) {
        for (size_t i = 0; l && i < l->n; i++)
                if (l->sockets[i].frontend == frontend && nth-- == 0)
                        return &l->sockets[i].addr;
        return NULL;
}

struct crew_listen *listeners_for_crew(const struct listeners *l) {
        struct crew_listen *listens = calloc(l->n + 1, sizeof(*listens));

        for (size_t i = 0; listens && i < l->n; i++)
                listens[i] = (struct crew_listen){ l->sockets[i].fd, l->sockets[i].frontend };
        return listens;
}

/* Everything that waits now becomes sessions. False: descriptors are short, some still wait. */
static bool queue_empty(int fd, struct crew *crew, struct upstream *u, size_t frontend) {
        while (crew_has_descriptor(crew)) {
                int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

                if (client >= 0) {
                        crew_give(crew, u, frontend, client);
                        continue;
                }
                switch (sock_accept_verdict(-errno)) {
                case SOCK_ACCEPT_AGAIN:
                        return true;
                case SOCK_ACCEPT_NEXT:
                        continue;
                case SOCK_ACCEPT_PAUSE:
                        return false;
                }
        }
        return false;
}

static void retirement_end(struct retirement *t) {
        queue_empty(t->fd, t->crew, t->upstream, t->frontend);
        sd_event_source_disable_unref(t->io);
        sd_event_source_disable_unref(t->timer);
        upstream_unref(t->upstream);
        fd_close(t->fd);
        link_remove(&t->link);
        free(t);
}

static int retirement_on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct retirement *t = userdata;

        (void)events;
        if (!queue_empty(fd, t->crew, t->upstream, t->frontend)) /* the timer looks once more */
                sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

static int retirement_on_timer(sd_event_source *source, uint64_t now, void *userdata) {
        (void)source;
        (void)now;
        retirement_end(userdata);
        return 0;
}

/* Takes s->fd. If anything is missing for a slow retirement, it is a short one. */
static void retire(const struct listener_socket *s,
                   sd_event *event,
                   struct crew *crew,
                   struct upstream *u) {
        struct retirement *t;
        char text[ADDR_TEXT_MAX];

        if (s->passed) {
                log_warn(socket_unused,
                         "nothing uses a socket of systemd's any more; it stays open",
                         F_STR("address", addr_text(&s->addr, text)));
                queue_empty(s->fd, crew, u, s->frontend);
                return;
        }
        log_info(listener_closed, "a listening socket is closed",
                 F_STR("address", addr_text(&s->addr, text)));
        unlink_unix(s);
        t = calloc(1, sizeof(*t));
        if (!t) {
                queue_empty(s->fd, crew, u, s->frontend);
                fd_close(s->fd);
                return;
        }

        *t = (struct retirement){ .addr = s->addr,
                                  .fd = s->fd,
                                  .frontend = s->frontend,
                                  .crew = crew,
                                  .upstream = upstream_ref(u) };
        link_before(&retiring, &t->link);
        if (s->addr.sa.sa_family == AF_UNIX || sock_hide(t->fd) < 0 ||
            sd_event_add_io(event, &t->io, t->fd, EPOLLIN, retirement_on_io, t) < 0 ||
            sd_event_add_time_relative(event, &t->timer, CLOCK_MONOTONIC,
                                       (uint64_t)LISTENERS_LINGER_MS * 1000, 1000,
                                       retirement_on_timer, t) < 0)
                retirement_end(t); /* a Unix socket has no handshakes, its queue is all there is */
}

void listeners_commit(struct listeners *next,
                      struct listeners *current,
                      sd_event *event,
                      struct crew *crew,
                      struct upstream *u) {
        char text[ADDR_TEXT_MAX];

        for (size_t i = 0; i < next->n; i++) {
                struct listener_socket *s = &next->sockets[i];
                struct listener_socket *old = s->kept ? socket_find_fd(current, s->fd) : NULL;

                if (old)
                        old->kept = true; /* next has it now */
                else
                        log_info(listener_opened, "listening",
                                 F_STR("address", addr_text(&s->addr, text)),
                                 F_BOOL("passed", s->passed));
                s->kept = false;
        }
        for (size_t i = 0; current && i < current->n; i++) {
                struct listener_socket *s = &current->sockets[i];

                if (s->kept)
                        continue;
                s->kept = true;
                retire(s, event, crew, u);
        }
        listeners_free(current);
}

void listeners_tune(const struct listeners *l, const struct config *config) {
        for (size_t i = 0; i < l->n; i++) {
                const struct listener_socket *s = &l->sockets[i];
                const struct config_frontend *f = &config->frontends[s->frontend];

                if (!s->passed) /* an existing queue takes the new length, listen(2) */
                        listen(s->fd, (int)f->backlog);
                if (s->addr.sa.sa_family == AF_UNIX)
                        continue;
                sock_set_user_timeout(s->fd, f->idle_timeout_ms);
                sock_ack_late(s->fd, f->protocol == CONFIG_TCP); /* the relay knows how long */
        }
}

void listeners_close(struct listeners *l, struct crew *crew, struct upstream *u) {
        for (size_t i = 0; l && i < l->n; i++)
                if (!l->sockets[i].passed)
                        queue_empty(l->sockets[i].fd, crew, u, l->sockets[i].frontend);
        listeners_free(l);
}

void listeners_retire_all_now(void) {
        while (!link_idle(&retiring))
                retirement_end(container_of(retiring.next, struct retirement, link));
}
