/* SPDX-License-Identifier: MIT */
/* One request and its response: once more, or not; what comes early, in part, or wrong. */

#include "scene.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "proxy/http_parts.h"

#define GET     "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
#define PART    "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart"
#define CHUNKS  "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"
#define OK      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define HOLDS   ", hold: 600s"
#define NO_HOLD ", hold: 0s"

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

static struct exchange *exchange_of(const struct peer *p) {
        struct exchange *x = of(p)->http->x;

        assert_non_null(x);
        return x;
}

/* A client that has asked, and the backend, door d, that has its request. */
static struct peer *ask(const char *says, unsigned d, struct peer **ret_backend) {
        struct peer *p = scene_client(&sc);

        peer_say(p, says);
        until(&sc, phase_of(&sc, p) == SESSION_EXCHANGE);
        *ret_backend = door_take(&sc, &sc.doors[d]);
        until(&sc, peer_has(*ret_backend, "\r\n\r\n"));
        return p;
}

static struct peer *ask_of(const struct plan *plan, const char *says, struct peer **ret_backend) {
        scene_init(&sc, plan);
        return ask(says, 0, ret_backend);
}

static const struct plan plain = { .http = true, .pool = HOLDS };

static void answered(struct peer *p, const char *status) {
        until(&sc, peer_has(p, status));
}

/* Closes, and the session has noticed. */
static void hang_up(struct peer *p, struct peer *b) {
        struct exchange *x = exchange_of(p);
        unsigned before = x->n_closed;

        peer_close(b);
        until(&sc, x->n_closed > before);
}

/* ---- connections that rest ---- */

static void test_reuse(void **state) {
        struct peer *p, *b;

        (void)state;
        p = ask_of(&plain, GET, &b);
        assert_false(exchange_of(p)->reused);
        peer_say(b, OK);
        answered(p, "200 OK");
        assert_int_equal(sc.l.w->n_warm, 1);
        assert_int_equal(gate_now(&endpoint_of(&sc, 0)->gate), 0);
        peer_clear(b);
        peer_say(p, GET);
        until(&sc, peer_has(b, "GET"));
        assert_int_equal(sc.n_dials, 1);
        assert_true(exchange_of(p)->reused);
        assert_false(exchange_of(p)->rested);
        assert_int_equal(sc.l.w->n_warm, 0);
        assert_int_equal(of(p)->addr, 0);
}

/* Of a backend that has failed since: a connect shall tell whether it works again. */
static void test_no_reuse_while_it_cools(void **state) {
        struct peer *p, *b;

        (void)state;
        p = ask_of(&plain, GET, &b);
        peer_say(b, OK);
        answered(p, "200 OK");
        atomic_store(&endpoint_of(&sc, 0)->streak, 1);
        peer_say(p, GET);
        until(&sc, sc.n_dials == 2);
        until(&sc, !endpoint_cooling(endpoint_of(&sc, 0)));
}

/* The address is that of the connection, not the one that a connect would begin with. */
static void test_address_of_a_rest(void **state) {
        struct plan plan = { .http = true, .named = true };
        struct peer *p, *b;

        (void)state;
        scene_init(&sc, &plan);
        door_close(&sc.doors[0]);
        p = ask(GET, 1, &b);
        assert_int_equal(of(p)->addr, 1);
        peer_say(b, OK);
        answered(p, "200 OK");
        atomic_store(&endpoint_of(&sc, 0)->good_addr, 2);
        peer_clear(b);
        peer_say(p, GET);
        until(&sc, peer_has(b, "GET"));
        assert_int_equal(of(p)->addr, 1);
        assert_int_equal(sc.n_dials, 2);
}

