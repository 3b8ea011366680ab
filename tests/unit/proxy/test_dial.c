/* SPDX-License-Identifier: MIT */
/* The way to a backend: addresses in turn, what failed, slow connects, claims. */

#include "scene.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "net/sock.h"

#define SLOW ", connect_timeout: 60s" /* a test says when the time is over */

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

static struct peer *come_to(int phase) {
        struct peer *p = scene_client(&sc);

        until(&sc, phase_of(&sc, p) == phase);
        return p;
}

static unsigned server_of(const struct peer *p) {
        return (unsigned)(of(p)->endpoint - of(p)->target->pool->endpoints);
}

/* All connects since the last call, as "012": the doors in order. */
static void check_dials(const char *expected) {
        char dials[DIALS_MAX + 1] = "";

        for (unsigned i = 0; i < sc.n_dials; i++)
                dials[i] = (char)('0' + sc.dials[i]);
        assert_string_equal(dials, expected);
        sc.n_dials = 0;
}

static uint64_t n_failed(unsigned server, enum connect_failure kind) {
        return counted(&sc, server)->failed[kind];
}

static uint64_t n_failed_at_all(unsigned server) {
        uint64_t n = 0;

        for (unsigned i = 0; i < CONNECT_FAILURES_COUNT; i++)
                n += n_failed(server, i);
        return n;
}

static uint64_t n_unavailable(void) {
        return sc.l.stage.u->pools[0].pool->per_worker[0].unavailable;
}

/* ---- addresses ---- */

/* The one that answered last is the first one of the next session. */
static void test_good_addr(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .named = true });
        door_close(&sc.doors[0]);
        p = come_to(SESSION_RELAY);
        check_dials("01");
        assert_int_equal(of(p)->addr, 1);
        assert_int_equal(endpoint_of(&sc, 0)->good_addr, 1);
        come_to(SESSION_RELAY);
        check_dials("1");
        door_open(&sc.doors[0]);
        come_to(SESSION_RELAY);
        check_dials("1");
        door_close(&sc.doors[1]);
        door_close(&sc.doors[2]);
        p = come_to(SESSION_RELAY); /* the first one follows the last one */
        check_dials("120");
        assert_int_equal(of(p)->addr, 0);
        assert_int_equal(endpoint_of(&sc, 0)->good_addr, 0);
        assert_int_equal(n_failed(0, CONNECT_REFUSED), 0); /* one address is not the endpoint */
        assert_false(endpoint_cooling(endpoint_of(&sc, 0)));
}

/* Of an answer of the resolver that was longer. */
static void test_good_addr_of_another_answer(void **state) {
        (void)state;
        scene_init(&sc, &(struct plan){ .named = true });
        atomic_store(&endpoint_of(&sc, 0)->good_addr, 3);
        come_to(SESSION_RELAY);
        check_dials("0");
        assert_int_equal(endpoint_of(&sc, 0)->good_addr, 0);
}

static void test_all_addresses_fail(void **state) {
        (void)state;
        scene_init(&sc, &(struct plan){ .named = true, .pool = ", hold: 0s" });
        for (unsigned i = 0; i < DOORS; i++)
                door_close(&sc.doors[i]);
        come_to(-1);
        check_dials("012");
        assert_int_equal(n_failed(0, CONNECT_REFUSED), 1);
        assert_int_equal(closed(&sc, CLOSE_CONNECT_FAILED), 1);
}

/* All of them once more, when it is tried anew; and what was found does not get lost. */
static void test_all_addresses_anew(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .named = true, .pool = ", hold: 600s" });
        for (unsigned i = 0; i < DOORS; i++)
                sc.fate[i] = sc.fate[DOORS + i] = -ECONNREFUSED;
        p = scene_client(&sc);
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);
        atomic_store(&endpoint_of(&sc, 0)->claim_until_ms, 0);
        of(p)->retry_ms = 0;
        session_retry_waiting(sc.l.w);
        check_dials("012012");
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);

        atomic_store(&endpoint_of(&sc, 0)->admin, ADMIN_MAINT);
        of(p)->retry_ms = 0;
        of(p)->wanted_ms -= 600000;
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), -1);
        assert_int_equal(closed(&sc, CLOSE_CONNECT_FAILED), 1);
}

