/* SPDX-License-Identifier: MIT */
/*
 * The server on a real event loop and real sockets, all in one thread: whoever waits for bytes in
 * these tests turns the loop meanwhile.
 */

#include "control/server.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/server_parts.h"
#include "core/clock.h"
#include "core/log.h"

#define PATIENCE_MS 5000

struct fixture {
        char dir[64], status[96], admin[96];
        sd_event *event;
        struct server *server;
        struct server_call *held; /* of Reload, until the test answers it */
        size_t blob;              /* bytes in the reply of Get */
        unsigned gets, reloads, stops;
        uid_t uid;
        pid_t pid;
};

/* -- what the daemon would do -- */

static void on_get(struct server_call *call, json_t *parameters, void *userdata) {
        struct fixture *f = userdata;
        char *text = malloc(f->blob + 1);

        assert_true(json_is_object(parameters));
        memset(text, 'b', f->blob);
        server_reply(call, json_pack("{s:i, s:s%}", "n", f->gets++, "blob", text, f->blob));
        free(text);
}

static void on_reload(struct server_call *call, json_t *parameters, void *userdata) {
        struct fixture *f = userdata;

        (void)parameters;
        ++f->reloads;
        if (f->held) {
                server_error(call, BAL_ERROR_BUSY, json_pack("{s:s}", "what", "reload"));
                return;
        }
        f->held = call;
        server_call_peer(call, &f->uid, &f->pid);
}

static void on_stop(struct server_call *call, json_t *parameters, void *userdata) {
        struct fixture *f = userdata;

        (void)parameters;
        ++f->stops;
        server_reply(call, json_pack("{s:i}", "pid", getpid()));
}

static int set_up(void **state) {
        static const struct server_method methods[] = { { BAL_METHOD_GET, on_get },
                                                        { BAL_METHOD_RELOAD, on_reload },
                                                        { BAL_METHOD_STOP, on_stop } };
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->dir, "/tmp/bal-test-server-XXXXXX");
        if (!mkdtemp(f->dir))
                return -1;
        snprintf(f->status, sizeof(f->status), "%s/status.sock", f->dir);
        snprintf(f->admin, sizeof(f->admin), "%s/admin.sock", f->dir);

        assert_true(sd_event_new(&f->event) >= 0);
        assert_int_equal(server_new(&f->server, f->event, methods, ELEMENTS(methods), f), 0);
        assert_int_equal(server_listen(f->server, BAL_SOCKET_STATUS, f->status, 0660), 0);
        assert_int_equal(server_listen(f->server, BAL_SOCKET_ADMIN, f->admin, 0600), 0);
        *state = f;
        return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void)st, (void)type, (void)ftw;
        return remove(path);
}

static int tear_down(void **state) {
        struct fixture *f = *state;

        server_free(f->server);
        if (f->held)
                server_reply(f->held, json_object()); /* whoever answers late does no harm */
        sd_event_unref(f->event);
        nftw(f->dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
        free(f);
        return 0;
}

/* -- what a client does -- */

static int dial(const char *path) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        strcpy(sa.sun_path, path);
        assert_true(fd >= 0);
        if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
                int r = -errno;

                close(fd);
                return r;
        }
        return fd;
}

static void turn(struct fixture *f, unsigned ms) {
        uint64_t end = clock_mono_ms() + ms;

        do
                assert_true(sd_event_run(f->event, 10 * 1000) >= 0);
        while (clock_mono_ms() < end);
}

static void put(struct fixture *f, int fd, const char *bytes, size_t n) {
        uint64_t end = clock_mono_ms() + PATIENCE_MS;

        while (n > 0 && clock_mono_ms() < end) {
                ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

                if (sent > 0) {
                        bytes += sent;
                        n -= (size_t)sent;
                } else {
                        assert_int_equal(errno, EAGAIN);
                        turn(f, 1);
                }
        }
        assert_int_equal(n, 0);
}

static void say(struct fixture *f, int fd, const char *text) {
        put(f, fd, text, strlen(text) + 1);
}

/* 1: a byte; 0: the end, also by force; -EAGAIN: neither within ms. */
static int get_byte(struct fixture *f, int fd, char *ret, unsigned ms) {
        uint64_t end = clock_mono_ms() + ms;

        for (;;) {
                ssize_t n = recv(fd, ret, 1, 0);

                if (n >= 0)
                        return (int)n;
                if (errno == ECONNRESET)
                        return 0;
                assert_int_equal(errno, EAGAIN);
                if (clock_mono_ms() >= end)
                        return -EAGAIN;
                sd_event_run(f->event, 10 * 1000);
        }
}