/* What a backend's connection may be used for afterwards. */
static void test_reusable(void **state) {
        static const struct {
                const char *keys, *says, *answer;
                bool rests;
                const char *why;
        } rows[] = {
                { "", GET, OK, true, "all is said" },
                { "", GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                  false, "it says so" },
                { "", GET, OK "more", false, "bytes that nobody asked for" },
                { "", PART, OK, false, "it answered before it had the whole request" },
                { ", backend_keep_alive: 0s", GET, OK, false, "nor does bal want to" },
                { "", GET, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, "of old" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct plan plan = { .http = true, .keys = rows[i].keys };
                struct peer *b, *p = ask_of(&plan, rows[i].says, &b);

                peer_say(b, rows[i].answer);
                answered(p, "200 OK");
                if ((sc.l.w->n_warm == 1) != rows[i].rests)
                        fail_msg("%s", rows[i].why);
                if (!rows[i].rests)
                        until(&sc, peer_ended(b));
                if (i + 1 < ELEMENTS(rows))
                        scene_done(&sc);
        }
}

static void test_keep_alive_of_the_backend(void **state) {
        static const struct {
                const char *header;
                uint32_t limit_ms;
        } rows[] = {
                { "Keep-Alive: timeout=5, max=100\r\n", 5000 },
                { "Keep-Alive: max=100\r\n", 0 },
                { "Keep-Alive: timeout=0\r\n", 1 },
                { "", 0 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct peer *b, *p = ask_of(&plain, GET, &b);
                struct warm *warm = warm_of(of(p)->server);

                peer_say(b, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
                peer_say(b, rows[i].header);
                peer_say(b, "\r\n");
                answered(p, "200 OK");
                assert_int_equal(warm->limit_ms, rows[i].limit_ms);
                if (i + 1 < ELEMENTS(rows))
                        scene_done(&sc);
        }
}

/* A connection that has rested, and is closed on the next request. */
static struct peer *closed_at_rest(unsigned servers, uint64_t rested_ms, const char *says) {
        struct plan plan = { .http = true, .n = servers, .pool = HOLDS };
        struct peer *b, *p = ask_of(&plan, GET, &b);

        peer_say(b, OK);
        answered(p, "200 OK");
        container_of(sc.l.w->warm.next, struct warm, all_link)->since_ms -= rested_ms;
        peer_clear(b);
        peer_clear(p);
        peer_say(p, says);
        until(&sc, peer_has(b, "\r\n\r\n"));
        assert_int_equal(sc.n_dials, 1);
        peer_close(b);
        return p;
}

/* That says nothing of the backend: it is asked over a new connection. */
static void test_closed_after_a_rest(void **state) {
        struct peer *p, *b;

        (void)state;
        p = closed_at_rest(2, 500, GET);
        b = door_take(&sc, &sc.doors[0]);
        until(&sc, peer_has(b, "GET"));
        assert_int_equal(exchange_of(p)->n_closed, 0);
        assert_int_equal(exchange_of(p)->n_tries, 1);
        assert_true(exchange_of(p)->stale);
        assert_false(exchange_of(p)->reused);
        assert_null(of(p)->tried);
        assert_int_equal(endpoint_of(&sc, 0)->let_down, 0);
        peer_say(b, OK);
        answered(p, "200 OK");
}

/* It had rested for a moment only: the request may be the cause, and another backend is asked. */
static void test_closed_after_a_moment(void **state) {
        struct peer *p, *b;

        (void)state;
        p = closed_at_rest(2, 0, GET);
        b = door_take(&sc, &sc.doors[1]);
        until(&sc, peer_has(b, "GET"));
        assert_int_equal(exchange_of(p)->n_closed, 1);
        assert_int_equal(of(p)->tried[0], 1);
        assert_int_equal(endpoint_of(&sc, 0)->let_down, 0); /* though it is not judged for it */
}

/* A connection that rests is no use to a request that goes out once more. */
static void test_once_more_over_a_new_one(void **state) {
        struct peer *p, *q, *b, *c;

        (void)state;
        p = ask_of(&plain, GET, &b);
        q = ask(GET, 0, &c);
        peer_say(b, OK);
        peer_say(c, OK);
        answered(p, "200 OK");
        answered(q, "200 OK");
        assert_int_equal(sc.l.w->n_warm, 2);
        list_for_each(l, &sc.l.w->warm)
                container_of(l, struct warm, all_link)->since_ms -= 500;
        peer_clear(b);
        peer_clear(c);
        peer_say(p, GET);
        until(&sc, peer_has(b, "GET") || peer_has(c, "GET"));
        peer_close(peer_has(b, "GET") ? b : c);
        until(&sc, sc.n_dials == 3);
        assert_int_equal(sc.l.w->n_warm, 1);
        until(&sc, phase_of(&sc, p) == SESSION_EXCHANGE);
}

/* No descriptor is left for a connect: one that rests gives its own. */
static void test_shortage_ends_a_rest(void **state) {
        struct plan plan = { .http = true, .n = 2, .pool = HOLDS };
        struct peer *b, *p = ask_of(&plan, GET, &b);

        (void)state;
        peer_say(b, OK);
        answered(p, "200 OK");
        assert_int_equal(sc.l.w->n_warm, 1);
        atomic_store(&endpoint_of(&sc, 0)->weight, 0);
        sc.fate[1] = -EMFILE;
        peer_say(p, GET);
        until(&sc, door_has(&sc.doors[1]));
        assert_int_equal(sc.n_dials, 3);
        assert_int_equal(sc.l.w->n_warm, 0);
        assert_true(peer_ended(b));
}

/* ---- once more, or not ---- */

static void test_which_requests(void **state) {
        static const struct {
                const char *says;
                bool again;
                const char *why;
        } rows[] = {
                { GET, true, "idempotent" },
                { "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", true,
                  "likewise, and its body is still here" },
                { "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", true, "likewise" },
                { POST, false, "it may have been done" },
                { "PATCH / HTTP/1.1\r\nHost: x\r\n\r\n", false, "likewise" },
                { "get / HTTP/1.1\r\nHost: x\r\n\r\n", false, "no such method is known" },
                { PART, false, "a body that nobody keeps" },
                { CHUNKS, false, "likewise" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct plan plan = { .http = true, .n = 2, .pool = HOLDS };
                struct peer *b, *p = ask_of(&plan, rows[i].says, &b);

                peer_close(b);
                until(&sc, door_has(&sc.doors[1]) || peer_has(p, "HTTP/1.1 502 "));
                if (door_has(&sc.doors[1]) != rows[i].again)
                        fail_msg("%s", rows[i].why);
                if (i + 1 < ELEMENTS(rows))
                        scene_done(&sc);
        }
}

/* A byte of the response has come: nothing is sent twice. */
static void test_not_after_an_answer(void **state) {
        struct plan plan = { .http = true, .n = 2, .pool = HOLDS };
        struct peer *b, *p = ask_of(&plan, GET, &b);

        (void)state;
        peer_say(b, "HTTP/1.1 200");
        until(&sc, exchange_of(p)->answer_ms > 0);
        peer_close(b);
        answered(p, "502 Bad Gateway");
        assert_int_equal(sc.n_dials, 1);
        assert_int_equal(endpoint_of(&sc, 0)->let_down, 1);
}

/* Two backends that close are enough, however many there are. */
static void test_two_that_close(void **state) {
        struct plan plan = { .http = true, .n = 3, .pool = HOLDS };
        struct peer *b, *p = ask_of(&plan, GET, &b);

        (void)state;
        hang_up(p, b);
        assert_int_equal(exchange_of(p)->n_closed, 1);
        b = door_take(&sc, &sc.doors[1]);
        until(&sc, peer_has(b, "GET"));
        assert_int_equal(exchange_of(p)->n_tries, 1);
        peer_close(b);
        answered(p, "502 Bad Gateway");
        scene_turns(&sc, 3);
        assert_int_equal(sc.n_dials, 2);
        assert_int_equal(phase_of(&sc, p), SESSION_IDLE); /* its connection is as good as before */
        assert_int_equal(endpoint_of(&sc, 0)->let_down, 1);
        assert_int_equal(endpoint_of(&sc, 1)->let_down, 1);
}

/* The only backend is asked once more after a moment, and then no more. */
static void test_the_only_one_closes(void **state) {
        struct peer *b, *p = ask_of(&plain, GET, &b);
        uint64_t before;

        (void)state;
        hang_up(p, b);
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);
        assert_int_equal(of(p)->reason, CLOSE_CONNECT_FAILED);
        assert_true(http_was_closed_on(of(p)));
        assert_in_range(of(p)->retry_ms - loop_now_ms(sc.l.w->loop), 90, 100);
        assert_true(of(p)->timer.at_ms <= of(p)->retry_ms);
        before = of(p)->retry_ms;
        scene_turns(&sc, 3);
        worker_wake(sc.l.w);
        scene_turns(&sc, 3);
        assert_int_equal(sc.n_dials, 1);
        assert_int_equal(of(p)->retry_ms, before); /* a wake-up does not put it off */
        of(p)->retry_ms = 0;
        scene_fire(&sc, of(p));
        b = door_take(&sc, &sc.doors[0]);
        until(&sc, peer_has(b, "GET"));
        peer_close(b);
        answered(p, "502 Bad Gateway");
        assert_int_equal(sc.n_dials, 2);
        assert_int_equal(sc.l.w->counters.n_waiting, 0);
}

static void test_the_only_one_closes_and_no_hold(void **state) {
        struct plan plan = { .http = true, .pool = NO_HOLD };
        struct peer *b, *p = ask_of(&plan, GET, &b);

        (void)state;
        hang_up(p, b);
        b = door_take(&sc, &sc.doors[0]);
        until(&sc, peer_has(b, "GET"));
        peer_close(b);
        answered(p, "502 Bad Gateway");
        assert_int_equal(sc.n_dials, 2);
}

/* One closes, the other one is away: a 502, and what is away is not waited for. */
static void test_one_closes_one_refuses(void **state) {
        struct plan plan = { .http = true, .n = 2, .pool = NO_HOLD };
        struct peer *b, *p = ask_of(&plan, GET, &b);

        (void)state;
        door_close(&sc.doors[1]);
        peer_close(b);
        answered(p, "503 Service");
        assert_int_equal(sc.n_dials, 2);
}

/* It restarts: it closes what it has, and refuses the next connect. The request waits for it. */
static void test_restart(void **state) {
        struct peer *b, *p = ask_of(&plain, GET, &b);

        (void)state;
        door_close(&sc.doors[0]);
        hang_up(p, b);
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);
        of(p)->retry_ms = 0;
        scene_fire(&sc, of(p));
        until(&sc, sc.n_dials >= 2 && phase_of(&sc, p) == SESSION_HOLD);
        assert_false(http_was_closed_on(of(p)));
        door_open(&sc.doors[0]);
        b = door_take(&sc, &sc.doors[0]);
        until(&sc, peer_has(b, "GET"));
        peer_say(b, OK);
        answered(p, "200 OK");
}

/* The same with two requests, and a client that comes meanwhile and finds that it refuses: while
 * one of the two tries, the other one waits on. */
static void test_restart_under_two(void **state) {
        struct peer *p[3], *b[2];

        (void)state;
        scene_init(&sc, &plain);
        p[0] = ask(GET, 0, &b[0]);
        p[1] = ask(GET, 0, &b[1]);
        door_close(&sc.doors[0]);
        hang_up(p[0], b[0]);
        hang_up(p[1], b[1]);
        p[2] = scene_client(&sc);
        peer_say(p[2], GET);
        until(&sc, phase_of(&sc, p[2]) == SESSION_HOLD);
        assert_true(endpoint_cooling(endpoint_of(&sc, 0)));
        atomic_store(&endpoint_of(&sc, 0)->claim_until_ms, 0);
        for (size_t i = 0; i < ELEMENTS(p); i++)
                of(p[i])->retry_ms = 0;
        session_retry_waiting(sc.l.w);
        assert_int_equal(phase_of(&sc, p[0]), SESSION_CONNECT);
        assert_int_equal(phase_of(&sc, p[1]), SESSION_HOLD);
        assert_true(of(p[1])->timer.at_ms > loop_now_ms(sc.l.w->loop));
        until(&sc, phase_of(&sc, p[0]) == SESSION_HOLD);
        door_open(&sc.doors[0]);
        for (size_t i = 0; i < ELEMENTS(p); i++) {
                b[0] = door_take(&sc, &sc.doors[0]);
                until(&sc, peer_has(b[0], "GET"));
                peer_say(b[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        for (size_t i = 0; i < ELEMENTS(p); i++)
                answered(p[i], "200 OK");
}

/* Nothing is left at the end of its hold: one answer, from the list or not. */
static void test_closed_and_gone(void **state) {
        struct peer *b, *p = ask_of(&plain, GET, &b);

        (void)state;
        hang_up(p, b);
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);
        atomic_store(&endpoint_of(&sc, 0)->admin, ADMIN_MAINT);
        of(p)->retry_ms = 0;
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), SESSION_HOLD);
        of(p)->wanted_ms -= 600000;
        scene_fire(&sc, of(p));
        answered(p, "502 Bad Gateway");
        assert_int_equal(sc.l.w->counters.n_waiting, 0);
}

/* Another one has refused before: there is no other, and none to wait for. */
static void test_one_refuses_one_closes(void **state) {
        struct plan plan = { .http = true, .n = 2, .pool = HOLDS };
        struct peer *b, *p;

        (void)state;
        scene_init(&sc, &plan);
        door_close(&sc.doors[0]);
        p = ask(GET, 1, &b);
        assert_int_equal(of(p)->n_tried, 1);
        peer_close(b);
        answered(p, "502 Bad Gateway");
        assert_int_equal(sc.n_dials, 2);
}

/* In a protected pool a request goes out once more, and once for a connection that had rested. */
static void test_protected(void **state) {
        struct plan plan = { .http = true, .n = 3, .pool = HOLDS };
        struct peer *b, *p = ask_of(&plan, GET, &b);

        (void)state;
        atomic_store(&sc.l.stage.u->pools[0].pool->protection, PROTECTION_STORM);
        exchange_of(p)->n_tries = 1;
        peer_close(b);
        answered(p, "502 Bad Gateway");
        assert_int_equal(sc.n_dials, 1);
        peer_clear(p);
        peer_say(p, GET);
        b = door_take(&sc, &sc.doors[0]);
        until(&sc, peer_has(b, "GET"));
        exchange_of(p)->n_tries = 1;
        exchange_of(p)->stale = true;
        peer_close(b);
        door_take(&sc, &sc.doors[1]);
        atomic_store(&sc.l.stage.u->pools[0].pool->protection, PROTECTION_OFF);
}

static void test_tries_have_an_end(void **state) {
        struct plan plan = { .http = true, .n = 2, .pool = HOLDS };
        struct peer *b, *p = ask_of(&plan, GET, &b);

        (void)state;
        exchange_of(p)->n_tries = HTTP_TRIES_MAX;
        peer_close(b);
        answered(p, "502 Bad Gateway");
        assert_int_equal(sc.n_dials, 1);
}

/* ---- responses that are no good ---- */

static void test_bad_response(void **state) {
        struct plan plan = { .http = true, .n = 2, .pool = HOLDS };
        struct peer *b, *p = ask_of(&plan, GET, &b);

        (void)state;
        peer_say(b, "SSH-2.0-OpenSSH\r\n\r\n");
        answered(p, "502 Bad Gateway");
        assert_int_equal(sc.n_dials, 1); /* the next one would get it, too */
        until(&sc, peer_ended(b));
        assert_int_equal(endpoint_of(&sc, 0)->let_down, 1);
}

/* The end of half a response must not look like the end of a whole one. */
static void test_cut(void **state) {
        static const struct {
                const char *says;
                bool reset; /* of the backend; else it closes */
                bool whole;
        } rows[] = {
                { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", false, false },
                { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true, false },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false,
                  false },
                { "HTTP/1.1 200 OK\r\n\r\nhalf", true, false },
                { "HTTP/1.1 200 OK\r\n\r\nwhole", false, true },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct peer *b, *p = ask_of(&plain, GET, &b);

                peer_say(b, rows[i].says);
                answered(p, "200 OK");
                if (rows[i].reset)
                        peer_reset(b);
                else
                        peer_close(b);
                until(&sc, peer_ended(p));
                assert_int_equal(closed(&sc, CLOSE_SERVER_RESET), !rows[i].whole);
                assert_int_equal(p->eof, rows[i].whole);
                if (i + 1 < ELEMENTS(rows))
                        scene_done(&sc);
        }
}

/* Nor where bal ends it, if nothing but the end says that it is whole. */
static void test_cut_by_bal(void **state) {
        static const struct {
                const char *says;
                bool reset;
        } rows[] = {
                { "HTTP/1.1 200 OK\r\n\r\nhalf", true },
                { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct peer *b, *p = ask_of(&plain, GET, &b);

                peer_say(b, rows[i].says);
                answered(p, "half");
                session_close(of(p), CLOSE_ADMIN);
                until(&sc, peer_ended(p));
                assert_int_equal(p->error, rows[i].reset ? ECONNRESET : 0);
                if (i + 1 < ELEMENTS(rows))
                        scene_done(&sc);
        }
}

static void test_response_timeout(void **state) {
        struct peer *b, *p = ask_of(&plain, GET, &b);

        (void)state;
        assert_true(exchange_of(p)->up_over);
        of(p)->active_ms -= 59000;
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), SESSION_EXCHANGE);
        of(p)->active_ms -= 1000;
        scene_fire(&sc, of(p));
        answered(p, "504 Gateway Timeout");
        until(&sc, peer_ended(b));
        assert_int_equal(gate_now(&endpoint_of(&sc, 0)->gate), 0);
        assert_int_equal(phase_of(&sc, p), SESSION_IDLE);
}

/* The client does not send what it has announced. */
static void test_request_timeout(void **state) {
        struct peer *b, *p = ask_of(&plain, PART, &b);

        (void)state;
        until(&sc, peer_has(b, "part"));
        of(p)->active_ms -= 60000; /* response_timeout is not meant */
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), SESSION_EXCHANGE);
        of(p)->active_ms -= of(p)->frontend->config->idle_timeout_ms;
        scene_fire(&sc, of(p));
        answered(p, "408 Request Timeout");
        assert_true(peer_has(p, "Connection: close"));
        until(&sc, peer_ended(b));
        assert_int_equal(phase_of(&sc, p), SESSION_LINGER); /* it may still send the rest */
}

