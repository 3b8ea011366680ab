/* SPDX-License-Identifier: MIT */
/* An HTTP session between two requests, at its end, and where slots are short. */

#include "scene.h"

#include <unistd.h>

#include "core/clock.h"
#include "proxy/http_parts.h"

#define GET   "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define LAST  "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#define OK    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define WORSE "NO\r\n\r\n" /* is refused, and something may follow */

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

static uint32_t n_idle(void) {
        uint32_t n = 0;

        list_for_each(l, &sc.l.w->idle)
                n++;
        assert_int_equal(sc.l.w->counters.n_idle, n);
        return n;
}

static struct peer *client_in(const char *says, int phase) {
        struct peer *p = scene_client(&sc);

        peer_say(p, says);
        until(&sc, phase_of(&sc, p) == phase);
        return p;
}

/* ---- between requests ---- */

static void test_idle_and_head(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true });
        p = scene_client(&sc);
        assert_int_equal(phase_of(&sc, p), SESSION_IDLE);
        assert_int_equal(n_idle(), 1);
        peer_say(p, "GET / HTTP");
        until(&sc, phase_of(&sc, p) == SESSION_HEAD);
        assert_int_equal(n_idle(), 0);
        assert_int_equal(sc.l.w->stock.buffers.n_lent, 0);
        peer_say(p, "/1.1\r\nHost: x\r\n\r\n");
        until(&sc, phase_of(&sc, p) == SESSION_EXCHANGE);
        peer_say(door_take(&sc, &sc.doors[0]), OK);
        until(&sc, peer_has(p, "ok"));
        assert_int_equal(phase_of(&sc, p), SESSION_IDLE);
        assert_int_equal(n_idle(), 1);
        assert_null(of(p)->endpoint);
        assert_int_equal(sc.l.w->stock.buffers.n_lent, 0);
}

static void test_keep_alive_ends(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true });
        p = scene_client(&sc);
        of(p)->active_ms -= 59000;
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), SESSION_IDLE);
        of(p)->active_ms -= 1000;
        peer_say(p, GET); /* it asks, and the loop has not seen that */
        of(p)->timer.fn(&of(p)->timer);
        assert_int_equal(phase_of(&sc, p), SESSION_IDLE);
        until(&sc, phase_of(&sc, p) == SESSION_EXCHANGE);
        session_close(of(p), CLOSE_DONE);

        p = scene_client(&sc);
        of(p)->active_ms -= 60000;
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), -1);
        assert_int_equal(closed(&sc, CLOSE_IDLE), 1);
}

/* From its first byte on, however often one more comes. */
static void test_head_is_late(void **state) {
        struct peer *p;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true });
        p = client_in("GET / HTTP/1.1\r\n", SESSION_HEAD);
        of(p)->http->first_ms -= 9000;
        peer_say(p, "A: b\r\n");
        scene_turns(&sc, 2);
        scene_fire(&sc, of(p));
        assert_int_equal(phase_of(&sc, p), SESSION_HEAD);
        of(p)->http->first_ms -= 1000;
        scene_fire(&sc, of(p));
        until(&sc, peer_has(p, "HTTP/1.1 408 "));
        until(&sc, peer_ended(p));
}

static void test_client_ends_between(void **state) {
        struct peer *p[2];

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true });
        p[0] = scene_client(&sc);
        p[1] = scene_client(&sc);
        peer_finish(p[0]);
        peer_reset(p[1]);
        until(&sc, !session_of(&sc, p[0]) && !session_of(&sc, p[1]));
        assert_int_equal(closed(&sc, CLOSE_DONE), 1);
        assert_int_equal(closed(&sc, CLOSE_CLIENT_RESET), 1);
}

/* Both in one packet: the second one is answered after the first one. */
static void test_pipelined(void **state) {
        struct peer *p, *b;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true });
        p = client_in(GET "HEAD /2 HTTP/1.1\r\nHost: x\r\n\r\n", SESSION_EXCHANGE);
        b = door_take(&sc, &sc.doors[0]);
        until(&sc, peer_has(b, "GET /"));
        scene_turns(&sc, 2);
        assert_false(peer_has(b, "HEAD"));
        peer_say(b, OK);
        until(&sc, peer_has(b, "HEAD /2 "));
        assert_true(peer_has(p, "ok"));
        assert_int_equal(sc.n_dials, 1);
}