/* The next reply's text, or NULL at the end of the connection. */
static char *next_reply(struct fixture *f, int fd) {
        static char text[BAL_REPLY_MAX + 2];
        size_t n = 0;
        int r;

        do {
                r = get_byte(f, fd, text + n, PATIENCE_MS);
                if (r < 0)
                        fail_msg("no reply, only %zu bytes", n);
                if (r == 0) {
                        assert_int_equal(n, 0);
                        return NULL;
                }
        } while (text[n++] != '\0');
        return text;
}

static json_t *next_json(struct fixture *f, int fd) {
        char *text = next_reply(f, fd);
        json_t *reply;

        assert_non_null(text);
        reply = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(reply);
        assert_true(json_is_object(json_object_get(reply, "parameters")));
        return reply;
}

static void expect_reply(struct fixture *f, int fd, const char *expected) {
        char *text = next_reply(f, fd);

        if (!text)
                fail_msg("%s expected, but the connection ended", expected);
        assert_string_equal(text, expected);
}

static void expect_end(struct fixture *f, int fd) {
        char c;

        assert_int_equal(get_byte(f, fd, &c, PATIENCE_MS), 0);
        close(fd);
}

static void expect_silence(struct fixture *f, int fd, unsigned ms) {
        char c;

        assert_int_equal(get_byte(f, fd, &c, ms), -EAGAIN);
}

/* -- calls -- */

#define SERVICE "{\"parameters\":{\"%s\":\"%s\"},\"error\":\"org.varlink.service.%s\"}"

static const struct answer_row {
        enum bal_socket socket;
        const char *call;
        const char *parameter, *value, *error; /* of org.varlink.service; error NULL: success */
} answers[] = {
        /* clang-format off */
        { 0, "{\"method\":\"io.bal.Status.Get\"}", 0, 0, 0 },
        { 1, "{\"method\":\"io.bal.Status.Get\"}", 0, 0, 0 },
        { 0, "{\"method\":\"io.bal.Status.Get\",\"parameters\":null}", 0, 0, 0 },
        { 0, "{\"method\":\"io.bal.Status.Get\",\"parameters\":{}}", 0, 0, 0 },
        { 0, "{\"method\":\"io.bal.Status.Get\",\"more\":true}", 0, 0, 0 },
        { 1, "{\"method\":\"io.bal.Admin.Stop\"}", 0, 0, 0 },
        { 0, "{\"method\":\"io.bal.Admin.Stop\"}", "interface", "io.bal.Admin", "InterfaceNotFound" },
        { 0, "{\"method\":\"io.bal.Admin.Nope\"}", "interface", "io.bal.Admin", "InterfaceNotFound" },
        { 1, "{\"method\":\"io.bal.Admin.Nope\"}", "method", "io.bal.Admin.Nope", "MethodNotFound" },
        { 0, "{\"method\":\"io.bal.Status.get\"}", "parameter", "method", "InvalidParameter" },
        { 0, "{\"method\":\"io.bal.Status.Set\"}", "method", "io.bal.Status.Set", "MethodNotFound" },
        { 0, "{\"method\":\"io.bal.Statu.Get\"}", "interface", "io.bal.Statu", "InterfaceNotFound" },
        { 0, "{\"method\":\"io.bal.Status.Get\",\"parameters\":{\"x\":1}}", "parameter", "x", "InvalidParameter" },
        { 0, "{\"method\":\"io.bal.Status.Get\",\"parameters\":[]}", "parameter", "parameters", "InvalidParameter" },
        { 0, "{\"method\":\"io.bal.Status.Get\",\"upgrade\":true}", "parameter", "upgrade", "InvalidParameter" },
        { 0, "{\"method\":\"io.bal.Status.Get\",\"more\":1}", "parameter", "more", "InvalidParameter" },
        { 0, "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}", "parameter", "interface", "InvalidParameter" },
        { 0, "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":5}}",
          "parameter", "interface", "InvalidParameter" },
        { 0, "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"io.bal.Admin\"}}",
          "interface", "io.bal.Admin", "InterfaceNotFound" },
        { 0, "{}", "parameter", "method", "InvalidParameter" },
        /* clang-format on */
};

