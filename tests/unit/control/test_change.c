/* SPDX-License-Identifier: MIT */
/* From one generation to the next, with a real supervisor and real workers. Names are resolved by
 * this file, and the workers' adoption fails when the test wants it to (-Wl,--wrap). */
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "bal/protocol.h"
#include "control/journal.h"
#include "control/logsink.h"
#include "control/state.h"
#include "core/clock.h"
#include "net/sock.h"

#define PATIENCE_MS 10000

static char dir[] = "/tmp/bal-test-change-XXXXXX", path[64], log_path[64];
static struct logsink *sink;
static struct supervisor *s;
static unsigned n_ready;

/* ---- what is replaced ---- */

static int prepare_result; /* of the next call only; 0: it does what it always does */

int __real_crew_prepare(struct crew *crew,
                        const struct crew_adoption *a,
                        crew_done_fn done,
                        void *arg);
int __wrap_crew_prepare(struct crew *crew,
                        const struct crew_adoption *a,
                        crew_done_fn done,
                        void *arg);

int __wrap_crew_prepare(struct crew *crew,
                        const struct crew_adoption *a,
                        crew_done_fn done,
                        void *arg) {
        int r = prepare_result;

        prepare_result = 0;
        return r < 0 ? r : __real_crew_prepare(crew, a, done, arg);
}

static int ping_result; /* likewise */

int __real_crew_ping(struct crew *crew, crew_done_fn done, void *arg);
int __wrap_crew_ping(struct crew *crew, crew_done_fn done, void *arg);