/* A head is out, so a silent end is all that is left. */
static void test_silence_in_a_body(void **state) {
        struct peer *b, *p = ask_of(&plain, GET, &b);

        (void)state;
        peer_say(b, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        answered(p, "half");
        of(p)->active_ms -= of(p)->frontend->config->idle_timeout_ms;
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), -1);
        assert_int_equal(closed(&sc, CLOSE_IDLE), 1);
}

/* ---- early and interim ---- */

static void test_early_answer(void **state) {
        struct peer *b, *p = ask_of(&plain, PART, &b);

        (void)state;
        peer_say(b, OK);
        answered(p, "Connection: close");
        until(&sc, peer_ended(b));
        assert_int_equal(phase_of(&sc, p), SESSION_LINGER);
        assert_int_equal(sc.l.w->stock.buffers.n_lent, 0);
        peer_say(p, "the rest");
        scene_turns(&sc, 2);
        assert_int_equal(phase_of(&sc, p), SESSION_LINGER);
}

/* What the backend did not take of the request is not kept. */
static void test_early_answer_to_much(void **state) {
        static char much[65536];
        struct peer *b,
                *p = ask_of(&plain,
                            "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n", &b);

        (void)state;
        while (send(p->fd, much, sizeof(much), MSG_NOSIGNAL) > 0)
                lone_turn(&sc.l);
        until(&sc, of(p)->up.held > 0);
        peer_say(b, OK);
        answered(p, "200 OK");
        assert_int_equal(phase_of(&sc, p), SESSION_LINGER);
        assert_int_equal(of(p)->up.held, 0);
        assert_int_equal(sc.l.w->stock.buffers.n_lent, 0);
        assert_int_equal(sc.l.w->stock.pipes.n_lent, 0);
}