/* All on one connection per socket: an error does not end it. */
static void test_answers(void **state) {
        struct fixture *f = *state;
        int fds[] = { dial(f->status), dial(f->admin) };

        for (size_t i = 0; i < ELEMENTS(answers); ++i) {
                const struct answer_row *row = &answers[i];
                char expected[256];
                json_t *reply;

                say(f, fds[row->socket], row->call);
                if (row->error) {
                        snprintf(expected, sizeof(expected), SERVICE, row->parameter, row->value,
                                 row->error);
                        expect_reply(f, fds[row->socket], expected);
                        continue;
                }
                reply = next_json(f, fds[row->socket]);
                if (json_object_get(reply, "error") || json_object_get(reply, "continues"))
                        fail_msg("%s should succeed", row->call);
                json_decref(reply);
        }
        assert_int_equal(f->stops, 1);
        close(fds[0]);
        close(fds[1]);
}

static void expect_interfaces(struct fixture *f, const char *path, const char *expected) {
        int fd = dial(path);
        json_t *reply, *p;
        char *names;

        say(f, fd, "{\"method\":\"org.varlink.service.GetInfo\"}");
        reply = next_json(f, fd);
        p = json_object_get(reply, "parameters");
        assert_string_equal(json_string_value(json_object_get(p, "product")), "bal");
        assert_string_equal(json_string_value(json_object_get(p, "version")), BAL_VERSION);
        names = json_dumps(json_object_get(p, "interfaces"), JSON_COMPACT);
        assert_string_equal(names, expected);
        free(names);
        json_decref(reply);

        say(f, fd,
            "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
            "\"parameters\":{\"interface\":\"io.bal.Status\"}}");
        reply = next_json(f, fd);
        p = json_object_get(json_object_get(reply, "parameters"), "description");
        assert_non_null(strstr(json_string_value(p), "method Get() -> ("));
        json_decref(reply);
        close(fd);
}

static void test_describes_itself(void **state) {
        struct fixture *f = *state;

        expect_interfaces(f, f->status, "[\"org.varlink.service\",\"io.bal.Status\"]");
        expect_interfaces(f, f->admin,
                          "[\"org.varlink.service\",\"io.bal.Status\",\"io.bal.Admin\"]");
}

static void test_not_implemented(void **state) {
        struct fixture *f = *state;
        struct server *bare;
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "%s/bare.sock", f->dir);
        assert_int_equal(server_new(&bare, f->event, NULL, 0, NULL), 0);
        assert_int_equal(server_listen(bare, BAL_SOCKET_ADMIN, path, 0600), 0);
        fd = dial(path);
        say(f, fd, "{\"method\":\"io.bal.Admin.Reload\"}");
        expect_reply(f, fd,
                     "{\"parameters\":{\"method\":\"io.bal.Admin.Reload\"},"
                     "\"error\":\"org.varlink.service.MethodNotImplemented\"}");
        close(fd);
        server_free(bare);
        assert_int_equal(access(path, F_OK), -1);
}

/* -- later answers, order -- */

#define RELOAD "{\"method\":\"io.bal.Admin.Reload\"}"
#define GET    "{\"method\":\"io.bal.Status.Get\"}"

static void answer_held(struct fixture *f, json_t *parameters) {
        struct server_call *call = take_ptr(f->held);

        assert_non_null(call);
        server_reply(call, parameters);
}

/* The calls behind an unanswered one wait; another client does not. */
static void test_later_answer_in_order(void **state) {
        struct fixture *f = *state;
        static const char calls[] = RELOAD "\0" GET "\0" GET; /* and a NUL */
        int fd = dial(f->admin), other = dial(f->admin);

        put(f, fd, calls, sizeof(calls));
        expect_silence(f, fd, 100);
        assert_int_equal(f->reloads, 1);
        assert_int_equal(f->gets, 0);
        assert_int_equal(f->uid, getuid());
        assert_int_equal(f->pid, getpid());

        say(f, other, GET);
        expect_reply(f, other, "{\"parameters\":{\"n\":0,\"blob\":\"\"}}");
        say(f, other, RELOAD);
        expect_reply(f, other,
                     "{\"parameters\":{\"what\":\"reload\"},\"error\":\"io.bal.Admin.Busy\"}");

        answer_held(f, json_pack("{s:b}", "changed", 1));
        expect_reply(f, fd, "{\"parameters\":{\"changed\":true}}");
        expect_reply(f, fd, "{\"parameters\":{\"n\":1,\"blob\":\"\"}}");
        expect_reply(f, fd, "{\"parameters\":{\"n\":2,\"blob\":\"\"}}");
        close(fd);
        close(other);
}

