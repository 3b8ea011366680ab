/* SPDX-License-Identifier: MIT */
#include "net/sock.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct addr addr(const char *text) {
        struct addr a;

        assert_int_equal(addr_parse(&a, text), 0);
        return a;
}

static int get_int(int fd, int level, int option) {
        socklen_t len = sizeof(int);
        int value = -1;

        assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
        return value;
}

static bool is_ready(int fd, short events) {
        struct pollfd p = { .fd = fd, .events = events };

        return poll(&p, 1, 2000) == 1;
}

/* Listens on a port of the kernel's choice and says which. */
static int listen_at(struct addr *a) {
        socklen_t len = sizeof(a->un);
        int fd;

        assert_int_equal(sock_listen(&fd, a, 16), 0);
        assert_int_equal(getsockname(fd, &a->sa, &len), 0);
        return fd;
}

/* Connects and says how it went: 0, or a negative errno. */
static int try_connect(const struct addr *a, int *ret) {
        int r;

        *ret = -EBADF;
        r = sock_connect(ret, a);
        if (r == -EINPROGRESS) {
                assert_true(is_ready(*ret, POLLOUT));
                r = sock_error(*ret);
        }
        return r;
}

static bool reaches(const struct addr *a, int listening) {
        int client, server;
        int r;

        r = try_connect(a, &client);
        if (r == 0) {
                assert_true(is_ready(listening, POLLIN));
                server = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
                assert_true(server >= 0);
                fd_close(server);
        }
        fd_close(client);
        return r == 0;
}

static void test_families(void **state) {
        static const struct {
                const char *listen, *connect;
                bool reached;
        } rows[] = {
                { "127.0.0.1:0", "127.0.0.1:0", true },
                { "127.0.0.1:0", "127.0.0.2:0", false },
                { "0.0.0.0:0", "127.0.0.9:0", true },
                { "0.0.0.0:0", "[::1]:0", false },
                { "[::1]:0", "[::1]:0", true },
                { "[::1]:0", "127.0.0.1:0", false },
                { "[::]:0", "[::1]:0", true },
                { "[::]:0", "127.0.0.1:0", true }, /* "::" takes both */
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct addr l = addr(rows[i].listen), c = addr(rows[i].connect);
                int fd = listen_at(&l);

                addr_set_port(&c, addr_port(&l));
                assert_int_equal(reaches(&c, fd), rows[i].reached);
                fd_close(fd);
        }
}

