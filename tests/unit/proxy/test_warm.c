/* SPDX-License-Identifier: MIT */
/* Resting connections: which one is used next, when they end, and what they count against. */

#include "lone.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "net/sock.h"

#define REST_MS 60000

static struct lone l;
static const struct upstream_endpoint *e; /* of l's only pool */
static struct endpoint_counters *slot;    /* of the lone worker */

static int set_up(void **state) {
        (void)state;
        lone_init(&l, "", "");
        e = &l.stage.u->pools[0].endpoints[0];
        slot = &e->endpoint->per_worker[0];
        return 0;
}

/* Whatever a test did, no connection and no descriptor is left behind. */
static int tear_down(void **state) {
        const struct gate *descriptors = crew_descriptors(l.stage.crew);

        (void)state;
        warm_sweep(l.w, true);
        assert_int_equal(slot->n_warm, 0);
        assert_int_equal(l.w->n_warm, 0);
        assert_int_equal(gate_now(descriptors), 0);
        lone_done(&l);
        return 0;
}

static void on_connected(struct io *io) {
        io_unwant(io, EPOLLOUT);
}

/* A connection that a request has just been answered over, and the backend's end of it. */
static struct warm *connection(int *ret_backend) {
        struct warm *warm = calloc(1, sizeof(*warm));
        struct side *side = &warm->server.side;

        assert_non_null(warm);
        warm_init(warm, l.w);
        assert_in_range(-sock_connect(&side->fd, &e->addrs->at[0]), 0, EINPROGRESS);
        assert_int_equal(io_attach_connecting(&side->io, l.w->loop, side->fd, on_connected), 0);
        io_want(&side->io, EPOLLOUT);
        lone_until(&l, side->io.ready & EPOLLOUT);
        *ret_backend = backend_accept(&l.stage);
        return warm;
}

static struct warm *rest(int *ret_backend) {
        struct warm *warm = connection(ret_backend);

        warm_put(l.w, warm, e, REST_MS);
        return warm;
}

static bool is_closed(int backend) {
        char byte;

        return recv(backend, &byte, 1, MSG_DONTWAIT) == 0;
}

/* What a session does that has ended its use of one. */
static void discard(struct warm *warm) {
        warm_put(l.w, warm, e, REST_MS);
        assert_true(warm_relieve(l.w));
}

static void test_the_newest_is_taken_first(void **state) {
        int b[2];
        struct warm *first = rest(&b[0]), *second = rest(&b[1]);

        (void)state;
        assert_int_equal(slot->n_warm, 2);
        assert_int_equal(gate_now(crew_descriptors(l.stage.crew)), 2);
        assert_ptr_equal(warm_take(l.w, e, e->addrs, false), second);
        assert_ptr_equal(warm_take(l.w, e, e->addrs, false), first);
        assert_null(warm_take(l.w, e, e->addrs, false));
        assert_null(first->endpoint); /* in use */
        assert_int_equal(gate_now(crew_descriptors(l.stage.crew)), 0);
        discard(first);
        discard(second);
        close(b[0]);
        close(b[1]);
}

static void test_the_oldest_is_relieved_first(void **state) {
        int b[2];

        (void)state;
        rest(&b[0]);
        rest(&b[1]);
        assert_true(warm_relieve(l.w));
        assert_true(is_closed(b[0]));
        assert_false(is_closed(b[1]));
        assert_true(warm_relieve(l.w));
        assert_true(is_closed(b[1]));
        assert_false(warm_relieve(l.w));
        close(b[0]);
        close(b[1]);
}

/* The backend closes it, or says something unasked: noticed in the next turn, and before. */
static void test_spoilt(void **state) {
        int b[3];
        struct warm *warm;

        (void)state;
        rest(&b[0]);
        close(b[0]);
        lone_until(&l, slot->n_warm == 0);

        rest(&b[1]);
        assert_int_equal(send(b[1], "?", 1, 0), 1);
        lone_until(&l, slot->n_warm == 0);

        warm = rest(&b[2]);
        warm->server.side.io.ready |= EPOLLRDHUP; /* the kernel has said so in this turn */
        assert_null(warm_take(l.w, e, e->addrs, false));
        assert_true(is_closed(b[2]));
        close(b[1]);
        close(b[2]);
}