static void test_later_answer_to_nobody(void **state) {
        struct fixture *f = *state;
        int fd = dial(f->admin);

        say(f, fd, RELOAD);
        expect_silence(f, fd, 50);
        close(fd);
        turn(f, 50);
        assert_int_equal(f->server->n_peers[BAL_SOCKET_ADMIN], 0);
        answer_held(f, json_object());
}

static void test_unbuildable_reply(void **state) {
        struct fixture *f = *state;
        int fd = dial(f->admin);

        say(f, fd, RELOAD);
        expect_silence(f, fd, 50);
        answer_held(f, NULL);
        expect_reply(f, fd,
                     "{\"parameters\":{\"what\":\"the reply could not be built\"},"
                     "\"error\":\"io.bal.Status.Internal\"}");
        close(fd);
}

/* printf | socat: the client has said all and closed its side, and still gets every answer. */
static void test_half_close(void **state) {
        struct fixture *f = *state;
        static const char calls[] = GET "\0" RELOAD "\0" GET "\0{\"half";
        int fd = dial(f->admin);

        put(f, fd, calls, sizeof(calls) - 1);
        shutdown(fd, SHUT_WR);
        expect_reply(f, fd, "{\"parameters\":{\"n\":0,\"blob\":\"\"}}");
        expect_silence(f, fd, 50);
        answer_held(f, json_object());
        expect_reply(f, fd, "{\"parameters\":{}}");
        expect_reply(f, fd, "{\"parameters\":{\"n\":1,\"blob\":\"\"}}");
        expect_end(f, fd);
}

static void test_oneway(void **state) {
        struct fixture *f = *state;
        static const char calls[] = "{\"method\":\"io.bal.Admin.Stop\",\"oneway\":true}\0"
                                    "{\"method\":\"io.bal.Admin.Nope\",\"oneway\":true}\0"
                                    "{\"oneway\":true}\0"
                                    "{\"method\":\"io.bal.Admin.Reload\",\"oneway\":true}\0" GET;
        int fd = dial(f->admin);

        put(f, fd, calls, sizeof(calls));
        expect_silence(f, fd, 50);
        assert_int_equal(f->stops, 1);
        answer_held(f, json_object());
        expect_reply(f, fd, "{\"parameters\":{\"n\":0,\"blob\":\"\"}}");
        close(fd);

        /* Sent and gone, as `bal` would not, but others do. */
        fd = dial(f->admin);
        put(f, fd, calls, strlen(calls) + 1);
        close(fd);
        turn(f, 50);
        assert_int_equal(f->stops, 2);
        assert_int_equal(f->server->n_peers[BAL_SOCKET_ADMIN], 0);
}

/* 64 KiB and more of small calls at once: a full buffer of whole calls is not a call too long. */
static void test_pipelined(void **state) {
        struct fixture *f = *state;
        enum { N = 6000 };
        static char calls[N * (sizeof(GET) + 20)];
        char *at = calls;
        int fd = dial(f->status);
        size_t sent = 0;

        for (int i = 0; i < N; ++i) {
                bool oneway = i % 3 == 0;

                at = stpcpy(at,
                            oneway ? "{\"method\":\"io.bal.Status.Get\",\"oneway\":true}" : GET);
                *at++ = '\0';
        }
        for (int i = 0; i < N; ++i) {
                char expected[64];
                ssize_t n = send(fd, calls + sent, (size_t)(at - calls) - sent, MSG_NOSIGNAL);

                sent += n > 0 ? (size_t)n : 0;
                if (i % 3 == 0)
                        continue;
                snprintf(expected, sizeof(expected), "{\"parameters\":{\"n\":%d,\"blob\":\"\"}}",
                         i);
                expect_reply(f, fd, expected);
        }
        assert_int_equal(f->gets, N);
        close(fd);
}

/* -- nonsense -- */

static void expect_refused(struct fixture *f, const char *bytes, size_t n) {
        int fd = dial(f->status);

        (void)!send(fd, bytes, n, MSG_NOSIGNAL);
        expect_reply(f, fd,
                     "{\"parameters\":{\"parameter\":\"message\"},"
                     "\"error\":\"org.varlink.service.InvalidParameter\"}");
        expect_end(f, fd);
        turn(f, 20);
        assert_int_equal(f->server->n_peers[BAL_SOCKET_STATUS], 0);
}

