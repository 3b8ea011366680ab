/* SPDX-License-Identifier: MIT */
#include "health/health.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "core/hash.h"
#include "core/log.h"
#include "rig.h"

#define SLACK_MS 400 /* a busy machine may be so late */

static struct health *health;
static struct upstream *now; /* the generation in force */
static struct server servers[2];
static struct server *third; /* of a test; NULL: none */
static unsigned n_went_down, n_came_up, n_asked;
static char asked[64];

static void on_went_down(struct endpoint *e, const struct config_pool *pool, void *userdata) {
        assert_ptr_equal(userdata, &servers);
        assert_string_equal(e->pool, pool->name);
        assert_true(e->down);
        n_went_down++;
}

static void on_failed(const char *host, void *userdata) {
        (void)userdata;
        snprintf(asked, sizeof(asked), "%s", host);
        n_asked++;
}

static void on_came_up(struct endpoint *e, void *userdata) {
        assert_ptr_equal(userdata, &servers);
        assert_false(e->down && endpoint_cooling(e)); /* one of the two has just ended */
        n_came_up++;
}

static const struct health_hooks hooks = { .went_down = on_went_down,
                                           .failed = on_failed,
                                           .came_up = on_came_up };

static int setup(void **state) {
        (void)state;
        n_went_down = n_came_up = n_asked = 0;
        third = NULL;
        for (size_t i = 0; i < ELEMENTS(servers); i++)
                server_open(&servers[i], "127.0.0.1:0", 64);
        return health_new(&health, &hooks, &servers);
}

static int teardown(void **state) {
        (void)state;
        now = upstream_unref(now); /* it has its own reference */
        health = health_free(health);
        for (size_t i = 0; i < ELEMENTS(servers); i++)
                server_close(&servers[i]);
        return 0;
}

/* As the control thread does it: sleeps for as long as it may, and then runs. */
static void turn(void) {
        struct pollfd fds[] = { { .fd = health_fd(health), .events = POLLIN },
                                { .fd = servers[0].fd, .events = POLLIN },
                                { .fd = servers[1].fd, .events = POLLIN } };
        uint64_t ms = health_next_ms(health);

        poll(fds, ELEMENTS(fds), ms < 2 ? (int)ms : 2);
        server_turn(&servers[0]);
        server_turn(&servers[1]);
        if (third)
                server_turn(third);
        health_run(health);
}

static void run_for(uint64_t ms) {
        for (uint64_t end = clock_mono_ms() + ms; clock_mono_ms() < end;)
                turn();
}

