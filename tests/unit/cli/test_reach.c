/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/reach.h"
#include "core/clock.h"

/* A loopback socket; its port answers when it listens, and refuses while it is only bound. */
static int bound(uint16_t *ret_port, int backlog) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t n = sizeof(a);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        if (backlog >= 0)
                assert_int_equal(listen(fd, backlog), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
        *ret_port = ntohs(a.sin_port);
        return fd;
}

static struct config_endpoint literal(const char *text, uint16_t port) {
        struct config_endpoint e = { .name = (char *)text };

        assert_int_equal(addr_parse_host(&e.addr, text, port), 0);
        return e;
}

static const struct config_pool pool = { .check = { .type = CONFIG_CHECK_TCP, .timeout_ms = 500 } };

static size_t open_fds(void) {
        size_t n = 0;

        for (int fd = 0; fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static void test_results(void **state) {
        uint16_t open_port, shut_port;
        int open_fd = bound(&open_port, 8), shut_fd = bound(&shut_port, -1);
        struct config_endpoint e[5] = {
                literal("127.0.0.1", open_port),
                literal("127.0.0.1", shut_port),
                literal("unix:/nonexistent/x.sock", 0),
                { .name = (char *)"localhost", .host = (char *)"localhost", .port = open_port },
                { .name = (char *)"no.such.invalid",
                  .host = (char *)"no.such.invalid",
                  .port = open_port },
        };
        struct reach p[5];
        char text[FAILURE_TEXT_MAX];
        size_t before = open_fds();

        (void)state;
        for (size_t i = 0; i < ELEMENTS(p); i++)
                p[i] = (struct reach){ .endpoint = &e[i], .pool = &pool };
        assert_int_equal(reach_all(p, ELEMENTS(p), 3000), 0);
        assert_true(p[0].failure == 0 && p[0].connects);
        assert_int_equal(p[1].failure, -ECONNREFUSED);
        assert_string_equal(reach_text(&p[1], text), "refused");
        assert_int_equal(p[2].failure, -ENOENT);
        assert_string_equal(reach_text(&p[2], text), "no such socket");
        assert_int_equal(p[3].failure, 0);
        assert_int_not_equal(p[4].failure, 0);
        assert_true(open_fds() <= before + 1); /* a thread may still hold the lookup's eventfd */
        close(open_fd);
        close(shut_fd);
}

/* The queue of a listener that nobody empties: its connects hang, as with a firewall that drops. */
static void test_limit_holds(void **state) {
        enum { N = 64, FILL = 4 };
        static struct config_endpoint e[N];
        static struct reach p[N];
        uint16_t port;
        int fd = bound(&port, 0), fill[FILL];
        struct config_endpoint full = literal("127.0.0.1", port);
        uint64_t start, took;
        size_t timeouts = 0;

        (void)state;
        for (size_t i = 0; i < FILL; i++) {
                fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                assert_true(fill[i] >= 0);
                if (connect(fill[i], &full.addr.sa, full.addr.len) < 0)
                        assert_int_equal(errno, EINPROGRESS);
        }
        for (size_t i = 0; i < N; i++) {
                e[i] = full;
                p[i] = (struct reach){ .endpoint = &e[i], .pool = &pool };
        }
        start = clock_mono_ms();
        assert_int_equal(reach_all(p, N, 300), 0);
        took = clock_mono_ms() - start;
        for (size_t i = 0; i < N; i++)
                timeouts += p[i].failure == -ETIMEDOUT;
        assert_int_equal(timeouts, N);
        assert_true(took >= 300 && took < 1500); /* all together, not one after the other */
        for (size_t i = 0; i < FILL; i++)
                close(fill[i]);
        close(fd);
}

/* More backends than descriptors: they take turns. */
static void test_few_descriptors(void **state) {
        enum { N = 300 };
        static struct config_endpoint e[N];
        static struct reach p[N];
        struct rlimit before, few;
        uint16_t port;
        int fd = bound(&port, 1024);

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        few = (struct rlimit){ .rlim_cur = 40, .rlim_max = 40 };
        for (size_t i = 0; i < N; i++) {
                e[i] = literal("127.0.0.1", port);
                p[i] = (struct reach){ .endpoint = &e[i], .pool = &pool };
        }
        if (setrlimit(RLIMIT_NOFILE, &few) < 0)
                skip();
        assert_int_equal(reach_all(p, N, 5000), 0);
        for (size_t i = 0; i < N; i++)
                assert_int_equal(p[i].failure, 0);
        setrlimit(RLIMIT_NOFILE, &before); /* fails without privilege, at the end of this program */
        close(fd);
}

static void *closer(void *arg) {
        const int *fd = arg;
        int client;

        while ((client = accept4(*fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
                close(client);
        return NULL;
}

/* A connect that works is not enough: the backend may close at once, or fail its pool's check. */
static void test_connects_and_no_more(void **state) {
        const struct config_pool http = {
                .check = { .type = CONFIG_CHECK_HTTP, .path = (char *)"/", .timeout_ms = 100 }
        };
        uint16_t port, silent_port;
        int fd = bound(&port, 8), silent_fd = bound(&silent_port, 8);
        struct config_endpoint e[2] = { literal("127.0.0.1", port),
                                        literal("127.0.0.1", silent_port) };
        struct reach r[4];
        char text[FAILURE_TEXT_MAX];
        pthread_t thread;

        (void)state;
        assert_int_equal(pthread_create(&thread, NULL, closer, &fd), 0);
        for (size_t i = 0; i < ELEMENTS(r); i++)
                r[i] = (struct reach){ .endpoint = &e[i / 2], .pool = i % 2 ? &http : &pool };
        assert_int_equal(reach_all(r, ELEMENTS(r), 3000), 0);
        assert_int_equal(connect_failure_of(r[0].failure), CONNECT_CLOSED);
        assert_false(r[0].connects);
        assert_string_equal(reach_text(&r[0], text), "accepts and closes at once");
        assert_int_equal(connect_failure_of(r[1].failure), CONNECT_CLOSED);
        assert_true(r[1].connects);
        assert_string_equal(reach_text(&r[1], text), "closed before it had answered");
        assert_true(r[2].failure == 0 && r[2].connects); /* it may wait for what is said */
        assert_int_equal(r[3].failure, -ETIMEDOUT);
        assert_string_equal(reach_text(&r[3], text), "no answer in time");

        assert_int_equal(reach_all(r + 3, 1, 50), 0); /* less than the check has: no verdict */
        assert_true(r[3].failure == 0 && r[3].connects);
        shutdown(fd, SHUT_RDWR);
        pthread_join(thread, NULL);
        close(fd);
        close(silent_fd);
}

static void test_none(void **state) {
        (void)state;
        assert_int_equal(reach_all(NULL, 0, 100), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_results),
                cmocka_unit_test(test_limit_holds),
                cmocka_unit_test(test_connects_and_no_more),
                cmocka_unit_test(test_none),
                cmocka_unit_test(test_few_descriptors), /* the last: it lowers the hard limit */
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