static void test_garbage(void **state) {
        struct fixture *f = *state;
        static char big[1024 * 1024];

        expect_refused(f, "hello", 6);
        expect_refused(f, "", 1);
        expect_refused(f, "[]\0" GET, sizeof("[]\0" GET));
        expect_refused(f, "\xff\xfe\0", 3);

        memset(big, '{', sizeof(big));
        expect_refused(f, big, sizeof(big));
        big[BAL_CALL_MAX] = '\0';
        expect_refused(f, big, BAL_CALL_MAX + 1); /* not too long, but too deep */
        memset(big, ' ', sizeof(big));
        expect_refused(f, big, sizeof(big));
}

/* A call of exactly the limit is served, at whatever pace it comes. */
static void test_longest_call(void **state) {
        struct fixture *f = *state;
        static char text[BAL_CALL_MAX + 1];
        int fd = dial(f->status);

        memset(text, ' ', BAL_CALL_MAX);
        memcpy(text, GET, strlen(GET));
        for (size_t at = 0; at < sizeof(text); at += 1024) {
                put(f, fd, text + at, at + 1024 <= sizeof(text) ? 1024 : sizeof(text) - at);
                turn(f, 0);
        }
        expect_reply(f, fd, "{\"parameters\":{\"n\":0,\"blob\":\"\"}}");
        close(fd);
}

static void test_every_split(void **state) {
        struct fixture *f = *state;
        size_t n = sizeof(GET);
        int fd = dial(f->status);

        for (size_t i = 1; i < n; ++i) {
                char expected[64];

                put(f, fd, GET, i);
                turn(f, 0);
                turn(f, 0);
                assert_int_equal(f->gets, i - 1);
                put(f, fd, &GET[i], n - i);
                snprintf(expected, sizeof(expected), "{\"parameters\":{\"n\":%zu,\"blob\":\"\"}}",
                         i - 1);
                expect_reply(f, fd, expected);
        }
        close(fd);
}

/* -- limits -- */

static void test_reply_limit(void **state) {
        struct fixture *f = *state;
        const char *frame = "{\"parameters\":{\"n\":0,\"blob\":\"\"}}";
        int fd = dial(f->status);
        char *text;

        f->blob = BAL_REPLY_MAX - strlen(frame);
        say(f, fd, GET);
        text = next_reply(f, fd);
        assert_int_equal(strlen(text), BAL_REPLY_MAX);

        ++f->blob;
        say(f, fd, GET);
        expect_reply(f, fd,
                     "{\"parameters\":{\"limit\":4194304},"
                     "\"error\":\"io.bal.Status.ReplyTooLarge\"}");
        close(fd);
}

/* Who came first and said nothing goes for who comes; who waits for an answer stays. */
static void test_client_limit(void **state) {
        struct fixture *f = *state;
        int fds[BAL_CLIENTS_MAX], more[6], admin;

        for (size_t i = 0; i < ELEMENTS(fds); ++i) {
                fds[i] = dial(f->status);
                assert_true(fds[i] >= 0);
                turn(f, 0);
        }
        turn(f, 20);
        assert_int_equal(f->server->n_peers[BAL_SOCKET_STATUS], BAL_CLIENTS_MAX);

        for (size_t i = 0; i < ELEMENTS(more); ++i)
                more[i] = dial(f->status);
        for (size_t i = 0; i < ELEMENTS(more); ++i) {
                expect_reply(f, fds[i],
                             "{\"parameters\":{\"limit\":64},"
                             "\"error\":\"io.bal.Status.TooManyClients\"}");
                expect_end(f, fds[i]);
                fds[i] = more[i];
        }
        assert_int_equal(f->server->n_peers[BAL_SOCKET_STATUS], BAL_CLIENTS_MAX);

        admin = dial(f->admin); /* not locked out by readers */
        say(f, admin, GET);
        expect_reply(f, admin, "{\"parameters\":{\"n\":0,\"blob\":\"\"}}");
        close(admin);

        for (size_t i = 0; i < ELEMENTS(fds); ++i) {
                json_t *reply;

                say(f, fds[i], GET);
                reply = next_json(f, fds[i]);
                assert_null(json_object_get(reply, "error"));
                json_decref(reply);
                close(fds[i]);
        }
}

/* Who does not read is cut after 2 s, who stops within a call after 10 s, who is idle not at
 * all. */