/* It answers, and resets what still comes: the answer counts. */
static void test_upload_refused(void **state) {
        struct peer *b, *p = ask_of(&plain, PART, &b);

        (void)state;
        peer_say(b, "HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        peer_reset(b);
        peer_say(p, "more");
        answered(p, "HTTP/1.1 413 No");
        assert_int_equal(sc.n_dials, 1);
}

static void test_interim(void **state) {
        static const char early[] = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        struct peer *b, *p = ask_of(&plain, GET, &b);

        (void)state;
        peer_say(b, early);
        answered(p, "103 Early Hints");
        assert_int_equal(exchange_of(p)->status, 0);
        assert_int_equal(phase_of(&sc, p), SESSION_EXCHANGE);
        peer_say(b, OK);
        answered(p, "200 OK");
        scene_done(&sc);

        p = ask_of(&plain, "GET / HTTP/1.0\r\n\r\n", &b); /* which knows none */
        peer_say(b, early);
        peer_say(b, OK);
        answered(p, "200 OK");
        assert_false(peer_has(p, "103"));
        scene_done(&sc);

        p = ask_of(&plain, GET, &b);
        for (int i = 0; i < HTTP_INTERIM_MAX; i++)
                peer_say(b, early);
        until(&sc, exchange_of(p)->n_interim == HTTP_INTERIM_MAX);
        peer_say(b, early);
        answered(p, "502 Bad Gateway");
}

static void test_tunnel(void **state) {
        struct peer *b, *p = ask_of(&plain,
                                    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                                    "Upgrade: chat\r\n\r\nearly",
                                    &b);

        (void)state;
        peer_say(b, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                    "Upgrade: chat\r\n\r\nhello");
        answered(p, "hello");
        assert_int_equal(phase_of(&sc, p), SESSION_RELAY);
        until(&sc, peer_has(b, "early"));
        assert_false(of(p)->client.io.wanted & EPOLLRDHUP);
        peer_finish(p); /* half-closed is a state again */
        until(&sc, peer_ended(b));
        peer_say(b, "bye");
        answered(p, "bye");
        peer_close(b);
        until(&sc, phase_of(&sc, p) == -1);
        assert_int_equal(closed(&sc, CLOSE_DONE), 1);
}

/* ---- requests that turn out to be bad ---- */

static void test_body_too_long(void **state) {
        static const struct plan plan = { .http = true, .keys = ", max_body_bytes: 8" };
        struct peer *b, *p;

        (void)state;
        p = ask_of(&plan, CHUNKS, &b);
        peer_say(p, "3\r\nabc\r\n");
        until(&sc, peer_has(b, "abc\r\n"));
        assert_int_equal(phase_of(&sc, p), SESSION_EXCHANGE);
        peer_say(p, "1\r\na\r\n");
        answered(p, "413 ");
        until(&sc, peer_ended(b));
        assert_int_equal(phase_of(&sc, p), SESSION_LINGER);
}

static void test_bad_chunk(void **state) {
        struct peer *b, *p = ask_of(&plain, CHUNKS, &b);

        (void)state;
        peer_say(p, "x\r\n");
        answered(p, "400 Bad Request");
        until(&sc, peer_ended(b));
}

/* ---- answers of bal's own ---- */

static void test_unserved(void **state) {
        struct plan plan = { .http = true, .pool = ", hold: 0s" };
        struct peer *p;

        (void)state;
        scene_init(&sc, &plan);
        endpoint_of(&sc, 0)->admin = ADMIN_MAINT;
        p = scene_client(&sc);
        peer_say(p, GET);
        answered(p, "503 Service");
        assert_true(peer_has(p, "Retry-After: 1\r\n"));
        assert_int_equal(phase_of(&sc, p), SESSION_IDLE); /* and it may ask again */
        assert_int_equal(sc.l.w->n_turned_away, 0);       /* it has a slot */
        endpoint_of(&sc, 0)->admin = ADMIN_READY;
        peer_clear(p);
        peer_say(p, GET);
        peer_say(door_take(&sc, &sc.doors[0]), OK);
        answered(p, "200 OK");
}

/* The worker ends: this answer is the last one, too. */
static void test_unserved_and_drained(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true, .pool = NO_HOLD });
        scene_client(&sc);
        endpoint_of(&sc, 0)->admin = ADMIN_MAINT;
        p = scene_client(&sc);
        sc.l.w->drain.on = true;
        peer_say(p, GET);
        answered(p, "503 Service");
        assert_true(peer_has(p, "Connection: close"));
        until(&sc, peer_ended(p));
        sc.l.w->drain.on = false;
}