/* Each address has its time, and only the last one is left to answer late. */
static void test_slow_addresses(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .named = true, .pool = SLOW ", hold: 600s" });
        for (unsigned i = 0; i < DOORS; i++)
                door_fill(&sc.doors[i]);
        p = come_to(SESSION_CONNECT);
        check_dials("0");
        assert_in_range(of(p)->timer.at_ms - loop_now_ms(sc.l.w->loop), 59000, 60000);
        scene_fire(&sc, of(p));
        check_dials("1");
        assert_null(of(p)->late.server);
        assert_int_equal(phase_of(&sc, p), SESSION_CONNECT);
        scene_fire(&sc, of(p));
        check_dials("2");
        assert_int_equal(n_failed_at_all(0), 0);
        scene_fire(&sc, of(p));
        check_dials("");
        assert_non_null(of(p)->late.server);
        assert_int_equal(of(p)->late.addr, 2);
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);
        assert_int_equal(n_failed(0, CONNECT_TIMEOUT), 1);
}

/* ---- failures at once ---- */

static void test_instant_failures(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .n = 3, .pool = ", hold: 0s" });
        sc.fate[0] = -ENETUNREACH;
        sc.fate[1] = -ECONNREFUSED;
        p = scene_client(&sc);
        assert_int_equal(of(p)->n_tried, 2);
        assert_int_equal(of(p)->tried[0], 3);
        assert_int_equal(server_of(p), 2);
        until(&sc, phase_of(&sc, p) == SESSION_RELAY);
        check_dials("012");
        assert_null(of(p)->tried); /* they were of use for the connect alone */
        assert_int_equal(n_failed(1, CONNECT_REFUSED), 1);
        assert_int_equal(counted(&sc, 1)->storm, 1);
        assert_true(endpoint_cooling(endpoint_of(&sc, 0)) && endpoint_cooling(endpoint_of(&sc, 1)));
        assert_int_equal(counted(&sc, 0)->sessions_total, 1);
        assert_int_equal(counted(&sc, 0)->sessions_now, 0);
        assert_true(endpoint_of(&sc, 0)->news || endpoint_of(&sc, 1)->news);

        for (unsigned i = 0; i < 3; i++)
                sc.fate[i] = -ECONNREFUSED;
        p = scene_client(&sc);
        assert_int_equal(phase_of(&sc, p), -1); /* in one go */
        assert_int_equal(closed(&sc, CLOSE_CONNECT_FAILED), 1);
        assert_int_equal(n_unavailable(), 1);
        assert_true(sc.l.stage.u->pools[0].pool->news);
}

/* What is held against an endpoint, and what against this machine. */
static void test_whose_fault(void **state) {
        static const struct {
                int error;
                bool worked, theirs;
                const char *why;
        } rows[] = {
                { -ECONNREFUSED, true, true, "a refusal" },
                { -EHOSTUNREACH, false, true, "no way to it" },
                { -EMFILE, true, false, "no descriptor" },
                { -ENFILE, false, false, "likewise" },
                { -ENOBUFS, true, false, "no memory" },
                { -ENOMEM, true, false, "likewise" },
                { -EADDRNOTAVAIL, true, false, "no port is left" },
                { -EADDRNOTAVAIL, false, true, "no address here for that one" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                scene_init(&sc, &(struct plan){ .pool = ", hold: 0s" });
                counted(&sc, 0)->connected = rows[i].worked;
                sc.fate[0] = rows[i].error;
                scene_client(&sc);
                if ((n_failed_at_all(0) == 1) != rows[i].theirs ||
                    endpoint_cooling(endpoint_of(&sc, 0)) != rows[i].theirs ||
                    closed(&sc, CLOSE_RESOURCES) != !rows[i].theirs ||
                    n_unavailable() != rows[i].theirs)
                        fail_msg("%s", rows[i].why);
                if (i + 1 < ELEMENTS(rows))
                        scene_done(&sc);
        }
}

/* A shortage of one endpoint's ports leaves the other one. */
static void test_another_after_a_shortage(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .n = 2 });
        sc.fate[0] = -EMFILE;
        p = come_to(SESSION_RELAY);
        assert_int_equal(server_of(p), 1);

        sc.n_dials = 0; /* nor is a shortage taken for the failure of the one before */
        sc.fate[0] = -ECONNREFUSED;
        sc.fate[1] = -EMFILE;
        scene_client(&sc);
        assert_true(endpoint_cooling(endpoint_of(&sc, 0)));
        assert_false(endpoint_cooling(endpoint_of(&sc, 1)));
}

