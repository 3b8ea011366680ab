/* SPDX-License-Identifier: MIT */
/* What systemd passes has the numbers 3, 4, ...; so this program has nothing else open. */
#include "control/passed.h"

#include <fcntl.h>
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

#include "net/sock.h"

#define FIRST 3

static char dir[] = "/tmp/bal-test-passed-XXXXXX";

static struct addr address(const char *text) {
        struct addr a;

        assert_int_equal(addr_parse(&a, text), 0);
        return a;
}

/* A listening socket with the next number. */
static void give(int fd, const char *text) {
        struct addr a = address(text);
        int got;

        assert_int_equal(sock_listen(&got, &a, 8), 0);
        assert_int_equal(got, fd);
        fcntl(got, F_SETFD, 0);
        fcntl(got, F_SETFL, 0); /* as a manager may leave it: blocking */
}

static void environment(int n, const char *names) {
        char text[24];

        snprintf(text, sizeof(text), "%d", n);
        setenv("LISTEN_FDS", text, 1);
        snprintf(text, sizeof(text), "%d", getpid());
        setenv("LISTEN_PID", text, 1);
        if (names)
                setenv("LISTEN_FDNAMES", names, 1);
        else
                unsetenv("LISTEN_FDNAMES");
}

static struct passed *take(int n, const char *names) {
        struct passed *p = NULL;

        environment(n, names);
        assert_int_equal(passed_take(&p), 0);
        assert_non_null(p);
        assert_int_equal(p->n, n);
        assert_null(getenv("LISTEN_FDS"));
        return p;
}

static bool is_open(int fd) {
        return fcntl(fd, F_GETFD) >= 0;
}

/* A configuration as far as names go. */
static const struct config *config_of(const char *name) {
        static struct config_frontend frontend;
        static struct config config = { .frontends = &frontend, .n_frontends = 1 };

        frontend.name = (char *)name;
        return &config;
}

static bool serves(const struct passed *p,
                   const struct config *c,
                   const char *frontend,
                   const struct addr *a) {
        return passed_named(p, frontend, NULL) || passed_at(p, c, a);
}

static void test_nothing(void **state) {
        struct passed *p = (struct passed *)&state;
        struct addr a = address("0.0.0.0:80");

        (void)state;
        unsetenv("LISTEN_FDS");
        assert_int_equal(passed_take(&p), 0);
        assert_null(p);
        assert_int_equal(passed_control(p, "status"), -ENOENT);
        assert_null(passed_named(p, "main", NULL));
        assert_null(passed_at(p, config_of("main"), &a));
        assert_false(serves(p, config_of("main"), "main", &a));
        passed_settle(p);
        assert_null(passed_free(p));
}

static void test_of_another_process(void **state) {
        struct passed *p = (struct passed *)&state;

        (void)state;
        give(FIRST, "127.0.0.1:0");
        environment(1, "main");
        setenv("LISTEN_PID", "1", 1);
        assert_int_equal(passed_take(&p), 0);
        assert_null(p);
        assert_true(is_open(FIRST)); /* not ours to close */
        close(FIRST);
}

static void test_nonsense(void **state) {
        struct passed *p = NULL;

        (void)state;
        environment(1, NULL);
        setenv("LISTEN_FDS", "three", 1);
        assert_true(passed_take(&p) < 0);
        assert_null(p);
}

