/* SPDX-License-Identifier: MIT */
/* A change of generation is all or nothing, whatever fails; and how the crew ends. */

#include "fault.h"
#include "stage.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "net/sock.h"
#include "proxy/listener.h"
#include "proxy/worker.h"

#define ALLOCATIONS_MAX 1000 /* of one adoption */

struct outcome {
        unsigned n;
        int r;
};

static void on_outcome(int r, void *arg) {
        struct outcome *o = arg;

        o->n++;
        o->r = r;
}

static void wait_for(struct stage *s, const struct outcome *o, unsigned n) {
        uint64_t until = clock_mono_ms() + PATIENCE;

        while (o->n < n && clock_mono_ms() < until)
                turn(s, 5);
        assert_int_equal(o->n, n);
}

static unsigned length(const struct link *head) {
        unsigned n = 0;

        list_for_each(l, head)
                n++;
        return n;
}

/* What a worker has: one generation, its listener, and nothing that is prepared. */
static void assert_serves(struct stage *s, const struct upstream *u, int fd, size_t frontend) {
        stage_ping(s);
        for (unsigned i = 0; i < WORKERS; i++) {
                struct worker *w = crew_worker(s->crew, i);
                struct listener *l = container_of(w->listeners.next, struct listener, link);

                assert_ptr_equal(w->view->upstream, u);
                assert_null(w->next_view);
                assert_int_equal(length(&w->next_listeners), 0);
                assert_int_equal(length(&w->views), 1);
                assert_int_equal(length(&w->listeners), 1);
                assert_int_equal(l->fd, fd);
                assert_int_equal(l->frontend, frontend);
                assert_non_null(l->io.loop);
        }
}

/* A client at a; returns its socket. */
static int knock(const struct addr *a) {
        struct pollfd p = { .events = POLLOUT };

        assert_in_range(-sock_connect(&p.fd, a), 0, EINPROGRESS);
        assert_int_equal(poll(&p, 1, PATIENCE), 1);
        assert_int_equal(sock_error(p.fd), 0);
        return p.fd;
}

/* The backend answers nobody, so a client ends its session by a reset. */
static void leave(struct stage *s, int fd) {
        sock_reset_at_close(fd);
        close(fd);
        wait_for_sessions(s, 0);
}

static void assert_accepted(struct stage *s, const struct addr *a) {
        uint64_t before = sum(s).opened, until = clock_mono_ms() + PATIENCE;
        int fd = knock(a);

        while (sum(s).opened == before && clock_mono_ms() < until)
                turn(s, 5);
        assert_int_equal(sum(s).opened, before + 1);
        leave(s, fd);
}

struct door {
        struct addr addr;
        int fd;
};

static void door_open(struct door *d) {
        d->fd = listen_somewhere(&d->addr);
}

/* Every allocation of an adoption fails in turn, and every epoll_ctl(2). Nothing changes then: the
 * workers serve the old generation at the old address, and nobody takes what comes to the new one.
 * Without a failure the same adoption succeeds. */
static void test_all_or_nothing(void **state) {
        struct door before, after;
        struct crew_listen listen_before, listen_after;
        struct outcome o = { 0 };
        struct upstream *next;
        struct stage s;
        int n, early;

        (void)state;
        stage_init_with(&s, "", "");
        door_open(&before);
        door_open(&after);
        listen_before = (struct crew_listen){ before.fd, 0 };
        listen_after = (struct crew_listen){ after.fd, 0 };
        stage_adopt(&s, s.u, &listen_before, 1);
        early = knock(&after.addr); /* it waits in the queue */
        next = stage_generation(&s, ", protocol: http",
                                " }, { address: \"127.0.0.1:2\" }, { address: \"127.0.0.1:3\"");

        for (n = 0; n < ALLOCATIONS_MAX; n++) {
                const struct crew_adoption a = { next, &listen_after, 1 };
                unsigned before_n = o.n;
                int r;

                fault_arm(n);
                r = crew_prepare(s.crew, &a, on_outcome, &o);
                if (r == 0)
                        wait_for(&s, &o, before_n + 1);
                if (!fault_disarm())
                        break;
                if (r == 0)
                        r = o.r;
                assert_true(r == -ENOMEM || r == -ENOSPC);
                assert_serves(&s, s.u, before.fd, 0);
                assert_int_equal(sum(&s).opened, n); /* those of assert_accepted() alone */
                assert_accepted(&s, &before.addr);
        }
        assert_in_range(n, 2 + 4 * WORKERS, ALLOCATIONS_MAX - 1); /* the scratch memory stays */

        assert_int_equal(o.r, 0);
        assert_accepted(&s, &before.addr); /* prepared is not yet in force */
        assert_int_equal(sum(&s).opened, n + 1);
        crew_commit(s.crew, on_outcome, &o);
        wait_for(&s, &o, o.n + 1);
        assert_int_equal(o.r, 0);
        assert_serves(&s, next, after.fd, 0);

        wait_for_sessions(&s, 1); /* what has waited in the new queue is served at last */
        leave(&s, early);
        assert_accepted(&s, &after.addr);

        upstream_unref(next);
        stage_done(&s);
        close(before.fd);
        close(after.fd);
}