/* 0.8 of the time that the backend was seen to keep one, or says that it does. */
static void test_stale(void **state) {
        static const struct {
                uint32_t seen_ms, said_ms, rested_ms;
                bool used;
                const char *why;
        } rows[] = {
                { 0, 0, 50000, true, "nothing is known" },
                { 10000, 0, 7900, true, "not yet 0.8 of what was seen" },
                { 10000, 0, 8100, false, "longer than that" },
                { 0, 10000, 7900, true, "not yet 0.8 of what it says" },
                { 0, 10000, 8100, false, "longer than that" },
                { 5000, 10000, 4100, false, "the shorter one counts" },
                { 10000, 5000, 4100, false, "whichever it is" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint64_t now_ms = loop_now_ms(l.w->loop);
                int b;
                struct warm *warm = rest(&b), *taken;

                slot->rest_ms = rows[i].seen_ms;
                slot->rest_seen_ms = now_ms;
                warm->limit_ms = rows[i].said_ms;
                warm->since_ms = loop_now_ms(l.w->loop) - rows[i].rested_ms;
                taken = warm_take(l.w, e, e->addrs, false);
                if (!!taken != rows[i].used)
                        fail_msg("%s: %s", rows[i].why, taken ? "used" : "not used");
                assert_int_equal(slot->n_warm, 0);
                slot->rest_ms = 0;
                if (taken)
                        discard(taken);
                close(b);
        }
}

/* A habit is what a backend does after half a second or more, without an error. */
static void test_habits_are_learned(void **state) {
        int b[3];
        struct warm *warm;

        (void)state;
        rest(&b[0]);
        close(b[0]);
        lone_until(&l, slot->n_warm == 0);
        assert_int_equal(slot->rest_ms, 0); /* that was a restart */

        warm = rest(&b[1]);
        warm->since_ms -= 2000;
        sock_reset_at_close(b[1]);
        close(b[1]);
        lone_until(&l, slot->n_warm == 0);
        assert_int_equal(slot->rest_ms, 0); /* so was that */

        warm = rest(&b[2]);
        warm->since_ms -= 2000;
        close(b[2]);
        lone_until(&l, slot->n_warm == 0);
        assert_in_range(slot->rest_ms, 2000, 2000 + PATIENCE);
}

/* For a request that cannot be sent twice: it has rested for a moment only, and nothing came. */
static void test_careful(void **state) {
        int b;
        struct warm *warm = rest(&b);

        (void)state;
        warm->since_ms -= 1500;
        assert_null(warm_take(l.w, e, e->addrs, true));
        assert_int_equal(slot->n_warm, 1); /* it is good enough for others */
        warm->since_ms += 1500;
        assert_ptr_equal(warm_take(l.w, e, e->addrs, true), warm);
        warm_put(l.w, warm, e, REST_MS);

        close(b); /* the loop has not turned: only a look at the socket tells */
        assert_null(warm_take(l.w, e, e->addrs, true));
}

/* The name has other addresses now. */
static void test_fits(void **state) {
        struct upstream_addrs *next = calloc(1, sizeof(*next) + 2 * sizeof(struct addr));
        int b;
        struct warm *warm = rest(&b);

        (void)state;
        assert_non_null(next);
        assert_int_equal(addr_parse(&next->at[0], "127.0.0.9:9"), 0);
        next->at[1] = e->addrs->at[0];
        next->n = 2;
        next->serial = e->addrs->serial + 1000;
        assert_ptr_equal(warm_take(l.w, e, next, false), warm);
        assert_int_equal(warm->addr, 1);
        assert_int_equal(warm->serial, next->serial);
        warm_put(l.w, warm, e, REST_MS);

        next->n = 1;
        assert_ptr_equal(warm_take(l.w, e, next, false), warm); /* looked at once for each answer */
        warm_put(l.w, warm, e, REST_MS);
        next->serial++;
        assert_null(warm_take(l.w, e, next, false));
        assert_true(is_closed(b));
        close(b);
        free(next);
}

static void test_time_is_over(void **state) {
        int b;
        struct warm *warm = connection(&b);

        (void)state;
        warm_put(l.w, warm, e, 20);
        assert_int_equal(slot->n_warm, 1);
        lone_until(&l, slot->n_warm == 0);
        assert_true(is_closed(b));
        close(b);
}

static void test_sweep(void **state) {
        int b[2];

        (void)state;
        rest(&b[0]);
        warm_sweep(l.w, false);
        assert_int_equal(slot->n_warm, 1);
        endpoint_mark_down(e->endpoint, -ECONNREFUSED, 1);
        warm_sweep(l.w, false);
        assert_int_equal(slot->n_warm, 0);

        warm_put(l.w, connection(&b[1]), e, REST_MS); /* nor does one begin to rest then */
        assert_int_equal(slot->n_warm, 0);
        assert_true(is_closed(b[0]) && is_closed(b[1]));
        close(b[0]);
        close(b[1]);
}

/* When descriptors are short the oldest one makes room, and where none rests this one is closed. */
static void test_descriptors(void **state) {
        struct gate *descriptors = crew_descriptors(l.stage.crew);
        int b[3];

        (void)state;
        crew_set_descriptors(l.stage.crew, 1);
        rest(&b[0]);
        assert_false(crew_has_descriptor(l.stage.crew));
        rest(&b[1]);
        assert_true(is_closed(b[0]));
        assert_int_equal(slot->n_warm, 1);
        assert_true(warm_relieve(l.w));

        gate_add(descriptors); /* a client has the last one */
        rest(&b[2]);
        assert_int_equal(slot->n_warm, 0);
        assert_true(is_closed(b[2]));
        gate_leave(descriptors);
        for (size_t i = 0; i < ELEMENTS(b); i++)
                close(b[i]);
}

/* Another worker is short of descriptors, and this one has some that are not needed at once. */
static void test_relief_for_another_worker(void **state) {
        int b[2];

        (void)state;
        rest(&b[0]);
        worker_trim(l.w); /* this is about max_connections alone */
        for (int i = 0; i < 3; i++)
                lone_turn(&l);
        assert_int_equal(slot->n_warm, 1);

        rest(&b[1]);
        atomic_store(&l.w->relief_wanted, true);
        worker_trim(l.w);
        lone_until(&l, slot->n_warm == 0);
        assert_true(is_closed(b[0]) && is_closed(b[1]));
        close(b[0]);
        close(b[1]);
}

static void set_max(uint32_t max) {
        atomic_store(&e->endpoint->gate.max, max);
}

/* max_connections: as many rest as are not in use. */
static void test_rests_within_the_limit(void **state) {
        int b[3];

        (void)state;
        set_max(2);
        assert_true(gate_enter(&e->endpoint->gate)); /* the session that puts them */
        assert_true(gate_enter(&e->endpoint->gate)); /* and another one */
        rest(&b[0]);
        assert_int_equal(slot->n_warm, 1); /* when the first has left, that makes two */
        rest(&b[1]);
        assert_int_equal(slot->n_warm, 1);
        assert_true(is_closed(b[1]));
        gate_leave(&e->endpoint->gate);
        rest(&b[2]);
        assert_int_equal(slot->n_warm, 2);
        gate_leave(&e->endpoint->gate);
        assert_int_equal(endpoint_resting(e->endpoint), 2);
        assert_int_equal(endpoint_excess(e->endpoint), 0);
        for (size_t i = 0; i < ELEMENTS(b); i++)
                close(b[i]);
}

/* A connect goes out after a connection of the same worker was closed for it. */
static void test_own_room(void **state) {
        int b[2];

        (void)state;
        rest(&b[0]);
        rest(&b[1]);
        assert_true(warm_make_room(l.w, e->endpoint)); /* there is no limit */
        assert_int_equal(slot->n_warm, 2);
        set_max(2);
        assert_true(gate_enter(&e->endpoint->gate)); /* a session that is about to connect */
        assert_int_equal(endpoint_excess(e->endpoint), 1);
        assert_true(warm_make_room(l.w, e->endpoint));
        assert_true(is_closed(b[0])); /* the oldest */
        assert_false(is_closed(b[1]));
        gate_leave(&e->endpoint->gate);
        close(b[0]);
        close(b[1]);
}

/* Or one of another worker, which is asked to. Here the lone one is asked, by worker 1. */
static void test_room_of_another_worker(void **state) {
        struct worker *other = crew_worker(l.stage.crew, 1);
        int b[2];

        (void)state;
        rest(&b[0]);
        rest(&b[1]);
        set_max(2);
        assert_true(gate_enter(&e->endpoint->gate));
        assert_false(warm_make_room(other, e->endpoint));
        warm_trim(l.w); /* the mail has gone to the crew's worker 0: this is what it would do */
        assert_int_equal(slot->n_warm, 1);
        assert_true(is_closed(b[0]));
        assert_true(warm_make_room(other, e->endpoint));
        warm_trim(l.w);
        assert_int_equal(slot->n_warm, 1); /* what is within the limit stays */

        assert_true(warm_relieve(l.w));
        set_max(1);
        atomic_fetch_add(&e->endpoint->gate.now, 1); /* the limit was lowered under two sessions */
        assert_true(warm_make_room(other, e->endpoint)); /* nobody to ask */
        gate_leave(&e->endpoint->gate);
        gate_leave(&e->endpoint->gate);
        close(b[0]);
        close(b[1]);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_the_newest_is_taken_first),
                TEST(test_the_oldest_is_relieved_first),
                TEST(test_spoilt),
                TEST(test_stale),
                TEST(test_habits_are_learned),
                TEST(test_careful),
                TEST(test_fits),
                TEST(test_time_is_over),
                TEST(test_sweep),
                TEST(test_descriptors),
                TEST(test_relief_for_another_worker),
                TEST(test_rests_within_the_limit),
                TEST(test_own_room),
                TEST(test_room_of_another_worker),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
