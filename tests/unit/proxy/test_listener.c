/* SPDX-License-Identifier: MIT */
/* Accepting: who gets the session, when it pauses, and what makes it go on. */

#include "lone.h"

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/clock.h"
#include "net/sock.h"

#define CLIENTS 32

static struct lone l;
static int listen_fd, clients[CLIENTS];
static unsigned n_clients;
static struct addr where;

static int set_up(void **state) {
        (void)state;
        lone_init(&l, "", "");
        listen_fd = listen_somewhere(&where);
        lone_adopt(&l, &(struct crew_listen){ listen_fd, 0 }, 1);
        n_clients = 0;
        return 0;
}

static int tear_down(void **state) {
        const struct gate *descriptors = crew_descriptors(l.stage.crew);

        (void)state;
        while (n_clients > 0)
                close(clients[--n_clients]);
        while (!link_idle(&l.w->sessions))
                session_close(container_of(l.w->sessions.next, struct session, link), CLOSE_DONE);
        assert_int_equal(gate_now(descriptors), sum(&l.stage).sessions_now);
        lone_done(&l);
        close(listen_fd);
        return 0;
}

static struct listener *listener(void) {
        return container_of(l.w->listeners.next, struct listener, link);
}

static uint32_t sessions(void) {
        return l.w->counters.sessions_now;
}

/* Clients whose handshakes are over: they wait in the queue. */
static void knock(unsigned n) {
        for (; n > 0; n--) {
                struct pollfd p = { .events = POLLOUT };

                assert_in_range(-sock_connect(&p.fd, &where), 0, EINPROGRESS);
                assert_int_equal(poll(&p, 1, PATIENCE), 1);
                assert_int_equal(sock_error(p.fd), 0);
                clients[n_clients++] = p.fd;
        }
}

static void client_leaves(void) {
        sock_reset_at_close(clients[--n_clients]);
        close(clients[n_clients]);
}

static void test_accepts(void **state) {
        (void)state;
        knock(3);
        lone_until(&l, sessions() == 3);
        assert_int_equal(gate_now(crew_descriptors(l.stage.crew)), 3);
        client_leaves();
        lone_until(&l, sessions() == 2);
        assert_int_equal(gate_now(crew_descriptors(l.stage.crew)), 2);
}

/* Prepared, it takes nothing; what has come meanwhile is served when it starts. */
static void test_prepared_listeners_wait(void **state) {
        struct crew_listen both[2] = { { listen_fd, 0 } };
        struct addr first = where;
        int fd = listen_somewhere(&where);

        (void)state;
        both[1] = (struct crew_listen){ fd, 0 };
        assert_int_equal(worker_prepare(l.w, l.stage.u, both, 2), 0);
        knock(1);
        for (int i = 0; i < 3; i++)
                lone_turn(&l);
        assert_int_equal(sessions(), 0);
        worker_commit(l.w, l.stage.u, both, 2);
        lone_until(&l, sessions() == 1);

        lone_adopt(&l, both, 1); /* the second one goes */
        knock(1);
        for (int i = 0; i < 3; i++)
                lone_turn(&l);
        assert_int_equal(sessions(), 1);
        close(fd);
        where = first;
}

/* Whoever is clearly busier gives the next connection to the least busy worker. */
static void test_gives_away(void **state) {
        (void)state;
        knock(LISTENER_SLACK);
        lone_until(&l, sessions() == LISTENER_SLACK);
        knock(2);
        while (sum(&l.stage).opened < 2)
                lone_turn(&l);
        assert_int_equal(sessions(), LISTENER_SLACK);
        assert_int_equal(gate_now(crew_descriptors(l.stage.crew)), LISTENER_SLACK + 2);
}

static void assert_paused(void) {
        assert_null(listener()->io.loop);
        assert_true(timer_is_set(&listener()->resume));
}

/* Clients may not get at the last descriptors: they wait in the kernel's queue for one. */
static void test_pauses_at_the_limit(void **state) {
        (void)state;
        crew_set_descriptors(l.stage.crew, 2);
        knock(5);
        lone_until(&l, l.w->counters.accept_pauses > 0);
        assert_int_equal(sessions(), 2);
        assert_paused();

        session_close(container_of(l.w->sessions.next, struct session, link), CLOSE_DONE);
        assert_non_null(listener()->io.loop); /* the end of a session of this worker */
        assert_false(timer_is_set(&listener()->resume));
        lone_until(&l, l.w->counters.accept_pauses > 1);
        assert_int_equal(sessions(), 2);
        assert_paused();

        crew_set_descriptors(l.stage.crew, 3); /* nothing tells of it but time */
        lone_until(&l, sessions() == 3);
        lone_until(&l, l.w->counters.accept_pauses > 2);

        crew_set_descriptors(l.stage.crew, 4);
        mailbox_post(l.w->mailbox, &l.w->poke); /* another worker has closed something */
        lone_until(&l, sessions() == 4);
}

/* The kernel itself says EMFILE. */
static void test_pauses_without_descriptors(void **state) {
        struct rlimit before, none;

        (void)state;
        knock(1);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = (struct rlimit){ 0, before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        lone_until(&l, l.w->counters.accept_pauses > 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(sessions(), 0);
        assert_int_equal(gate_now(crew_descriptors(l.stage.crew)), 0);
        assert_paused();
        lone_until(&l, sessions() == 1); /* a second later */
}

/* A paused listener is taken over by the next generation like any other, and can be stopped. */
static void test_paused_listeners_change_hands(void **state) {
        (void)state;
        crew_set_descriptors(l.stage.crew, 1);
        knock(2);
        lone_until(&l, l.w->counters.accept_pauses > 0);
        lone_adopt(&l, &(struct crew_listen){ listen_fd, 0 }, 1);
        assert_paused();
        lone_adopt(&l, NULL, 0);
        assert_true(link_idle(&l.w->listeners));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_accepts),
                TEST(test_prepared_listeners_wait),
                TEST(test_gives_away),
                TEST(test_pauses_at_the_limit),
                TEST(test_pauses_without_descriptors),
                TEST(test_paused_listeners_change_hands),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