/* Runs until it is true; how long that took. */
#define run_until(condition)                                                                       \
        ({                                                                                         \
                uint64_t _start = clock_mono_ms();                                                 \
                                                                                                   \
                while (!(condition)) {                                                             \
                        if (clock_mono_ms() > _start + 10000)                                      \
                                fail_msg("never: %s", #condition);                                 \
                        turn();                                                                    \
                }                                                                                  \
                clock_mono_ms() - _start;                                                          \
        })

/* The two servers, and what a test says of them: the keys of the pool but for its servers. */
static const char *name_has = "127.0.0.1:0"; /* the address of name.test */

static void adopt_hosts(const char *first, const char *second, const char *keys, bool resolved) {
        struct addr addrs[] = { addr_at(name_has) };
        const struct upstream_names names[] = { { "name.test", addrs, resolved ? 1 : 0 },
                                                { NULL, NULL, 0 } };
        struct upstream *before = now;
        char text[2048];
        int n;

        n = snprintf(text, sizeof(text),
                     "frontends:\n  - { name: f, listen: '127.0.0.1:1', backend: p }\n"
                     "backends:\n  - name: p\n    servers:\n      - { address: '%s' }\n",
                     first);
        if (second)
                n += snprintf(text + n, sizeof(text) - (size_t)n, "      - { address: '%s' }\n",
                              second);
        snprintf(text + n, sizeof(text) - (size_t)n, "%s", keys);
        now = generation(text, names, before);
        assert_int_equal(health_adopt(health, now), 0);
        upstream_unref(before);
}

static void adopt(const char *keys) {
        char texts[2][ADDR_TEXT_MAX];

        adopt_hosts(addr_text(&servers[0].addr, texts[0]), addr_text(&servers[1].addr, texts[1]),
                    keys, true);
}

static struct endpoint *backend(size_t i) {
        return now->pools[0].endpoints[i].endpoint;
}

static struct health_report report(size_t i) {
        struct health_report r;

        health_endpoint_report(backend(i), &r);
        return r;
}

static struct protection_report protection(void) {
        struct protection_report r;

        health_pool_report(now->pools[0].pool, &r);
        return r;
}

/* What a worker does. hope: it was a last-hope try, which is no news for the pool. */
static void try_failed(size_t i, bool hope, int error) {
        struct endpoint *e = backend(i);
        struct endpoint_counters *c = &e->per_worker[1];
        enum connect_failure kind = connect_failure_of(error);

        COUNTER_ADD(c->failed[kind], 1);
        if (!hope && (kind == CONNECT_TIMEOUT || kind == CONNECT_REFUSED))
                COUNTER_ADD(c->storm, 1);
        endpoint_failed(e, now->pools[0].config, false, clock_mono_ms(), error);
        atomic_store(&e->news, true);
        health_news(health);
        run_for(2); /* a look may be put off */
}

static void connect_failed(size_t i, int error) {
        try_failed(i, false, error);
}

static void cooldown_over(size_t i) {
        atomic_store(&backend(i)->cool_until_ms, 0);
}

static void connect_worked(size_t i) {
        struct endpoint *e = backend(i);

        COUNTER_ADD(e->per_worker[0].connected, 1);
        endpoint_worked(e);
        atomic_store(&e->news, true);
        health_news(health);
        run_for(2);
}

static void nobody(void) {
        struct pool *pool = now->pools[0].pool;

        COUNTER_ADD(pool->per_worker[0].unavailable, 1);
        atomic_store(&pool->news, true);
        health_news(health);
        run_for(2);
}

#define PROTECT                                                                                    \
        "    protection: { trigger_threshold: 5, window: 10s, stable_success_threshold: 4 }\n"
#define QUICK                                                                                      \
        "    health_check: { interval: 40ms, timeout: 300ms, unhealthy_threshold: 2,"              \
        " healthy_threshold: 1 }\n"
#define SELDOM /* only the first check comes by itself */                                          \
        "    health_check: { interval: 1h, timeout: 300ms, unhealthy_threshold: 3,"                \
        " healthy_threshold: 2 }\n"

/* ---- up and down ---- */

static void test_first_round_at_once(void **state) {
        (void)state;
        adopt(SELDOM);
        assert_int_equal(health_next_ms(health), 0);
        assert_in_range(run_until(report(0).passed == 1 && report(1).passed == 1), 0, SLACK_MS);
        assert_int_equal(report(0).rises, 1);
        assert_int_equal(report(0).last, 0);
        assert_true(report(0).last_ms > 0 && report(0).checked);
        assert_int_equal(report(0).fall, 3);
        assert_int_equal(report(0).interval_ms, 3600000);
}

static void test_down_and_up(void **state) {
        uint64_t ms;

        (void)state;
        adopt(QUICK);
        run_until(report(1).passed > 0);
        server_close(&servers[1]);
        ms = run_until(backend(1)->down);
        assert_in_range(ms, 10, 2 * 40 + SLACK_MS);
        assert_int_equal(backend(1)->down_why, -ECONNREFUSED);
        assert_int_equal(report(1).fails, 2);
        assert_int_equal(report(1).changes, 1);
        assert_int_equal(n_went_down, 1);
        assert_false(backend(0)->down);
        assert_int_equal(n_asked, 0); /* an address is no name */

        run_for(150); /* fails go on, marks do not */
        assert_true(report(1).fails > 2);
        assert_int_equal(n_went_down, 1);
        server_reopen(&servers[1]);
        assert_int_equal(n_came_up, 0);
        ms = run_until(!backend(1)->down);
        assert_in_range(ms, 0, 40 + SLACK_MS);
        assert_int_equal(n_came_up, 1); /* clients may be waiting for it */
        assert_int_equal(report(1).changes, 2);
        assert_int_equal(report(1).fails, 0);
        assert_true(backend(1)->up_at_ms > 0);
}

static void test_rise_wants_a_row(void **state) {
        (void)state;
        server_close(&servers[1]);
        adopt("    health_check: { interval: 20ms, timeout: 300ms, unhealthy_threshold: 1,"
              " healthy_threshold: 5 }\n");
        run_until(backend(1)->down);
        server_reopen(&servers[1]);
        run_until(report(1).rises >= 2 && report(1).rises < 5);
        assert_true(backend(1)->down);
        server_close(&servers[1]);
        run_until(report(1).rises == 0);
        server_reopen(&servers[1]);
        run_until(!backend(1)->down);
        assert_true(report(1).rises >= 5);
}

/* One that answers by turns never fails as often in a row as it takes. */
static void test_flapping(void **state) {
        (void)state;
        adopt("    health_check: { interval: 30ms, timeout: 300ms, unhealthy_threshold: 100,"
              " healthy_threshold: 1 }\n");
        for (size_t i = 0; i < 4; i++) {
                server_close(&servers[1]);
                run_until(report(1).fails > 0);
                server_reopen(&servers[1]);
                run_until(report(1).fails == 0);
        }
        assert_int_equal(report(1).changes, 0);
}

static void test_unhealthy_interval(void **state) {
        (void)state;
        server_close(&servers[1]);
        adopt("    health_check: { interval: 400ms, unhealthy_interval: 20ms, timeout: 300ms,"
              " unhealthy_threshold: 1, healthy_threshold: 1 }\n");
        run_until(backend(1)->down);
        assert_int_equal(report(1).interval_ms, 20);
        assert_int_equal(report(0).interval_ms, 400);
        assert_in_range(run_until(report(1).failed >= 8), 0, 7 * 20 + SLACK_MS);
        server_reopen(&servers[1]);
        run_until(!backend(1)->down);
        assert_int_equal(report(1).interval_ms, 400);
}

/* A server that hangs: the checks that wait for it do not hold up the next ones, and the first good
 * one makes those before it moot. */
static void test_hanging_server(void **state) {
        struct full full;
        char text[ADDR_TEXT_MAX];
        uint64_t failed;

        (void)state;
        full_open(&full, "127.0.0.1:0");
        adopt_hosts(addr_text(&full.server.addr, text), NULL,
                    "    health_check: { interval: 50ms, timeout: 500ms, unhealthy_threshold: 2,"
                    " healthy_threshold: 1 }\n",
                    true);
        assert_in_range(run_until(backend(0)->down), 500, 2 * 500 + SLACK_MS);
        assert_int_equal(backend(0)->down_why, -ETIMEDOUT);
        failed = report(0).failed;
        run_for(1000); /* one each interval, whatever became of those before */
        assert_in_range(report(0).failed - failed, 10, 25);

        full.server.deaf = false;
        third = &full.server;
        assert_in_range(run_until(!backend(0)->down), 0, 50 + SLACK_MS);
        failed = report(0).failed;
        run_for(600); /* those that hung are gone */
        assert_int_equal(report(0).failed, failed);
        full_close(&full);
}

static void test_http(void **state) {
        (void)state;
        server_answer(&servers[0], "HTTP/1.1 200 OK\r\n\r\n");
        server_answer(&servers[1], "HTTP/1.1 503 no\r\n\r\n");
        adopt("    health_check: { type: http, path: /h, interval: 30ms, timeout: 300ms,"
              " unhealthy_threshold: 2, healthy_threshold: 1 }\n");
        run_until(backend(1)->down && report(0).passed > 1);
        assert_int_equal(backend(1)->down_why, 503);
        assert_int_equal(report(1).last, 503);
        assert_false(backend(0)->down);
        assert_memory_equal(servers[0].request, "GET /h HTTP/1.1\r\n", 17);
        server_answer(&servers[1], "garbage\n");
        run_until(backend(1)->down_why == FAILURE_NOT_HTTP); /* the newest reason */
        server_answer(&servers[1], "HTTP/1.1 200 OK\r\n\r\n");
        run_until(!backend(1)->down);
}

static void test_without_descriptors(void **state) {
        struct rlimit limit, none;
        uint64_t passed;

        (void)state;
        adopt(QUICK);
        run_until(report(0).passed > 0 && report(1).passed > 0);
        getrlimit(RLIMIT_NOFILE, &limit);
        none = limit;
        none.rlim_cur = 0;
        servers[0].deaf = servers[1].deaf = true;
        setrlimit(RLIMIT_NOFILE, &none);
        passed = report(0).passed;
        for (uint64_t end = clock_mono_ms() + 300; clock_mono_ms() < end;) {
                health_run(health); /* poll() is not possible now */
                usleep(1000);
        }
        setrlimit(RLIMIT_NOFILE, &limit);
        assert_true(report(0).passed <= passed + 1);
        assert_int_equal(report(0).failed, 0);
        assert_int_equal(report(0).fails, 0);
        servers[0].deaf = servers[1].deaf = false;
        run_until(report(0).passed > passed + 1);
        assert_int_equal(report(0).changes, 0);
}

/* Four thousand do not begin in the same millisecond, and are spread afterwards. */
#define MANY 2000
static void test_many_are_spread(void **state) {
        char *text = malloc(MANY * 64 + 256);
        unsigned most = 0;
        uint64_t begun = 0;
        int n;

        (void)state;
        assert_non_null(text);
        n = sprintf(text, "health_check: { interval: 10s, timeout: 300ms }\nport: 1\nbackends:\n");
        for (unsigned i = 0; i < MANY; i++) /* nobody listens there: refused at once */
                n += sprintf(text + n, "  - { host: 127.0.%u.%u, port: 9 }\n", 100 + i / 250,
                             1 + i % 250);
        now = generation(text, NULL, NULL);
        free(text);
        assert_int_equal(health_adopt(health, now), 0);
        for (uint64_t end = clock_mono_ms() + 10000; begun < MANY && clock_mono_ms() < end;) {
                uint64_t at_ms = clock_mono_ms(), before = begun;

                while (clock_mono_ms() == at_ms)
                        ;
                health_run(health);
                begun = 0;
                for (size_t i = 0; i < MANY; i++)
                        begun += report(i).failed > 0;
                if (begun - before > most)
                        most = (unsigned)(begun - before);
        }
        assert_int_equal(begun, MANY);
        assert_true(most < MANY / 2);
        assert_int_equal(n_went_down, 0);
}

/* Whatever hangs, checks hold no more descriptors than they have said. */
static size_t descriptors(void) {
        size_t n = 0;

        for (int fd = 0; fd < 4096; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static void test_descriptors(void **state) {
        struct full full[2];
        char texts[2][ADDR_TEXT_MAX];
        size_t before, most = 0, allowed;

        (void)state;
        full_open(&full[0], "127.0.0.1:0");
        full_open(&full[1], "127.0.0.1:0");
        before = descriptors();
        adopt_hosts(addr_text(&full[0].server.addr, texts[0]),
                    addr_text(&full[1].server.addr, texts[1]),
                    "    health_check: { interval: 20ms, timeout: 100ms }\n", true);
        allowed = health_descriptors(now->config);
        assert_int_equal(allowed, 2 * 7);
        for (uint64_t end = clock_mono_ms() + 600; clock_mono_ms() < end;) {
                size_t n = descriptors() - before;

                most = n > most ? n : most;
                turn();
        }
        assert_in_range(most, 6, allowed);
        adopt("    health_check: { type: none }\n");
        assert_int_equal(health_descriptors(now->config), 0);
        assert_int_equal(descriptors(), before);
        full_close(&full[0]);
        full_close(&full[1]);
}

/* ---- names ---- */

static void test_unresolved(void **state) {
        char text[64];

        (void)state;
        snprintf(text, sizeof(text), "name.test:%u", addr_port(&servers[0].addr));
        adopt_hosts(text, NULL, QUICK, false);
        assert_true(backend(0)->down);
        assert_int_equal(backend(0)->down_why, FAILURE_UNRESOLVED);
        assert_int_equal(n_went_down, 1);
        assert_false(report(0).checked);
        run_for(100);
        assert_int_equal(report(0).passed + report(0).failed, 0);
        assert_int_equal(health_next_ms(health), UINT64_MAX);

        adopt_hosts(text, NULL, QUICK, true);
        assert_false(backend(0)->down);
        run_until(report(0).passed > 0);
        server_close(&servers[0]);
        run_until(backend(0)->down);
        assert_true(n_asked > 0);
        assert_string_equal(asked, "name.test");
}

/* A name whose answers rotate, and nobody is at any of them: what was counted stays. */
static void test_rotating_answers(void **state) {
        static const char *const turns[] = { "127.0.0.2:0", "127.0.0.3:0" };
        uint64_t before, start_ms = clock_mono_ms();
        char text[64];

        (void)state;
        snprintf(text, sizeof(text), "name.test:%u", addr_port(&servers[0].addr));
        server_close(&servers[0]);
        for (unsigned i = 0; i < 40 && !(now && backend(0)->down); i++) {
                name_has = turns[i % 2];
                adopt_hosts(text, NULL,
                            "    health_check: { interval: 200ms, timeout: 300ms,"
                            " unhealthy_threshold: 4 }\n",
                            true);
                run_for(50);
        }
        assert_true(backend(0)->down);
        /* and it is not checked at each turn: twice as often as else at most */
        assert_in_range(report(0).failed, 4, 4 + (clock_mono_ms() - start_ms) / 90);

        before = report(0).failed; /* it moves to where somebody is: found without delay */
        name_has = "127.0.0.1:0";
        server_reopen(&servers[0]);
        adopt_hosts(text, NULL,
                    "    health_check: { interval: 1h, timeout: 300ms,"
                    " unhealthy_threshold: 4, healthy_threshold: 1 }\n",
                    true);
        run_until(!backend(0)->down);
        assert_in_range(report(0).failed, before, before + 1);
}

static void test_unresolved_without_checks(void **state) {
        (void)state;
        adopt_hosts("name.test:7", NULL, "    health_check: { type: none }\n", false);
        assert_true(backend(0)->down);
        adopt_hosts("name.test:7", NULL, "    health_check: { type: none }\n", true);
        assert_false(backend(0)->down);
        assert_int_equal(report(0).changes, 2);
}

/* ---- what traffic says ---- */

static void test_failed_connects_count(void **state) {
        (void)state;
        adopt(SELDOM);
        run_until(report(0).passed == 1);
        connect_failed(0, -ECONNREFUSED);
        assert_int_equal(report(0).fails, 1);
        assert_int_equal(report(0).rises, 0);
        connect_failed(0, -ECONNREFUSED); /* during the cooldown: the same failure */
        assert_int_equal(report(0).fails, 1);
        cooldown_over(0);
        connect_failed(0, -ECONNREFUSED); /* too soon after the first */
        assert_int_equal(report(0).fails, 1);
        run_for(1010);
        cooldown_over(0);
        connect_failed(0, -ECONNREFUSED);
        assert_int_equal(report(0).fails, 2);
        assert_false(backend(0)->down);
        cooldown_over(0);
        connect_failed(0, -ETIMEDOUT); /* it has lasted long enough to count for itself */
        assert_true(backend(0)->down);
        assert_int_equal(backend(0)->down_why, -ETIMEDOUT);
        assert_int_equal(n_went_down, 1);

        connect_worked(0); /* the last hope came true: up at once, whatever rise is */
        assert_false(backend(0)->down);
        assert_int_equal(report(0).fails, 0);
}

static void test_worked_in_between(void **state) {
        (void)state;
        adopt(SELDOM);
        run_until(report(0).passed == 1);
        for (size_t i = 0; i < 5; i++) {
                connect_failed(0, -ECONNREFUSED);
                cooldown_over(0);
                connect_failed(0, -ECONNREFUSED);
                cooldown_over(0);
                connect_worked(0);
        }
        assert_int_equal(report(0).changes, 0);
        assert_int_equal(report(0).fails, 0);
}

/* An outage that both checks and traffic meet counts no faster than checks alone would. */
static void test_one_outage_counts_once(void **state) {
        (void)state;
        adopt("    health_check: { interval: 400ms, timeout: 300ms, unhealthy_threshold: 2,"
              " healthy_threshold: 1 }\n");
        run_until(report(0).passed >= 2);
        server_close(&servers[0]);
        connect_failed(0, -ECONNREFUSED);
        assert_int_equal(report(0).fails, 1);
        run_for(250); /* another connect, and maybe a check */
        cooldown_over(0);
        connect_failed(0, -ECONNREFUSED);
        assert_int_equal(report(0).fails, 1);
        assert_in_range(run_until(backend(0)->down), 50, 2 * 400 + SLACK_MS);
        assert_int_equal(report(0).fails, 2);
}

/* A backend that checks have marked down, and that a session then reached. */
static void test_last_hope(void **state) {
        (void)state;
        server_close(&servers[0]);
        adopt("    health_check: { interval: 20ms, unhealthy_interval: 1h, timeout: 300ms,"
              " unhealthy_threshold: 2, healthy_threshold: 2 }\n");
        run_until(backend(0)->down);
        assert_int_equal(backend(0)->streak, 0);
        connect_worked(0);
        assert_false(backend(0)->down);
}

/* Where a check asks for more than a connect, a connect proves nothing. */
static void test_connects_prove_little(void **state) {
        char text[512];

        (void)state;
        server_answer(&servers[0], "HTTP/1.1 503 no\r\n\r\n");
        adopt("    health_check: { type: http, interval: 20ms, unhealthy_interval: 1h,"
              " timeout: 300ms, unhealthy_threshold: 2, healthy_threshold: 1 }\n");
        run_until(backend(0)->down);
        connect_worked(0);
        assert_true(backend(0)->down);
        assert_int_equal(report(0).fails, 2);

        snprintf(text, sizeof(text),
                 "    health_check: { type: tcp, port: %u, interval: 1h, timeout: 300ms,"
                 " unhealthy_threshold: 3, healthy_threshold: 1 }\n",
                 addr_port(&servers[1].addr));
        adopt(text);
        run_until(!backend(0)->down);
        connect_failed(0, -ECONNREFUSED);
        snprintf(text, sizeof(text),
                 "    health_check: { type: http, port: %u, expected_status: 200, interval: 1h,"
                 " timeout: 300ms, unhealthy_threshold: 3, healthy_threshold: 1 }\n",
                 addr_port(&servers[1].addr));
        server_answer(&servers[1], "HTTP/1.1 200 OK\r\n\r\n");
        adopt(text);
        run_until(report(0).rises > 0 && report(0).last == 0);
        assert_true(endpoint_cooling(backend(0))); /* the check is good, connects may fail */
        adopt("    health_check: { type: http, expected_status: 503, interval: 1h,"
              " timeout: 300ms, unhealthy_threshold: 3, healthy_threshold: 1 }\n");
        run_until(!endpoint_cooling(backend(0))); /* who answers on this port takes connects */
}

static void test_good_check_ends_cooldown(void **state) {
        (void)state;
        adopt(QUICK);
        run_until(report(0).passed > 0);
        connect_failed(0, -ECONNREFUSED);
        assert_in_range(run_until(!endpoint_cooling(backend(0))), 0, 40 + SLACK_MS);
        assert_true(endpoint_warm(backend(0), clock_mono_ms()));
        assert_int_equal(n_came_up, 1); /* clients may be waiting for it */
        run_until(report(0).passed > 3);
        assert_int_equal(n_came_up, 1);   /* a good check of a backend that works is no news */
        connect_failed(0, -ECONNREFUSED); /* counted anew, not as the second of a row */
        assert_int_equal(report(0).fails, 1);
}

/* Sessions are let down though connects work: good checks change nothing of that, a session that is
 * served does. */
static void test_let_down(void **state) {
        uint64_t passed;

        (void)state;
        adopt("    health_check: { interval: 20ms, timeout: 300ms, unhealthy_threshold: 1,"
              " healthy_threshold: 1 }\n" PROTECT);
        run_until(report(0).passed > 0);
        connect_failed(0, FAILURE_CLOSED);
        assert_true(backend(0)->down);
        assert_int_equal(backend(0)->down_why, FAILURE_CLOSED);
        assert_int_equal(report(0).fails, 1);
        passed = report(0).passed;
        run_until(report(0).passed > passed + 8);
        assert_true(backend(0)->down && endpoint_cooling(backend(0)));
        assert_int_equal(report(0).fails, 1);
        assert_int_equal(report(0).failed, 0);
        connect_worked(0);
        assert_false(backend(0)->down || endpoint_cooling(backend(0)));
        assert_int_equal(report(0).fails, 0);
        assert_int_equal(protection().failures, 0); /* it answers, if badly */
}

/* One that closes at once is seen by checks as soon as they know what to look for; then they say
 * when it is over. */
static void test_checks_see_a_closer(void **state) {
        (void)state;
        adopt(QUICK PROTECT);
        run_until(report(0).passed > 0);
        server_answer(&servers[0], "");
        servers[0].early = servers[0].closes = true;
        run_for(200);
        assert_int_equal(report(0).failed, 0); /* a connect works */
        connect_failed(0, FAILURE_CLOSED);
        assert_int_equal(n_went_down, 0);
        run_until(backend(0)->down && report(0).failed > 3);
        assert_int_equal(report(0).last, FAILURE_CLOSED);
        assert_true(endpoint_is_out(backend(0)));
        assert_true(n_went_down > 0);
        run_for(600); /* the cooldown goes on for as long */
        assert_false(endpoint_warm(backend(0), clock_mono_ms()));
        assert_int_equal(protection().failures, 0);

        servers[0].closes = false;
        run_until(!backend(0)->down);
        assert_false(endpoint_cooling(backend(0)));
        assert_int_equal(report(0).last, 0);
}

/* A check of another kind that fails has the word, too, and takes it back when it is good. */
static void test_checks_take_over(void **state) {
        (void)state;
        server_answer(&servers[0], "HTTP/1.1 200 OK\r\n\r\n");
        adopt("    health_check: { type: http, interval: 20ms, timeout: 300ms,"
              " unhealthy_threshold: 1, healthy_threshold: 1 }\n");
        run_until(report(0).passed > 0);
        connect_failed(0, 500);
        run_for(100);
        assert_true(backend(0)->down && !endpoint_is_out(backend(0)));
        assert_int_equal(n_went_down, 1);
        server_answer(&servers[0], "HTTP/1.1 503 no\r\n\r\n");
        run_until(endpoint_is_out(backend(0)));
        assert_int_equal(backend(0)->down_why, 503);
        assert_int_equal(n_went_down, 2); /* its sessions may have to go now */
        server_answer(&servers[0], "HTTP/1.1 200 OK\r\n\r\n");
        run_until(!backend(0)->down && !endpoint_cooling(backend(0)));
        connect_failed(0, 500);
        connect_worked(0); /* and a request that is served has it as well */
        assert_false(backend(0)->down);
}

static void test_local_errors_say_nothing(void **state) {
        (void)state;
        adopt(SELDOM);
        run_until(report(0).passed == 1);
        for (size_t i = 0; i < 5; i++) {
                connect_failed(0, -EADDRNOTAVAIL);
                cooldown_over(0);
        }
        assert_int_equal(report(0).fails, 0);
        assert_false(backend(0)->down);
}

static void test_without_checks_nobody_is_marked(void **state) {
        (void)state;
        adopt("    health_check: { type: none }\n");
        for (size_t i = 0; i < 5; i++) {
                connect_failed(0, -ECONNREFUSED);
                cooldown_over(0);
        }
        assert_false(backend(0)->down);
        assert_int_equal(n_went_down, 0);
        assert_false(report(0).checked);
        run_for(50);
        assert_int_equal(report(0).failed + report(0).passed, 0);
        assert_int_equal(servers[0].n_accepted, 0);
}

/* ---- the operator ---- */

static void test_maintenance(void **state) {
        uint64_t passed;

        (void)state;
        adopt(QUICK);
        run_until(report(0).passed > 0);
        endpoint_set_admin(backend(0), ADMIN_DRAIN, 0, clock_mono_ms());
        health_admin_changed(health, backend(0));
        passed = report(0).passed;
        run_until(report(0).passed > passed + 1); /* draining is checked */

        endpoint_set_admin(backend(0), ADMIN_MAINT, 0, clock_mono_ms());
        health_admin_changed(health, backend(0));
        passed = report(0).passed;
        assert_false(report(0).checked);
        run_for(150);
        assert_int_equal(report(0).passed, passed);

        server_close(&servers[0]);
        endpoint_set_admin(backend(0), ADMIN_READY, 0, clock_mono_ms());
        health_admin_changed(health, backend(0));
        assert_int_equal(health_next_ms(health), 0);
        assert_in_range(run_until(report(0).failed > 0), 0, SLACK_MS);
        run_until(backend(0)->down);
}

static void test_pause(void **state) {
        (void)state;
        adopt(QUICK);
        run_until(report(0).passed > 0);
        nobody();
        health_pause(health);
        assert_int_equal(health_next_ms(health), UINT64_MAX);
        health_run(health);
        assert_int_equal(health_next_ms(health), UINT64_MAX);
        connect_failed(0, -ECONNREFUSED);
        assert_int_equal(report(0).fails, 0);
        health_admin_changed(health, backend(0));
        adopt(QUICK);
        assert_int_equal(health_next_ms(health), UINT64_MAX);
}

/* ---- reload ---- */

static void test_reload_keeps_what_is_known(void **state) {
        uint64_t failed;

        (void)state;
        server_close(&servers[1]);
        adopt(QUICK);
        run_until(backend(1)->down && report(0).passed > 2);
        failed = report(1).failed;
        for (size_t i = 0; i < 20; i++)
                adopt(QUICK "    connect_timeout: 3s\n");
        assert_true(backend(1)->down);
        assert_int_equal(report(1).failed, failed); /* nor does it check more often */
        assert_true(report(1).fails >= 2);
        assert_int_equal(report(1).changes, 1);
        assert_int_equal(n_went_down, 1);
        adopt("    health_check: { interval: 30ms, timeout: 300ms, unhealthy_threshold: 9,"
              " healthy_threshold: 3 }\n");
        assert_true(backend(1)->down);
        assert_int_equal(report(1).fall, 9);
        assert_int_equal(report(1).interval_ms, 30);
        server_reopen(&servers[1]);
        run_until(!backend(1)->down);
        assert_true(report(1).rises >= 3);
}

/* A check under way when a reload comes goes on with the next generation. */
static void test_reload_during_a_check(void **state) {
        struct full full;
        char text[ADDR_TEXT_MAX];
        const char *keys = "    health_check: { interval: 10s, timeout: 400ms,"
                           " unhealthy_threshold: 1, healthy_threshold: 1 }\n";

        (void)state;
        full_open(&full, "127.0.0.1:0");
        adopt_hosts(addr_text(&full.server.addr, text), NULL, keys, true);
        run_for(50);
        for (uint64_t end = clock_mono_ms() + 600; clock_mono_ms() < end; run_for(20))
                adopt_hosts(text, NULL, keys, true);
        assert_true(backend(0)->down);
        adopt(QUICK); /* it goes with checks under way */
        run_until(report(0).passed > 0);
        full_close(&full);
}

static void test_interval_becomes_shorter(void **state) {
        (void)state;
        adopt(SELDOM);
        run_until(report(0).passed == 1);
        adopt(QUICK);
        assert_in_range(run_until(report(0).passed >= 3), 0, 2 * 40 + SLACK_MS);
}

static void test_another_question_is_asked_at_once(void **state) {
        (void)state;
        server_answer(&servers[0], "HTTP/1.1 200 OK\r\n\r\n");
        server_answer(&servers[1], "HTTP/1.1 200 OK\r\n\r\n");
        adopt("    health_check: { type: http, path: /one, interval: 1h, timeout: 300ms }\n");
        run_until(report(0).passed == 1);
        adopt("    health_check: { type: http, path: /two, interval: 1h, timeout: 300ms }\n");
        assert_in_range(run_until(report(0).passed == 2), 0, SLACK_MS);
        assert_memory_equal(servers[0].request, "GET /two ", 9);
        adopt("    health_check: { type: http, path: /two, interval: 1h, timeout: 300ms,"
              " expected_status: 201 }\n");
        assert_in_range(run_until(report(0).failed == 1), 0, SLACK_MS);
        adopt(SELDOM);
        assert_in_range(run_until(report(0).passed == 3), 0, SLACK_MS);
}

static void test_checks_taken_away(void **state) {
        (void)state;
        server_close(&servers[1]);
        adopt(QUICK);
        run_until(backend(1)->down);
        adopt("    health_check: { type: none }\n");
        assert_false(backend(1)->down);
        assert_false(report(1).checked);
        run_for(100);
        assert_false(backend(1)->down);
        assert_int_equal(health_next_ms(health), UINT64_MAX);
}

/* Endpoints and pools outlive the generation that forgets them, as long as a session needs it. */
static void test_removed(void **state) {
        char text[ADDR_TEXT_MAX];
        struct upstream *old;
        struct endpoint *gone;

        (void)state;
        adopt(QUICK);
        run_until(report(1).passed > 0);
        nobody();
        assert_true(pool_protected(now->pools[0].pool));
        old = upstream_ref(now);
        gone = backend(1);
        adopt_hosts(addr_text(&servers[0].addr, text), NULL, QUICK, true);
        assert_null(gone->check);
        atomic_store(&gone->news, true);
        health_news(health);
        run_for(100);
        upstream_unref(old);
        run_for(100);
        assert_true(report(0).passed > 0);
}

/* ---- protection ---- */

static void test_storm(void **state) {
        struct protection_report p;
        uint32_t interval_ms;

        (void)state;
        adopt("    health_check: { interval: 50ms, timeout: 300ms, unhealthy_threshold: 9 }\n" PROTECT);
        run_until(report(0).passed > 1);
        interval_ms = report(0).interval_ms;
        connect_failed(0, -ETIMEDOUT);
        connect_failed(0, -ETIMEDOUT); /* in the cooldown: counts all the same */
        connect_failed(0, -ECONNREFUSED);
        connect_failed(0, -EHOSTUNREACH); /* of another kind */
        connect_failed(0, -ETIMEDOUT);
        p = protection();
        assert_int_equal(p.failures, 4);
        assert_int_equal(p.reason, PROTECTION_OFF);
        connect_failed(1, -ETIMEDOUT);
        p = protection();
        assert_int_equal(p.reason, PROTECTION_STORM);
        assert_int_equal(now->pools[0].pool->protection, PROTECTION_STORM);
        assert_int_equal(p.activations[PROTECTION_STORM], 1);
        assert_true(p.since_us > 0);
        assert_int_equal(p.trigger, 5);
        assert_int_equal(p.window_ms, 10000);
        assert_int_equal(p.stable, 4);
        assert_int_equal(report(0).interval_ms, 2 * interval_ms);

        run_until(!pool_protected(now->pools[0].pool)); /* without any traffic */
        p = protection();
        assert_int_equal(p.failures, 0);
        assert_true(p.last_ms > 0);
        assert_int_equal(report(0).interval_ms, interval_ms);
}

/* Time-outs and refusals, and nothing else that traffic or checks meet, however often. */
static void test_what_is_no_storm(void **state) {
        static const int others[] = { -EHOSTUNREACH, -ENETUNREACH,   -ECONNRESET,      -EACCES,
                                      -EMFILE,       FAILURE_CLOSED, FAILURE_NOT_HTTP, 500 };
        static const int storms[] = { -ETIMEDOUT, -ECONNREFUSED, -EAGAIN };

        (void)state;
        adopt("    health_check: { interval: 1h, timeout: 300ms, unhealthy_threshold: 1000 }\n" PROTECT);
        run_until(report(0).passed + report(1).passed == 2);
        for (size_t i = 0; i < 3 * ELEMENTS(others); i++) {
                cooldown_over(i % 2);
                connect_failed(i % 2, others[i / 3]);
        }
        assert_int_equal(protection().failures, 0);
        for (size_t i = 0; i < ELEMENTS(storms); i++) {
                connect_failed(0, storms[i]);
                assert_int_equal(protection().failures, i + 1);
        }
        assert_int_equal(protection().reason, PROTECTION_OFF);
}

/* Checks that get a bad answer, none, or a reset: the backends are there. */
static void test_bad_answers_are_no_storm(void **state) {
        static const char *const answers[] = { "HTTP/1.1 503 no\r\n\r\n", "garbage\n",
                                               "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 2" };

        (void)state;
        adopt("    health_check: { type: http, interval: 15ms, timeout: 300ms,"
              " unhealthy_threshold: 1000 }\n" PROTECT);
        for (size_t i = 0; i < 2 * ELEMENTS(answers); i++) {
                uint64_t failed = report(0).failed + report(1).failed;

                for (size_t k = 0; k < 2; k++) {
                        server_answer(&servers[k], answers[i / 2]);
                        servers[k].closes = true;
                        servers[k].resets = i % 2;
                }
                run_until(report(0).failed + report(1).failed > failed + 8);
        }
        assert_int_equal(protection().failures, 0);
        assert_int_equal(protection().reason, PROTECTION_OFF);
}

/* Sessions that a backend closed do not hold up the end of it. */
static void test_closed_sessions_do_not_hold_it_up(void **state) {
        (void)state;
        adopt("    health_check: { interval: 1h, timeout: 300ms }\n" PROTECT);
        run_until(report(0).passed + report(1).passed == 2);
        for (size_t i = 0; i < 5; i++)
                connect_failed(1, -ECONNREFUSED);
        assert_true(pool_protected(now->pools[0].pool));
        for (size_t i = 0; i < 4; i++) {
                COUNTER_ADD(backend(0)->per_worker[0].connected, 1);
                COUNTER_ADD(backend(0)->per_worker[0].failed[CONNECT_CLOSED], 1);
                run_until(protection().successes == i + 1 || !pool_protected(now->pools[0].pool));
        }
        run_until(!pool_protected(now->pools[0].pool));
}

/* Clients that wait try a backend again and again: that a known failure goes on neither makes a
 * storm nor ends a row of successes. The counters of failures have all of them. */
static void test_last_hopes_are_no_storm(void **state) {
        (void)state;
        adopt("    health_check: { type: none }\n" PROTECT);
        for (size_t i = 0; i < 20; i++)
                try_failed(0, true, i % 2 ? -ECONNREFUSED : -ETIMEDOUT);
        assert_int_equal(protection().failures, 0);
        assert_false(pool_protected(now->pools[0].pool));

        for (size_t i = 0; i < 5; i++)
                connect_failed(0, -ECONNREFUSED);
        assert_int_equal(protection().reason, PROTECTION_STORM);
        COUNTER_ADD(backend(1)->per_worker[0].connected, 3);
        run_until(protection().successes == 3);
        try_failed(0, true, -ECONNREFUSED);
        assert_int_equal(protection().successes, 3);
        COUNTER_ADD(backend(1)->per_worker[0].connected, 1);
        run_until(!pool_protected(now->pools[0].pool));
}

/* What was counted before an endpoint was watched is no news. */
static void test_old_failures_are_no_storm(void **state) {
        (void)state;
        adopt("    health_check: { type: none }\n" PROTECT);
        for (size_t i = 0; i < 4; i++)
                connect_failed(0, -ECONNREFUSED);
        assert_int_equal(protection().failures, 4);
        health = health_free(health);
        assert_int_equal(health_new(&health, &hooks, &servers), 0);
        adopt("    health_check: { type: none }\n" PROTECT);
        connect_failed(0, -ECONNREFUSED);
        assert_int_equal(protection().failures, 1);
}

/* Successes of traffic from before do not end it, those that come do. */
static void test_traffic_ends_it(void **state) {
        (void)state;
        adopt("    health_check: { type: none }\n" PROTECT);
        COUNTER_ADD(backend(0)->per_worker[0].connected, 1000);
        for (size_t i = 0; i < 5; i++)
                connect_failed(1, -ECONNREFUSED);
        assert_true(pool_protected(now->pools[0].pool));
        run_for(250);
        assert_true(pool_protected(now->pools[0].pool));
        COUNTER_ADD(backend(0)->per_worker[0].connected, 3);
        run_until(protection().successes == 3);
        connect_failed(1, -ECONNREFUSED); /* a row begins anew */
        assert_int_equal(protection().successes, 0);
        COUNTER_ADD(backend(0)->per_worker[1].connected, 3);
        run_until(protection().successes == 3);
        connect_failed(1, -EHOSTUNREACH);
        assert_int_equal(protection().successes, 0);
        COUNTER_ADD(backend(0)->per_worker[1].connected, 4);
        assert_in_range(run_until(!pool_protected(now->pools[0].pool)), 0, 100 + SLACK_MS);
}

/* All are dead, a session found none; one comes back, the other stays dead. */
static void test_all_unavailable(void **state) {
        (void)state;
        server_close(&servers[0]);
        server_close(&servers[1]);
        adopt("    health_check: { interval: 50ms, timeout: 300ms, unhealthy_threshold: 1,"
              " healthy_threshold: 1 }\n" PROTECT);
        run_until(backend(0)->down && backend(1)->down);
        nobody();
        assert_int_equal(protection().reason, PROTECTION_UNAVAILABLE);
        assert_int_equal(report(0).interval_ms, 50); /* not doubled */
        run_for(300);
        assert_int_equal(protection().reason, PROTECTION_UNAVAILABLE);
        server_reopen(&servers[0]);
        assert_in_range(run_until(!backend(0)->down), 0, 50 + SLACK_MS);
        run_until(!pool_protected(now->pools[0].pool)); /* the dead one does not hold it up */
        assert_true(backend(1)->down);
        run_for(300); /* nor does it switch it on again */
        assert_false(pool_protected(now->pools[0].pool));
        assert_int_equal(protection().activations[PROTECTION_UNAVAILABLE], 1);
        assert_int_equal(protection().activations[PROTECTION_STORM], 0);
}

/* A storm during which sessions find nobody: checks do not slow down, as all wait for the first. */
static void test_storm_and_nobody(void **state) {
        (void)state;
        adopt("    health_check: { interval: 1h, timeout: 300ms }\n" PROTECT);
        run_until(report(0).passed + report(1).passed == 2);
        for (size_t i = 0; i < 5; i++)
                connect_failed(0, -ETIMEDOUT);
        assert_int_equal(protection().reason, PROTECTION_STORM);
        assert_int_equal(report(0).interval_ms, 3600000); /* the other one carries the load */
        connect_failed(1, -ETIMEDOUT);
        run_until(report(0).interval_ms == 7200000);
        nobody();
        assert_int_equal(protection().reason, PROTECTION_STORM);
        assert_int_equal(report(0).interval_ms, 3600000);
}

/* Checks alone: they fail on backends that still count as up. */
static void test_checks_storm(void **state) {
        (void)state;
        server_close(&servers[0]);
        server_close(&servers[1]);
        adopt("    health_check: { interval: 30ms, timeout: 300ms, unhealthy_threshold: 3,"
              " healthy_threshold: 1 }\n" PROTECT);
        run_until(pool_protected(now->pools[0].pool));
        assert_int_equal(protection().reason, PROTECTION_STORM);
        assert_in_range(report(0).failed + report(1).failed, 5, 6);
        run_until(backend(0)->down && backend(1)->down);
        assert_in_range(protection().failures, 5, 6); /* as many as it took, no more */
}

static void test_protection_survives_reload(void **state) {
        (void)state;
        adopt("    health_check: { interval: 1h, timeout: 300ms }\n" PROTECT);
        run_until(report(0).passed + report(1).passed == 2);
        nobody();
        adopt("    health_check: { interval: 1h, timeout: 300ms }\n"
              "    protection: { trigger_threshold: 7, window: 10s, stable_success_threshold: 9 }\n");
        assert_int_equal(protection().reason, PROTECTION_UNAVAILABLE);
        assert_int_equal(protection().stable, 9);
        assert_int_equal(protection().trigger, 7);
        COUNTER_ADD(backend(0)->per_worker[0].connected, 9);
        run_until(!pool_protected(now->pools[0].pool));
}

/* Neither checks nor traffic: it ends when the window has passed without another failure. */
static void test_silence_ends_it(void **state) {
        (void)state;
        adopt("    health_check: { type: none }\n"
              "    protection: { trigger_threshold: 5, window: 400ms, stable_success_threshold: 4 }\n");
        nobody();
        assert_true(pool_protected(now->pools[0].pool));
        run_for(250);
        nobody();
        assert_in_range(run_until(!pool_protected(now->pools[0].pool)), 300, 600 + SLACK_MS);
}

/* ---- all at once ---- */

static void random_server(struct server *s, uint64_t r) {
        static const char *const answers[] = { "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 500 no\r\n\r\n",
                                               "HTTP/1.1 2", "?" };

        if (s->fd >= 0 && r % 3 == 0) {
                server_close(s);
        } else if (s->fd < 0) {
                server_reopen(s);
                server_answer(s, answers[r / 3 % 4]);
                s->closes = r / 12 % 2;
                s->resets = r / 24 % 2;
                s->deaf = r / 48 % 4 == 0;
        }
}

static void random_adopt(uint64_t r) {
        static const char *const keys[] = {
                QUICK,
                SELDOM PROTECT,
                "    health_check: { type: none }\n" PROTECT,
                "    health_check: { type: http, interval: 5ms, timeout: 40ms,"
                " unhealthy_threshold: 2, healthy_threshold: 2 }\n" PROTECT,
                "    health_check: { interval: 3ms, timeout: 50ms, unhealthy_threshold: 1,"
                " healthy_threshold: 1 }\n" PROTECT,
        };
        char texts[2][ADDR_TEXT_MAX], named[64];

        addr_text(&servers[0].addr, texts[0]);
        addr_text(&servers[1].addr, texts[1]);
        snprintf(named, sizeof(named), "name.test:%u", addr_port(&servers[1].addr));
        adopt_hosts(texts[r % 2], r / 2 % 2 ? named : NULL, keys[r / 4 % ELEMENTS(keys)],
                    r / 32 % 4 > 0);
}

static void random_step(uint64_t r) {
        static const int errors[] = { -ECONNREFUSED, -ETIMEDOUT,     -EHOSTUNREACH,
                                      -EMFILE,       FAILURE_CLOSED, 500 };
        size_t i = r / 8 % now->pools[0].n_endpoints;

        switch (r % 8) {
        case 0:
        case 1:
                random_server(&servers[r / 8 % 2], r / 16);
                break;
        case 2:
                random_adopt(r / 8);
                break;
        case 3:
                endpoint_set_admin(backend(i), r / 16 % ADMIN_STATES_COUNT, 0, clock_mono_ms());
                health_admin_changed(health, backend(i));
                break;
        case 4:
                cooldown_over(i);
                connect_failed(i, errors[r / 16 % ELEMENTS(errors)]);
                break;
        case 5:
                connect_worked(i);
                break;
        case 6:
                nobody();
                break;
        default:
                run_for(r / 8 % 8);
        }
}

/* What must hold whatever has happened. */
static void assert_sane(void) {
        const struct upstream_pool *pool = &now->pools[0];

        assert_int_equal(pool->pool->protection, protection().reason);
        for (size_t i = 0; i < pool->n_endpoints; i++) {
                const struct endpoint *e = backend(i);
                bool unresolved = !upstream_has_addrs(&pool->endpoints[i]);

                assert_true(e->down == (e->down_why != 0));
                assert_true(!unresolved || e->down_why == FAILURE_UNRESOLVED);
                assert_true(unresolved || e->down_why != FAILURE_UNRESOLVED);
                if (pool->config->check.type == CONFIG_CHECK_NONE)
                        assert_int_equal(e->down, unresolved);
                assert_int_equal(report(i).checked, pool->config->check.type != CONFIG_CHECK_NONE &&
                                                            !unresolved && e->admin != ADMIN_MAINT);
        }
}

static void test_anything(void **state) {
        uint64_t random = 7;

        (void)state;
        adopt(QUICK);
        for (size_t i = 0; i < 1500; i++) {
                random_step(hash_mix(++random) >> 8);
                assert_sane();
        }
        for (size_t i = 0; i < ELEMENTS(servers); i++) { /* and it finds back to order */
                server_close(&servers[i]);
                server_reopen(&servers[i]);
                servers[i].deaf = false;
        }
        adopt(QUICK PROTECT);
        for (size_t i = 0; i < ELEMENTS(servers); i++) {
                endpoint_set_admin(backend(i), ADMIN_READY, 0, clock_mono_ms());
                health_admin_changed(health, backend(i));
                connect_worked(i); /* nothing else might say so */
        }
        run_until(!backend(0)->down && !backend(1)->down && !pool_protected(now->pools[0].pool));
}

/* ---- the log ---- */

#define LINES_SIZE 16384

static bool on_record(const struct log_record *record, void *userdata) {
        char *text = userdata;
        size_t at = strlen(text);
        char line[LOG_RECORD_MAX];
        int n = (int)log_format_pretty(line, sizeof(line), record);

        snprintf(text + at, LINES_SIZE - at, "%.*s\n", n, line);
        return true;
}

/* The lines since the last call. */
static const char *lines(void) {
        static char text[LINES_SIZE];

        text[0] = '\0';
        log_drain(on_record, text);
        return text;
}

static void assert_has(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("no \"%s\" in:\n%s", part, text);
}

static void test_log(void **state) {
        char name[ADDR_TEXT_MAX + 16];
        const char *text;

        (void)state;
        assert_int_equal(log_thread_init(), 0);
        lines();
        server_close(&servers[1]);
        adopt(QUICK);
        run_until(backend(1)->down);
        snprintf(name, sizeof(name), "pool=p  backend=%s", backend(1)->name);
        text = lines();
        assert_has(text, name);
        assert_has(text, "from=up  to=down  reason=refused  text=refused  failed_checks=2");
        run_for(200);
        assert_string_equal(lines(), ""); /* what has not changed is not told again */
        nobody();
        assert_has(lines(), "pool=p  reason=all_backends_unavailable  failures=");
        server_reopen(&servers[1]);
        run_until(!backend(1)->down);
        text = lines();
        assert_has(text, name);
        assert_has(text, "from=down  to=up  reason=refused  duration_ms=");
        run_until(!pool_protected(now->pools[0].pool));
        assert_has(lines(), "pool=p  reason=all_backends_unavailable  duration_ms=");
        log_set_level(LOG_LEVEL_DEBUG);
        run_until(strstr(lines(), "result=ok"));
        log_set_level(LOG_LEVEL_INFO);
        log_thread_done();
        lines();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_first_round_at_once),
                TEST(test_down_and_up),
                TEST(test_rise_wants_a_row),
                TEST(test_flapping),
                TEST(test_unhealthy_interval),
                TEST(test_hanging_server),
                TEST(test_http),
                TEST(test_without_descriptors),
                TEST(test_many_are_spread),
                TEST(test_descriptors),
                TEST(test_unresolved),
                TEST(test_unresolved_without_checks),
                TEST(test_rotating_answers),
                TEST(test_failed_connects_count),
                TEST(test_worked_in_between),
                TEST(test_one_outage_counts_once),
                TEST(test_last_hope),
                TEST(test_connects_prove_little),
                TEST(test_good_check_ends_cooldown),
                TEST(test_let_down),
                TEST(test_checks_see_a_closer),
                TEST(test_checks_take_over),
                TEST(test_local_errors_say_nothing),
                TEST(test_without_checks_nobody_is_marked),
                TEST(test_maintenance),
                TEST(test_pause),
                TEST(test_reload_keeps_what_is_known),
                TEST(test_reload_during_a_check),
                TEST(test_interval_becomes_shorter),
                TEST(test_another_question_is_asked_at_once),
                TEST(test_checks_taken_away),
                TEST(test_removed),
                TEST(test_storm),
                TEST(test_what_is_no_storm),
                TEST(test_bad_answers_are_no_storm),
                TEST(test_closed_sessions_do_not_hold_it_up),
                TEST(test_last_hopes_are_no_storm),
                TEST(test_old_failures_are_no_storm),
                TEST(test_traffic_ends_it),
                TEST(test_all_unavailable),
                TEST(test_storm_and_nobody),
                TEST(test_checks_storm),
                TEST(test_protection_survives_reload),
                TEST(test_silence_ends_it),
                TEST(test_anything),
                TEST(test_log),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