/* The failure that says most of the endpoint is told, not the last one. */
static void test_the_telling_failure(void **state) {
        (void)state;
        scene_init(&sc, &(struct plan){ .named = true, .pool = ", hold: 0s" });
        sc.fate[0] = -ECONNREFUSED;
        sc.fate[1] = -EADDRNOTAVAIL;
        sc.fate[2] = -EMFILE;
        come_to(-1);
        assert_int_equal(endpoint_of(&sc, 0)->last_error, -ECONNREFUSED);
        assert_int_equal(n_failed(0, CONNECT_REFUSED), 1);
}

/* ---- what was tried ---- */

static void test_tried_again(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .n = 2, .pool = ", hold: 600s" });
        door_close(&sc.doors[0]);
        door_close(&sc.doors[1]);
        p = come_to(SESSION_HOLD);
        check_dials("01");
        assert_int_equal(of(p)->tried[0], 3);
        for (unsigned i = 0; i < 2; i++)
                atomic_store(&endpoint_of(&sc, i)->claim_until_ms, 0);
        of(p)->retry_ms = loop_now_ms(sc.l.w->loop) + 60000;
        session_retry_waiting(sc.l.w);
        check_dials("");
        of(p)->retry_ms = loop_now_ms(sc.l.w->loop);
        session_retry_waiting(sc.l.w);
        check_dials("0");
        assert_null(of(p)->tried);
        assert_int_equal(of(p)->n_tried, 0);
}

/* So soon as the kernel's answer is known, and no sooner. */
static void test_pause_after_a_failure(void **state) {
        struct peer *p;
        uint64_t now_ms;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", hold: 600s" });
        sc.fate[0] = -ECONNREFUSED;
        p = come_to(SESSION_HOLD);
        now_ms = loop_now_ms(sc.l.w->loop);
        assert_in_range(of(p)->retry_ms, now_ms - 5, now_ms + ENDPOINT_RETRY_MIN_MS);
        assert_in_range(endpoint_of(&sc, 0)->claim_until_ms, of(p)->retry_ms, of(p)->retry_ms + 1);
}

/* A pool that is protected gets two tries of a session, and no more for now. */
static void test_protected(void **state) {
        (void)state;
        scene_init(&sc, &(struct plan){ .n = 3, .pool = ", hold: 600s" });
        atomic_store(&sc.l.stage.u->pools[0].pool->protection, PROTECTION_STORM);
        for (unsigned i = 0; i < 3; i++)
                sc.fate[i] = -ECONNREFUSED;
        assert_int_equal(phase_of(&sc, scene_client(&sc)), SESSION_HOLD);
        check_dials("01");
        atomic_store(&sc.l.stage.u->pools[0].pool->protection, PROTECTION_OFF);
}

/* ---- claims ---- */

/* While one session tries a backend that has failed, the others wait for what it finds. */
static void test_one_tries(void **state) {
        struct peer *tries, *waits;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = SLOW ", hold: 600s" });
        sc.fate[0] = -ECONNREFUSED;
        door_fill(&sc.doors[0]);
        tries = come_to(SESSION_HOLD);
        waits = come_to(SESSION_HOLD);
        until(&sc, phase_of(&sc, tries) == SESSION_CONNECT);
        scene_turns(&sc, 3);
        assert_int_equal(phase_of(&sc, waits), SESSION_HOLD);
        assert_true(endpoint_retry_ms(endpoint_of(&sc, 0)) > loop_now_ms(sc.l.w->loop) + 50000);

        peer_reset(tries); /* it learns nothing, and the next one is woken to try */
        until(&sc, !session_of(&sc, tries));
        scene_turns(&sc, 3);
        assert_int_equal(phase_of(&sc, waits), SESSION_CONNECT);
        assert_int_equal(sc.n_dials, 3);
}

/* Of an endpoint in good health nothing was claimed. */
static void test_nothing_to_give_back(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = SLOW });
        door_fill(&sc.doors[0]);
        p = come_to(SESSION_CONNECT);
        atomic_store(&endpoint_of(&sc, 0)->claim_until_ms, 12345); /* somebody else's */
        session_close(of(p), CLOSE_CLIENT_RESET);
        assert_int_equal(endpoint_of(&sc, 0)->claim_until_ms, 12345);
}

