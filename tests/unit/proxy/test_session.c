/* SPDX-License-Identifier: MIT */
/* Slots, lists of sessions that wait, generations, and an end from every phase. */

#include "scene.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "net/sock.h"
#include "proxy/http_parts.h"

static struct scene sc;

static int tear_down(void **state) {
        (void)state;
        scene_done(&sc);
        return 0;
}

static struct session *of(const struct peer *p) {
        struct session *s = session_of(&sc, p);

        assert_non_null(s);
        return s;
}

/* A client that gets so far at once; -1: to its end. */
static struct peer *come_to(int phase) {
        struct peer *p = scene_client(&sc);

        until(&sc, phase_of(&sc, p) == phase);
        return p;
}

static uint32_t n_waiting(void) {
        uint32_t n = sc.l.w->counters.n_waiting;

        assert_int_equal(sc.l.stage.u->all->waiting, n);
        assert_int_equal(sc.l.stage.u->frontends[0].frontend->waiting, n);
        return n;
}

static uint32_t n_entering(void) {
        return sc.l.stage.u->frontends[0].frontend->entering;
}

/* ---- slots ---- */

static void test_reject(void **state) {
        struct peer *in, *out;

        (void)state;
        scene_init(&sc, &(struct plan){ .frontend = ", max_connections: 1" });
        in = scene_client(&sc);
        out = scene_client(&sc);
        assert_int_equal(phase_of(&sc, out), -1);
        assert_int_equal(closed(&sc, CLOSE_LIMIT), 1);
        assert_int_equal(
                sc.l.stage.u->frontends[0].frontend->per_worker[0].rejected[REJECT_MAX_CONNECTIONS],
                1);
        assert_int_equal(gate_now(&sc.l.stage.u->all->gate), 1); /* a vain try keeps nothing */
        assert_true(of(in)->has_slot);
        session_close(of(in), CLOSE_ADMIN);
        in = scene_client(&sc);
        assert_true(of(in)->has_slot);
}

/* With a slot of the daemon, but none of the frontend, and the other way round. */
static void test_both_gates(void **state) {
        struct gate *daemon, *frontend;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = false });
        daemon = &sc.l.stage.u->all->gate;
        frontend = &sc.l.stage.u->frontends[0].frontend->gate;
        atomic_store(&frontend->max, 1);
        gate_add(frontend);
        scene_client(&sc);
        assert_int_equal(gate_now(daemon), 0);
        gate_leave(frontend);
        atomic_store(&daemon->max, 1);
        gate_add(daemon);
        scene_client(&sc);
        assert_int_equal(gate_now(frontend), 0);
        gate_leave(daemon);
        assert_int_equal(closed(&sc, CLOSE_LIMIT), 2);
        scene_client(&sc);
        assert_int_equal(gate_now(daemon), 1);
        assert_int_equal(gate_now(frontend), 1);
}

#define QUEUES ", max_connections: 1, overload_policy: queue, queue_timeout: 600s"

/* A slot goes to the oldest one that waits, without a look of its own. */
static void test_first_come(void **state) {
        struct peer *p[4];

        (void)state;
        scene_init(&sc, &(struct plan){ .frontend = QUEUES });
        for (size_t i = 0; i < ELEMENTS(p); i++)
                p[i] = scene_client(&sc);
        assert_int_equal(n_waiting(), 3);
        assert_int_equal(n_entering(), 3);
        scene_turns(&sc, 3); /* the wake-ups of those that began to wait */
        for (size_t i = 0; i < ELEMENTS(p); i++) {
                for (size_t k = i + 1; k < ELEMENTS(p); k++) {
                        assert_int_equal(phase_of(&sc, p[k]), SESSION_ENTER);
                        assert_false(of(p[k])->has_slot);
                }
                assert_int_equal(phase_of(&sc, p[i]), SESSION_RELAY);
                session_close(of(p[i]), CLOSE_DONE);
                scene_turns(&sc, 3); /* less than a look of a session that waits takes */
        }
}

/* The slot is free, but those that wait for it have not been woken yet. */
static void test_nobody_overtakes(void **state) {
        struct peer *first, *waits, *late;

        (void)state;
        scene_init(&sc, &(struct plan){ .frontend = QUEUES });
        first = scene_client(&sc);
        waits = scene_client(&sc);
        scene_turns(&sc, 3);
        session_close(of(first), CLOSE_DONE);
        late = scene_client(&sc);
        assert_int_equal(phase_of(&sc, late), SESSION_ENTER);
        until(&sc, phase_of(&sc, waits) == SESSION_RELAY);
        assert_int_equal(phase_of(&sc, late), SESSION_ENTER);
        assert_int_equal(n_entering(), 1);
}

/* A slot that another worker gave back before this session was counted woke nobody. */
static void test_freed_before_it_was_counted(void **state) {
        struct gate *gate;
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .frontend = QUEUES });
        gate = &sc.l.stage.u->frontends[0].frontend->gate;
        gate_add(gate);
        p = scene_client(&sc);
        assert_int_equal(phase_of(&sc, p), SESSION_ENTER);
        gate_leave(gate);
        scene_turns(&sc, 3);
        assert_true(of(p)->has_slot);
}

