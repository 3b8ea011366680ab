/* SPDX-License-Identifier: MIT */
/*
 * How the kernel behaves where the design leans on it. Each test is one thing that bal was built
 * around; when one fails, it is the design that has to be thought over. Where a kernel is merely
 * kinder than expected, the test says so and is skipped: bal's care is then not needed, but right.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "net/sock.h"

#define ANOTHER_USER 65533
#define SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

/* --- Sockets on the loopback ---------------------------------------------------------------- */

static socklen_t loopback(struct sockaddr_storage *ss, int family) {
        memset(ss, 0, sizeof(*ss));
        ss->ss_family = (sa_family_t)family;
        if (family == AF_INET6) {
                ((struct sockaddr_in6 *)ss)->sin6_addr = in6addr_loopback;
                return sizeof(struct sockaddr_in6);
        }
        ((struct sockaddr_in *)ss)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(struct sockaddr_in);
}

/* Blocking; -1: this machine has no such address. */
static int listen_loopback(struct sockaddr_storage *ss, int family) {
        socklen_t len = loopback(ss, family);
        int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
        if (bind(fd, (struct sockaddr *)ss, len) < 0) {
                close(fd);
                return -1;
        }
        assert_return_code(listen(fd, 64), errno);
        len = sizeof(*ss);
        assert_return_code(getsockname(fd, (struct sockaddr *)ss, &len), errno);
        return fd;
}

static int start_connect(const struct sockaddr_storage *ss) {
        int fd = socket(ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

        assert_return_code(fd, errno);
        r = connect(fd, (const struct sockaddr *)ss, sizeof(*ss));
        assert_true(r == 0 || errno == EINPROGRESS);
        return fd;
}

static bool is_ready(int fd, short events, int timeout_ms) {
        struct pollfd p = { .fd = fd, .events = events };
        int r = poll(&p, 1, timeout_ms);

        assert_return_code(r, errno);
        return r > 0;
}

/* Two connected TCP sockets, non-blocking, without Nagle's delay: a send is a segment. */
static void tcp_pair(int fd[static 2]) {
        struct sockaddr_storage ss;
        int listener = listen_loopback(&ss, AF_INET), one = 1;

        assert_return_code(listener, errno);
        fd[0] = start_connect(&ss);
        fd[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_return_code(fd[1], errno);
        close(listener);
        for (int i = 0; i < 2; i++)
                assert_return_code(setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)),
                                   errno);
}

static void send_all(int fd, const void *bytes, size_t n, int flags) {
        assert_int_equal(send(fd, bytes, n, flags | MSG_NOSIGNAL), n);
}

static size_t unread(int fd) {
        int n;

        assert_return_code(ioctl(fd, FIONREAD, &n), errno);
        return (size_t)n;
}

/* Loopback delivers at once, as a rule. */
static void await_unread(int fd, size_t n) {
        for (int i = 0; i < 2000 && unread(fd) < n; i++)
                usleep(1000);
        assert_int_equal(unread(fd), n);
}

static int epoll_of(int fd, uint32_t events) {
        struct epoll_event event = { .events = events };
        int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

        assert_return_code(epoll_fd, errno);
        assert_return_code(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), errno);
        return epoll_fd;
}

/* What epoll reports within that time; 0: nothing. */
static uint32_t epoll_next(int epoll_fd, int timeout_ms) {
        struct epoll_event event;
        int n = epoll_wait(epoll_fd, &event, 1, timeout_ms);

        assert_return_code(n, errno);
        return n ? event.events : 0;
}

static void pipe_new(int fd[static 2]) {
        assert_return_code(pipe2(fd, O_NONBLOCK | O_CLOEXEC), errno);
}

static void close_both(const int fd[static 2]) {
        close(fd[0]);
        close(fd[1]);
}

static ssize_t splice_in(int from, const int pipe_fd[static 2]) {
        ssize_t n = splice(from, NULL, pipe_fd[1], NULL, 65536, SPLICE_FLAGS);

        return n < 0 ? -errno : n;
}