/* A last hope is claimed although it does not cool: it is marked down. */
static void test_hope_given_back(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = SLOW });
        endpoint_mark_down(endpoint_of(&sc, 0), -ECONNREFUSED, loop_now_ms(sc.l.w->loop));
        door_fill(&sc.doors[0]);
        p = come_to(SESSION_CONNECT);
        assert_true(of(p)->hopes);
        assert_true(endpoint_of(&sc, 0)->claim_until_ms > 0);
        session_close(of(p), CLOSE_CLIENT_RESET);
        assert_int_equal(endpoint_of(&sc, 0)->claim_until_ms, 0);
}

/* It works again: those that wait are told in the same moment. */
static void test_it_works_again(void **state) {
        struct peer *p[2];
        unsigned n = 0;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = SLOW ", hold: 600s" });
        sc.fate[0] = -ECONNREFUSED;
        p[0] = come_to(SESSION_HOLD);
        p[1] = come_to(SESSION_HOLD);
        endpoint_of(&sc, 0)->news = false;
        until(&sc, phase_of(&sc, p[0]) == SESSION_RELAY);
        while (phase_of(&sc, p[1]) != SESSION_RELAY && n++ < 4)
                lone_turn(&sc.l);
        assert_int_equal(phase_of(&sc, p[1]), SESSION_RELAY);
        assert_false(endpoint_cooling(endpoint_of(&sc, 0)));
        assert_int_equal(endpoint_of(&sc, 0)->claim_until_ms, 0);
        assert_int_equal(counted(&sc, 0)->connected, 2);
        assert_true(counted(&sc, 0)->last_good_ms > 0);
        assert_int_equal(counted(&sc, 0)->last_good_ms, counted(&sc, 0)->last_connect_ms);
}

/* Checks say that it is down, and traffic finds that it is not. */
static void test_hope_comes_true(void **state) {
        struct peer *p, *waits;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = SLOW ", hold: 600s" });
        endpoint_mark_down(endpoint_of(&sc, 0), -ECONNREFUSED, loop_now_ms(sc.l.w->loop));
        door_fill(&sc.doors[0]);
        p = scene_client(&sc);
        waits = scene_client(&sc);
        scene_turns(&sc, 3);
        assert_int_equal(phase_of(&sc, waits), SESSION_HOLD); /* the endpoint is claimed */
        timer_set(sc.l.w->loop, &of(waits)->timer, clock_mono_ms() + 60000);
        door_clear(&sc.doors[0]);
        until(&sc, phase_of(&sc, p) == SESSION_RELAY);
        scene_turns(&sc, 3);
        assert_int_equal(phase_of(&sc, waits), SESSION_RELAY);
        assert_true(endpoint_of(&sc, 0)->down); /* that is the control thread's to change */
}

/* A known failure that goes on is no storm. */
static void test_hopes_make_no_storm(void **state) {
        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", hold: 0s, failover: { cooldown: 1h, "
                                                "backoff_initial: 1h, backoff_max: 1h }" });
        door_close(&sc.doors[0]);
        come_to(-1);
        come_to(-1);
        assert_int_equal(n_failed(0, CONNECT_REFUSED), 2);
        assert_int_equal(counted(&sc, 0)->storm, 1);
}

/* Without a hold a session joins the try of another one, once. */
static void test_insists(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .n = 2, .pool = SLOW ", hold: 0s" });
        sc.fate[0] = sc.fate[1] = -ECONNREFUSED;
        come_to(-1);
        check_dials("01");
        for (unsigned i = 0; i < 2; i++)
                assert_false(endpoint_claim(endpoint_of(&sc, i), loop_now_ms(sc.l.w->loop), 60000));
        sc.fate[0] = 0;
        door_fill(&sc.doors[0]);
        p = scene_client(&sc);
        assert_int_equal(phase_of(&sc, p), SESSION_CONNECT);
        assert_true(of(p)->insisted);
        session_close(of(p), CLOSE_DONE);
        sc.n_dials = 0;
        sc.fate[0] = -ECONNREFUSED;
        for (unsigned i = 0; i < 2; i++) { /* again claimed by others, both */
                endpoint_unclaim(endpoint_of(&sc, i));
                endpoint_claim(endpoint_of(&sc, i), loop_now_ms(sc.l.w->loop), 60000);
        }
        come_to(-1);
        check_dials("0");
}