/* A client of HTTP that ends its side in the queue has left; of TCP it may still be served. */
static void test_half_close_in_the_queue(void **state) {
        struct peer *p;

        (void)state;
        for (int http = 0; http < 2; http++) {
                scene_init(&sc, &(struct plan){ .http = http, .frontend = QUEUES });
                scene_client(&sc);
                p = scene_client(&sc);
                assert_int_equal(phase_of(&sc, p), SESSION_ENTER);
                peer_finish(p);
                if (http)
                        until(&sc, !session_of(&sc, p));
                else
                        scene_turns(&sc, 3);
                assert_int_equal(closed(&sc, CLOSE_CLIENT_GONE), http);
                assert_int_equal(phase_of(&sc, p), http ? -1 : SESSION_ENTER);
                if (!http)
                        scene_done(&sc);
        }
}

/* Of HTTP, too: one gets the slot, the other one an answer when its time is over. */
static void test_http_in_the_queue(void **state) {
        struct peer *first, *second, *third;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true, .frontend = QUEUES });
        first = scene_client(&sc);
        second = scene_client(&sc);
        third = scene_client(&sc);
        scene_turns(&sc, 3);
        session_close(of(first), CLOSE_DONE);
        scene_turns(&sc, 3);
        assert_int_equal(phase_of(&sc, second), SESSION_IDLE);
        assert_int_equal(n_waiting(), 1);
        of(third)->asked_ms -= 600000;
        scene_fire(&sc, of(third));
        until(&sc, peer_has(third, "HTTP/1.1 503 "));
        assert_int_equal(n_waiting(), 0);
        assert_int_equal(of(third)->http->reason, CLOSE_QUEUE_TIMEOUT);
}

/* Who comes behind one that waits for a backend, with a slot, does not wait for it. */
static void test_holding_is_no_queue(void **state) {
        struct peer *holds, *late;

        (void)state;
        scene_init(&sc, &(struct plan){ .frontend = ", overload_policy: queue",
                                        .pool = ", hold: 600s" });
        door_close(&sc.doors[0]);
        holds = come_to(SESSION_HOLD);
        assert_false(link_idle(&of(holds)->wait_link));
        assert_int_equal(n_waiting(), 1);
        assert_int_equal(n_entering(), 0);
        late = come_to(SESSION_HOLD);
        assert_true(of(late)->has_slot);
}

/* In the middle of the list, where the time it asked says. */
static void test_by_age(void **state) {
        struct peer *p[5];
        struct link *head;
        size_t i = 0;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", hold: 600s" });
        door_close(&sc.doors[0]);
        for (i = 0; i < ELEMENTS(p); i++) {
                p[i] = come_to(SESSION_HOLD);
                session_stop_waiting(of(p[i]));
        }
        for (i = 0; i < ELEMENTS(p); i++)
                of(p[i])->asked_ms = 1000 + i;
        session_hold(of(p[2]), 0, CLOSE_NO_BACKEND);
        session_hold(of(p[4]), 0, CLOSE_NO_BACKEND);
        session_hold(of(p[1]), 0, CLOSE_NO_BACKEND);
        session_hold(of(p[3]), 0, CLOSE_NO_BACKEND);
        session_hold(of(p[0]), 0, CLOSE_NO_BACKEND);
        of(p[0])->asked_ms = of(p[1])->asked_ms; /* of the same age: as they came */
        assert_int_equal(n_waiting(), 5);
        i = 0;
        head = &of(p[0])->view->frontends[0].waiting[0];
        list_for_each(l, head)
                assert_ptr_equal(container_of(l, struct session, wait_link), of(p[i++]));
        assert_int_equal(i, 5);
        for (i = 0; i < ELEMENTS(p); i++)
                of(p[i])->asked_ms = loop_now_ms(sc.l.w->loop);
}

/* Whether a list is left, and whatever is done twice, the numbers fit. */
static void test_counts(void **state) {
        struct peer *p;
        struct session *s;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", hold: 600s" });
        door_close(&sc.doors[0]);
        p = come_to(SESSION_HOLD);
        s = of(p);
        session_hold(s, 0, CLOSE_NO_BACKEND);
        session_hold(s, 0, CLOSE_NO_BACKEND);
        assert_int_equal(n_waiting(), 1);
        session_stop_waiting(s);
        session_stop_waiting(s);
        assert_int_equal(n_waiting(), 0);
        session_hold(s, 0, CLOSE_NO_BACKEND);
}

/* A session of TCP whose backend is full gives its slot back, and another one may have it. */
static void test_full_backend_gives_slot(void **state) {
        struct peer *first, *second, *third;

        (void)state;
        scene_init(&sc, &(struct plan){ .frontend = ", max_connections: 2, overload_policy: queue, "
                                                    "queue_timeout: 600s",
                                        .server = { ", max_connections: 1" } });
        first = scene_client(&sc);
        second = scene_client(&sc);
        assert_int_equal(phase_of(&sc, second), SESSION_ENTER);
        assert_false(of(second)->has_slot);
        assert_int_equal(gate_now(&sc.l.stage.u->frontends[0].frontend->gate), 1);
        assert_int_equal(gate_now(&sc.l.stage.u->all->gate), 1);
        assert_int_equal(n_entering(), 1);
        third = scene_client(&sc);
        scene_turns(&sc, 3);
        session_close(of(first), CLOSE_DONE);
        scene_turns(&sc, 3);
        assert_int_equal(phase_of(&sc, second), SESSION_RELAY);
        assert_true(of(second)->has_slot);
        assert_int_equal(phase_of(&sc, third), SESSION_ENTER);
}

