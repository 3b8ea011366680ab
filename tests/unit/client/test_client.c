/* SPDX-License-Identifier: MIT */
/*
 * The client against the real server, and against a peer that misbehaves as no server of ours
 * would. Either runs in a thread of its own, since the client may block.
 */

#include "bal/client.h"

#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/server.h"
#include "core/clock.h"
#include "varlink/scan.h"

struct fixture {
        char dir[64], home[96], run[96], status[128], admin[128];
        pthread_t thread;
        bool running;
        atomic_bool stop;
        int listen_fd;      /* of the misbehaving peer */
        const char *answer; /* what it sends, whatever it is asked */
        size_t answer_n;
};

/* -- the real server -- */

static void on_get(struct server_call *call, json_t *parameters, void *userdata) {
        (void)parameters, (void)userdata;
        server_reply(call, json_pack("{s:s}", "verdict", "OK"));
}

static void on_reload(struct server_call *call, json_t *parameters, void *userdata) {
        (void)parameters, (void)userdata;
        server_error(call, BAL_ERROR_CONFIG_INVALID,
                     json_pack("{s:s, s:[s]}", "config_path", "/x", "errors", "/x:1:1: bad"));
}

static struct server_call *held; /* never answered */

static void on_stop(struct server_call *call, json_t *parameters, void *userdata) {
        (void)parameters, (void)userdata;
        held = call;
}

static void *serve(void *userdata) {
        static const struct server_method methods[] = { { BAL_METHOD_GET, on_get },
                                                        { BAL_METHOD_RELOAD, on_reload },
                                                        { BAL_METHOD_STOP, on_stop } };
        struct fixture *f = userdata;
        struct server *s;
        sd_event *event;

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(server_new(&s, event, methods, ELEMENTS(methods), NULL), 0);
        assert_int_equal(server_listen(s, BAL_SOCKET_STATUS, f->status, 0600), 0);
        assert_int_equal(server_listen(s, BAL_SOCKET_ADMIN, f->admin, 0600), 0);
        while (!atomic_load(&f->stop))
                sd_event_run(event, 10 * 1000);
        server_free(s);
        if (held)
                server_reply(held, json_object());
        held = NULL;
        sd_event_unref(event);
        return NULL;
}

static void wait_for(const char *path) {
        for (int i = 0; i < 500 && access(path, F_OK) < 0; ++i)
                poll(NULL, 0, 10);
        assert_int_equal(access(path, F_OK), 0);
}

static void start_server(struct fixture *f) {
        assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
        f->running = true;
        wait_for(f->admin);
        poll(NULL, 0, 20); /* bound is not yet listening */
}

static void stop_server(struct fixture *f) {
        atomic_store(&f->stop, true);
        if (f->running)
                pthread_join(f->thread, NULL);
        f->running = false;
}

/* -- the bad peer: answers one client with what it was told to, and hangs up -- */

static int listening_socket(const char *path, int backlog) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strcpy(sa.sun_path, path);
        assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
        assert_int_equal(listen(fd, backlog), 0);
        return fd;
}

static void *misbehave(void *userdata) {
        struct fixture *f = userdata;
        int fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        size_t sent = 0;

        while (sent < f->answer_n) {
                ssize_t n = send(fd, f->answer + sent, f->answer_n - sent, MSG_NOSIGNAL);

                if (n < 0)
                        break;
                sent += (size_t)n;
        }
        close(fd);
        return NULL;
}

static void start_bad_peer(struct fixture *f, const char *answer, size_t n) {
        f->answer = answer;
        f->answer_n = n;
        f->listen_fd = listening_socket(f->status, 1);
        assert_int_equal(pthread_create(&f->thread, NULL, misbehave, f), 0);
}

static void end_bad_peer(struct fixture *f) {
        pthread_join(f->thread, NULL);
        close(f->listen_fd);
        unlink(f->status);
}

/* -- */

