/* SPDX-License-Identifier: MIT */
/* From one set of listening sockets to the next, with real sockets and a real crew. */
#include "control/listeners.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../proxy/stage.h"
#include "core/clock.h"
#include "core/log.h"
#include "net/sock.h"

static char dir[] = "/tmp/bal-test-listeners-XXXXXX";
static sd_event *event;
static struct stage stage;

/* ---- tools ---- */

/* A free port of 127.0.0.1, which this program keeps for as long as it wants. */
static struct addr free_addr(void) {
        struct addr a = { 0 };
        int fd;

        assert_int_equal(addr_parse(&a, "127.0.0.1:1"), 0);
        addr_set_port(&a, 0);
        assert_int_equal(sock_listen(&fd, &a, 1), 0);
        assert_return_code(getsockname(fd, &a.sa, &a.len), errno);
        close(fd);
        return a;
}

static struct addr unix_addr(const char *name) {
        char text[ADDR_TEXT_MAX];
        struct addr a;

        snprintf(text, sizeof(text), "unix:%s/%s", dir, name);
        assert_int_equal(addr_parse(&a, text), 0);
        return a;
}

/* A configuration with one frontend on these addresses. */
static struct config *config_on(const struct addr *addrs, size_t n) {
        char text[1024], name[ADDR_TEXT_MAX];
        struct config *c = NULL;
        struct diags d;
        int at = snprintf(text, sizeof(text), "frontends:\n  - { name: f, backend: p, listen: [ ");

        for (size_t i = 0; i < n; i++)
                at += snprintf(text + at, sizeof(text) - (size_t)at, "%s\"%s\"", i ? ", " : "",
                               addr_text(&addrs[i], name));
        snprintf(text + at, sizeof(text) - (size_t)at,
                 " ] }\nbackends:\n  - { name: p, servers: [ { address: \"127.0.0.1:9\" } ] }\n");
        diags_init(&d);
        if (config_load_text(&c, "t.yaml", text, strlen(text), &d) < 0)
                fail_msg("%s: %s", container_of(d.list.next, struct diag, link)->message, text);
        diags_done(&d);
        return c;
}

static struct listeners *plan(const struct addr *addrs, size_t n, const struct listeners *current) {
        struct config *c = config_on(addrs, n);
        struct listeners_problem problem;
        struct listeners *l = NULL;

        assert_int_equal(listeners_plan(&l, c, current, NULL, &problem), 0);
        config_unref(c);
        return l;
}

/* A client's socket, or a negative errno: on this machine either comes at once. */
static int try_connect(const struct addr *a) {
        int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        if (connect(fd, &a->sa, a->len) < 0) {
                int r = -errno;

                close(fd);
                return r;
        }
        return fd;
}

static bool is_taken(const struct addr *a) {
        int fd = try_connect(a);

        if (fd < 0)
                return false;
        close(fd);
        return true;
}

static bool exists(const struct addr *a) {
        return access(a->un.sun_path, F_OK) == 0;
}