/* The vain tries of sessions that wait must not wake each other for ever. */
static void test_vain_tries_end(void **state) {
        struct peer *p[3];

        (void)state;
        scene_init(&sc, &(struct plan){ .frontend = ", overload_policy: queue, queue_timeout: 600s",
                                        .server = { ", max_connections: 1" } });
        for (size_t i = 0; i < ELEMENTS(p); i++)
                p[i] = scene_client(&sc);
        scene_turns(&sc, 5);
        worker_wake(sc.l.w);
        scene_turns(&sc, 5);
        assert_false(atomic_flag_test_and_set(&sc.l.w->poked)); /* nothing is under way */
        atomic_flag_clear(&sc.l.w->poked);
}

static void test_full_and_reject(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .server = { ", max_connections: 1" } });
        scene_client(&sc);
        p = scene_client(&sc);
        assert_int_equal(phase_of(&sc, p), -1);
        assert_int_equal(closed(&sc, CLOSE_LIMIT), 1);
}

/* A queue has an end, of room and of time. */
static void test_queue_is_full(void **state) {
        _Atomic uint32_t *waiting;
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .frontend = QUEUES });
        waiting = &sc.l.stage.u->frontends[0].frontend->waiting;
        scene_client(&sc);
        atomic_fetch_add(waiting, SESSION_WAITING_MAX - 1);
        p = scene_client(&sc);
        assert_int_equal(phase_of(&sc, p), SESSION_ENTER); /* the last one with room */
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), SESSION_ENTER); /* and it has it */
        assert_int_equal(phase_of(&sc, scene_client(&sc)), -1);
        assert_int_equal(closed(&sc, CLOSE_LIMIT), 1);
        atomic_fetch_sub(waiting, SESSION_WAITING_MAX - 1);
}

static void test_hold_is_full(void **state) {
        _Atomic uint32_t *waiting;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", hold: 600s" });
        waiting = &sc.l.stage.u->frontends[0].frontend->waiting;
        door_close(&sc.doors[0]);
        atomic_fetch_add(waiting, SESSION_WAITING_MAX);
        come_to(-1);
        atomic_fetch_sub(waiting, 1);
        come_to(SESSION_HOLD);
        atomic_fetch_sub(waiting, SESSION_WAITING_MAX - 1);
        assert_int_equal(closed(&sc, CLOSE_CONNECT_FAILED), 1);
}

/* A backend that a session holds for is there, but full: as well worth the wait, for so long. */
static void test_hold_meets_a_full_one(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc,
                   &(struct plan){ .pool = ", hold: 600s", .server = { ", max_connections: 1" } });
        atomic_store(&endpoint_of(&sc, 0)->admin, ADMIN_MAINT);
        p = scene_client(&sc);
        gate_add(&endpoint_of(&sc, 0)->gate);
        atomic_store(&endpoint_of(&sc, 0)->admin, ADMIN_READY);
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);
        assert_int_equal(of(p)->reason, CLOSE_LIMIT);
        gate_leave(&endpoint_of(&sc, 0)->gate);
        scene_fire(&sc, of(p));
        until(&sc, phase_of(&sc, p) == SESSION_RELAY);
}

static void test_queue_timeout(void **state) {
        struct peer *p, *next;

        (void)state;
        scene_init(&sc, &(struct plan){ .frontend = QUEUES });
        scene_client(&sc);
        p = scene_client(&sc);
        next = scene_client(&sc);
        of(p)->asked_ms -= 599000;
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), SESSION_ENTER);
        of(p)->asked_ms -= 1000;
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), -1);
        assert_int_equal(closed(&sc, CLOSE_QUEUE_TIMEOUT), 1);
        assert_int_equal(
                sc.l.stage.u->frontends[0].frontend->per_worker[0].rejected[REJECT_MAX_CONNECTIONS],
                1);
        assert_int_equal(phase_of(&sc, next), SESSION_ENTER);
}

/* ---- looks ---- */