static void test_silence(void **state) {
        struct fixture *f = *state;
        int idle = dial(f->status), deaf = dial(f->status), half = dial(f->status);
        uint64_t start = clock_mono_ms(), deaf_ms = 0, half_ms = 0;

        f->blob = 3 * 1024 * 1024;
        say(f, deaf, GET);
        put(f, half, GET, 5);
        while (half_ms == 0 && clock_mono_ms() - start < 15000) {
                turn(f, 20);
                if (deaf_ms == 0 && f->server->n_peers[BAL_SOCKET_STATUS] == 2)
                        deaf_ms = clock_mono_ms() - start;
                if (f->server->n_peers[BAL_SOCKET_STATUS] == 1)
                        half_ms = clock_mono_ms() - start;
        }
        assert_in_range(deaf_ms, BAL_STALL_MS - 50, BAL_STALL_MS + 1500);
        assert_in_range(half_ms, BAL_PARTIAL_MS - 50, BAL_PARTIAL_MS + 1500);

        f->blob = 0;
        say(f, idle, GET);
        expect_reply(f, idle, "{\"parameters\":{\"n\":1,\"blob\":\"\"}}");
        close(idle);
        close(deaf);
        expect_end(f, half);
}

/* Out of descriptors accept() fails again and again; the loop must not spin on that. */
static void test_no_descriptors(void **state) {
        struct fixture *f = *state;
        struct rlimit old, low;
        int fd = dial(f->status), turns = 0;
        uint64_t start = clock_mono_ms();

        getrlimit(RLIMIT_NOFILE, &old);
        low = (struct rlimit){ .rlim_cur = (rlim_t)fd + 1, .rlim_max = old.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        say(f, fd, GET);
        while (clock_mono_ms() - start < 500) {
                sd_event_run(f->event, 500 * 1000);
                ++turns;
        }
        assert_true(turns < 10);
        assert_int_equal(f->server->n_peers[BAL_SOCKET_STATUS], 0);
        setrlimit(RLIMIT_NOFILE, &old);
        expect_reply(f, fd, "{\"parameters\":{\"n\":0,\"blob\":\"\"}}");
        assert_in_range(clock_mono_ms() - start, 900, 2500);
        close(fd);
}

/* -- socket files -- */

static void test_modes(void **state) {
        struct fixture *f = *state;
        char path[128];
        struct stat st;
        mode_t old;

        assert_int_equal(stat(f->status, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0660);
        assert_int_equal(stat(f->admin, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);

        snprintf(path, sizeof(path), "%s/strict.sock", f->dir);
        old = umask(0777);
        assert_int_equal(server_listen(f->server, BAL_SOCKET_STATUS, path, 0640), 0);
        umask(old);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
}

static void test_places(void **state) {
        struct fixture *f = *state;
        char path[256], target[128];
        int fd;

        assert_int_equal(server_listen(f->server, BAL_SOCKET_STATUS, f->status, 0660), -EADDRINUSE);

        snprintf(path, sizeof(path), "%s/file", f->dir);
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        close(fd);
        assert_int_equal(server_listen(f->server, BAL_SOCKET_STATUS, path, 0660), -EEXIST);
        assert_int_equal(access(path, F_OK), 0);

        snprintf(path, sizeof(path), "%s/link", f->dir);
        snprintf(target, sizeof(target), "%s/nowhere", f->dir);
        assert_int_equal(symlink(target, path), 0);
        assert_int_equal(server_listen(f->server, BAL_SOCKET_STATUS, path, 0660), -EEXIST);

        snprintf(path, sizeof(path), "%s/missing/x.sock", f->dir);
        assert_int_equal(server_listen(f->server, BAL_SOCKET_STATUS, path, 0660), -ENOENT);
        assert_int_equal(server_listen(f->server, BAL_SOCKET_STATUS, "", 0660), -EINVAL);

        memset(path, 'p', sizeof(path));
        memcpy(path, f->dir, strlen(f->dir));
        path[strlen(f->dir)] = '/';
        path[SERVER_PATH_MAX + 1] = '\0';
        assert_int_equal(server_listen(f->server, BAL_SOCKET_STATUS, path, 0660), -ENAMETOOLONG);
        path[SERVER_PATH_MAX] = '\0';
        assert_int_equal(server_listen(f->server, BAL_SOCKET_STATUS, path, 0660), 0);
        assert_int_equal(access(path, F_OK), 0);
}

static int listening_socket(const char *path) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strcpy(sa.sun_path, path);
        assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
        assert_int_equal(listen(fd, 5), 0);
        return fd;
}

static void test_stale_socket(void **state) {
        struct fixture *f = *state;
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "%s/old.sock", f->dir);
        close(listening_socket(path)); /* as kill -9 leaves it */
        assert_int_equal(dial(path), -ECONNREFUSED);
        assert_int_equal(server_listen(f->server, BAL_SOCKET_STATUS, path, 0660), 0);
        fd = dial(path);
        say(f, fd, GET);
        expect_reply(f, fd, "{\"parameters\":{\"n\":0,\"blob\":\"\"}}");
        close(fd);
}

/* Somebody moved his own socket to our place: it is not ours to remove. */
static void test_unlinks_only_its_own(void **state) {
        struct fixture *f = *state;
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "%s/new.sock", f->dir);
        fd = listening_socket(path);
        assert_int_equal(rename(path, f->admin), 0);
        f->server = server_free(f->server);
        assert_int_equal(access(f->admin, F_OK), 0);
        assert_int_equal(access(f->status, F_OK), -1);
        close(fd);
}