static void test_options_and_trace(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &plain);
        p = scene_client(&sc);
        peer_say(p, "TRACE / HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n");
        answered(p, "405 Method Not Allowed");
        assert_true(peer_has(p, "Allow: "));
        assert_null(strstr(strstr(p->text, "Allow: "), "TRACE"));
        peer_clear(p);
        peer_say(p, "OPTIONS * HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n");
        answered(p, "200 OK");
        assert_int_equal(sc.n_dials, 0);
        peer_say(p, "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n");
        answered(p, "405 Method Not Allowed");
        assert_true(peer_has(p, ", TRACE"));
        until(&sc, peer_ended(p));
}

/* Each request asks anew: nothing of the one before it is left. */
static void test_the_next_request(void **state) {
        struct plan plan = { .http = true, .n = 2, .pool = ", hold: 0s" };
        struct peer *b, *p = ask_of(&plan, GET, &b);

        (void)state;
        hang_up(p, b);
        b = door_take(&sc, &sc.doors[1]);
        until(&sc, peer_has(b, "GET"));
        of(p)->short_here = of(p)->insisted = true;
        of(p)->reason = CLOSE_CONNECT_FAILED;
        peer_say(b, OK);
        answered(p, "200 OK");
        assert_null(of(p)->tried);
        assert_int_equal(of(p)->n_tried, 0);
        of(p)->asked_ms = 1;
        peer_say(p, GET);
        until(&sc, of(p)->http->x);
        assert_false(of(p)->short_here || of(p)->insisted);
        assert_int_equal(of(p)->reason, CLOSE_NO_BACKEND);
        assert_true(of(p)->asked_ms > 1);
}