/* --- 1. A pipe is full by slots, and then EAGAIN does not mean that the socket is empty ------- */

static void test_pipe_slots(void **state) {
        int s[2], p[2], epoll_fd;
        char buf[64];
        ssize_t n, more;

        (void)state;
        tcp_pair(s);
        pipe_new(p);
        epoll_fd = epoll_of(s[1], EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET);
        for (int i = 0; i < 64; i++)
                send_all(s[0], "x", 1, 0);
        await_unread(s[1], 64);
        assert_int_equal(epoll_next(epoll_fd, 1000), EPOLLIN);

        n = splice_in(s[1], p);
        assert_true(n > 0);
        while ((more = splice_in(s[1], p)) > 0)
                n += more;
        assert_int_equal(more, -EAGAIN);
        if (unread(s[1]) == 0) {
                print_message("64 single bytes all fit into a pipe of 16 slots here\n");
                skip();
        }

        /* the lost edge: bytes are unread, and nobody will ever say so */
        assert_int_equal(unread(s[1]), 64 - (size_t)n);
        assert_int_equal(epoll_next(epoll_fd, 100), 0);

        /* the cure: with an empty pipe, EAGAIN is the truth */
        while (n < 64) {
                assert_true(read(p[0], buf, sizeof(buf)) > 0);
                more = splice_in(s[1], p);
                assert_true(more > 0);
                n += more;
        }
        assert_int_equal(unread(s[1]), 0);
        close(epoll_fd);
        close_both(p);
        close_both(s);
}

/* --- 2. A short read, and a FIN that brings no edge of its own -------------------------------- */

static void test_fin_with_bytes(void **state) {
        uint32_t events;
        int s[2], epoll_fd;
        char buf[64];

        (void)state;
        tcp_pair(s);
        send_all(s[0], "hello", 5, 0);
        shutdown(s[0], SHUT_WR);
        assert_true(is_ready(s[1], POLLRDHUP, 1000));

        epoll_fd = epoll_of(s[1], EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET);
        events = epoll_next(epoll_fd, 1000);
        /* what io_short_read() looks at; and with the FIN all before it is there: lane_ends() */
        assert_int_equal(events, EPOLLIN | EPOLLRDHUP);
        assert_int_equal(recv(s[1], buf, sizeof(buf), 0), 5);
        assert_int_equal(epoll_next(epoll_fd, 100), 0); /* nobody speaks of the FIN again */
        assert_int_equal(recv(s[1], buf, sizeof(buf), 0), 0);
        close(epoll_fd);
        close_both(s);
}

/* Bytes or a FIN that come after the short read do bring an edge: with IN alone it is
 * trustworthy. */
static void test_edge_after_short_read(void **state) {
        int s[2], epoll_fd;
        char buf[64];

        (void)state;
        tcp_pair(s);
        epoll_fd = epoll_of(s[1], EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET);
        for (int i = 0; i < 100; i++) {
                send_all(s[0], "hello", 5, 0);
                assert_int_equal(epoll_next(epoll_fd, 1000), EPOLLIN);
                assert_int_equal(recv(s[1], buf, sizeof(buf), 0), 5);
        }
        shutdown(s[0], SHUT_WR);
        assert_int_equal(epoll_next(epoll_fd, 1000), EPOLLIN | EPOLLRDHUP);
        close(epoll_fd);
        close_both(s);
}

/* --- 3. Urgent data --------------------------------------------------------------------------- */

static void urgent_pair(int s[static 2], bool inline_byte, bool fin) {
        int value = inline_byte;

        tcp_pair(s);
        assert_return_code(setsockopt(s[1], SOL_SOCKET, SO_OOBINLINE, &value, sizeof(value)),
                           errno);
        send_all(s[0], "abc", 3, 0);
        send_all(s[0], "X", 1, MSG_OOB);
        send_all(s[0], "def", 3, 0);
        if (fin)
                shutdown(s[0], SHUT_WR);
        for (int i = 0; i < 1000 && recv(s[1], (char[16]){ 0 }, 16, MSG_PEEK) < 3; i++)
                usleep(1000);
        assert_true(!fin || is_ready(s[1], POLLRDHUP, 1000));
        usleep(20000); /* FIONREAD stops at the mark too, so there is nothing to wait for */
}

