/* SPDX-License-Identifier: MIT */

#include "stage.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "net/sock.h"
#include "proxy/listener.h"
#include "proxy/worker.h"

#define AT_BACKEND 256 /* of the listener's queue */

static void on_done(int r, void *arg) {
        struct stage *s = arg;

        assert_int_equal(r, 0);
        s->n_done++;
}

void turn(struct stage *s, int ms) {
        struct pollfd p = { .fd = crew_fd(s->crew), .events = POLLIN };

        if (poll(&p, 1, ms) > 0)
                crew_dispatch(s->crew);
}

struct crew_totals sum(const struct stage *s) {
        struct crew_totals t;

        crew_sum(s->crew, &t);
        return t;
}

struct endpoint *endpoint(const struct stage *s) {
        return s->u->pools[0].endpoints[0].endpoint;
}

uint64_t connected(const struct stage *s) {
        struct endpoint_totals t;

        endpoint_sum(endpoint(s), &t);
        return t.connected;
}

void stage_open(struct stage *s, unsigned n) {
        uint64_t until = clock_mono_ms() + PATIENCE, before = connected(s);

        for (unsigned i = 0; i < n; i++) {
                int fd[2];

                assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), errno);
                assert_return_code(fcntl(fd[1], F_SETFL, O_NONBLOCK), errno);
                s->clients[s->n_clients++] = fd[0];
                crew_give(s->crew, s->u, 0, fd[1]);
        }
        while (connected(s) < before + n && clock_mono_ms() < until)
                turn(s, 5);
        assert_int_equal(connected(s), before + n);
}

int listen_somewhere(struct addr *ret) {
        int fd;

        assert_int_equal(addr_parse(ret, "127.0.0.1:1"), 0);
        addr_set_port(ret, 0);
        assert_int_equal(sock_listen(&fd, ret, AT_BACKEND), 0);
        assert_return_code(getsockname(fd, &ret->sa, &ret->len), errno);
        return fd;
}

struct upstream *stage_load(struct stage *s, const char *text, const struct upstream_names *names) {
        struct upstream *u = NULL;
        struct config *c = NULL;
        struct diags d;

        diags_init(&d);
        if (config_load_text(&c, "t.yaml", text, strlen(text), &d) < 0)
                fail_msg("%s: %s", container_of(d.list.next, struct diag, link)->message, text);
        diags_done(&d);
        assert_int_equal(upstream_new(&u, c, names, s->u, WORKERS), 0);
        config_unref(c);
        return u;
}

struct upstream *stage_generation(struct stage *s, const char *frontend, const char *server) {
        char text[512], name[ADDR_TEXT_MAX];

        snprintf(text, sizeof(text),
                 "frontends:\n  - { name: f, listen: \"127.0.0.1:1\", backend: p%s }\n"
                 "backends:\n  - { name: p, servers: [ { address: \"%s\"%s } ] }\n",
                 frontend, addr_text(&s->backend, name), server);
        return stage_load(s, text, NULL);
}

static void stage_begin(struct stage *s) {
        const struct crew_options o = { .n_workers = WORKERS, .max_pipes = 4 };

        upstream_publish(s->u, 1000);
        assert_int_equal(crew_new(&s->crew, &o), 0);
        stage_adopt(s, s->u, NULL, 0);
}

void stage_init_text(struct stage *s, const char *text, const struct upstream_names *names) {
        *s = (struct stage){ .backend_fd = -EBADF };
        s->u = stage_load(s, text, names);
        stage_begin(s);
}

void stage_init_with(struct stage *s, const char *frontend, const char *server) {
        *s = (struct stage){ 0 };
        s->backend_fd = listen_somewhere(&s->backend);
        s->u = stage_generation(s, frontend, server);
        stage_begin(s);
}

void stage_init(struct stage *s, bool close_on_marked_down) {
        stage_init_with(s, "", "");
        s->u->config->pools[0].close_on_marked_down = close_on_marked_down;
}

void stage_adopt(struct stage *s, struct upstream *u, const struct crew_listen *l, size_t n) {
        unsigned before = s->n_done;

        assert_int_equal(crew_adopt(s->crew, u, l, n, on_done, s), 0);
        while (s->n_done == before)
                turn(s, 100);
}

void stage_ping(struct stage *s) {
        unsigned before = s->n_done;

        assert_int_equal(crew_ping(s->crew, on_done, s), 0);
        while (s->n_done == before)
                turn(s, 100);
}

void stage_give_to(struct stage *s, struct worker *w) {
        struct accepted a = { .upstream = s->u };
        int fd[2];

        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), errno);
        assert_return_code(fcntl(fd[1], F_SETFL, O_NONBLOCK), errno);
        s->clients[s->n_clients++] = fd[0];
        a.fd = fd[1];
        a.peer.sa.sa_family = AF_UNIX;
        gate_add(crew_descriptors(s->crew));
        accepted_give(w, &a);
}

void stage_give(struct stage *s, unsigned worker) {
        stage_give_to(s, crew_worker(s->crew, worker));
}

int backend_accept(struct stage *s) {
        struct pollfd p = { .fd = s->backend_fd, .events = POLLIN };
        int fd;

        assert_int_equal(poll(&p, 1, PATIENCE), 1);
        fd = accept4(s->backend_fd, NULL, NULL, SOCK_CLOEXEC);
        assert_return_code(fd, errno);
        return fd;
}

void stage_done(struct stage *s) {
        crew_free(s->crew);
        for (unsigned i = 0; i < s->n_clients; i++)
                close(s->clients[i]);
        upstream_unref(s->u);
        fd_close(s->backend_fd);
}

void wait_for_sessions(struct stage *s, uint32_t n) {
        uint64_t until = clock_mono_ms() + PATIENCE;

        while (sum(s).sessions_now != n && clock_mono_ms() < until)
                turn(s, 5);
        assert_int_equal(sum(s).sessions_now, n);
}