int __wrap_crew_ping(struct crew *crew, crew_done_fn done, void *arg) {
        int r = ping_result;

        ping_result = 0;
        return r < 0 ? r : __real_crew_ping(crew, done, arg);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t spoke = PTHREAD_COND_INITIALIZER;
static bool silent;
static const char *answer; /* to every question */

int getaddrinfo(const char *host,
                const char *service,
                const struct addrinfo *hints,
                struct addrinfo **ret) {
        struct addrinfo *a = calloc(1, sizeof(*a) + sizeof(struct addr));
        struct addr *addr = (struct addr *)(a + 1);

        (void)host;
        (void)service;
        (void)hints;
        pthread_mutex_lock(&lock);
        while (silent)
                pthread_cond_wait(&spoke, &lock);
        if (!a || addr_parse_host(addr, answer, 0) < 0)
                abort();
        pthread_mutex_unlock(&lock);
        a->ai_addr = &addr->sa;
        a->ai_addrlen = addr->len;
        a->ai_family = addr->sa.sa_family;
        *ret = a;
        return 0;
}

void freeaddrinfo(struct addrinfo *a) {
        free(a);
}

static void be_silent(bool now) {
        pthread_mutex_lock(&lock);
        silent = now;
        pthread_cond_broadcast(&spoke);
        pthread_mutex_unlock(&lock);
}

static void be_answered(const char *text) {
        pthread_mutex_lock(&lock);
        answer = text;
        pthread_mutex_unlock(&lock);
}

/* ---- the daemon ---- */

static void on_ready(void *arg) {
        (void)arg;
        n_ready++;
}

static void write_config(const char *text) {
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}

static struct addr listen_addr(void) {
        struct addr a = { 0 };
        int fd;

        assert_int_equal(addr_parse(&a, "127.0.0.1:1"), 0);
        addr_set_port(&a, 0);
        assert_int_equal(sock_listen(&fd, &a, 1), 0);
        assert_return_code(getsockname(fd, &a.sa, &a.len), errno);
        close(fd);
        return a;
}

/* Limits of everything that has one, a frontend on a, and these servers. */
static char *text_of(const struct addr *a, unsigned limit, unsigned weight, const char *servers) {
        static char text[2048];
        char name[ADDR_TEXT_MAX];

        snprintf(text, sizeof(text),
                 "global: { metrics: { enabled: false }, workers: 2, resolve_interval: 100ms,\n"
                 "          max_connections: %u }\n"
                 "frontends:\n"
                 "  - { name: f, listen: \"%s\", backend: p, max_connections: %u }\n"
                 "backends:\n  - { name: p, health_check: { type: none }, servers: [\n"
                 "      { address: \"127.0.0.1:9\", weight: %u, max_connections: %u }%s ] }\n",
                 limit + 100, addr_text(a, name), limit + 50, weight, limit, servers);
        return text;
}

static void run(void) {
        assert_true(sd_event_run(s->event, 20000) >= 0);
}

/* Until no change is under way any more. */
static void settle(void) {
        uint64_t until = clock_mono_ms() + PATIENCE_MS;

        while (s->change.config) {
                assert_true(clock_mono_ms() < until);
                run();
        }
}

static void reload(const char *text) {
        write_config(text);
        change_reload(s, TRIGGER_SIGNAL, NULL);
        settle();
}

static struct addr first_addr;

static int start(void **state) {
        struct supervisor_options o = { .config_path = path,
                                        .no_watch = true,
                                        .runtime_dir = dir,
                                        .log_level = -1,
                                        .ready = on_ready };
        uint64_t until = clock_mono_ms() + PATIENCE_MS;
        struct diags d;

        (void)state;
        n_ready = 0;
        prepare_result = ping_result = 0;
        be_answered("127.0.0.1");
        first_addr = listen_addr();
        write_config(text_of(&first_addr, 10, 2, ""));
        diags_init(&d);
        if (log_thread_init() < 0 || logsink_new(&sink, log_path, JOURNAL_SOCKET) < 0 ||
            config_load(&o.config, path, &d) < 0)
                return -1;
        diags_done(&d);
        o.sink = sink;
        if (supervisor_new(&s, &o) < 0)
                return -1;
        config_unref(o.config);
        while (n_ready == 0 && clock_mono_ms() < until)
                run();
        return n_ready != 1;
}

static int end(void **state) {
        (void)state;
        be_silent(false);
        s = supervisor_free(s);
        log_thread_done();
        sink = logsink_free(sink);
        return 0;
}

static int group_start(void **state) {
        (void)state;
        supervisor_block_signals();
        if (!mkdtemp(dir))
                return -1;
        snprintf(path, sizeof(path), "%s/config.yaml", dir);
        snprintf(log_path, sizeof(log_path), "%s/log", dir);
        return 0;
}

static int group_end(void **state) {
        (void)state;
        unlink(path);
        unlink(log_path);
        return rmdir(dir); /* no socket was left */
}

static bool is_open(const struct addr *a) {
        int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool yes = connect(fd, &a->sa, a->len) == 0;

        close(fd);
        return yes;
}

static const struct upstream_endpoint *backend(size_t i) {
        return &s->upstream->pools[0].endpoints[i];
}

#define LOAD(x) atomic_load_explicit(&(x), memory_order_relaxed)

/* All that a reload sets beside the generation itself. */
static void assert_in_force(uint64_t number, unsigned limit, unsigned weight, size_t n_backends) {
        assert_int_equal(s->config_number, number);
        assert_int_equal(s->config->max_connections, limit + 100);
        assert_ptr_equal(s->upstream->config, s->config);
        assert_int_equal(s->limits.max_sessions, limit + 100);
        assert_int_equal(LOAD(s->upstream->all->gate.max), limit + 100);
        assert_int_equal(LOAD(s->upstream->frontends[0].frontend->gate.max), limit + 50);
        assert_int_equal(LOAD(backend(0)->endpoint->gate.max), limit);
        assert_int_equal(LOAD(backend(0)->endpoint->weight), weight);
        assert_int_equal(s->upstream->pools[0].n_endpoints, n_backends);
}

/* ---- the tests ---- */

static void test_reload(void **state) {
        struct addr later = listen_addr();
        struct upstream *before = s->upstream;

        (void)state;
        assert_in_force(1, 10, 2, 1);
        assert_true(is_open(&first_addr));
        reload(text_of(&later, 20, 3, ", { address: \"127.0.0.1:10\" }"));
        assert_in_force(2, 20, 3, 2);
        assert_ptr_not_equal(s->upstream, before);
        assert_true(is_open(&later));
        assert_false(is_open(&first_addr));
        assert_int_equal(s->reloads.good, 1);
        assert_int_equal(s->reloads.bad, 0);
        assert_true(s->reloads.last_good);
        assert_int_equal(n_ready, 1);
}

static void test_a_file_with_errors(void **state) {
        struct upstream *before = s->upstream;

        (void)state;
        reload("port: 0\n");
        assert_in_force(1, 10, 2, 1);
        assert_ptr_equal(s->upstream, before);
        assert_int_equal(s->reloads.bad, 1);
        assert_false(s->reloads.last_good);
        reload(text_of(&first_addr, 30, 2, ""));
        assert_in_force(2, 30, 2, 1);
        assert_true(s->reloads.last_good);
}

static void test_a_taken_port(void **state) {
        struct addr taken = listen_addr();
        int fd;

        (void)state;
        assert_int_equal(sock_listen(&fd, &taken, 1), 0);
        reload(text_of(&taken, 20, 3, ""));
        assert_in_force(1, 10, 2, 1);
        assert_int_equal(s->reloads.bad, 1);
        assert_true(is_open(&first_addr));
        close(fd);
        reload(text_of(&taken, 20, 3, ""));
        assert_in_force(2, 20, 3, 1);
}

/* The new generation was built, and its sockets were open. */
static void test_an_adoption_that_fails(void **state) {
        struct addr later = listen_addr();
        struct upstream *before = s->upstream;

        (void)state;
        prepare_result = -ENOMEM;
        reload(text_of(&later, 20, 3, ", { address: \"127.0.0.1:10\" }"));
        assert_int_equal(prepare_result, 0);
        assert_in_force(1, 10, 2, 1);
        assert_ptr_equal(s->upstream, before);
        assert_int_equal(s->reloads.bad, 1);
        assert_true(is_open(&first_addr));
        assert_false(is_open(&later));
        reload(text_of(&later, 20, 3, ""));
        assert_in_force(2, 20, 3, 1);
}

/* Removed by mistake, and back while its sessions still run: counters, limit and mark go on. */
static void test_a_backend_comes_back(void **state) {
        static const char more[] = ", { address: \"127.0.0.1:10\" }";
        struct endpoint *e, *other;
        struct upstream *held;

        (void)state;
        reload(text_of(&first_addr, 10, 2, more));
        e = backend(1)->endpoint;
        other = backend(0)->endpoint;
        atomic_store(&e->per_worker[0].sessions_now, 3);
        endpoint_set_admin(e, ADMIN_DRAIN, 0, 1);
        held = upstream_ref(s->upstream); /* as its sessions do */
        reload(text_of(&first_addr, 10, 2, ""));
        assert_false(link_idle(&s->leaving.list));
        reload(text_of(&first_addr, 10, 2, more));
        assert_ptr_equal(backend(1)->endpoint, e);
        assert_ptr_equal(backend(0)->endpoint, other);
        assert_int_equal(endpoint_state(e), ENDPOINT_DRAIN);
        assert_true(link_idle(&s->leaving.list));
        atomic_store(&e->per_worker[0].sessions_now, 0);
        upstream_unref(held);
}

/* What is asked for while a change waits for names is remembered, and done afterwards. */
static void test_one_at_a_time(void **state) {
        uint64_t until = clock_mono_ms() + PATIENCE_MS;

        (void)state;
        be_silent(true);
        write_config(text_of(&first_addr, 20, 3, ", { address: \"slow.example:10\" }"));
        change_reload(s, TRIGGER_SIGNAL, NULL);
        assert_non_null(s->change.config);
        write_config(text_of(&first_addr, 30, 4, ""));
        change_reload(s, TRIGGER_FILE, NULL);
        change_reload(s, TRIGGER_FILE, NULL);
        assert_true(s->reload_again);
        assert_int_equal(s->config_number, 1);
        be_silent(false);
        while (s->config_number < 3) {
                assert_true(clock_mono_ms() < until);
                run();
        }
        settle();
        assert_in_force(3, 30, 4, 1);
        assert_false(s->reload_again);
        assert_int_equal(s->reloads.good, 2);
}

/* Of a stop: one that waits for names is given up, and nothing has changed. */
static void test_given_up(void **state) {
        (void)state;
        assert_false(change_give_up(s));
        be_silent(true);
        write_config(text_of(&first_addr, 20, 3, ", { address: \"slow.example:10\" }"));
        change_reload(s, TRIGGER_SIGNAL, NULL);
        assert_non_null(s->change.config);
        assert_true(change_give_up(s));
        assert_null(s->change.config);
        be_silent(false);
        for (int i = 0; i < 10; i++)
                run(); /* its answers are of no use any more */
        assert_in_force(1, 10, 2, 1);
        assert_int_equal(s->reloads.bad, 1);
}

static void wait_for_address(size_t i, const char *text) {
        uint64_t until = clock_mono_ms() + PATIENCE_MS;
        char buf[ADDR_TEXT_MAX];

        while (strcmp(addr_text(&backend(i)->addrs->at[0], buf), text) != 0) {
                assert_true(clock_mono_ms() < until);
                run();
        }
}

/* The generation stays; those who dial by the old addresses keep them. */
static void test_names_that_move(void **state) {
        struct upstream_addrs *held;
        struct upstream *u;
        uint64_t number;

        (void)state;
        reload(text_of(&first_addr, 10, 2, ", { address: \"back.example:10\" }"));
        wait_for_address(1, "127.0.0.1:10");
        u = s->upstream;
        number = u->number;
        held = upstream_addrs_get(backend(1));
        be_answered("127.0.0.2");
        wait_for_address(1, "127.0.0.2:10");
        for (int i = 0; i < 10; i++)
                run(); /* workers answer, and the old array is let go of */
        assert_int_equal(atomic_load(&held->refs), 1);
        assert_null(s->retired);
        upstream_addrs_unref(held);

        ping_result = -ENOMEM; /* then it waits for the next one */
        be_answered("127.0.0.3");
        wait_for_address(1, "127.0.0.3:10");
        assert_non_null(s->retired);
        be_answered("127.0.0.4");
        wait_for_address(1, "127.0.0.4:10");
        assert_null(s->retired);

        assert_in_force(2, 10, 2, 2);
        assert_ptr_equal(s->upstream, u);
        assert_int_equal(u->number, number);
        assert_int_equal(s->reloads.good, 1);
}

/* An answer that comes while a reload waits is not lost, whatever comes of the reload. */
static void test_names_that_move_meanwhile(void **state) {
        (void)state;
        reload(text_of(&first_addr, 10, 2, ", { address: \"back.example:10\" }"));
        for (int good = 0; good < 2; good++) {
                const char *next = good ? "127.0.0.3" : "127.0.0.2";

                be_silent(true);
                write_config(text_of(&first_addr, 20, 3,
                                     ", { address: \"back.example:10\" }"
                                     ", { address: \"slow.example:10\" }"));
                change_reload(s, TRIGGER_SIGNAL, NULL);
                be_answered(next);
                change_names(s);
                assert_true(s->names_again);
                prepare_result = good ? 0 : -ENOMEM;
                be_silent(false);
                settle();
                wait_for_address(1, good ? "127.0.0.3:10" : "127.0.0.2:10");
                assert_false(s->names_again);
        }
        assert_in_force(3, 20, 3, 3);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
        const struct CMUnitTest tests[] = {
                TEST(test_reload),
                TEST(test_a_file_with_errors),
                TEST(test_a_taken_port),
                TEST(test_an_adoption_that_fails),
                TEST(test_a_backend_comes_back),
                TEST(test_one_at_a_time),
                TEST(test_given_up),
                TEST(test_names_that_move),
                TEST(test_names_that_move_meanwhile),
        };

        return cmocka_run_group_tests(tests, group_start, group_end);
}