/* crew_free() with a generation that is prepared and never comes into force. */
static void test_end_between_the_phases(void **state) {
        struct outcome o = { 0 };
        struct upstream *next;
        struct door door;
        struct stage s;

        (void)state;
        stage_init(&s, false);
        door_open(&door);
        next = stage_generation(&s, ", protocol: http", "");
        {
                const struct crew_listen listen = { door.fd, 0 };
                const struct crew_adoption a = { next, &listen, 1 };

                assert_int_equal(crew_prepare(s.crew, &a, on_outcome, &o), 0);
        }
        wait_for(&s, &o, 1);
        assert_int_equal(o.r, 0);
        upstream_unref(next);
        stage_done(&s);
        close(door.fd);
}

/* A worker that has committed passes a connection on to one that has not: the view that is prepared
 * there outlives that session. */
static void test_session_before_the_commit(void **state) {
        struct outcome o = { 0 };
        struct upstream *next, *before;
        struct stage s;

        (void)state;
        stage_init(&s, false);
        next = stage_generation(&s, "", "");
        {
                const struct crew_adoption a = { next, NULL, 0 };

                assert_int_equal(crew_prepare(s.crew, &a, on_outcome, &o), 0);
        }
        wait_for(&s, &o, 1);

        before = s.u;
        s.u = next;
        stage_give(&s, 1);
        wait_for_sessions(&s, 1);
        close(s.clients[--s.n_clients]);
        close(backend_accept(&s));
        wait_for_sessions(&s, 0);
        stage_ping(&s);
        assert_ptr_equal(crew_worker(s.crew, 1)->next_view->upstream, next);

        crew_commit(s.crew, on_outcome, &o);
        wait_for(&s, &o, 2);
        upstream_unref(before);
        stage_done(&s);
}

static void test_drain(void **state) {
        struct outcome o = { 0 };
        struct stage s;

        (void)state;
        stage_init(&s, false);
        stage_open(&s, 4);
        assert_int_equal(
                crew_drain(s.crew, CREW_DRAIN_ALL, clock_mono_ms() + 600000, on_outcome, &o), 0);
        stage_ping(&s);
        assert_int_equal(o.n, 0); /* sessions have their time */
        assert_int_equal(sum(&s).sessions_now, 4);

        assert_int_equal(crew_drain(s.crew, CREW_DRAIN_ALL, clock_mono_ms(), NULL, NULL),
                         0); /* no longer */
        wait_for(&s, &o, 1);
        assert_int_equal(o.r, 0);
        assert_int_equal(sum(&s).sessions_now, 0);
        assert_int_equal(sum(&s).closed[CLOSE_SHUTDOWN], 4);
        stage_done(&s);
}

static void test_drain_of_nothing_ends_at_once(void **state) {
        struct outcome o = { 0 };
        struct stage s;

        (void)state;
        stage_init(&s, false);
        assert_int_equal(
                crew_drain(s.crew, CREW_DRAIN_ALL, clock_mono_ms() + 600000, on_outcome, &o), 0);
        wait_for(&s, &o, 1);
        stage_done(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_or_nothing),
                cmocka_unit_test(test_end_between_the_phases),
                cmocka_unit_test(test_session_before_the_commit),
                cmocka_unit_test(test_drain),
                cmocka_unit_test(test_drain_of_nothing_ends_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