/* It looks by itself: at the end at the latest, at look_ms if that is sooner, else in 250 ms. */
static void test_looks(void **state) {
        static const struct {
                int look, retry, left; /* in so many ms; retry 0: nothing was tried */
                int expected;
                const char *why;
        } rows[] = {
                { 0, 0, 10000, 250, "no particular time" },
                { 40, 0, 10000, 40, "a claim ends then" },
                { 400, 0, 10000, 250, "not too seldom" },
                { 0, 30, 10000, 30, "what was tried may be tried again" },
                { 20, 30, 10000, 20, "the earlier one" },
                { 0, -5, 10000, 250, "that was before" },
                { 0, 0, 100, 100, "the end" },
                { 40, 30, 20, 20, "of all" },
        };
        struct session *s;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", hold: 10s" });
        door_close(&sc.doors[0]);
        s = of(come_to(SESSION_HOLD));
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint64_t now_ms = loop_now_ms(sc.l.w->loop);

                s->wanted_ms = now_ms - 10000 + (uint64_t)rows[i].left;
                free(take_ptr(s->tried));
                if (rows[i].retry != 0)
                        s->tried = calloc(1, sizeof(*s->tried));
                s->retry_ms = now_ms + (uint64_t)rows[i].retry;
                session_hold(s, rows[i].look ? now_ms + (uint64_t)rows[i].look : 0,
                             CLOSE_NO_BACKEND);
                if (s->timer.at_ms != now_ms + (uint64_t)rows[i].expected)
                        fail_msg("%s: %d", rows[i].why, (int)(s->timer.at_ms - now_ms));
        }
        free(take_ptr(s->tried)); /* nothing was tried that might be tried again */
        s->wanted_ms = loop_now_ms(sc.l.w->loop);
        s->retry_ms = s->wanted_ms + 30;
        session_hold(s, 0, CLOSE_NO_BACKEND);
        assert_int_equal(s->timer.at_ms, s->wanted_ms + 250);
}

/* They wait, as nothing is in service; then something is, and nobody has said so. */
static void back_unnoticed(void) {
        scene_turns(&sc, 3);
        list_for_each(l, &sc.l.w->sessions)
                timer_set(sc.l.w->loop, &container_of(l, struct session, link)->timer,
                          clock_mono_ms() + 60000);
        atomic_store(&endpoint_of(&sc, 0)->admin, ADMIN_READY);
}

/* Only the oldest one of a list tries when its time has come: it goes first. */
static void test_the_oldest_looks(void **state) {
        struct peer *first, *second;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", hold: 600s" });
        atomic_store(&endpoint_of(&sc, 0)->admin, ADMIN_MAINT);
        first = come_to(SESSION_HOLD);
        second = come_to(SESSION_HOLD);
        back_unnoticed();
        scene_fire(&sc, of(second));
        assert_int_equal(phase_of(&sc, second), SESSION_HOLD);
        assert_true(timer_is_set(&of(second)->timer));
        scene_fire(&sc, of(first));
        assert_int_not_equal(phase_of(&sc, first), SESSION_HOLD);
        assert_int_equal(phase_of(&sc, second), SESSION_HOLD);
}

/* ---- how long it holds ---- */

static void test_hold_ends(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", hold: 10s" });
        door_close(&sc.doors[0]);
        p = come_to(SESSION_HOLD);
        of(p)->wanted_ms -= 9000;
        assert_true(session_may_hold(of(p)));
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);
        of(p)->wanted_ms -= 1000;
        assert_false(session_may_hold(of(p)));
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), -1);
        assert_int_equal(closed(&sc, CLOSE_CONNECT_FAILED), 1);
        assert_int_equal(sc.l.stage.u->pools[0].pool->per_worker[0].unavailable, 1);
        assert_int_equal(
                sc.l.stage.u->frontends[0].frontend->per_worker[0].rejected[REJECT_NO_BACKEND], 1);
}

/* At the end of its time it tries once more, and the next one is the oldest then. */
static void test_a_last_try(void **state) {
        struct peer *p, *next;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", hold: 10s" });
        atomic_store(&endpoint_of(&sc, 0)->admin, ADMIN_MAINT);
        next = come_to(SESSION_HOLD);
        p = come_to(SESSION_HOLD);
        back_unnoticed();
        of(p)->wanted_ms -= 10000;
        scene_fire(&sc, of(p));
        until(&sc, phase_of(&sc, p) == SESSION_RELAY);
        scene_turns(&sc, 3);
        assert_int_equal(phase_of(&sc, next), SESSION_RELAY);
}

static void test_reasons_of_rejects(void **state) {
        struct frontend_counters *c;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", hold: 0s" });
        c = &sc.l.stage.u->frontends[0].frontend->per_worker[0];
        door_close(&sc.doors[0]);
        come_to(-1);
        assert_int_equal(c->rejected[REJECT_NO_BACKEND], 1);
        atomic_store(&sc.l.stage.u->pools[0].pool->protection, PROTECTION_STORM);
        come_to(-1);
        assert_int_equal(c->rejected[REJECT_PROTECTION], 1);
        atomic_store(&sc.l.stage.u->pools[0].pool->protection, PROTECTION_OFF);
        atomic_store(&endpoint_of(&sc, 0)->admin, ADMIN_MAINT);
        come_to(-1);
        assert_int_equal(c->rejected[REJECT_NO_BACKEND], 2);
        assert_int_equal(closed(&sc, CLOSE_NO_BACKEND), 1);
        assert_int_equal(closed(&sc, CLOSE_CONNECT_FAILED), 2);
        assert_int_equal(c->sessions_total, 3);
        assert_int_equal(sc.l.w->counters.opened, 3);
}

/* ---- who goes on ---- */