/* ---- slow connects ---- */

/* To that one: its time is over, and it goes on. */
static struct peer *late_at_0(void) {
        struct peer *p;

        door_fill(&sc.doors[0]);
        p = come_to(SESSION_CONNECT);
        assert_int_equal(server_of(p), 0);
        of(p)->chosen_us -= 5000000;
        scene_fire(&sc, of(p));
        assert_non_null(of(p)->late.server);
        assert_ptr_equal(of(p)->late.endpoint, &of(p)->target->pool->endpoints[0]);
        assert_int_equal(gate_now(&endpoint_of(&sc, 0)->gate), 1); /* it has its slot there */
        assert_int_equal(counted(&sc, 0)->sessions_now, 1);
        return p;
}

static void check_left(unsigned server) {
        assert_int_equal(gate_now(&endpoint_of(&sc, server)->gate), 0);
        assert_int_equal(counted(&sc, server)->sessions_now, 0);
}

static void test_another_one_is_faster(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .n = 2, .pool = SLOW });
        p = late_at_0();
        assert_int_equal(n_failed(0, CONNECT_TIMEOUT), 1);
        assert_true(of(p)->late.counted);
        assert_int_equal(counted(&sc, 0)->storm, 1);
        until(&sc, phase_of(&sc, p) == SESSION_RELAY);
        assert_int_equal(server_of(p), 1);
        assert_null(of(p)->late.server);
        check_left(0);
        assert_int_equal(counted(&sc, 1)->connected, 1);
}

static void test_the_slow_one_is_first(void **state) {
        struct frontend_counters *c;
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .n = 2, .pool = SLOW });
        c = &sc.l.stage.u->frontends[0].frontend->per_worker[0];
        door_fill(&sc.doors[1]);
        p = late_at_0();
        assert_int_equal(phase_of(&sc, p), SESSION_CONNECT);
        assert_int_equal(server_of(p), 1);
        door_clear(&sc.doors[0]);
        until(&sc, phase_of(&sc, p) == SESSION_RELAY);
        assert_int_equal(server_of(p), 0);
        assert_null(of(p)->late.server);
        assert_null(of(p)->tried);
        check_left(1);
        assert_int_equal(counted(&sc, 0)->connected, 1);
        assert_int_equal(n_failed_at_all(1), 0);
        assert_false(endpoint_cooling(endpoint_of(&sc, 0)));
        assert_true(c->connects_us > 5000000); /* from its own start */
        assert_ptr_equal(of(p)->addrs, of(p)->endpoint->addrs);
}

/* Its failure changes nothing for the other connect, and is counted once. */
static void test_the_slow_one_fails(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .n = 2, .pool = SLOW ", hold: 600s" });
        door_fill(&sc.doors[1]);
        p = late_at_0();
        door_close(&sc.doors[0]);
        until(&sc, !of(p)->late.server);
        assert_int_equal(phase_of(&sc, p), SESSION_CONNECT);
        assert_int_equal(server_of(p), 1);
        check_left(0);
        assert_int_equal(n_failed_at_all(0), 1);
        door_clear(&sc.doors[1]);
        until(&sc, phase_of(&sc, p) == SESSION_RELAY);
}

static void test_both_fail(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .n = 2, .pool = SLOW ", hold: 0s, connect_deadline: 60s" });
        door_fill(&sc.doors[1]);
        p = late_at_0();
        door_close(&sc.doors[0]);
        door_close(&sc.doors[1]);
        until(&sc, phase_of(&sc, p) == -1);
        assert_int_equal(closed(&sc, CLOSE_CONNECT_FAILED), 1);
        assert_int_equal(n_failed(1, CONNECT_REFUSED), 1);
}

/* Alone: it is waited for in the list, and leaves that when it answers. */
static void test_waits_for_the_slow_one(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = SLOW ", hold: 0s, connect_deadline: 60s" });
        p = late_at_0();
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);
        assert_int_equal(sc.l.w->counters.n_waiting, 1);
        of(p)->addr = 7; /* of some other try */
        door_clear(&sc.doors[0]);
        until(&sc, phase_of(&sc, p) == SESSION_RELAY);
        assert_int_equal(sc.l.w->counters.n_waiting, 0);
        assert_int_equal(server_of(p), 0);
        assert_int_equal(of(p)->addr, 0);
}