/* ---- the end ---- */

/* Nothing is left unread: the connection is closed behind the response. */
static void test_last_response(void **state) {
        struct peer *p, *b;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true });
        p = client_in(LAST, SESSION_EXCHANGE);
        b = door_take(&sc, &sc.doors[0]);
        until(&sc, peer_has(b, "GET"));
        peer_say(b, OK);
        until(&sc, peer_ended(p));
        assert_true(p->eof && peer_has(p, "ok"));
        assert_int_equal(phase_of(&sc, p), -1);
        assert_int_equal(closed(&sc, CLOSE_DONE), 1);
}

static void test_linger(void **state) {
        static const struct {
                int silent_ms, in_all_ms;
                bool ends;
                const char *why;
        } rows[] = {
                { 4900, 4900, false, "five seconds after the last byte" },
                { 5000, 5000, true, "which are over" },
                { 100, 29000, false, "and thirty in all" },
                { 100, 30000, true, "which are over, too" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct peer *p;
                struct session *s;

                scene_init(&sc, &(struct plan){ .http = true });
                p = client_in(WORSE, SESSION_LINGER);
                until(&sc, peer_has(p, "HTTP/1.1 400 "));
                until(&sc, peer_ended(p)); /* its FIN is out */
                s = of(p);
                assert_true(timer_is_set(&s->timer));
                s->active_ms = loop_now_ms(sc.l.w->loop) - (uint64_t)rows[i].silent_ms;
                s->http->until_ms = loop_now_ms(sc.l.w->loop) + 30000 - (uint64_t)rows[i].in_all_ms;
                scene_fire(&sc, s);
                if ((phase_of(&sc, p) == -1) != rows[i].ends)
                        fail_msg("%s", rows[i].why);
                if (i + 1 < ELEMENTS(rows))
                        scene_done(&sc);
        }
}

/* What comes is thrown away, and is a sign of life. The client's end is the end. */
static void test_lingers_with_bytes(void **state) {
        struct peer *p;
        uint64_t before;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true });
        p = client_in(WORSE, SESSION_LINGER);
        before = of(p)->active_ms -= 3000;
        peer_say(p, "more");
        until(&sc, of(p)->active_ms > before);
        assert_int_equal(phase_of(&sc, p), SESSION_LINGER);
        assert_int_equal(sc.l.w->stock.buffers.n_lent, 0);
        peer_close(p);
        until(&sc, !session_of(&sc, p));
        assert_int_equal(closed(&sc, CLOSE_DONE), 1);
}

static void test_the_oldest_linger_ends(void **state) {
        struct peer *p[2];

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true });
        p[0] = client_in(WORSE, SESSION_LINGER);
        p[1] = client_in(WORSE, SESSION_LINGER);
        http_end_linger(sc.l.w);
        assert_int_equal(phase_of(&sc, p[0]), -1);
        assert_int_equal(phase_of(&sc, p[1]), SESSION_LINGER);
        assert_true(worker_relieve(sc.l.w));
        assert_int_equal(phase_of(&sc, p[1]), -1);
}

/* ---- slots ---- */

/* Who is silent for long enough makes room, and nobody else. */
static void test_room(void **state) {
        static const struct {
                const char *says;
                int phase, silent_ms;
                bool asks, room;
                const char *why;
        } rows[] = {
                { "", SESSION_IDLE, 260, false, true, "silent for a quarter of a second" },
                { "", SESSION_IDLE, 200, false, false, "not yet" },
                { "", SESSION_IDLE, 260, true, false, "it asks" },
                { "GET /", SESSION_HEAD, 5000, false, false, "it is about to ask" },
                { GET, SESSION_EXCHANGE, 5000, false, false, "it waits for its response" },
                { WORSE, SESSION_LINGER, 1010, false, true, "it lingers for a second" },
                { WORSE, SESSION_LINGER, 900, false, false, "not yet" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct peer *p, *next;

                scene_init(&sc, &(struct plan){ .http = true, .frontend = ", max_connections: 1" });
                p = client_in(rows[i].says, rows[i].phase);
                of(p)->active_ms = loop_now_ms(sc.l.w->loop) - (uint64_t)rows[i].silent_ms;
                if (rows[i].asks)
                        peer_say(p, GET);
                next = scene_client(&sc);
                if ((phase_of(&sc, next) == SESSION_IDLE) != rows[i].room ||
                    (phase_of(&sc, p) == -1) != rows[i].room)
                        fail_msg("%s", rows[i].why);
                if (!rows[i].room)
                        until(&sc, peer_has(next, "HTTP/1.1 503 "));
                if (i + 1 < ELEMENTS(rows))
                        scene_done(&sc);
        }
}

/* One that was turned away has no slot to give. */
static void test_no_room(void **state) {
        struct peer *busy, *away, *next;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true, .frontend = ", max_connections: 1" });
        busy = client_in(GET, SESSION_EXCHANGE);
        away = client_in("", SESSION_LINGER);
        of(away)->active_ms -= 2000;
        next = scene_client(&sc);
        assert_int_equal(phase_of(&sc, away), SESSION_LINGER);
        assert_int_equal(phase_of(&sc, next), SESSION_LINGER);
        assert_int_equal(phase_of(&sc, busy), SESSION_EXCHANGE);
}