/* A backend that comes back gets a batch, and the next one a moment later. */
static void test_batches(void **state) {
        enum { N = 20, BATCH = 8 };
        struct peer *p[N];

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", hold: 600s" });
        atomic_store(&endpoint_of(&sc, 0)->admin, ADMIN_MAINT);
        for (size_t i = 0; i < N; i++)
                p[i] = scene_client(&sc);
        scene_turns(&sc, 3);
        assert_int_equal(n_waiting(), N);
        atomic_store(&endpoint_of(&sc, 0)->admin, ADMIN_READY);
        session_retry_waiting(sc.l.w);
        assert_int_equal(n_waiting(), N - BATCH);
        assert_int_equal(phase_of(&sc, p[BATCH]), SESSION_HOLD);
        assert_true(timer_is_set(&sc.l.w->admit_timer));
        until(&sc, n_waiting() == 0);
        assert_false(timer_is_set(&sc.l.w->admit_timer));
}

/* Where the first one cannot go on, those behind it do not even try. */
static void test_one_is_enough(void **state) {
        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", hold: 600s" });
        door_close(&sc.doors[0]);
        for (size_t i = 0; i < 5; i++)
                come_to(SESSION_HOLD);
        scene_turns(&sc, 3);
        atomic_store(&endpoint_of(&sc, 0)->claim_until_ms, 0);
        list_for_each(l, &sc.l.w->sessions)
                container_of(l, struct session, link)->retry_ms = 0;
        sc.n_dials = 0;
        session_retry_waiting(sc.l.w);
        assert_int_equal(sc.n_dials, 1);
        until(&sc, n_waiting() == 5);
}

/* Two with a slow connect each, then one that may not try yet, then one that may. */
static void test_passed_over(void **state) {
        struct peer *slow[2], *tried, *last;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", connect_timeout: 60s, hold: 600s" });
        door_fill(&sc.doors[0]);
        for (size_t i = 0; i < ELEMENTS(slow); i++) {
                slow[i] = come_to(SESSION_CONNECT);
                counted(&sc, 0)->last_good_ms = clock_mono_ms() + 1000; /* it is not to blame */
                scene_fire(&sc, of(slow[i]));
                assert_int_equal(phase_of(&sc, slow[i]), SESSION_HOLD);
                of(slow[i])->retry_ms = clock_mono_ms() + 60000;
        }
        atomic_store(&endpoint_of(&sc, 0)->admin, ADMIN_MAINT);
        tried = come_to(SESSION_HOLD);
        last = come_to(SESSION_HOLD);
        back_unnoticed();
        of(tried)->tried = calloc(1, sizeof(uint64_t));
        of(tried)->tried[0] = 1;
        of(tried)->retry_ms = clock_mono_ms() + 60000;
        session_retry_waiting(sc.l.w);
        assert_int_equal(phase_of(&sc, tried), SESSION_HOLD);
        assert_int_equal(phase_of(&sc, last), SESSION_HOLD); /* behind one that has to wait */
        of(tried)->retry_ms = 0;
        session_retry_waiting(sc.l.w);
        assert_int_equal(phase_of(&sc, slow[1]), SESSION_HOLD);
        assert_int_equal(phase_of(&sc, tried), SESSION_CONNECT);
        assert_int_equal(phase_of(&sc, last), SESSION_CONNECT);
}