/* Set on the listening socket, so that accept costs nothing more. */
static void expect_tuned(int fd, bool is_tcp) {
        assert_int_equal(get_int(fd, SOL_SOCKET, SO_OOBINLINE), 1);
        if (!is_tcp)
                return;
        assert_int_equal(get_int(fd, IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(get_int(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(get_int(fd, IPPROTO_TCP, TCP_KEEPIDLE), SOCK_KEEPALIVE_IDLE_S);
        assert_int_equal(get_int(fd, IPPROTO_TCP, TCP_KEEPINTVL), SOCK_KEEPALIVE_EACH_S);
        assert_int_equal(get_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), SOCK_USER_TIMEOUT_MS);
}

static void test_options(void **state) {
        static const char *const rows[] = { "127.0.0.1:0", "[::1]:0", "[::]:0" };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct addr a = addr(rows[i]);
                int fd = listen_at(&a), client, server;

                assert_int_equal(try_connect(&a, &client), 0);
                assert_true(is_ready(fd, POLLIN));
                server = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                assert_true(server >= 0);
                expect_tuned(fd, true);
                expect_tuned(server, true);
                assert_int_equal(get_int(client, SOL_SOCKET, SO_KEEPALIVE), 0);
                sock_no_delay(client);
                sock_keep_alive(client, SOCK_USER_TIMEOUT_MS);
                expect_tuned(client, true);
                assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
                assert_true(fcntl(client, F_GETFL) & O_NONBLOCK);
                assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
                assert_true(fcntl(client, F_GETFD) & FD_CLOEXEC);
                assert_int_equal(get_int(fd, SOL_SOCKET, SO_REUSEPORT), 0);
                fd_close(server);
                fd_close(client);
                fd_close(fd);
        }
}

static void test_taken(void **state) {
        static const char *const rows[][2] = {
                { "127.0.0.1:0", "127.0.0.1:0" }, { "127.0.0.1:0", "0.0.0.0:0" },
                { "0.0.0.0:0", "127.0.0.1:0" },   { "[::]:0", "0.0.0.0:0" },
                { "[::1]:0", "[::]:0" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct addr a = addr(rows[i][0]), b = addr(rows[i][1]);
                int fd = listen_at(&a), second = -1;

                addr_set_port(&b, addr_port(&a));
                assert_int_equal(sock_listen(&second, &b, 16), -EADDRINUSE);
                assert_int_equal(second, -1);
                fd_close(fd);
                assert_int_equal(sock_listen(&second, &b, 16), 0); /* free again at once */
                fd_close(second);
        }
}

static void test_addresses_of_others(void **state) {
        struct addr a = addr("192.0.2.1:0");
        int fd = -1;

        (void)state;
        assert_int_equal(sock_listen(&fd, &a, 16), -EADDRNOTAVAIL);
        assert_int_equal(fd, -1);
}

/* Connections in TIME_WAIT on the port do not keep it from being used again. */
static void test_after_connections(void **state) {
        struct addr a = addr("127.0.0.1:0");
        int fd = listen_at(&a), client, server;

        (void)state;
        assert_int_equal(try_connect(&a, &client), 0);
        assert_true(is_ready(fd, POLLIN));
        server = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        fd_close(server); /* the first to close waits */
        assert_true(is_ready(client, POLLIN));
        fd_close(client);
        fd_close(fd);
        assert_int_equal(sock_listen(&fd, &a, 16), 0);
        fd_close(fd);
}

static void test_beside_own(void **state) {
        static const char *const rows[][2] = {
                { "127.0.0.1:0", "0.0.0.0:0" },
                { "0.0.0.0:0", "127.0.0.1:0" },
                { "127.0.0.1:0", "[::]:0" },
                { "[::]:0", "127.0.0.1:0" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct addr a = addr(rows[i][0]), b = addr(rows[i][1]);
                int own = listen_at(&a), next, third = -1;

                addr_set_port(&b, addr_port(&a));
                assert_int_equal(sock_listen_beside(&next, &b, 16, &own, 1), 0);
                /* shared for that moment only */
                assert_int_equal(get_int(own, SOL_SOCKET, SO_REUSEPORT), 0);
                assert_int_equal(get_int(next, SOL_SOCKET, SO_REUSEPORT), 0);
                assert_int_equal(sock_listen(&third, &b, 16), -EADDRINUSE);
                assert_int_equal(third, -1);

                fd_close(own);
                a = addr("127.0.0.1:0");
                addr_set_port(&a, addr_port(&b));
                assert_true(reaches(&a, next));
                fd_close(next);
        }
}

/* Somebody else's socket stands in the way as before. */
static void test_beside_foreign(void **state) {
        struct addr a = addr("127.0.0.1:0"), b = addr("0.0.0.0:0"), c = addr("127.0.0.1:0");
        int foreign = listen_at(&a), own = listen_at(&c), fd = -1;

        (void)state;
        addr_set_port(&b, addr_port(&a));
        assert_int_equal(sock_listen_beside(&fd, &b, 16, &own, 1), -EADDRINUSE);
        assert_int_equal(fd, -1);
        assert_int_equal(get_int(own, SOL_SOCKET, SO_REUSEPORT), 0);
        fd_close(foreign);
        fd_close(own);
}

static void test_hidden(void **state) {
        struct addr a = addr("127.0.0.1:0"), any = addr("0.0.0.0:0");
        int fd = listen_at(&a), before, server, next, after;

        (void)state;
        assert_int_equal(try_connect(&a, &before), 0);
        assert_int_equal(sock_hide(fd), 0);
        assert_true(is_ready(fd, POLLIN)); /* the last segment of its handshake may come now */
        server = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        assert_true(server >= 0);
        assert_int_equal(write(before, "x", 1), 1);
        assert_true(is_ready(server, POLLIN));
        assert_int_equal(try_connect(&a, &after), -ECONNREFUSED);

        /* a wider address, or the same one, takes over while the hidden one still lives */
        addr_set_port(&any, addr_port(&a));
        assert_int_equal(sock_listen_beside(&next, &any, 16, &fd, 1), 0);
        assert_int_equal(try_connect(&a, &after), 0);
        assert_true(is_ready(next, POLLIN));
        assert_false(is_ready(fd, POLLIN));
        fd_close(after);
        fd_close(next);
        assert_int_equal(sock_listen_beside(&next, &a, 16, &fd, 1), 0);
        assert_int_equal(try_connect(&a, &after), 0);
        assert_true(is_ready(next, POLLIN));

        fd_close(before);
        fd_close(after);
        fd_close(server);
        fd_close(next);
        fd_close(fd);
}

/* A simultaneous open, by hand: the socket knocks at its own port. */
static void test_met_itself(void **state) {
        struct addr a = addr("127.0.0.1:0"), listening = addr("127.0.0.1:0");
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server = listen_at(&listening);
        int other = -EBADF;

        (void)state;
        assert_return_code(bind(fd, &a.sa, a.len), errno);
        assert_return_code(getsockname(fd, &a.sa, &a.len), errno);
        assert_return_code(connect(fd, &a.sa, a.len), errno);
        assert_true(sock_met_itself(fd));

        assert_int_equal(try_connect(&listening, &other), 0);
        assert_false(sock_met_itself(other));
        fd_close(other);
        fd_close(server);
        fd_close(fd);
}

/* Never below the idle timeout, or it would end living sessions whose reader pauses. */
/* Somebody else's listening socket gives sockets with the same options as one of our own. */
static void test_adopt(void **state) {
        struct sockaddr_in sa = { .sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM, 0), client, accepted, plain;
        struct addr a;

        (void)state;
        assert_int_equal(sock_adopt(fd, &a), -EINVAL); /* it does not listen yet */
        assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
        assert_int_equal(listen(fd, 8), 0);
        assert_int_equal(sock_adopt(fd, &a), 0);
        assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_not_equal(addr_port(&a), 0);

        assert_int_equal(try_connect(&a, &client), 0);
        assert_true(is_ready(fd, POLLIN));
        accepted = accept(fd, NULL, NULL);
        assert_true(accepted >= 0);
        assert_int_equal(get_int(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(get_int(accepted, SOL_SOCKET, SO_OOBINLINE), 1);
        assert_int_equal(get_int(accepted, SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(sock_adopt(accepted, &a), -EINVAL);
        close(accepted);
        close(client);
        close(fd);

        fd = socket(AF_INET, SOCK_DGRAM, 0);
        assert_int_equal(sock_adopt(fd, &a), -EPROTOTYPE);
        close(fd);
        plain = open("/dev/null", O_RDONLY);
        assert_int_equal(sock_adopt(plain, &a), -ENOTSOCK);
        close(plain);
}

static void test_user_timeout(void **state) {
        static const struct {
                uint32_t idle_ms;
                int expected_ms;
        } rows[] = {
                { 1, SOCK_USER_TIMEOUT_MS },
                { 120000, 120000 },
                { SOCK_USER_TIMEOUT_MAX_MS, SOCK_USER_TIMEOUT_MAX_MS },
                { SOCK_USER_TIMEOUT_MAX_MS + 1, 0 },
                { UINT32_MAX, 0 },
        };
        struct addr a = addr("127.0.0.1:0");
        int fd = listen_at(&a);

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                sock_set_user_timeout(fd, rows[i].idle_ms);
                assert_int_equal(get_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), rows[i].expected_ms);
                if (rows[i].expected_ms == 0)
                        assert_int_equal(get_int(fd, IPPROTO_TCP, TCP_KEEPCNT),
                                         SOCK_KEEPALIVE_PROBES);
        }
        fd_close(fd);
}

/* ---- Unix sockets ---- */

static char dir[] = "/tmp/bal-sock.XXXXXX";

static struct addr unix_at(const char *name) {
        char text[64];

        snprintf(text, sizeof(text), "unix:%s/%s", dir, name);
        return addr(text);
}

static int setup_dir(void **state) {
        (void)state;
        strcpy(dir + strlen(dir) - 6, "XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown_dir(void **state) {
        (void)state;
        return rmdir(dir); /* so each test has removed what it made */
}

static void test_unix(void **state) {
        struct addr a = unix_at("x.sock");
        int fd;

        (void)state;
        assert_int_equal(sock_listen(&fd, &a, 16), 0);
        assert_true(reaches(&a, fd));
        expect_tuned(fd, false);
        fd_close(fd);
        assert_int_equal(unlink(a.un.sun_path), 0);
}

static void test_unix_left_over(void **state) {
        struct addr a = unix_at("x.sock");
        int fd;

        (void)state;
        assert_int_equal(sock_listen(&fd, &a, 16), 0);
        fd_close(fd); /* as after a crash: the file stays */
        assert_int_equal(access(a.un.sun_path, F_OK), 0);
        assert_int_equal(sock_listen(&fd, &a, 16), 0);
        assert_true(reaches(&a, fd));
        fd_close(fd);
        assert_int_equal(unlink(a.un.sun_path), 0);
}

static void test_unix_of_the_living(void **state) {
        struct addr a = unix_at("x.sock");
        int fd, second = -1, clients[4];

        (void)state;
        assert_int_equal(sock_listen(&fd, &a, 1), 0);
        assert_int_equal(sock_listen(&second, &a, 16), -EADDRINUSE);
        for (size_t i = 0; i < ELEMENTS(clients); i++) { /* until its queue is full */
                clients[i] = -EBADF;
                sock_connect(&clients[i], &a);
        }
        assert_int_equal(sock_connect(&second, &a), -EAGAIN);
        assert_int_equal(sock_listen(&second, &a, 16), -EADDRINUSE); /* busy is not dead */
        assert_int_equal(second, -1);
        for (size_t i = 0; i < ELEMENTS(clients); i++)
                fd_close(clients[i]);
        assert_int_equal(access(a.un.sun_path, F_OK), 0);
        fd_close(fd);
        assert_int_equal(unlink(a.un.sun_path), 0);
}

/* Anything but a socket is somebody's data. */
static void test_unix_where_others_are(void **state) {
        struct addr file = unix_at("file"), folder = unix_at("dir"), link = unix_at("link");
        struct addr none = unix_at("none/x.sock");
        int fd = open(file.un.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), s = -1;

        (void)state;
        assert_true(fd >= 0);
        fd_close(fd);
        assert_int_equal(mkdir(folder.un.sun_path, 0700), 0);
        assert_int_equal(symlink("nowhere", link.un.sun_path), 0);
        assert_int_equal(sock_listen(&s, &file, 16), -EADDRINUSE);
        assert_int_equal(sock_listen(&s, &folder, 16), -EADDRINUSE);
        assert_int_equal(sock_listen(&s, &link, 16), -EADDRINUSE);
        assert_int_equal(sock_listen(&s, &none, 16), -ENOENT);
        assert_int_equal(s, -1);
        assert_int_equal(unlink(file.un.sun_path), 0);
        assert_int_equal(unlink(link.un.sun_path), 0);
        assert_int_equal(rmdir(folder.un.sun_path), 0);
}

/* ---- connecting, accepting ---- */

static void test_connect_fails(void **state) {
        struct addr a = addr("127.0.0.1:0"), none = unix_at("none.sock"), stale = unix_at("x.sock");
        int fd = listen_at(&a), client;

        (void)state;
        fd_close(fd);
        assert_int_equal(try_connect(&a, &client), -ECONNREFUSED);
        fd_close(client);
        assert_int_equal(try_connect(&none, &client), -ENOENT);
        assert_int_equal(client, -EBADF); /* untouched */
        assert_int_equal(sock_listen(&fd, &stale, 16), 0);
        fd_close(fd);
        assert_int_equal(try_connect(&stale, &client), -ECONNREFUSED);
        assert_int_equal(client, -EBADF);
        assert_int_equal(unlink(stale.un.sun_path), 0);
        assert_int_equal(sock_error(-EBADF), -EBADF);
}

static void test_accept_verdicts(void **state) {
        static const struct {
                int r;
                enum sock_accept verdict;
        } rows[] = {
                { -EAGAIN, SOCK_ACCEPT_AGAIN },     { -ECONNABORTED, SOCK_ACCEPT_NEXT },
                { -EPROTO, SOCK_ACCEPT_NEXT },      { -ENETDOWN, SOCK_ACCEPT_NEXT },
                { -ENOPROTOOPT, SOCK_ACCEPT_NEXT }, { -EHOSTDOWN, SOCK_ACCEPT_NEXT },
                { -ENONET, SOCK_ACCEPT_NEXT },      { -EHOSTUNREACH, SOCK_ACCEPT_NEXT },
                { -EOPNOTSUPP, SOCK_ACCEPT_NEXT },  { -ENETUNREACH, SOCK_ACCEPT_NEXT },
                { -EPERM, SOCK_ACCEPT_PAUSE },      { -EINTR, SOCK_ACCEPT_NEXT },
                { -EMFILE, SOCK_ACCEPT_PAUSE },     { -ENFILE, SOCK_ACCEPT_PAUSE },
                { -ENOBUFS, SOCK_ACCEPT_PAUSE },    { -ENOMEM, SOCK_ACCEPT_PAUSE },
                { -EBADF, SOCK_ACCEPT_PAUSE },      { -EINVAL, SOCK_ACCEPT_PAUSE },
                { -ENOTSOCK, SOCK_ACCEPT_PAUSE },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                assert_int_equal(sock_accept_verdict(rows[i].r), rows[i].verdict);
}

int main(void) {
#define WITH_DIR(name) cmocka_unit_test_setup_teardown(name, setup_dir, teardown_dir)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_families),
                cmocka_unit_test(test_options),
                cmocka_unit_test(test_taken),
                cmocka_unit_test(test_addresses_of_others),
                cmocka_unit_test(test_after_connections),
                cmocka_unit_test(test_beside_own),
                cmocka_unit_test(test_beside_foreign),
                cmocka_unit_test(test_hidden),
                cmocka_unit_test(test_adopt),
                cmocka_unit_test(test_user_timeout),
                cmocka_unit_test(test_met_itself),
                WITH_DIR(test_unix),
                WITH_DIR(test_unix_left_over),
                WITH_DIR(test_unix_of_the_living),
                WITH_DIR(test_unix_where_others_are),
                WITH_DIR(test_connect_fails),
                cmocka_unit_test(test_accept_verdicts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