/* An old generation's client asks by the rules of the newest one; or for the last time. */
static void test_reload_between_requests(void **state) {
        struct plan plan = { .http = true, .n = 2 };
        struct peer *p, *b;

        (void)state;
        scene_init(&sc, &plan);
        p = scene_client(&sc);
        plan.server[0] = ", weight: 0";
        scene_reload(&sc, &plan);
        peer_say(p, GET);
        b = door_take(&sc, &sc.doors[1]);
        peer_say(b, OK);
        answered(p, "200 OK");
        assert_ptr_equal(of(p)->view, sc.l.w->view);
        assert_false(of(p)->http->last);

        plan.http = false;
        scene_reload(&sc, &plan);
        peer_clear(p);
        peer_clear(b);
        peer_say(p, GET);
        until(&sc, peer_has(b, "GET"));
        peer_say(b, OK);
        answered(p, "Connection: close");
        until(&sc, peer_ended(p));
}

int main(void) {
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_reuse),
                TEST(test_no_reuse_while_it_cools),
                TEST(test_address_of_a_rest),
                TEST(test_reusable),
                TEST(test_keep_alive_of_the_backend),
                TEST(test_closed_after_a_rest),
                TEST(test_closed_after_a_moment),
                TEST(test_once_more_over_a_new_one),
                TEST(test_shortage_ends_a_rest),
                TEST(test_which_requests),
                TEST(test_not_after_an_answer),
                TEST(test_two_that_close),
                TEST(test_the_only_one_closes),
                TEST(test_the_only_one_closes_and_no_hold),
                TEST(test_one_closes_one_refuses),
                TEST(test_restart),
                TEST(test_restart_under_two),
                TEST(test_closed_and_gone),
                TEST(test_one_refuses_one_closes),
                TEST(test_protected),
                TEST(test_tries_have_an_end),
                TEST(test_bad_response),
                TEST(test_cut),
                TEST(test_cut_by_bal),
                TEST(test_response_timeout),
                TEST(test_request_timeout),
                TEST(test_silence_in_a_body),
                TEST(test_early_answer),
                TEST(test_early_answer_to_much),
                TEST(test_upload_refused),
                TEST(test_interim),
                TEST(test_tunnel),
                TEST(test_body_too_long),
                TEST(test_bad_chunk),
                TEST(test_unserved),
                TEST(test_unserved_and_drained),
                TEST(test_options_and_trace),
                TEST(test_the_next_request),
                TEST(test_reload_between_requests),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