/* A backend that works again wakes those that wait; a slot of an endpoint does, too. */
static void test_who_wakes(void **state) {
        struct peer *first, *second;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true,
                                        .frontend = ", overload_policy: queue, queue_timeout: 600s",
                                        .server = { ", max_connections: 1" } });
        first = scene_client(&sc);
        second = scene_client(&sc);
        peer_say(first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        until(&sc, phase_of(&sc, first) == SESSION_EXCHANGE);
        peer_say(second, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        until(&sc, phase_of(&sc, second) == SESSION_PICK);
        assert_true(of(second)->has_slot); /* of HTTP it keeps it */
        assert_int_equal(n_entering(), 0);
        scene_turns(&sc, 3);
        session_close(of(first), CLOSE_DONE);
        scene_turns(&sc, 3);
        assert_int_equal(phase_of(&sc, second), SESSION_EXCHANGE);
}

/* A request that is over gives the slot of its backend back, though its session stays. */
static void test_the_next_request_in_line(void **state) {
        static const char get[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        struct peer *first, *second, *b;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true,
                                        .frontend = ", overload_policy: queue, queue_timeout: 600s",
                                        .server = { ", max_connections: 1" } });
        first = scene_client(&sc);
        peer_say(first, get);
        until(&sc, phase_of(&sc, first) == SESSION_EXCHANGE);
        second = scene_client(&sc);
        peer_say(second, get);
        until(&sc, phase_of(&sc, second) == SESSION_PICK);
        scene_turns(&sc, 3);
        b = door_take(&sc, &sc.doors[0]);
        peer_say(b, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        until(&sc, phase_of(&sc, first) == SESSION_IDLE);
        scene_turns(&sc, 3);
        assert_int_equal(phase_of(&sc, second), SESSION_EXCHANGE);
}

/* ---- generations ---- */

static void test_renew(void **state) {
        struct plan plan = { .pool = ", hold: 600s" };
        struct peer *p;
        struct session *s;
        struct view *before;

        (void)state;
        scene_init(&sc, &plan);
        door_close(&sc.doors[0]);
        p = come_to(SESSION_HOLD);
        s = of(p);
        before = s->view;
        session_stop_waiting(s);
        assert_true(session_renew(s, NULL)); /* it is in the newest one */
        assert_ptr_equal(s->view, before);
        assert_non_null(s->tried);

        scene_reload(&sc, &plan);
        assert_ptr_equal(s->view, before);
        assert_true(session_renew(s, s->target->pool->pool));
        assert_ptr_equal(s->view, sc.l.w->view);
        assert_ptr_equal(s->frontend, &sc.l.stage.u->frontends[0]);
        assert_ptr_equal(s->target, &sc.l.stage.u->frontends[0].targets[0]);
        assert_int_equal(s->view->n_sessions, 1);
        assert_ptr_equal(sc.l.w->views.next, &s->view->link); /* the old one has gone */
        assert_ptr_equal(sc.l.w->views.prev, &s->view->link);
        assert_null(s->tried);
        assert_int_equal(s->n_tried, 0);
        session_hold(s, 0, CLOSE_NO_BACKEND);
}

/* It stays where its frontend is not, or is of another protocol, or does not send to its pool. */
static void test_no_renewal(void **state) {
        static const struct plan plan = { .pool = ", hold: 600s" };
        static const struct plan others[] = {
                { .pool = ", hold: 600s", .http = true },
                { .pool = ", hold: 600s",
                  .frontend = " }\n  - { name: g, listen: \"127.0.0.1:2\", backend: p" },
        };
        static const struct pool other;
        struct session *s;

        (void)state;
        scene_init(&sc, &plan);
        door_close(&sc.doors[0]);
        s = of(come_to(SESSION_HOLD));
        session_stop_waiting(s);
        scene_reload(&sc, &others[0]);
        assert_false(session_renew(s, NULL));
        assert_ptr_not_equal(s->view, sc.l.w->view);
        scene_reload(&sc, &others[1]);
        assert_false(session_renew(s, &other)); /* where the frontend does not send to */
        assert_true(session_renew(s, NULL));
        session_hold(s, 0, CLOSE_NO_BACKEND);
}

/* Those that wait go on in the newest generation when they try next: its backend may be another. */
static void test_waiting_sessions_follow(void **state) {
        struct plan plan = { .n = 2, .pool = ", hold: 600s" };
        struct peer *p;

        (void)state;
        scene_init(&sc, &plan);
        door_close(&sc.doors[0]);
        door_close(&sc.doors[1]);
        p = come_to(SESSION_HOLD);
        door_open(&sc.doors[1]);
        plan.server[0] = ", weight: 0";
        scene_reload(&sc, &plan); /* tries at once */
        until(&sc, phase_of(&sc, p) == SESSION_RELAY);
        assert_ptr_equal(of(p)->view, sc.l.w->view);
        assert_ptr_equal(of(p)->endpoint, &sc.l.stage.u->pools[0].endpoints[1]);
}

/* ---- an end from every phase ---- */

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

static struct peer *to_enter(void) {
        scene_init(&sc, &(struct plan){ .frontend = QUEUES });
        scene_client(&sc);
        return scene_client(&sc);
}

static struct peer *to_hold(void) {
        scene_init(&sc, &(struct plan){ .pool = ", hold: 600s" });
        door_close(&sc.doors[0]);
        return come_to(SESSION_HOLD);
}

static struct peer *to_connect(void) {
        scene_init(&sc, &(struct plan){ .pool = ", connect_timeout: 60s, hold: 600s" });
        door_fill(&sc.doors[0]);
        return scene_client(&sc);
}

/* A slow connect stays open while another one is under way. */
static struct peer *to_connect_and_late(void) {
        struct peer *p;

        scene_init(&sc, &(struct plan){ .n = 2, .pool = ", connect_timeout: 60s, hold: 600s" });
        door_fill(&sc.doors[0]);
        door_fill(&sc.doors[1]);
        p = scene_client(&sc);
        scene_fire(&sc, of(p));
        assert_non_null(of(p)->late.server);
        assert_non_null(of(p)->server);
        return p;
}

static struct peer *to_hold_and_late(void) {
        struct peer *p = to_connect();

        scene_fire(&sc, of(p));
        assert_non_null(of(p)->late.server);
        return p;
}

static struct peer *to_relay(void) {
        struct peer *p;

        scene_init(&sc, &(struct plan){ .http = false });
        p = scene_client(&sc);
        until(&sc, phase_of(&sc, p) == SESSION_RELAY);
        return p;
}

static void stuff(struct peer *p) {
        static char much[65536];

        while (send(p->fd, much, sizeof(much), MSG_NOSIGNAL) > 0)
                lone_turn(&sc.l);
}

/* Both lanes hold bytes, in a buffer or a pipe. */
static struct peer *to_full_relay(void) {
        struct peer *p = to_relay(), *b = door_take(&sc, &sc.doors[0]);

        stuff(p);
        stuff(b);
        until(&sc, of(p)->up.held > 0 && of(p)->down.held > 0);
        return p;
}

static struct peer *to_flush(void) {
        struct peer *p = to_relay(), *b = door_take(&sc, &sc.doors[0]);

        stuff(b);
        until(&sc, of(p)->down.held > 0);
        peer_reset(b);
        until(&sc, phase_of(&sc, p) == SESSION_FLUSH);
        return p;
}

static struct peer *http_client(const char *frontend, const char *server, const char *says) {
        struct peer *p;

        scene_init(&sc, &(struct plan){ .http = true, .frontend = frontend, .server = { server } });
        p = scene_client(&sc);
        peer_say(p, says);
        return p;
}

static struct peer *to_idle(void) {
        return http_client("", "", "");
}

static struct peer *to_head(void) {
        struct peer *p = http_client("", "", "GET / HT");

        until(&sc, phase_of(&sc, p) == SESSION_HEAD);
        return p;
}

static struct peer *to_linger(void) {
        struct peer *p = http_client("", "", "NO\r\n\r\n");

        until(&sc, phase_of(&sc, p) == SESSION_LINGER);
        return p;
}

/* Its client does not take an answer of bal's own. */
static struct peer *to_answer(void) {
        struct peer *p, *b;

        p = http_client("", "", GET);
        until(&sc, phase_of(&sc, p) == SESSION_EXCHANGE);
        b = door_take(&sc, &sc.doors[0]);
        peer_say(b, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        stuff(b);
        until(&sc, of(p)->down.held > 0);
        lane_drop(&of(p)->down, &sc.l.w->stock);
        of(p)->phase = SESSION_HOLD; /* as if it came back for the next request */
        session_drop_server(of(p));
        session_drop_endpoint(of(p));
        assert_int_equal(http_unserved(of(p), CLOSE_NO_BACKEND), STEP_AGAIN);
        assert_int_equal(http_answer_run(of(p)), STEP_WAIT);
        return p;
}

static struct peer *to_pick(void) {
        struct peer *p;

        http_client(", overload_policy: queue, queue_timeout: 600s", ", max_connections: 1", GET);
        until(&sc, sc.n_dials == 1);
        p = scene_client(&sc);
        peer_say(p, GET);
        until(&sc, phase_of(&sc, p) == SESSION_PICK);
        return p;
}

static struct peer *to_exchange(void) {
        struct peer *p = http_client("", "", GET);

        until(&sc, phase_of(&sc, p) == SESSION_EXCHANGE);
        return p;
}

/* Bytes lie everywhere: a body under way, and a response that is not taken. */
static struct peer *to_full_exchange(void) {
        struct peer *b, *p = http_client("", "",
                                         "POST / HTTP/1.1\r\nHost: x\r\n"
                                         "Content-Length: 900000000\r\n\r\n");

        until(&sc, phase_of(&sc, p) == SESSION_EXCHANGE);
        b = door_take(&sc, &sc.doors[0]);
        stuff(p);
        peer_say(b, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        stuff(b);
        until(&sc, of(p)->up.held > 0 && of(p)->down.held > 0);
        return p;
}

static const struct {
        const char *name;
        struct peer *(*go)(void);
        int phase;
} phases[] = {
        { "enter", to_enter, SESSION_ENTER },
        { "hold", to_hold, SESSION_HOLD },
        { "connect", to_connect, SESSION_CONNECT },
        { "connect with another one open", to_connect_and_late, SESSION_CONNECT },
        { "hold with a connect open", to_hold_and_late, SESSION_HOLD },
        { "relay", to_relay, SESSION_RELAY },
        { "relay with full lanes", to_full_relay, SESSION_RELAY },
        { "flush", to_flush, SESSION_FLUSH },
        { "idle", to_idle, SESSION_IDLE },
        { "head", to_head, SESSION_HEAD },
        { "linger", to_linger, SESSION_LINGER },
        { "answer", to_answer, SESSION_ANSWER },
        { "pick", to_pick, SESSION_PICK },
        { "exchange", to_exchange, SESSION_EXCHANGE },
        { "exchange with full lanes", to_full_exchange, SESSION_EXCHANGE },
};

/* Whatever it is about: scene_done() finds nothing left. */
static void test_close_from_every_phase(void **state) {
        static const enum close_reason reasons[] = { CLOSE_ADMIN, CLOSE_CLIENT_RESET,
                                                     CLOSE_SERVER_RESET };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(phases); i++) {
                struct peer *p = phases[i].go();

                if (phase_of(&sc, p) != phases[i].phase)
                        fail_msg("%s: phase %d", phases[i].name, phase_of(&sc, p));
                session_close(of(p), reasons[i % ELEMENTS(reasons)]);
                assert_null(session_of(&sc, p));
                if (i + 1 < ELEMENTS(phases))
                        scene_done(&sc);
        }
}

/* The client resets its connection: bal notices in each phase, and forgets it. */
static void test_reset_in_every_phase(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(phases); i++) {
                struct peer *p = phases[i].go();

                peer_reset(p);
                until(&sc, !session_of(&sc, p));
                if (i + 1 < ELEMENTS(phases))
                        scene_done(&sc);
        }
}

/* Its client takes it later, or never. */
static void test_answer_that_is_not_taken(void **state) {
        struct peer *p;

        (void)state;
        p = to_answer();
        assert_true(of(p)->client.io.wanted & EPOLLOUT);
        assert_true(timer_is_set(&of(p)->timer));
        peer_clear(p);
        until(&sc, (peer_clear(p), phase_of(&sc, p) != SESSION_ANSWER));
        scene_done(&sc);

        p = to_answer();
        of(p)->active_ms -= of(p)->frontend->config->idle_timeout_ms;
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), -1);
        assert_int_equal(closed(&sc, CLOSE_IDLE), 1);
        scene_done(&sc);

        p = to_answer(); /* one of too many that are turned away is not waited for */
        of(p)->http->hasty = true;
        assert_int_equal(http_answer_run(of(p)), STEP_GONE);
}