static void check_splice_at_mark(bool fin) {
        char buf[64];
        int s[2], p[2], epoll_fd;
        ssize_t n;

        urgent_pair(s, true, fin);
        pipe_new(p);
        epoll_fd = epoll_of(s[1], EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET);
        assert_true(epoll_next(epoll_fd, 1000) & EPOLLPRI);

        assert_int_equal(splice_in(s[1], p), 3);
        n = splice_in(s[1], p);
        if (n > 0) {
                print_message("splice() passes an urgent mark here\n");
                skip();
        }
        assert_true(n == -EAGAIN || (fin && n == 0)); /* not EOF: four bytes are there */
        assert_int_equal(recv(s[1], buf, sizeof(buf), 0), 4);
        assert_memory_equal(buf, "Xdef", 4);
        assert_int_equal(recv(s[1], buf, sizeof(buf), 0), fin ? 0 : -1);
        close(epoll_fd);
        close_both(p);
        close_both(s);
}

static void test_splice_at_mark(void **state) {
        (void)state;
        check_splice_at_mark(false);
        check_splice_at_mark(true);
}

static void test_recv_at_mark(void **state) {
        char buf[64];
        int s[2];

        (void)state;
        urgent_pair(s, true, true);
        assert_int_equal(recv(s[1], buf, sizeof(buf), 0), 3); /* a short read, and not drained */
        assert_int_equal(recv(s[1], buf, sizeof(buf), 0), 4);
        assert_memory_equal(buf, "Xdef", 4);
        assert_int_equal(recv(s[1], buf, sizeof(buf), 0), 0);
        close_both(s);

        urgent_pair(s, false, true); /* without SO_OOBINLINE the byte is gone */
        assert_int_equal(recv(s[1], buf, sizeof(buf), 0), 3);
        assert_int_equal(recv(s[1], buf, sizeof(buf), 0), 3);
        assert_memory_equal(buf, "def", 3);
        close_both(s);
}

/* --- 4. After EOF, recv() says 0 for ever and never EAGAIN ------------------------------------ */

static void test_eof_stays(void **state) {
        char buf[64];
        int s[2];

        (void)state;
        tcp_pair(s);
        shutdown(s[0], SHUT_WR);
        assert_true(is_ready(s[1], POLLIN, 1000));
        for (int i = 0; i < 10; i++) {
                assert_int_equal(recv(s[1], buf, sizeof(buf), 0), 0);
                assert_true(is_ready(s[1], POLLIN, 0));
        }
        close_both(s);
}

/* --- 5. Pipes are rationed -------------------------------------------------------------------- */

enum { RATION_HELD = 10, RATION_NONE, RATION_CANNOT };

/* In a child without privilege: opens pipes until they get small. */
static int ration_meet(void) {
        struct rlimit limit = { .rlim_cur = 4096, .rlim_max = 4096 };
        int p[2];

        if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || (geteuid() == 0 && setuid(ANOTHER_USER) < 0))
                return RATION_CANNOT;

        for (int i = 0; i < 2000; i++) {
                if (pipe2(p, O_NONBLOCK | O_CLOEXEC) < 0)
                        return RATION_CANNOT;
                if (fcntl(p[1], F_GETPIPE_SZ) >= 65536)
                        continue;
                /* small from now on, and there is no way to make one larger */
                if (fcntl(p[1], F_SETPIPE_SZ, 256 * 1024) >= 0 || errno != EPERM)
                        return RATION_NONE;
                return fcntl(p[1], F_GETPIPE_SZ) == 8192 ? RATION_HELD : RATION_NONE;
        }
        return RATION_NONE;
}