/* Its own home and runtime directory, so that the bal of whoever runs the tests is left alone. */
static int set_up(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        char path[128];

        strcpy(f->dir, "/tmp/bal-test-client-XXXXXX");
        if (!mkdtemp(f->dir))
                return -1;
        chmod(f->dir, 0755);
        snprintf(f->home, sizeof(f->home), "%s/home", f->dir);
        snprintf(f->run, sizeof(f->run), "%s/run", f->dir);
        snprintf(path, sizeof(path), "%s/home/.bal", f->dir);
        mkdir(f->home, 0755);
        mkdir(path, 0755);
        mkdir(f->run, 0755);
        setenv("HOME", f->home, 1);
        setenv("RUNTIME_DIRECTORY", f->run, 1);
        snprintf(f->status, sizeof(f->status), "%s/status.sock", f->run);
        snprintf(f->admin, sizeof(f->admin), "%s/admin.sock", f->run);
        *state = f;
        return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void)st, (void)type, (void)ftw;
        return remove(path);
}

static int tear_down(void **state) {
        struct fixture *f = *state;

        stop_server(f);
        nftw(f->dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
        free(f);
        return 0;
}

static void test_requests(void **state) {
        struct fixture *f = *state;
        struct bal_client *c;
        struct bal_reply r;

        start_server(f);
        assert_int_equal(bal_client_new(&c, f->admin), 0);
        for (int i = 0; i < 3; ++i) {
                assert_int_equal(bal_client_request(c, BAL_METHOD_GET, NULL, 5000, &r), 0);
                assert_null(r.error);
                assert_int_equal(r.error_id, -ENOENT);
                assert_false(r.continues);
                assert_string_equal(json_string_value(json_object_get(r.parameters, "verdict")),
                                    "OK");
                bal_reply_done(&r);
                bal_reply_done(&r);
        }

        assert_int_equal(bal_client_request(c, BAL_METHOD_RELOAD, json_object(), 5000, &r), 0);
        assert_string_equal(r.error, "io.bal.Admin.ConfigInvalid");
        assert_int_equal(r.error_id, BAL_ERROR_CONFIG_INVALID);
        assert_int_equal(json_array_size(json_object_get(r.parameters, "errors")), 1);
        bal_reply_done(&r);

        assert_int_equal(
                bal_client_request(c, BAL_METHOD_GET, json_pack("{s:i}", "nope", 1), 5000, &r), 0);
        assert_int_equal(r.error_id, BAL_ERROR_INVALID_PARAMETER);
        bal_reply_done(&r);
        bal_client_free(c);
}

static void test_no_answer(void **state) {
        struct fixture *f = *state;
        struct bal_client *c;
        struct bal_reply r;
        uint64_t start;

        start_server(f);
        assert_int_equal(bal_client_new(&c, f->admin), 0);
        start = clock_mono_ms();
        assert_int_equal(bal_client_request(c, BAL_METHOD_STOP, NULL, 200, &r), -ETIMEDOUT);
        assert_in_range(clock_mono_ms() - start, 200, 1500);
        assert_int_equal(bal_client_wait_closed(c, 50), -ETIMEDOUT);
        stop_server(f);
        assert_int_equal(bal_client_wait_closed(c, 5000), 0);
        bal_client_free(c);
}

/* As bal-top does it: calls without waiting, poll() next to other things. */
static void test_polling(void **state) {
        struct fixture *f = *state;
        struct bal_client *c;
        struct bal_reply r;
        int got = 0;

        start_server(f);
        assert_int_equal(bal_client_new(&c, f->status), 0);
        assert_int_equal(bal_client_receive(c, &r), -EAGAIN);
        for (int i = 0; i < 100; ++i)
                assert_int_equal(bal_client_call(c, BAL_METHOD_GET, NULL), 0);
        while (got < 100) {
                struct pollfd p = { .fd = bal_client_fd(c), .events = bal_client_events(c) };
                int e;

                assert_int_equal(poll(&p, 1, 5000), 1);
                while ((e = bal_client_receive(c, &r)) == 0) {
                        assert_null(r.error);
                        bal_reply_done(&r);
                        ++got;
                }
                assert_int_equal(e, -EAGAIN);
        }
        stop_server(f);
        assert_int_equal(bal_client_receive(c, &r), -ECONNRESET);
        bal_client_free(c);
}

static void test_too_many(void **state) {
        struct fixture *f = *state;
        struct bal_client *c[BAL_CLIENTS_MAX + 1];
        struct bal_reply r;

        start_server(f);
        for (size_t i = 0; i < ELEMENTS(c); ++i) {
                assert_int_equal(bal_client_new(&c[i], f->status), 0);
                if (i < BAL_CLIENTS_MAX) {
                        assert_int_equal(bal_client_request(c[i], BAL_METHOD_GET, NULL, 5000, &r),
                                         0);
                        bal_reply_done(&r);
                }
        }
        poll(NULL, 0,
             50); /* it has hung up on the first by now: sending fails, its reason is still told */
        assert_int_equal(bal_client_request(c[0], BAL_METHOD_GET, NULL, 5000, &r), 0);
        assert_int_equal(r.error_id, BAL_ERROR_TOO_MANY_CLIENTS);
        bal_reply_done(&r);
        for (size_t i = 0; i < ELEMENTS(c); ++i)
                bal_client_free(c[i]);
}

static void expect_from_bad_peer(struct fixture *f, const char *answer, size_t n, int expected) {
        struct bal_client *c;
        struct bal_reply r;

        start_bad_peer(f, answer, n);
        assert_int_equal(bal_client_new(&c, f->status), 0);
        assert_int_equal(bal_client_request(c, BAL_METHOD_GET, NULL, 5000, &r), expected);
        if (expected == 0)
                bal_reply_done(&r);
        bal_client_free(c);
        end_bad_peer(f);
}

/* A list that stays text, and a message without one. */
static void test_list(void **state) {
        static const char answers[] =
                "{\"continues\":true,\"parameters\":{\"a\":[3],\"list\":[{\"x\":\"]\"},2],\"b\":5}}\0"
                "{\"parameters\":{\"list\":{\"list\":[1]}},\"list\":[1]}\0{\"parameters\":{\"list\":[1}";
        struct fixture *f = *state;
        struct bal_client *c;
        struct bal_reply r;
        struct scan_text list;

        start_bad_peer(f, answers, sizeof(answers));
        assert_int_equal(bal_client_new(&c, f->status), 0);
        end_bad_peer(f);

        assert_int_equal(bal_client_receive_list(c, "list", &r, &list), 0);
        assert_true(scan_text_is(list, "[{\"x\":\"]\"},2]"));
        assert_int_equal(json_array_size(json_object_get(r.parameters, "list")), 0);
        assert_int_equal(json_integer_value(json_object_get(r.parameters, "b")), 5);
        assert_true(r.continues);
        bal_reply_done(&r);

        assert_int_equal(bal_client_receive_list(c, "list", &r, &list), 0);
        assert_null(list.text);
        assert_true(json_is_object(json_object_get(r.parameters, "list")));
        bal_reply_done(&r);
        assert_int_equal(bal_client_receive_list(c, "list", &r, &list), -EPROTO);
        bal_client_free(c);
}

static void test_bad_peer(void **state) {
        struct fixture *f = *state;
        size_t n = BAL_REPLY_MAX + 100;
        char *big = malloc(n);

        expect_from_bad_peer(f, "", 0, -ECONNRESET);
        expect_from_bad_peer(f, "{\"parameters\":{", 15, -ECONNRESET);
        expect_from_bad_peer(f, "HTTP/1.0 400", 13, -EPROTO);
        expect_from_bad_peer(f, "\0", 1, -EPROTO);
        expect_from_bad_peer(f, "[]", 3, -EPROTO);
        expect_from_bad_peer(f, "{\"error\":\"oops\"}", 17, -EPROTO);
        expect_from_bad_peer(f, "{\"parameters\":7}", 17, -EPROTO);
        expect_from_bad_peer(f, "{}", 3, 0);
        expect_from_bad_peer(f, "{\"error\":\"com.other.Error\"}", 28, 0);
        memset(big, ' ', n);
        expect_from_bad_peer(f, big, n, -EMSGSIZE);
        memset(big, '[', n);
        big[BAL_REPLY_MAX] = '\0';
        expect_from_bad_peer(f, big, BAL_REPLY_MAX + 1, -EPROTO);
        free(big);
}

/* -- where the socket is -- */

static void expect_open(enum bal_socket which, const char *option, int expected, const char *path) {
        struct bal_client *c = NULL;
        char *where;

        assert_int_equal(bal_client_open(&c, which, option, &where), expected);
        assert_string_equal(where, path);
        free(where);
        bal_client_free(c);
}

static void test_look_up(void **state) {
        struct fixture *f = *state;
        char at_home[160], admin[160];
        int fd;

        snprintf(at_home, sizeof(at_home), "%s/.bal/status.sock", f->home);

        /* Nobody: the first place is named. /run/bal may belong to a real one, so not without. */
        if (access("/run/bal", F_OK) < 0)
                expect_open(BAL_SOCKET_STATUS, NULL, -ENOENT, f->status);
        expect_open(BAL_SOCKET_STATUS, at_home, -ENOENT, at_home);

        /* A left-over says more than nothing. */
        close(listening_socket(at_home, 16));
        expect_open(BAL_SOCKET_STATUS, at_home, -ECONNREFUSED, at_home);
        if (access("/run/bal", F_OK) < 0)
                expect_open(BAL_SOCKET_STATUS, NULL, -ECONNREFUSED, at_home);

        unlink(at_home);
        fd = listening_socket(at_home, 16);
        expect_open(BAL_SOCKET_STATUS, NULL, 0, at_home);
        unsetenv("RUNTIME_DIRECTORY");
        expect_open(BAL_SOCKET_STATUS, NULL, 0, at_home);
        setenv("RUNTIME_DIRECTORY", f->run, 1);

        start_server(f);
        expect_open(BAL_SOCKET_STATUS, NULL, 0, f->status);
        expect_open(BAL_SOCKET_ADMIN, NULL, 0, f->admin);
        expect_open(BAL_SOCKET_ADMIN, f->status, 0, f->admin);
        expect_open(BAL_SOCKET_ADMIN, f->admin, 0, f->admin);
        expect_open(BAL_SOCKET_STATUS, f->admin, 0, f->admin);
        expect_open(BAL_SOCKET_STATUS, at_home, 0, at_home); /* --socket is the only place */
        snprintf(admin, sizeof(admin), "%s/.bal/admin.sock", f->home);
        expect_open(BAL_SOCKET_ADMIN, at_home, -ENOENT, admin);
        close(fd);
}

static void test_bad_paths(void **state) {
        struct fixture *f = *state;
        char path[300], file[160], below[200];

        memset(path, 'x', sizeof(path));
        path[sizeof(path) - 1] = '\0';
        expect_open(BAL_SOCKET_STATUS, path, -ENAMETOOLONG, path);
        expect_open(BAL_SOCKET_STATUS, "", -ENOENT, "");
        assert_int_equal(chdir(f->run), 0);
        expect_open(BAL_SOCKET_ADMIN, "status.sock", -ENOENT, "admin.sock");
        assert_int_equal(chdir("/"), 0);

        snprintf(file, sizeof(file), "%s/file", f->dir);
        close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        expect_open(BAL_SOCKET_STATUS, file, -ECONNREFUSED, file);
        snprintf(below, sizeof(below), "%s/status.sock", file);
        expect_open(BAL_SOCKET_STATUS, below, -ENOENT, below);
}

/* Needs a user with less rights than root; root drops them in a child. */
static void test_no_right(void **state) {
        struct fixture *f = *state;
        struct bal_client *c = NULL;
        int status;
        pid_t pid;

        start_server(f);
        chmod(f->status, 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(65534) || setuid(65534)))
                        _exit(99);
                _exit(-bal_client_open(&c, BAL_SOCKET_STATUS, NULL, NULL));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EACCES);
}

/* A daemon that accepts nobody: its queue is full, and connect() must not wait for ever. */
static void test_full_queue(void **state) {
        struct fixture *f = *state;
        struct bal_client *c[10] = { 0 };
        int fd = listening_socket(f->status, 1), r = 0;
        uint64_t start = clock_mono_ms();

        for (size_t i = 0; i < ELEMENTS(c) && r == 0; ++i)
                r = bal_client_new(&c[i], f->status);
        assert_int_equal(r, -ETIMEDOUT);
        assert_in_range(clock_mono_ms() - start, 900, 3000);
        for (size_t i = 0; i < ELEMENTS(c); ++i)
                bal_client_free(c[i]);
        close(fd);
}

int main(void) {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_requests),   TEST(test_no_answer), TEST(test_polling),
                TEST(test_too_many),   TEST(test_bad_peer),  TEST(test_list),
                TEST(test_look_up),    TEST(test_bad_paths), TEST(test_no_right),
                TEST(test_full_queue),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