/* A session that ends gives its slot to one that waits, though it gives back nothing else. */
static void test_end_wakes(void **state) {
        struct peer *first, *second;

        (void)state;
        scene_init(&sc, &(struct plan){ .frontend = QUEUES, .pool = ", hold: 600s" });
        atomic_store(&endpoint_of(&sc, 0)->admin, ADMIN_MAINT);
        first = scene_client(&sc);
        second = scene_client(&sc);
        assert_int_equal(phase_of(&sc, second), SESSION_ENTER);
        scene_turns(&sc, 3);
        assert_int_equal(phase_of(&sc, first), SESSION_HOLD);
        session_close(of(first), CLOSE_DONE);
        scene_turns(&sc, 3);
        assert_true(of(second)->has_slot);
        assert_int_equal(phase_of(&sc, second), SESSION_HOLD);
}

/* ---- resets ---- */

/* A reset of one side is passed on, so that nobody takes half for the whole. */
static void test_reset_is_passed_on(void **state) {
        struct peer *p, *b;

        (void)state;
        p = to_relay();
        b = door_take(&sc, &sc.doors[0]);
        peer_reset(p);
        until(&sc, peer_ended(b));
        assert_int_equal(b->error, ECONNRESET);
        scene_done(&sc);

        p = to_relay();
        b = door_take(&sc, &sc.doors[0]);
        peer_reset(b);
        until(&sc, peer_ended(p));
        assert_int_equal(p->error, ECONNRESET);
        assert_int_equal(closed(&sc, CLOSE_SERVER_RESET), 1);
        scene_done(&sc);

        p = to_relay(); /* and while the client has more to say */
        b = door_take(&sc, &sc.doors[0]);
        peer_say(p, "more");
        peer_reset(b);
        until(&sc, peer_ended(p));
        assert_int_equal(p->error, ECONNRESET);
        scene_done(&sc);

        p = to_relay(); /* an ordinary end is none */
        b = door_take(&sc, &sc.doors[0]);
        peer_finish(p);
        until(&sc, peer_ended(b));
        peer_finish(b);
        until(&sc, peer_ended(p));
        assert_true(p->eof && b->eof);
        assert_int_equal(closed(&sc, CLOSE_DONE), 1);
}