static void test_names(void **state) {
        struct passed_socket *s;
        struct passed *p;

        (void)state;
        give(FIRST, "127.0.0.1:0");
        give(FIRST + 1, "127.0.0.1:0");
        give(FIRST + 2, "[::1]:0");
        p = take(3, "web:api:web");

        s = passed_named(p, "web", NULL);
        assert_int_equal(s->fd, FIRST);
        assert_int_equal(fcntl(s->fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(s->fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        assert_int_not_equal(addr_port(&s->addr), 0);
        s = passed_named(p, "web", s);
        assert_int_equal(s->fd, FIRST + 2);
        assert_int_equal(s->addr.sa.sa_family, AF_INET6);
        assert_null(passed_named(p, "web", s));
        assert_int_equal(passed_named(p, "api", NULL)->fd, FIRST + 1);
        assert_null(passed_named(p, "we", NULL));
        passed_free(p);
        for (int i = 0; i < 3; i++)
                assert_false(is_open(FIRST + i));
}

/* The address decides only where no frontend has the name. */
static void test_addresses(void **state) {
        struct passed *p;
        struct addr at;

        (void)state;
        give(FIRST, "127.0.0.1:0");
        p = take(1, "web");
        at = p->sockets[0].addr;
        assert_null(passed_at(p, config_of("web"), &at));
        assert_ptr_equal(passed_at(p, config_of("api"), &at), &p->sockets[0]);
        assert_true(serves(p, config_of("api"), "api", &at));
        assert_true(serves(p, config_of("web"), "web", &at));
        addr_set_port(&at, (uint16_t)(addr_port(&at) ^ 1));
        assert_null(passed_at(p, config_of("api"), &at));
        assert_false(serves(p, config_of("api"), "api", &at));
        assert_true(serves(p, config_of("web"), "web", &at)); /* wherever it listens */
        passed_free(p);
}

static void test_both_families(void **state) {
        static const struct {
                const char *passed, *asked;
                bool covered;
        } rows[] = {
                { "[::]:0", "[::]:0", true },          { "[::]:0", "0.0.0.0:0", true },
                { "[::]:0", "127.0.0.1:0", false },    { "[::1]:0", "0.0.0.0:0", false },
                { "0.0.0.0:0", "[::]:0", false },      { "0.0.0.0:0", "0.0.0.0:0", true },
                { "127.0.0.1:0", "0.0.0.0:0", false }, { "[::1]:0", "[::]:0", false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct addr asked = address(rows[i].asked);
                struct passed *p;

                give(FIRST, rows[i].passed);
                p = take(1, NULL);
                assert_false(passed_covers(&p->sockets[0], &asked)); /* another port */
                addr_set_port(&asked, addr_port(&p->sockets[0].addr));
                if (passed_covers(&p->sockets[0], &asked) != rows[i].covered)
                        fail_msg("%s and %s", rows[i].passed, rows[i].asked);
                passed_free(p);
        }
}

static void test_one_family(void **state) {
        struct addr asked = address("0.0.0.0:0");
        struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };
        struct passed *p;
        int one = 1;

        (void)state;
        assert_int_equal(socket(AF_INET6, SOCK_STREAM, 0), FIRST);
        setsockopt(FIRST, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
        assert_int_equal(bind(FIRST, (struct sockaddr *)&sa, sizeof(sa)), 0);
        assert_int_equal(listen(FIRST, 1), 0);
        p = take(1, NULL);
        addr_set_port(&asked, addr_port(&p->sockets[0].addr));
        assert_false(passed_covers(&p->sockets[0], &asked));
        passed_free(p);
}

static void test_control(void **state) {
        char text[128];
        struct passed *p;

        (void)state;
        snprintf(text, sizeof(text), "unix:%s/status.sock", dir);
        give(FIRST, text);
        give(FIRST + 1, "127.0.0.1:0"); /* the name of a control socket, but none */
        snprintf(text, sizeof(text), "unix:%s/other.sock", dir);
        give(FIRST + 2, text);
        p = take(3, "status:admin:main");

        assert_null(passed_named(p, "status", NULL));
        assert_int_equal(passed_control(p, "status"), FIRST);
        assert_int_equal(passed_control(p, "status"), -ENOENT);
        assert_int_equal(passed_control(p, "admin"), -ENOENT);
        assert_int_equal(passed_named(p, "admin", NULL)->fd, FIRST + 1);
        assert_int_equal(passed_named(p, "main", NULL)->fd, FIRST + 2);
        passed_free(p);
        assert_true(is_open(FIRST)); /* it was given away */
        close(FIRST);
        unlink(text + strlen("unix:"));
        snprintf(text, sizeof(text), "%s/status.sock", dir);
        assert_int_equal(unlink(text), 0); /* nobody else has removed it */
}

/* Of no use, but no reason not to start. */
static void test_bad_ones(void **state) {
        int pair[2];
        struct passed *p;

        (void)state;
        assert_int_equal(open("/dev/null", O_RDONLY), FIRST);
        assert_int_equal(socket(AF_INET, SOCK_DGRAM, 0), FIRST + 1);
        assert_int_equal(socket(AF_INET, SOCK_STREAM, 0), FIRST + 2);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0); /* Accept=yes */
        p = take(5, "main:main:main:main:status");
        for (size_t i = 0; i < p->n; i++)
                assert_non_null(p->sockets[i].bad);
        assert_non_null(strstr(p->sockets[1].bad, "stream"));
        assert_non_null(strstr(p->sockets[3].bad, "Accept=yes"));
        assert_null(passed_named(p, "main", NULL));
        assert_int_equal(passed_control(p, "status"), -ENOENT);
        passed_settle(p);
        for (int i = 0; i < 5; i++)
                assert_false(is_open(FIRST + i));
        passed_free(p);
}

static void test_settle(void **state) {
        struct addr at;
        struct passed *p;
        json_t *kept;

        (void)state;
        give(FIRST, "127.0.0.1:0");
        give(FIRST + 1, "127.0.0.1:0");
        p = take(2, "web:api");
        at = p->sockets[1].addr;
        p->sockets[0].used = true;
        passed_settle(p);
        assert_true(is_open(FIRST));
        assert_false(is_open(FIRST + 1));
        assert_null(passed_named(p, "api", NULL)); /* not even for a later reload */
        assert_null(passed_at(p, config_of("x"), &at));

        kept = passed_describe(p);
        assert_int_equal(json_array_size(kept), 1);
        assert_non_null(strstr(json_string_value(json_array_get(kept, 0)), "127.0.0.1:"));
        json_decref(kept);
        passed_free(p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing),    cmocka_unit_test(test_of_another_process),
                cmocka_unit_test(test_nonsense),   cmocka_unit_test(test_names),
                cmocka_unit_test(test_addresses),  cmocka_unit_test(test_both_families),
                cmocka_unit_test(test_one_family), cmocka_unit_test(test_control),
                cmocka_unit_test(test_bad_ones),   cmocka_unit_test(test_settle),
        };
        int failed;

        closefrom(FIRST);
        if (!mkdtemp(dir))
                return 1;
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        rmdir(dir);
        return failed;
}
