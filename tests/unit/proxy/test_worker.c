/* SPDX-License-Identifier: MIT */
/* What a worker keeps of generations, and what workers ask of each other. */

#include "lone.h"

#include <unistd.h>

#include "core/clock.h"

static unsigned views(const struct worker *w) {
        unsigned n = 0;

        list_for_each(link, &w->views)
                n++;
        return n;
}

/* A view lives while it is the newest one, is prepared, or has sessions. */
static void test_views(void **state) {
        struct upstream *next, *before;
        struct view *view;
        struct lone l;

        (void)state;
        lone_init(&l, "", "");
        next = stage_generation(&l.stage, "", "");
        before = l.stage.u;
        assert_int_equal(views(l.w), 1);
        assert_ptr_equal(worker_view(l.w, before), l.w->view);

        assert_int_equal(worker_prepare(l.w, next, NULL, 0), 0);
        assert_int_equal(views(l.w), 2);
        assert_ptr_equal(l.w->view->upstream, before);
        view_settle(l.w, l.w->next_view); /* a session under it has ended already */
        assert_int_equal(views(l.w), 2);
        worker_abandon(l.w);
        worker_abandon(l.w);
        assert_int_equal(views(l.w), 1);

        l.w->view->n_sessions++;
        assert_int_equal(worker_prepare(l.w, next, NULL, 0), 0);
        worker_commit(l.w, next, NULL, 0);
        assert_ptr_equal(l.w->view->upstream, next);
        assert_int_equal(views(l.w), 2);
        view = worker_view(l.w, before);
        view->n_sessions--;
        view_settle(l.w, view);
        assert_int_equal(views(l.w), 1);

        view = worker_view(l.w, before); /* a late connection of a socket that has gone */
        assert_ptr_equal(view->upstream, before);
        assert_int_equal(views(l.w), 2);
        view_settle(l.w, view);
        assert_int_equal(views(l.w), 1);
        l.stage.u = next;
        upstream_unref(before);
        lone_done(&l);
}

static void test_idlest(void **state) {
        static const struct {
                uint32_t mine, theirs[WORKERS];
                int best; /* -1: itself */
                const char *why;
        } rows[] = {
                { 0, { 0, 0 }, -1, "nobody has anything" },
                { LISTENER_SLACK - 1, { 0, 0 }, -1, "not clearly busier" },
                { LISTENER_SLACK, { 0, 1 }, 0, "the least busy one" },
                { LISTENER_SLACK + 1, { 9, 1 }, 1, "wherever it is" },
                { 100, { 93, 94 }, -1, "a few of many" },
                { 5, { 100, 200 }, -1, "it is the least busy one itself" },
        };
        struct lone l;

        (void)state;
        lone_init(&l, "", "");
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct worker *best =
                        rows[i].best < 0 ? l.w : crew_worker(l.stage.crew, rows[i].best);

                l.w->counters.sessions_now = rows[i].mine;
                for (unsigned k = 0; k < WORKERS; k++)
                        crew_worker(l.stage.crew, k)->counters.sessions_now = rows[i].theirs[k];
                if (worker_idlest(l.w) != best)
                        fail_msg("%s", rows[i].why);
        }
        for (unsigned k = 0; k < WORKERS; k++)
                crew_worker(l.stage.crew, k)->counters.sessions_now = 0;
        l.w->counters.sessions_now = 0;
        lone_done(&l);
}

static uint32_t waiting(struct stage *s) {
        return atomic_load(&s->u->frontends[0].frontend->waiting);
}

/* A place that becomes free in one worker goes to a session that waits in another. */
static void test_poke(void **state) {
        uint64_t until = clock_mono_ms() + PATIENCE;
        struct stage s;

        (void)state;
        stage_init_with(&s, ", max_connections: 1, overload_policy: queue, queue_timeout: 600s",
                        "");
        stage_give(&s, 0);
        while (connected(&s) < 1 && clock_mono_ms() < until)
                turn(&s, 5);
        stage_give(&s, 1);
        while (waiting(&s) < 1 && clock_mono_ms() < until)
                turn(&s, 5);
        stage_ping(&s);
        assert_int_equal(crew_worker(s.crew, 1)->counters.n_waiting, 1);
        assert_int_equal(connected(&s), 1);

        close(s.clients[0]);
        s.clients[0] = s.clients[--s.n_clients];
        close(backend_accept(&s));
        while (connected(&s) < 2 && clock_mono_ms() < until)
                turn(&s, 5);
        assert_int_equal(connected(&s), 2);
        assert_int_equal(waiting(&s), 0);
        stage_ping(&s);
        assert_int_equal(crew_worker(s.crew, 1)->counters.n_waiting, 0);
        assert_int_equal(crew_worker(s.crew, 1)->counters.sessions_now, 1);
        stage_done(&s);
}

/* The poke itself, rather than the look that a session takes from time to time. */
static void test_poked_sessions_try_at_once(void **state) {
        struct lone l;

        (void)state;
        lone_init(&l, ", max_connections: 1, overload_policy: queue, queue_timeout: 600s", "");
        lone_give(&l);
        lone_give(&l);
        lone_until(&l, l.w->counters.sessions_now == 2);
        assert_int_equal(l.w->counters.n_waiting, 1);
        session_close(container_of(l.w->sessions.next, struct session, link), CLOSE_DONE);
        assert_int_equal(l.w->counters.n_waiting, 1);

        mailbox_post(l.w->mailbox, &l.w->poke);
        for (int i = 0; i < 3; i++)
                lone_turn(&l);
        assert_int_equal(l.w->counters.n_waiting, 0);
        lone_done(&l);
}

/* A socket that cannot be registered: the worker is as it was before. */
static void test_failed_preparation(void **state) {
        struct crew_listen listens[2] = { { .frontend = 0 }, { -EBADF, 0 } };
        struct addr where;
        struct lone l;

        (void)state;
        lone_init(&l, "", "");
        listens[0].fd = listen_somewhere(&where);
        assert_int_equal(worker_prepare(l.w, l.stage.u, listens, 2), -EBADF);
        assert_null(l.w->next_view);
        assert_true(link_idle(&l.w->next_listeners));
        assert_int_equal(views(l.w), 1);
        assert_int_equal(worker_prepare(l.w, l.stage.u, listens, 1), 0); /* not registered */
        worker_abandon(l.w);
        lone_done(&l);
        close(listens[0].fd);
}

/* A worker that is short of descriptors and has nothing to close asks the others. */
static void test_relief_is_asked_for(void **state) {
        struct lone l;
        struct worker *other;

        (void)state;
        lone_init(&l, "", "");
        other = crew_worker(l.stage.crew, 1);
        assert_false(worker_may_relieve(l.w));
        assert_false(worker_relieve(l.w));
        worker_ask_relief(l.w);
        stage_ping(&l.stage);
        assert_false(other->relief_wanted); /* it has looked */
        worker_ask_relief(l.w);
        stage_ping(&l.stage);
        assert_false(other->relief_wanted); /* and looks each time */
        lone_done(&l);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_views),
                cmocka_unit_test(test_idlest),
                cmocka_unit_test(test_poke),
                cmocka_unit_test(test_poked_sessions_try_at_once),
                cmocka_unit_test(test_failed_preparation),
                cmocka_unit_test(test_relief_is_asked_for),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