/* ---- idle ---- */

static void test_idle_timeout(void **state) {
        struct peer *p;

        (void)state;
        p = to_relay();
        of(p)->active_ms -= of(p)->frontend->config->idle_timeout_ms - 1000;
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), SESSION_RELAY);
        of(p)->active_ms -= 1000;
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), -1);
        assert_int_equal(closed(&sc, CLOSE_IDLE), 1);
}

static void test_words(void **state) {
        (void)state;
        assert_string_equal(session_phase_word(SESSION_HOLD), "hold");
        assert_string_equal(session_phase_word(SESSION_FLUSH), "flush");
        assert_string_equal(close_reason_word(CLOSE_DONE), "done");
        assert_string_equal(close_reason_word(CLOSE_SHUTDOWN), "shutdown");
}

int main(void) {
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_reject),
                TEST(test_both_gates),
                TEST(test_first_come),
                TEST(test_nobody_overtakes),
                TEST(test_freed_before_it_was_counted),
                TEST(test_half_close_in_the_queue),
                TEST(test_http_in_the_queue),
                TEST(test_holding_is_no_queue),
                TEST(test_by_age),
                TEST(test_counts),
                TEST(test_full_backend_gives_slot),
                TEST(test_vain_tries_end),
                TEST(test_full_and_reject),
                TEST(test_queue_is_full),
                TEST(test_hold_is_full),
                TEST(test_hold_meets_a_full_one),
                TEST(test_queue_timeout),
                TEST(test_looks),
                TEST(test_the_oldest_looks),
                TEST(test_hold_ends),
                TEST(test_a_last_try),
                TEST(test_reasons_of_rejects),
                TEST(test_batches),
                TEST(test_one_is_enough),
                TEST(test_passed_over),
                TEST(test_who_wakes),
                TEST(test_the_next_request_in_line),
                TEST(test_renew),
                TEST(test_no_renewal),
                TEST(test_waiting_sessions_follow),
                TEST(test_close_from_every_phase),
                TEST(test_reset_in_every_phase),
                TEST(test_answer_that_is_not_taken),
                TEST(test_end_wakes),
                TEST(test_reset_is_passed_on),
                TEST(test_idle_timeout),
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