static unsigned n_files(void) {
        unsigned n = 0;

        for (int fd = 0; fd < 256; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static unsigned n_listening(void) {
        unsigned n = 0;

        for (int fd = 0; fd < 256; fd++) {
                int on = 0;
                socklen_t size = sizeof(on);

                n += getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on;
        }
        return n;
}

/* Of the control thread's life, until the stage has n sessions. */
static void wait_for(uint32_t n) {
        uint64_t until = clock_mono_ms() + PATIENCE;

        while (sum(&stage).sessions_now != n && clock_mono_ms() < until) {
                turn(&stage, 5);
                assert_true(sd_event_run(event, 5000) >= 0);
        }
        assert_int_equal(sum(&stage).sessions_now, n);
}

static int setup(void **state) {
        (void)state;
        return sd_event_new(&event) < 0 || log_thread_init() < 0;
}

static bool drop_record(const struct log_record *record, void *userdata) {
        (void)record;
        (void)userdata;
        return true;
}

static int teardown(void **state) {
        (void)state;
        event = sd_event_unref(event);
        log_thread_done();
        while (log_drain(drop_record, NULL) > 0)
                ;
        return 0;
}

static int group_setup(void **state) {
        (void)state;
        return !mkdtemp(dir);
}

static int group_teardown(void **state) {
        (void)state;
        return rmdir(dir); /* so nothing was left in it */
}

/* ---- plans ---- */

static void test_plan_that_is_undone(void **state) {
        struct addr addrs[] = { free_addr(), unix_addr("one"), free_addr(), unix_addr("two") };
        struct listeners *current, *next;
        unsigned files = n_files();
        struct stat before, after;

        (void)state;
        current = plan(addrs, 2, NULL);
        assert_int_equal(current->n, 2);
        assert_true(is_taken(&addrs[0]) && is_taken(&addrs[1]));
        assert_int_equal(stat(addrs[1].un.sun_path, &before), 0);

        next = plan(addrs, 4, current);
        assert_int_equal(next->n, 4);
        assert_int_equal(next->sockets[0].fd, current->sockets[0].fd); /* the same, only lent */
        assert_true(next->sockets[0].kept && next->sockets[1].kept);
        assert_false(next->sockets[2].kept || next->sockets[3].kept);
        assert_true(is_taken(&addrs[2]) && is_taken(&addrs[3]));
        assert_ptr_equal(listeners_addr(next, 0, 3), &next->sockets[3].addr);
        assert_null(listeners_addr(next, 0, 4));
        assert_null(listeners_addr(next, 1, 0));
        assert_null(listeners_addr(NULL, 0, 0));

        assert_null(listeners_free(next));
        assert_false(is_taken(&addrs[2]) || exists(&addrs[3]));
        assert_true(is_taken(&addrs[0]) && is_taken(&addrs[1]));
        assert_int_equal(stat(addrs[1].un.sun_path, &after), 0);
        assert_int_equal(before.st_ino, after.st_ino);

        assert_null(listeners_free(current));
        assert_false(is_taken(&addrs[0]) || exists(&addrs[1]));
        assert_int_equal(n_files(), files);
        assert_null(listeners_free(NULL));
}

/* The one that fails takes those before it along, and says which one it was. */
static void test_plan_that_fails(void **state) {
        struct addr addrs[] = { free_addr(), unix_addr("new"), free_addr() };
        struct config *c = config_on(addrs, 3);
        struct listeners *l = (struct listeners *)&addrs;
        struct listeners_problem problem;
        unsigned files = n_files();
        int taken;

        (void)state;
        assert_int_equal(sock_listen(&taken, &addrs[2], 1), 0);
        assert_int_equal(listeners_plan(&l, c, NULL, NULL, &problem), -EADDRINUSE);
        assert_ptr_equal(l, &addrs); /* untouched */
        assert_int_equal(problem.error, -EADDRINUSE);
        assert_true(addr_equal(&problem.addr, &addrs[2]));
        assert_string_equal(problem.frontend, "f");
        assert_false(is_taken(&addrs[0]) || exists(&addrs[1]));

        assert_int_equal(listeners_try(c, NULL, NULL, &problem), -EADDRINUSE);
        assert_true(addr_equal(&problem.addr, &addrs[2]));
        close(taken);
        assert_int_equal(n_files(), files);
        config_unref(c);
}

static void test_try_leaves_nothing(void **state) {
        struct addr addrs[] = { free_addr(), unix_addr("here"), free_addr(), unix_addr("new"),
                                unix_addr("stale") };
        struct listeners *current = plan(addrs, 2, NULL);
        struct config *c = config_on(addrs, 5);
        struct listeners_problem problem;
        unsigned files;
        int stale;

        (void)state;
        assert_int_equal(sock_listen(&stale, &addrs[4], 1), 0);
        close(stale);
        files = n_files();
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(listeners_try(c, current, NULL, &problem), 0);
                assert_false(is_taken(&addrs[2]) || exists(&addrs[3]));
                assert_true(is_taken(&addrs[0]) && is_taken(&addrs[1]));
                assert_true(exists(&addrs[4])); /* it waits for the reload */
        }
        assert_int_equal(unlink(addrs[4].un.sun_path), 0);
        assert_int_equal(n_files(), files);
        listeners_free(current);
        config_unref(c);
}

/* What lies at the path by now is not ours. */
static void test_a_path_that_was_taken_over(void **state) {
        struct addr a = unix_addr("path");
        struct listeners *l = plan(&a, 1, NULL);
        int fd;

        (void)state;
        assert_int_equal(unlink(a.un.sun_path), 0);
        fd = open(a.un.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
        listeners_free(l);
        assert_true(exists(&a));
        assert_int_equal(unlink(a.un.sun_path), 0);
}

/* ---- commits ---- */

static void commit(struct listeners *next, struct listeners *current) {
        listeners_commit(next, current, event, stage.crew, stage.u);
}

static void test_commit(void **state) {
        struct addr addrs[] = { free_addr(), unix_addr("stays"), free_addr(), unix_addr("goes") };
        struct addr later[] = { addrs[0], addrs[1], free_addr() };
        struct listeners *current, *next;
        int kept, clients[3];

        (void)state;
        stage_init(&stage, false);
        current = plan(addrs, 4, NULL);
        commit(current, NULL);
        kept = current->sockets[0].fd;
        for (size_t i = 0; i < ELEMENTS(clients); i++) /* in the queues of those that go */
                clients[i] = try_connect(&addrs[2 + i % 2]);

        next = plan(later, 3, current);
        commit(next, current); /* which is gone now */
        assert_int_equal(next->sockets[0].fd, kept);
        for (size_t i = 0; i < next->n; i++)
                assert_false(next->sockets[i].kept);
        for (size_t i = 0; i < ELEMENTS(later); i++)
                assert_true(is_taken(&later[i]));
        assert_false(exists(&addrs[3]));
        assert_int_equal(try_connect(&addrs[2]), -ECONNREFUSED); /* though it is still open */
        wait_for(ELEMENTS(clients)); /* those that waited were served, none was reset */

        listeners_retire_all_now();
        listeners_close(next, stage.crew, stage.u);
        for (size_t i = 0; i < ELEMENTS(later); i++)
                assert_false(is_taken(&later[i]));
        for (size_t i = 0; i < ELEMENTS(clients); i++)
                close(clients[i]);
        stage_done(&stage);
}

/* At the end of the linger time a retired socket is closed by itself; until then its address can be
 * had again, and a wildcard over an own one too. */
static void test_retired(void **state) {
        struct addr addrs[] = { free_addr(), free_addr() }, any = addrs[1];
        struct listeners *first, *second, *third;
        unsigned before;
        uint64_t until;

        (void)state;
        stage_init(&stage, false);
        first = plan(addrs, 1, NULL);
        commit(first, NULL);
        before = n_listening();
        second = plan(&addrs[1], 1, first);
        commit(second, first);
        assert_int_equal(n_listening(), before + 1); /* one is hidden */

        third = plan(addrs, 2, second); /* the address of the hidden one */
        commit(third, second);
        assert_true(is_taken(&addrs[0]));

        any.in4.sin_addr.s_addr = INADDR_ANY;
        first = plan(&any, 1, third);
        commit(first, third);
        assert_true(is_taken(&addrs[1])); /* by way of the wildcard */

        until = clock_mono_ms() + LISTENERS_LINGER_MS + PATIENCE;
        assert_int_equal(n_listening(), before + 3);
        while (n_listening() > before && clock_mono_ms() < until)
                assert_true(sd_event_run(event, 20000) >= 0);
        assert_int_equal(n_listening(), before);
        listeners_close(first, stage.crew, stage.u);
        stage_done(&stage);
}

static void test_for_crew_and_tune(void **state) {
        struct addr addrs[] = { free_addr(), unix_addr("path") };
        struct listeners *l = plan(addrs, 2, NULL);
        struct config *c = config_on(addrs, 2);
        struct crew_listen *listens = listeners_for_crew(l);
        int early = 1, ms = 0;
        socklen_t n = sizeof(int);

        (void)state;
        assert_non_null(listens);
        for (size_t i = 0; i < l->n; i++) {
                assert_int_equal(listens[i].fd, l->sockets[i].fd);
                assert_int_equal(listens[i].frontend, 0);
        }
        listeners_tune(l, c);
        assert_int_equal(getsockopt(l->sockets[0].fd, IPPROTO_TCP, TCP_QUICKACK, &early, &n), 0);
        assert_false(early);
        assert_int_equal(getsockopt(l->sockets[0].fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &n), 0);
        assert_true(ms > 0);
        free(listens);
        listeners_free(l);
        config_unref(c);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_plan_that_is_undone),
                TEST(test_plan_that_fails),
                TEST(test_try_leaves_nothing),
                TEST(test_a_path_that_was_taken_over),
                TEST(test_commit),
                TEST(test_retired),
                TEST(test_for_crew_and_tune),
        };

        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