/* The oldest makes room, and only where it is of use. */
static void test_whose_room(void **state) {
        static const struct plan plan = {
                .http = true,
                .more = "  - { name: g, listen: \"127.0.0.1:2\", backend: p, protocol: http, "
                        "max_connections: 1 }\n"
        };
        struct gate *daemon;
        struct peer *f[2], *g, *next;

        (void)state;
        scene_init(&sc, &plan);
        daemon = &sc.l.stage.u->all->gate;
        f[0] = scene_client(&sc);
        f[1] = scene_client(&sc);
        g = scene_client_at(&sc, 1);
        list_for_each(l, &sc.l.w->sessions)
                container_of(l, struct session, link)->active_ms -= 1000;
        next = scene_client_at(&sc, 1); /* f's slots are of no use */
        assert_int_equal(phase_of(&sc, g), -1);
        assert_int_equal(phase_of(&sc, next), SESSION_IDLE);
        assert_int_equal(n_idle(), 3);

        session_close(of(next), CLOSE_DONE);
        atomic_store(&daemon->max, 2); /* any slot will do */
        next = scene_client_at(&sc, 1);
        assert_int_equal(phase_of(&sc, f[0]), -1);
        assert_int_equal(phase_of(&sc, f[1]), SESSION_IDLE);
        assert_int_equal(phase_of(&sc, next), SESSION_IDLE);
        atomic_store(&daemon->max, 0);
        scene_client(&sc); /* there is room */
        assert_int_equal(phase_of(&sc, f[1]), SESSION_IDLE);
}

/* So many get time to read their 503; the others are closed behind it. */
static void test_turned_away(void **state) {
        enum { MAX = 64 };
        struct peer *p[MAX], *more;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true, .frontend = ", max_connections: 1" });
        client_in(GET, SESSION_EXCHANGE);
        for (size_t i = 0; i < MAX; i++) {
                p[i] = scene_client(&sc);
                assert_int_equal(sc.l.w->n_turned_away, i + 1);
        }
        until(&sc, phase_of(&sc, p[MAX - 1]) == SESSION_LINGER);
        more = scene_client(&sc);
        assert_int_equal(phase_of(&sc, more), -1);
        until(&sc, peer_has(more, "HTTP/1.1 503 "));
        assert_int_equal(sc.l.w->n_turned_away, MAX);
        assert_true(peer_has(more, "Retry-After: "));
        assert_int_equal(closed(&sc, CLOSE_LIMIT), 1);

        peer_close(p[3]);
        until(&sc, sc.l.w->n_turned_away == MAX - 1);
        more = scene_client(&sc);
        assert_int_equal(phase_of(&sc, more), SESSION_LINGER);
}

/* ---- a worker that ends ---- */

