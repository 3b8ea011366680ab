/* SPDX-License-Identifier: MIT */

#include "stage.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "net/sock.h"

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

void stage_init(struct stage *s, bool close_on_marked_down) {
        const struct crew_options o = { .n_workers = WORKERS, .max_pipes = 4 };
        char text[512], name[ADDR_TEXT_MAX];
        struct addr a = { 0 };
        struct config *c = NULL;
        struct diags d;

        *s = (struct stage){ 0 };
        assert_int_equal(addr_parse(&a, "127.0.0.1:1"), 0);
        addr_set_port(&a, 0);
        assert_int_equal(sock_listen(&s->backend_fd, &a, AT_BACKEND), 0);
        assert_return_code(getsockname(s->backend_fd, &a.sa, &a.len), errno);

        snprintf(text, sizeof(text),
                 "frontends:\n  - { name: f, listen: \"127.0.0.1:1\", backend: p }\n"
                 "backends:\n  - { name: p, servers: [ { address: \"%s\" } ] }\n",
                 addr_text(&a, name));
        diags_init(&d);
        assert_int_equal(config_load_text(&c, "t.yaml", text, strlen(text), &d), 0);
        diags_done(&d);
        c->pools[0].close_on_marked_down = close_on_marked_down;
        assert_int_equal(upstream_new(&s->u, c, NULL, NULL, WORKERS), 0);
        config_unref(c);
        upstream_publish(s->u, 1000);

        assert_int_equal(crew_new(&s->crew, &o), 0);
        assert_int_equal(crew_adopt(s->crew, s->u, NULL, 0, on_done, s), 0);
        while (s->n_done == 0)
                turn(s, 100);
}

void stage_done(struct stage *s) {
        crew_free(s->crew);
        for (unsigned i = 0; i < s->n_clients; i++)
                close(s->clients[i]);
        upstream_unref(s->u);
        close(s->backend_fd);
}

void wait_for_sessions(struct stage *s, uint32_t n) {
        uint64_t until = clock_mono_ms() + PATIENCE;

        while (sum(s).sessions_now != n && clock_mono_ms() < until)
                turn(s, 5);
        assert_int_equal(sum(s).sessions_now, n);
}