static void test_adopt(void **state) {
        struct fixture *f = *state;
        char path[128];
        int fd, pair[2];

        snprintf(path, sizeof(path), "%s/passed.sock", f->dir);
        assert_int_equal(server_adopt(f->server, BAL_SOCKET_ADMIN, listening_socket(path)), 0);
        fd = dial(path);
        say(f, fd, "{\"method\":\"io.bal.Admin.Stop\"}");
        json_decref(next_json(f, fd));
        close(fd);

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(server_adopt(f->server, BAL_SOCKET_ADMIN, pair[0]), -EINVAL);
        assert_int_equal(fcntl(pair[0], F_GETFD), -1); /* taken on failure, too */
        close(pair[1]);
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_int_equal(server_adopt(f->server, BAL_SOCKET_ADMIN, fd), -EINVAL);

        f->server = server_free(f->server);
        assert_int_equal(access(path, F_OK), 0); /* systemd's, not ours */
}

static void test_stop_accepting(void **state) {
        struct fixture *f = *state;
        int fd = dial(f->admin);

        say(f, fd, RELOAD);
        expect_silence(f, fd, 50);
        server_stop_accepting(f->server);
        assert_int_equal(dial(f->admin), -ENOENT);
        assert_int_equal(dial(f->status), -ENOENT);

        answer_held(f, json_object());
        expect_reply(f, fd, "{\"parameters\":{}}");
        say(f, fd, GET);
        expect_reply(f, fd, "{\"parameters\":{\"n\":0,\"blob\":\"\"}}");
        expect_silence(f, fd, 50);
        f->server = server_free(f->server);
        expect_end(f, fd);
}

struct seen {
        char method[64];
        uint64_t uid;
        int64_t pid;
        unsigned n;
};

static bool see_record(const struct log_record *record, void *userdata) {
        struct seen *seen = userdata;

        if (record->site->event != EVENT_admin_call)
                return true;
        ++seen->n;
        for (size_t i = 0; i < record->n_fields; ++i) {
                const struct log_field *field = &record->fields[i];

                if (strcmp(field->key, "method") == 0)
                        snprintf(seen->method, sizeof(seen->method), "%s", field->s);
                else if (strcmp(field->key, "uid") == 0)
                        seen->uid = field->u;
                else if (strcmp(field->key, "pid") == 0)
                        seen->pid = field->i;
        }
        return true;
}

/* Who changed what: one record per call of io.bal.Admin, none for those who only read. */
static void test_admin_calls_are_logged(void **state) {
        struct fixture *f = *state;
        struct seen seen = { .uid = UINT64_MAX };
        int fd = dial(f->admin);

        assert_int_equal(log_thread_init(), 0);
        say(f, fd, GET);
        json_decref(next_json(f, fd));
        say(f, fd, "{\"method\":\"io.bal.Admin.Stop\"}");
        json_decref(next_json(f, fd));
        close(fd);
        log_drain(see_record, &seen);
        log_thread_done();
        log_drain(see_record, &seen);

        assert_int_equal(seen.n, 1);
        assert_string_equal(seen.method, "io.bal.Admin.Stop");
        assert_int_equal(seen.uid, getuid());
        assert_int_equal(seen.pid, getpid());
}