static void test_pipe_ration(void **state) {
        unsigned pages = 0;
        FILE *f = fopen("/proc/sys/fs/pipe-user-pages-soft", "re");
        int status;
        pid_t pid;

        (void)state;
        if (f) {
                if (fscanf(f, "%u", &pages) != 1)
                        pages = 0;
                fclose(f);
        }
        if (pages == 0 || pages > 16384) {
                print_message("fs.pipe-user-pages-soft is not the usual 16384\n");
                skip();
        }

        pid = fork();
        assert_return_code(pid, errno);
        if (pid == 0)
                _exit(ration_meet());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == RATION_CANNOT) {
                print_message("cannot become another user, or not open enough pipes\n");
                skip();
        }
        assert_int_equal(WEXITSTATUS(status), RATION_HELD);
}

/* --- 6. EPOLLEXCLUSIVE ------------------------------------------------------------------------ */

static void test_exclusive_combinations(void **state) {
        struct epoll_event event = { .events = EPOLLIN | EPOLLET | EPOLLEXCLUSIVE };
        int epoll_fd = epoll_create1(EPOLL_CLOEXEC), s[2];

        (void)state;
        tcp_pair(s);
        assert_return_code(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s[0], &event), errno);
        assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_MOD, s[0], &event), -1);
        assert_int_equal(errno, EINVAL);
        event.events |= EPOLLRDHUP;
        assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s[1], &event), -1);
        assert_int_equal(errno, EINVAL);
        close(epoll_fd);
        close_both(s);
}

struct sleeper {
        pthread_t thread;
        int epoll_fd;
        unsigned wakeups;
};

/* Counts what wakes it and accepts nothing. */
static void *sleeper_run(void *arg) {
        struct sleeper *s = arg;

        for (;;) {
                struct epoll_event event;
                int n = epoll_wait(s->epoll_fd, &event, 1, -1);

                if (n == 1 && event.data.u64 == 1)
                        return NULL;
                __atomic_fetch_add(&s->wakeups, n == 1, __ATOMIC_RELAXED);
        }
}

static void sleeper_start(struct sleeper *s, int listener, int stop_fd) {
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = 1 };

        *s = (struct sleeper){ 0 };
        s->epoll_fd = epoll_of(listener, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);
        assert_return_code(epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, stop_fd, &event), errno);
        assert_int_equal(pthread_create(&s->thread, NULL, sleeper_run, s), 0);
        usleep(50000);
}

static unsigned woken(const struct sleeper *s) {
        return __atomic_load_n(&s->wakeups, __ATOMIC_RELAXED);
}

/* One connection wakes one sleeper; and who wakes and does not accept keeps it from the other. */
static void test_exclusive_swallows(void **state) {
        enum { N = 20 };
        struct sockaddr_storage ss;
        int listener = listen_loopback(&ss, AF_INET), stop[2], client[N];
        struct sleeper first, second;
        unsigned both;

        (void)state;
        assert_return_code(listener, errno);
        pipe_new(stop);
        sleeper_start(&first, listener, stop[0]);
        sleeper_start(&second, listener, stop[0]);

        for (int i = 0; i < N; i++) {
                client[i] = start_connect(&ss);
                usleep(5000);
        }
        both = woken(&first) + woken(&second);
        print_message("%d spaced connections woke %u and %u\n", N, woken(&first), woken(&second));
        assert_in_range(both, 1, N);                  /* never two for one */
        assert_true(is_ready(listener, POLLIN, 100)); /* and all are still in the queue */

        /* the first leaves: from now on the second is woken */
        assert_return_code(epoll_ctl(first.epoll_fd, EPOLL_CTL_DEL, listener, NULL), errno);
        both = woken(&second);
        close(start_connect(&ss));
        for (int i = 0; i < 1000 && woken(&second) == both; i++)
                usleep(1000);
        assert_true(woken(&second) > both);

        assert_int_equal(write(stop[1], "x", 1), 1);
        pthread_join(first.thread, NULL);
        pthread_join(second.thread, NULL);
        for (int i = 0; i < N; i++)
                close(client[i]);
        close(first.epoll_fd);
        close(second.epoll_fd);
        close_both(stop);
        close(listener);
}

