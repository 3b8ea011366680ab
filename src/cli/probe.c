/* SPDX-License-Identifier: MIT */
/*
 * Addresses are put into a queue: those of the file at once, those of names when their lookup is
 * done. From the queue as many connects are started as there are descriptors; a connect that ends
 * makes room for the next. An endpoint is reachable as soon as one of its addresses is.
 */
#include "cli/probe.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "cli/lookup.h"
#include "core/clock.h"

struct queued {
        size_t probe;
        struct addr addr;
};

struct prober {
        struct probe *probes;
        size_t n_probes;
        struct queued *queue; /* owned; one per address */
        size_t n_queue, next;
        struct pollfd *fds; /* owned; [0] is the lookup, then one per connect under way */
        size_t *fd_probe;   /* owned; whose fds[i] is */
        size_t n_fds;
        struct lookup *lookup; /* reference */
        size_t n_lookups;      /* not yet taken */
};

static void prober_done(struct prober *p) {
        for (size_t i = 1; i < p->n_fds; i++)
                fd_close(p->fds[i].fd);
        free(p->queue);
        free(p->fds);
        free(p->fd_probe);
        lookup_unref(p->lookup);
}

static void probe_end(struct probe *p, int error) {
        p->pending--;
        if (p->result == PROBE_OK)
                return;
        p->error = error;
        if (error == 0)
                p->result = PROBE_OK;
        else if (error == -ECONNREFUSED)
                p->result = PROBE_REFUSED;
        else if (error == -ETIMEDOUT)
                p->result = PROBE_TIMEOUT;
        else
                p->result = PROBE_OTHER;
}

/* A port without a listener may be connected to itself, when the kernel picks it as the source. */
static bool connected_to_itself(int fd) {
        struct sockaddr_storage here = { 0 }, there = { 0 };
        socklen_t n = sizeof(here), m = sizeof(there);
        struct addr a, b;

        return getsockname(fd, (struct sockaddr *)&here, &n) == 0 &&
               getpeername(fd, (struct sockaddr *)&there, &m) == 0 && here.ss_family != AF_UNIX &&
               addr_of(&a, (struct sockaddr *)&here, n) == 0 &&
               addr_of(&b, (struct sockaddr *)&there, m) == 0 && addr_equal(&a, &b);
}

/* 0: under way or ended; -EMFILE and kin: try again when another one has ended. */
static int connect_next(struct prober *p) {
        const struct queued *q = &p->queue[p->next];
        struct probe *probe = &p->probes[q->probe];
        int fd;

        fd = socket(q->addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE) && p->n_fds > 1)
                return -errno;
        p->next++;
        if (fd < 0) {
                probe_end(probe, -errno);
                return 0;
        }
        if (connect(fd, &q->addr.sa, q->addr.len) < 0 && errno != EINPROGRESS) {
                probe_end(probe, -errno);
                fd_close(fd);
                return 0;
        }
        p->fds[p->n_fds] = (struct pollfd){ .fd = fd, .events = POLLOUT };
        p->fd_probe[p->n_fds++] = q->probe;
        return 0;
}

static void connect_ended(struct prober *p, size_t i) {
        int fd = p->fds[i].fd, error = 0;
        socklen_t n = sizeof(error);

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
                error = errno;
        if (error == 0 && connected_to_itself(fd))
                error = ECONNREFUSED;
        probe_end(&p->probes[p->fd_probe[i]], -error);
        fd_close(fd);
        p->n_fds--;
        p->fds[i] = p->fds[p->n_fds];
        p->fd_probe[i] = p->fd_probe[p->n_fds];
}

static void enqueue(struct prober *p, size_t probe, const struct addr *addr) {
        p->queue[p->n_queue++] = (struct queued){ .probe = probe, .addr = *addr };
        p->probes[probe].pending++;
}