/* And when it fails, the session looks at once what is left. */
static void test_waited_in_vain(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = SLOW ", hold: 600s" });
        p = late_at_0();
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);
        of(p)->wanted_ms -= 600000; /* its hold is over by then */
        timer_set(sc.l.w->loop, &of(p)->timer, clock_mono_ms() + 60000);
        door_close(&sc.doors[0]);
        until(&sc, phase_of(&sc, p) == -1);
        assert_int_equal(closed(&sc, CLOSE_CONNECT_FAILED), 1);
}

/* A connect that is open may be waited for longer than a backend that is away. */
static void test_deadline(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .pool = ", connect_timeout: 1s, hold: 1s, "
                                                "connect_deadline: 5s" });
        p = late_at_0();
        of(p)->wanted_ms = loop_now_ms(sc.l.w->loop) - 4000;
        assert_true(session_may_hold(of(p)));
        atomic_fetch_add(&sc.l.stage.u->frontends[0].frontend->waiting, SESSION_WAITING_MAX);
        session_stop_waiting(of(p));
        assert_true(session_may_hold(of(p))); /* whatever room there is, as it has a connect */
        session_hold(of(p), 0, CLOSE_CONNECT_FAILED);
        atomic_fetch_sub(&sc.l.stage.u->frontends[0].frontend->waiting, SESSION_WAITING_MAX);
        of(p)->wanted_ms -= 1000;
        assert_false(session_may_hold(of(p)));
        of(p)->wanted_ms += 1000;
        session_drop_late(of(p));
        assert_false(session_may_hold(of(p)));
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), -1);
}

/* One connect is left open, the oldest: the next slow one is closed. */
static void test_one_is_left_open(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .n = 3, .pool = SLOW ", hold: 600s" });
        door_fill(&sc.doors[1]);
        door_fill(&sc.doors[2]);
        p = late_at_0();
        scene_fire(&sc, of(p));
        assert_int_equal(server_of(p), 2);
        assert_ptr_equal(of(p)->late.endpoint, &of(p)->target->pool->endpoints[0]);
        check_left(1);
        assert_int_equal(n_failed(1, CONNECT_TIMEOUT), 1);
        assert_int_equal(of(p)->n_tried, 2);
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);
        check_left(2);
        assert_int_equal(of(p)->n_tried, 3);

        of(p)->retry_ms = 0; /* tried anew, but for the one that is open */
        for (unsigned i = 0; i < 3; i++)
                atomic_store(&endpoint_of(&sc, i)->claim_until_ms, 0);
        sc.n_dials = 0;
        session_retry_waiting(sc.l.w);
        check_dials("1");
        assert_int_equal(of(p)->tried[0], 1);
}

/* A full backend is the only other one. The slot of the session stays, as its connect may work. */
static void test_slow_and_queued(void **state) {
        struct peer *full, *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .n = 2,
                                        .frontend = ", overload_policy: queue, queue_timeout: 600s",
                                        .pool = SLOW ", hold: 600s",
                                        .server = { ", weight: 0", ", max_connections: 1" } });
        full = come_to(SESSION_RELAY);
        assert_int_equal(server_of(full), 1);
        atomic_store(&endpoint_of(&sc, 0)->weight, 1);
        p = late_at_0();
        assert_int_equal(phase_of(&sc, p), SESSION_PICK);
        assert_true(of(p)->has_slot);
        assert_int_equal(sc.l.stage.u->frontends[0].frontend->entering, 0);
        assert_int_equal(sc.l.w->counters.n_waiting, 1);
        door_clear(&sc.doors[0]);
        until(&sc, phase_of(&sc, p) == SESSION_RELAY);
        assert_int_equal(server_of(p), 0);
        assert_int_equal(sc.l.w->counters.n_waiting, 0);
}

/* The same where nobody may queue: it holds for its own connect. */
static void test_slow_and_full(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .n = 2,
                                        .pool = SLOW ", hold: 600s",
                                        .server = { ", weight: 0", ", max_connections: 1" } });
        come_to(SESSION_RELAY);
        atomic_store(&endpoint_of(&sc, 0)->weight, 1);
        p = late_at_0();
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);
        assert_int_equal(of(p)->reason, CLOSE_LIMIT);
}