/* --- 7. splice() knows neither MSG_NOSIGNAL nor MSG_DONTWAIT
 * ----------------------------------- */

static volatile sig_atomic_t sigpipes;

static void on_sigpipe(int signo) {
        (void)signo;
        sigpipes++;
}

static void test_splice_sigpipe(void **state) {
        struct linger reset = { .l_onoff = 1 };
        ssize_t n = 0;
        int s[2], p[2];

        (void)state;
        tcp_pair(s);
        pipe_new(p);
        assert_int_equal(write(p[1], "hello", 5), 5);
        setsockopt(s[0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(s[0]);
        assert_true(is_ready(s[1], POLLHUP, 1000));

        sigpipes = 0;
        signal(SIGPIPE, on_sigpipe);
        for (int i = 0; i < 2; i++)
                n = splice(p[0], NULL, s[1], NULL, 5, SPLICE_FLAGS);
        assert_int_equal(n, -1);
        assert_int_equal(errno, EPIPE);
        if (sigpipes == 0)
                print_message("splice() does not raise SIGPIPE here\n");

        sigpipes = 0;
        assert_int_equal(send(s[1], "x", 1, MSG_NOSIGNAL), -1);
        assert_int_equal(errno, EPIPE);
        assert_int_equal(sigpipes, 0);

        signal(SIGPIPE, SIG_IGN);
        assert_int_equal(splice(p[0], NULL, s[1], NULL, 5, SPLICE_FLAGS), -1);
        assert_int_equal(errno, EPIPE);
        signal(SIGPIPE, SIG_DFL);
        close_both(p);
        close(s[1]);
}

static void test_splice_waits(void **state) {
        struct timeval limit = { .tv_usec = 100000 };
        uint64_t start_ms;
        int s[2], p[2];

        (void)state;
        tcp_pair(s);
        pipe_new(p);
        start_ms = clock_mono_ms();
        assert_int_equal(splice_in(s[1], p), -EAGAIN);
        assert_true(clock_mono_ms() - start_ms < 90);

        fcntl(s[1], F_SETFL, 0);
        setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        assert_int_equal(splice_in(s[1], p), -EAGAIN);
        if (clock_mono_ms() - start_ms < 90)
                print_message("SPLICE_F_NONBLOCK is enough for a blocking socket here\n");
        close_both(p);
        close_both(s);
}

/* --- What accept() hands down ----------------------------------------------------------------- */

static int option(int fd, int level, int name) {
        socklen_t len = sizeof(int);
        int value;

        assert_return_code(getsockopt(fd, level, name, &value, &len), errno);
        return value;
}

/* The ACK of the first bytes waits for ours on what it accepts, and not any more after "now". */
static void check_late_ack(int listener, const struct sockaddr_storage *ss) {
        int client, fd;

        sock_ack_late(listener, true);
        client = start_connect(ss);
        assert_true(is_ready(listener, POLLIN, 1000));
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_return_code(fd, errno);
        assert_int_equal(option(fd, IPPROTO_TCP, TCP_QUICKACK), 0);
        sock_ack_now(fd);
        assert_int_equal(option(fd, IPPROTO_TCP, TCP_QUICKACK), 1);
        close(fd);
        close(client);
}

static void check_inherits(int family) {
        struct sockaddr_storage ss;
        struct addr a = { .len = loopback(&ss, family) };
        int listener, client, fd;
        socklen_t len = sizeof(ss);

        memcpy(&a.sa, &ss, a.len);
        if (sock_listen(&listener, &a, 16) < 0) {
                print_message("no loopback for family %d here\n", family);
                return;
        }
        assert_return_code(getsockname(listener, (struct sockaddr *)&ss, &len), errno);
        client = start_connect(&ss);
        assert_true(is_ready(listener, POLLIN, 1000));
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_return_code(fd, errno);

        assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(option(fd, SOL_SOCKET, SO_OOBINLINE), 1);
        assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), SOCK_KEEPALIVE_IDLE_S);
        assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), SOCK_KEEPALIVE_EACH_S);
        assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), SOCK_USER_TIMEOUT_MS);
        assert_int_equal(option(fd, IPPROTO_TCP, TCP_QUICKACK), 1);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK); /* this one it does not: hence accept4() */
        close(fd);
        close(client);
        check_late_ack(listener, &ss);
        close(listener);
}

