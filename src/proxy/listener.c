/* SPDX-License-Identifier: MIT */

#include "proxy/listener.h"

#include <assert.h>
#include <stdlib.h>

#include "core/log.h"
#include "net/sock.h"
#include "proxy/worker.h"

#define LOG_MODULE "listener"

struct accepted_mail { /* a connection on its way to another worker */
        struct mail mail;
        struct accepted accepted; /* with a reference to upstream */
};

void accepted_drop(struct worker *w, const struct accepted *a) {
        fd_close(a->fd);
        worker_give_descriptor(w);
}

static void accepted_on_mail(struct mail *m, void *owner) {
        struct accepted_mail *am = container_of(m, struct accepted_mail, mail);
        struct worker *w = owner;

        if (w->stop)
                accepted_drop(w, &am->accepted);
        else
                session_accept(w, &am->accepted);
        upstream_unref(am->accepted.upstream);
        free(am);
}

void accepted_give(struct worker *to, const struct accepted *a) {
        struct accepted_mail *am = malloc(sizeof(*am));

        if (!am) {
                accepted_drop(to, a);
                return;
        }

        *am = (struct accepted_mail){ .mail.fn = accepted_on_mail, .accepted = *a };
        upstream_ref(a->upstream);
        mailbox_post(to->mailbox, &am->mail);
}

/* At the limit: a worker in which the new session can take the slot of an idle one. */
static struct worker *pick_worker(struct worker *w, const struct accepted *a) {
        struct worker *to = NULL;

        if (gate_is_full(&a->upstream->all->gate) ||
            gate_is_full(&a->upstream->frontends[a->frontend].frontend->gate))
                to = worker_with_idle(w);
        return to ? to : worker_idlest(w);
}

/* A client may come. False: the descriptors that are left are for the control sockets, checks and
 * the like, and this worker has nothing to close for one. */
static bool may_accept(struct worker *w) {
        if (crew_has_descriptor(w->crew) || worker_may_relieve(w))
                return true;
        worker_ask_relief(w);
        return false;
}

/* One connection. Negative: the errno of accept4(2). */
static int listener_accept(struct listener *l) {
        struct worker *w = l->worker, *to;
        struct accepted a = { .upstream = w->view->upstream, .frontend = l->frontend };
        socklen_t len = sizeof(a.peer);

        if (!may_accept(w))
                return -EMFILE;
        a.fd = accept4(l->fd, &a.peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (a.fd < 0)
                return -errno;
        worker_count_client(w);

        to = pick_worker(w, &a);
        if (to == w)
                session_accept(w, &a);
        else
                accepted_give(to, &a);
        return 0;
}

/* Every session that ends lets it try again; that is no news each time. */
static void tell_paused(struct listener *l, int error) {
        const struct upstream *u = l->worker->view->upstream;
        uint64_t now_ms = loop_now_ms(l->worker->loop);

        if (l->told_ms > 0 && now_ms - l->told_ms < LISTENER_TELL_MS)
                return;
        l->told_ms = now_ms;
        log_warn(accept_paused, "connections wait: no descriptor or memory for them",
                 F_STR("frontend", u->frontends[l->frontend].config->name), F_ERR(error),
                 F_U64("pause_ms", LISTENER_PAUSE_MS));
}

static void listener_on_ready(struct io *io) {
        struct listener *l = container_of(io, struct listener, io);

        for (int i = 0; i < LISTENER_BATCH; i++) {
                int r = listener_accept(l);

                if (r == 0)
                        continue;
                switch (sock_accept_verdict(r)) {
                case SOCK_ACCEPT_AGAIN:
                        io_spent(io, EPOLLIN);
                        return;
                case SOCK_ACCEPT_NEXT:
                        continue;
                case SOCK_ACCEPT_PAUSE:
                        if (worker_relieve(l->worker))
                                continue;
                        COUNTER_ADD(l->worker->counters.accept_pauses, 1);
                        tell_paused(l, r);
                        listener_pause(l);
                        return;
                }
        }
}

void listener_pause(struct listener *l) {
        io_detach(&l->io);
        timer_set(l->worker->loop, &l->resume, loop_now_ms(l->worker->loop) + LISTENER_PAUSE_MS);
}

void listener_resume(struct listener *l) {
        if (l->io.loop)
                return;

        wheel_cancel(&l->resume);
        if (io_attach_shared(&l->io, l->worker->loop, l->fd, listener_on_ready) < 0) {
                listener_pause(l); /* no memory in the kernel: again in a second */
                return;
        }
        io_want(&l->io, EPOLLIN);
}

static void listener_on_resume(struct timer *t) {
        listener_resume(container_of(t, struct listener, resume));
}

int listener_prepare(struct worker *w, int fd) {
        struct listener *l = malloc(sizeof(*l));
        int r;

        if (!l)
                return -ENOMEM;

        *l = (struct listener){ .worker = w, .fd = fd, .resume.fn = listener_on_resume };
        link_init(&l->resume.link);
        r = io_attach_shared(&l->io, w->loop, fd, listener_on_ready);
        if (r < 0) {
                free(l);
                return r;
        }

        link_before(&w->next_listeners, &l->link);
        return 0;
}

/* A wake-up that came since it was prepared is not lost: the loop has filed it in io.ready. */
void listener_start(struct listener *l, size_t frontend) {
        assert(l->io.loop && !l->io.wanted);
        l->frontend = frontend;
        l->seen = true;
        link_remove(&l->link);
        link_before(&l->worker->listeners, &l->link);
        io_want(&l->io, EPOLLIN);
}

void listener_stop(struct listener *l) {
        wheel_cancel(&l->resume);
        io_detach(&l->io);
        link_remove(&l->link);
        free(l);
}