static void test_drain(void **state) {
        struct peer *silent, *asked, *asks, *busy, *b;

        (void)state;
        scene_init(&sc, &(struct plan){ .http = true });
        busy = client_in(GET, SESSION_EXCHANGE);
        b = door_take(&sc, &sc.doors[0]);
        silent = scene_client(&sc);
        asked = scene_client(&sc);
        asks = scene_client(&sc);
        of(silent)->active_ms -= 1000;
        of(asks)->active_ms -= 1000;
        peer_say(asks, GET);
        sc.l.w->drain.on = true;
        http_drain(sc.l.w);
        assert_int_equal(phase_of(&sc, silent), -1);
        assert_int_equal(phase_of(&sc, asks), SESSION_IDLE);
        assert_in_range(of(asked)->timer.at_ms - of(asked)->active_ms, 990, 1000);
        until(&sc, phase_of(&sc, asks) == SESSION_EXCHANGE);
        until(&sc, peer_has(b, "GET"));
        peer_say(b, OK);
        until(&sc, peer_has(busy, "Connection: close"));
        until(&sc, peer_ended(busy));
        assert_int_equal(sc.l.w->n_warm, 0); /* nor does the backend's connection rest */
        sc.l.w->drain.on = false;
}

/* ---- a client that ends its side ---- */

struct row {
        const char *keys;
        bool abort;
};
static const struct row half_closes[] = { { "", true }, { ", half_close: serve", false } };

/* While it waits for a backend, for a connect, and for a response. */
static void test_half_close(void **state) {
        enum { HOLDS, CONNECTS, WAITS, PLACES };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(half_closes) * PLACES; i++) {
                const struct row *row = &half_closes[i / PLACES];
                struct peer *p, *b = NULL;
                int phase;

                scene_init(&sc, &(struct plan){ .http = true,
                                                .keys = row->keys,
                                                .pool = ", connect_timeout: 60s, hold: 600s" });
                if (i % PLACES == HOLDS)
                        endpoint_of(&sc, 0)->admin = ADMIN_MAINT;
                if (i % PLACES == CONNECTS)
                        door_fill(&sc.doors[0]);
                phase = i % PLACES == HOLDS      ? SESSION_HOLD
                        : i % PLACES == CONNECTS ? SESSION_CONNECT
                                                 : SESSION_EXCHANGE;
                p = client_in(GET, phase);
                if (phase == SESSION_EXCHANGE) {
                        b = door_take(&sc, &sc.doors[0]);
                        until(&sc, peer_has(b, "GET"));
                }
                peer_finish(p);
                if (row->abort) {
                        until(&sc, !session_of(&sc, p));
                        assert_int_equal(closed(&sc, CLOSE_CLIENT_GONE), 1);
                } else {
                        scene_turns(&sc, 3);
                        assert_int_equal(phase_of(&sc, p), phase);
                        if (b)
                                peer_say(b, OK);
                        until(&sc, !b || peer_ended(p));
                        assert_true(!b || peer_has(p, "ok"));
                }
                if (i + 1 < ELEMENTS(half_closes) * PLACES)
                        scene_done(&sc);
        }
}

/* In the log it has a status that no response has. */
static bool find_status(const struct log_record *record, void *userdata) {
        for (size_t i = 0; i < record->n_fields; i++)
                if (strcmp(record->fields[i].key, "status") == 0)
                        *(uint64_t *)userdata = record->fields[i].u;
        return true;
}

static void test_499(void **state) {
        uint64_t status = 0;
        struct peer *p;

        (void)state;
        assert_int_equal(log_thread_init(), 0);
        scene_init(&sc, &(struct plan){ .http = true, .keys = "" });
        p = client_in(GET, SESSION_EXCHANGE);
        peer_finish(p);
        until(&sc, !session_of(&sc, p));
        while (log_drain(find_status, &status) > 0)
                ;
        assert_int_equal(status, HTTP_CLIENT_LEFT);
        p = client_in(GET, SESSION_EXCHANGE);
        session_close(of(p), CLOSE_ADMIN);
        while (log_drain(find_status, &status) > 0)
                ;
        assert_int_equal(status, 0);
        log_thread_done();
}

int main(void) {
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_idle_and_head),
                TEST(test_keep_alive_ends),
                TEST(test_head_is_late),
                TEST(test_client_ends_between),
                TEST(test_pipelined),
                TEST(test_last_response),
                TEST(test_linger),
                TEST(test_lingers_with_bytes),
                TEST(test_the_oldest_linger_ends),
                TEST(test_room),
                TEST(test_no_room),
                TEST(test_whose_room),
                TEST(test_turned_away),
                TEST(test_drain),
                TEST(test_half_close),
                TEST(test_499),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