static void test_inherits(void **state) {
        (void)state;
        check_inherits(AF_INET);
        check_inherits(AF_INET6);
}

/* --- How a listener retires without losing a connection --------------------------------------- */

static void check_echo(int a, int b) {
        char buf[8];

        send_all(a, "ping", 4, 0);
        assert_true(is_ready(b, POLLIN, 1000));
        assert_int_equal(recv(b, buf, sizeof(buf), 0), 4);
        send_all(b, "pong", 4, 0);
        assert_true(is_ready(a, POLLIN, 1000));
        assert_int_equal(recv(a, buf, sizeof(buf), 0), 4);
}

static void check_hidden(int family) {
        struct sockaddr_storage ss;
        int listener = listen_loopback(&ss, family), defer = 10;
        int old, queued, halfway, late, peer[3];

        if (listener < 0) {
                print_message("no loopback for family %d here\n", family);
                return;
        }
        fcntl(listener, F_SETFL, O_NONBLOCK);

        old = start_connect(&ss);
        assert_true(is_ready(listener, POLLIN, 1000));
        peer[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        queued = start_connect(&ss);
        assert_true(is_ready(listener, POLLIN, 1000));

        /* with TCP_DEFER_ACCEPT the handshake stays half done until the client sends */
        assert_return_code(
                setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof(defer)), errno);
        halfway = start_connect(&ss);
        assert_true(is_ready(halfway, POLLOUT, 1000));

        assert_int_equal(sock_hide(listener), 0);
        late = start_connect(&ss);
        assert_true(is_ready(late, POLLOUT, 1000));
        assert_int_equal(option(late, SOL_SOCKET, SO_ERROR), ECONNREFUSED);

        check_echo(old, peer[0]);
        peer[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_return_code(peer[1], errno);
        check_echo(queued, peer[1]);

        assert_int_equal(accept4(listener, NULL, NULL, SOCK_CLOEXEC), -1);
        assert_int_equal(errno, EAGAIN);
        send_all(halfway, "x", 1, 0);
        assert_true(is_ready(listener, POLLIN, 1000));
        peer[2] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_return_code(peer[2], errno);
        assert_int_equal(recv(peer[2], (char[8]){ 0 }, 8, 0), 1);
        check_echo(halfway, peer[2]);
        for (int i = 0; i < 3; i++) /* what came out of the queue is not bound to the device */
                assert_int_equal(option(peer[i], SOL_SOCKET, SO_BINDTOIFINDEX), 0);

        close(listener); /* nobody was in the queue, so nobody is reset */
        for (int i = 0; i < 3; i++)
                assert_false(is_ready(peer[i], POLLIN | POLLRDHUP, 0));

        for (int i = 0; i < 3; i++)
                close(peer[i]);
        close(old);
        close(queued);
        close(halfway);
        close(late);
}

static void test_hidden_listener(void **state) {
        (void)state;
        check_hidden(AF_INET);
        check_hidden(AF_INET6);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pipe_slots),
                cmocka_unit_test(test_fin_with_bytes),
                cmocka_unit_test(test_edge_after_short_read),
                cmocka_unit_test(test_splice_at_mark),
                cmocka_unit_test(test_recv_at_mark),
                cmocka_unit_test(test_eof_stays),
                cmocka_unit_test(test_pipe_ration),
                cmocka_unit_test(test_exclusive_combinations),
                cmocka_unit_test(test_exclusive_swallows),
                cmocka_unit_test(test_splice_sigpipe),
                cmocka_unit_test(test_splice_waits),
                cmocka_unit_test(test_inherits),
                cmocka_unit_test(test_hidden_listener),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