/* A daemon with nothing to drain ends at once: whoever asked it to still hears the answer. */
static void test_last_words(void **state) {
        struct fixture *f = *state;
        int fd = dial(f->admin);

        say(f, fd, "{\"method\":\"io.bal.Admin.Stop\"}");
        while (f->stops == 0)
                sd_event_run(f->event, 10 * 1000);
        f->server = server_free(f->server);
        json_decref(next_json(f, fd));
        expect_end(f, fd);
}

#define RELOAD_MORE "{\"method\":\"io.bal.Admin.Reload\",\"more\":true}"

static int dial_for_more(struct fixture *f) {
        int fd = dial(f->admin);

        say(f, fd, RELOAD_MORE);
        while (!f->held)
                turn(f, 1);
        assert_true(server_call_wants_more(f->held));
        return fd;
}

static void expect_more(struct fixture *f, int fd, int n, bool continues) {
        json_t *reply = next_json(f, fd);

        assert_int_equal(
                json_integer_value(json_object_get(json_object_get(reply, "parameters"), "n")), n);
        assert_int_equal(json_is_true(json_object_get(reply, "continues")), continues);
        json_decref(reply);
}

/* Any number of answers, then the last one; and the next call is answered after it. */
static void test_more(void **state) {
        struct fixture *f = *state;
        int fd = dial_for_more(f);

        say(f, fd, GET); /* its turn comes when the other has ended */
        for (int i = 0; i < 5; i++) {
                assert_true(server_call_has_room(f->held));
                assert_int_equal(server_reply_more(f->held, json_pack("{s:i}", "n", i)), 1);
                assert_false(server_call_has_room(f->held));
                assert_int_equal(server_reply_more(f->held, json_pack("{s:i}", "n", 99)), 0);
                expect_more(f, fd, i, true);
        }
        assert_int_equal(server_reply_more(f->held, NULL), -ENOMEM);
        assert_int_equal(server_reply_more(f->held, json_pack("{s:i}", "n", 5)), 1);
        server_reply(take_ptr(f->held), json_pack("{s:i}", "n", 6)); /* right behind it */
        expect_more(f, fd, 5, true);
        expect_more(f, fd, 6, false);
        json_decref(next_json(f, fd));
        close(fd);
}

static void on_gone(struct server_call *call, void *arg) {
        struct fixture *f = arg;

        assert_ptr_equal(call, f->held);
        f->stops++;
        assert_int_equal(server_reply_more(call, json_object()), -EPIPE);
        server_reply(take_ptr(f->held), json_object());
}

/* Who goes away is noticed, and so is who stays and does not read. */
static void test_more_to_nobody(void **state) {
        struct fixture *f = *state;
        uint64_t end = clock_mono_ms() + PATIENCE_MS;
        char *blob = calloc(1, 1000001);
        int fd = dial_for_more(f);

        server_call_on_gone(f->held, on_gone, f);
        close(fd);
        while (f->held && clock_mono_ms() < end)
                turn(f, 1);
        assert_int_equal(f->stops, 1);

        memset(blob, 'b', 1000000);
        fd = dial_for_more(f);
        server_call_on_gone(f->held, on_gone, f);
        assert_int_equal(server_reply_more(f->held, json_pack("{s:s}", "blob", blob)), 1);
        turn(f, 20);
        assert_false(server_call_has_room(f->held));
        end = clock_mono_ms() + BAL_STALL_MS + PATIENCE_MS;
        while (f->held && clock_mono_ms() < end)
                turn(f, 10);
        assert_int_equal(f->stops, 2);
        close(fd);
        free(blob);
}

int main(void) {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_answers),
                TEST(test_describes_itself),
                TEST(test_not_implemented),
                TEST(test_later_answer_in_order),
                TEST(test_later_answer_to_nobody),
                TEST(test_unbuildable_reply),
                TEST(test_half_close),
                TEST(test_oneway),
                TEST(test_pipelined),
                TEST(test_garbage),
                TEST(test_longest_call),
                TEST(test_every_split),
                TEST(test_reply_limit),
                TEST(test_client_limit),
                TEST(test_silence),
                TEST(test_no_descriptors),
                TEST(test_modes),
                TEST(test_places),
                TEST(test_stale_socket),
                TEST(test_unlinks_only_its_own),
                TEST(test_adopt),
                TEST(test_stop_accepting),
                TEST(test_admin_calls_are_logged),
                TEST(test_last_words),
                TEST(test_more),
                TEST(test_more_to_nobody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