static void take_lookups(struct prober *p) {
        struct lookup_name name;

        while (lookup_take(p->lookup, &name)) {
                struct probe *probe = &p->probes[name.tag];

                p->n_lookups--;
                for (size_t i = 0; i < name.n_addrs; i++)
                        enqueue(p, name.tag, &name.addrs[i]);
                probe->pending--;
                if (name.n_addrs == 0) {
                        probe->result = PROBE_OTHER;
                        probe->error = 0;
                }
        }
}

static int prober_init(struct prober *p) {
        size_t most = p->n_probes * LOOKUP_ADDRS_MAX;
        int r;

        p->queue = calloc(most, sizeof(*p->queue));
        p->fds = calloc(most + 1, sizeof(*p->fds));
        p->fd_probe = calloc(most + 1, sizeof(*p->fd_probe));
        if (!p->queue || !p->fds || !p->fd_probe)
                return -ENOMEM;
        r = lookup_new(&p->lookup);
        if (r < 0)
                return r;

        p->fds[p->n_fds++] = (struct pollfd){ .fd = lookup_fd(p->lookup), .events = POLLIN };
        for (size_t i = 0; i < p->n_probes; i++) {
                const struct config_endpoint *e = p->probes[i].endpoint;

                p->probes[i].result = PROBE_TIMEOUT;
                p->probes[i].error = -ETIMEDOUT;
                p->probes[i].pending = 0;
                if (!e->host) {
                        enqueue(p, i, &e->addr);
                        continue;
                }
                r = lookup_add(p->lookup, e->host, e->port, i);
                if (r < 0)
                        return r;
                p->probes[i].pending++;
                p->n_lookups++;
        }
        return lookup_start(p->lookup);
}

static void raise_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* without it there are fewer connects at a time */
}

static void forget_the_rest(struct prober *p) {
        for (; p->next < p->n_queue; p->next++)
                probe_end(&p->probes[p->queue[p->next].probe], -EMFILE); /* never had its turn */
        for (size_t i = 0; i < p->n_probes; i++) {
                if (p->probes[i].pending > 0 && p->probes[i].result != PROBE_OK) {
                        p->probes[i].result = PROBE_TIMEOUT;
                        p->probes[i].error = -ETIMEDOUT;
                }
        }
}

int probe_all(struct probe *probes, size_t n, int limit_ms) {
        _cleanup_(prober_done) struct prober p = { .probes = probes, .n_probes = n };
        uint64_t end = clock_mono_ms() + (uint64_t)limit_ms;
        int r;

        if (n == 0)
                return 0;
        raise_limit();
        r = prober_init(&p);
        if (r < 0)
                return r;

        for (;;) {
                uint64_t now = clock_mono_ms();

                while (p.next < p.n_queue && connect_next(&p) == 0)
                        ;
                if ((p.n_lookups == 0 && p.n_fds == 1 && p.next == p.n_queue) || now >= end)
                        break;
                if (poll(p.fds, p.n_fds, (int)(end - now)) < 0 && errno != EINTR)
                        return -errno;
                for (size_t i = p.n_fds - 1; i > 0;
                     i--) { /* from the end: the last one fills holes */
                        if (p.fds[i].revents)
                                connect_ended(&p, i);
                }
                if (p.fds[0].revents)
                        take_lookups(&p);
        }
        forget_the_rest(&p);
        return 0;
}

const char *probe_text(const struct probe *p) {
        switch (p->result) {
        case PROBE_OK:
                return "reachable";
        case PROBE_REFUSED:
                return "refused";
        case PROBE_TIMEOUT:
                return "timeout";
        case PROBE_OTHER:
                break;
        }
        switch (p->error) {
        case 0:
                return "the name has no address";
        case -ENOENT:
                return "no such socket";
        case -EHOSTUNREACH:
                return "no route to the host";
        case -ENETUNREACH:
                return "no route to the network";
        case -EACCES:
        case -EPERM:
                return "no right to connect";
        case -EAGAIN:
                return "its queue is full";
        case -EMFILE:
        case -ENFILE:
                return "not probed: out of descriptors";
        default:
                return strerror(-p->error);
        }
}