/* Another connect has worked since: a packet was lost, and the endpoint is not to blame. */
static void test_a_lost_packet(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .n = 2, .pool = SLOW });
        door_fill(&sc.doors[0]);
        door_fill(&sc.doors[1]);
        p = come_to(SESSION_CONNECT);
        counted(&sc, 0)->last_good_ms = of(p)->chosen_ms;
        scene_fire(&sc, of(p));
        assert_int_equal(n_failed_at_all(0), 0);
        assert_false(endpoint_cooling(endpoint_of(&sc, 0)));
        assert_false(of(p)->late.counted);
        door_close(&sc.doors[0]);
        until(&sc, !of(p)->late.server);
        assert_int_equal(n_failed(0, CONNECT_REFUSED), 1); /* that says something */
}

/* It is of the old generation, and so is its endpoint. */
static void test_late_and_renewed(void **state) {
        struct plan plan = { .pool = SLOW ", hold: 600s" };
        struct peer *p;

        (void)state;
        scene_init(&sc, &plan);
        p = late_at_0();
        session_stop_waiting(of(p));
        scene_reload(&sc, &plan);
        assert_true(session_renew(of(p), NULL));
        assert_null(of(p)->late.server);
        check_left(0);
        session_hold(of(p), 0, CLOSE_NO_BACKEND);
}

/* ---- sockets in the file system ---- */

/* Its queue is full: asked again after a moment, until the time is over. */
static void test_unix_queue(void **state) {
        char path[] = "/tmp/bal-dial-XXXXXX", server[128];
        struct addr a = { .sa.sa_family = AF_UNIX, .len = sizeof(a.un) };
        struct peer *p;
        int fd, fill;

        (void)state;
        assert_non_null(mkdtemp(path));
        snprintf(a.un.sun_path, sizeof(a.un.sun_path), "%s/s", path);
        assert_int_equal(sock_listen(&fd, &a, 1), 0);
        assert_return_code(listen(fd, 0), errno);
        fill = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(connect(fill, &a.sa, a.len), errno);

        snprintf(server, sizeof(server), ", weight: 0 }, { address: \"unix:%s/s\"", path);
        scene_init(&sc, &(struct plan){ .pool = SLOW ", hold: 0s", .server = { server } });
        sc.n_fds -= 2; /* these are closed before */
        p = scene_client(&sc);
        assert_int_equal(phase_of(&sc, p), SESSION_CONNECT);
        assert_null(of(p)->server);
        assert_in_range(of(p)->timer.at_ms - loop_now_ms(sc.l.w->loop), 1, 5);
        until(&sc, sc.n_dials >= 3);
        assert_int_equal(of(p)->n_addrs_tried, 0);
        fd_close(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
        until(&sc, phase_of(&sc, p) == SESSION_RELAY);

        p = scene_client(&sc);
        until(&sc, phase_of(&sc, p) == SESSION_CONNECT);
        of(p)->active_ms -= 60000;
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), -1);
        assert_int_equal(n_failed(1, CONNECT_TIMEOUT), 1);
        close(fill);
        close(fd);
        unlink(a.un.sun_path);
        rmdir(path);
}

int main(void) {
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_good_addr),
                TEST(test_good_addr_of_another_answer),
                TEST(test_all_addresses_fail),
                TEST(test_all_addresses_anew),
                TEST(test_slow_addresses),
                TEST(test_instant_failures),
                TEST(test_whose_fault),
                TEST(test_another_after_a_shortage),
                TEST(test_the_telling_failure),
                TEST(test_tried_again),
                TEST(test_pause_after_a_failure),
                TEST(test_protected),
                TEST(test_one_tries),
                TEST(test_nothing_to_give_back),
                TEST(test_hope_given_back),
                TEST(test_it_works_again),
                TEST(test_hope_comes_true),
                TEST(test_hopes_make_no_storm),
                TEST(test_insists),
                TEST(test_another_one_is_faster),
                TEST(test_the_slow_one_is_first),
                TEST(test_the_slow_one_fails),
                TEST(test_both_fail),
                TEST(test_waits_for_the_slow_one),
                TEST(test_waited_in_vain),
                TEST(test_deadline),
                TEST(test_one_is_left_open),
                TEST(test_slow_and_queued),
                TEST(test_slow_and_full),
                TEST(test_a_lost_packet),
                TEST(test_late_and_renewed),
                TEST(test_unix_queue),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
