/* SPDX-License-Identifier: MIT */
#include "health/probe.h"

#include <netinet/tcp.h>
#include <sys/resource.h>

#include "../http/response_rows.h"
#include "net/sock.h"
#include "rig.h"
#include "upstream/failure.h"

#define SLACK_MS 400 /* a busy machine may be so late */

struct run { /* one probe and what became of it */
        struct probe probe;
        bool ended;
        enum probe_verdict verdict;
        int failure;
        uint64_t took_ms;
};

static struct loop *loop;
static struct server server;
static struct config_check check;
static struct config_endpoint endpoint;
static uint32_t linger_ms;

static int setup(void **state) {
        (void)state;
        server = (struct server){ .fd = -EBADF };
        check = (struct config_check){ .type = CONFIG_CHECK_TCP,
                                       .timeout_ms = 1000,
                                       .path = (char *)"/",
                                       .status = { { 200, 200 } },
                                       .n_status = 1 };
        endpoint = (struct config_endpoint){ 0 };
        linger_ms = 0;
        return loop_new(&loop);
}

static int teardown(void **state) {
        (void)state;
        server_close(&server);
        loop = loop_free(loop);
        return 0;
}

static void on_end(struct probe *p, enum probe_verdict verdict, int failure) {
        struct run *run = container_of(p, struct run, probe);

        assert_false(run->ended);
        assert_int_equal(p->fd, -EBADF);
        run->ended = true;
        run->verdict = verdict;
        run->failure = failure;
        run->took_ms = clock_mono_ms() - p->start_ms;
}

static void begin(struct run *run, const struct addr *addrs, size_t n, size_t first) {
        struct probe_target target = {
                .endpoint = &endpoint, .check = &check, .addrs = addrs, .n_addrs = n
        };

        target.linger_ms = linger_ms;
        *run = (struct run){ 0 };
        assert_int_equal(loop_poll(loop), 0); /* its clock */
        probe_init(&run->probe);
        probe_start(&run->probe, loop, &target, first, on_end);
}

static void turn(struct full *full) {
        server_turn(&server);
        if (full)
                server_turn(&full->server);
        assert_int_equal(loop_poll(loop), 0);
        poll(NULL, 0, 1);
}

static void finish(struct run *run, struct full *full) {
        uint64_t end = clock_mono_ms() + 20000;

        while (!run->ended && clock_mono_ms() < end)
                turn(full);
        assert_true(run->ended);
}

/* One probe of one address, from start to end. */
static struct run probe(const struct addr *a) {
        struct run run;

        begin(&run, a, 1, 0);
        finish(&run, NULL);
        return run;
}

static void assert_good(const struct run *run) {
        assert_int_equal(run->failure, 0);
        assert_int_equal(run->verdict, PROBE_GOOD);
}

static void assert_bad(const struct run *run, int failure) {
        assert_int_equal(run->failure, failure);
        assert_int_equal(run->verdict, PROBE_BAD);
}

/* ---- TCP ---- */

/* The handshake is whole, so the server has a connection to accept; the reset comes after it. */
static void test_tcp(void **state) {
        struct run run;
        char byte;
        int fd;

        (void)state;
        server_open(&server, "127.0.0.1:0", 16);
        server.deaf = true;
        run = probe(&server.addr);
        assert_good(&run);
        fd = accept4(server.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_true(fd >= 0);
        assert_int_equal(recv(fd, &byte, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);
        close(fd);
}

static void test_tcp_ipv6(void **state) {
        struct run run;
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct addr a = addr_at("[::1]:0");

        (void)state;
        if (fd < 0 || bind(fd, &a.sa, a.len) < 0) {
                fd_close(fd);
                skip();
        }
        fd_close(fd);
        server_open(&server, "[::1]:0", 16);
        run = probe(&server.addr);
        assert_good(&run);
}

static void test_tcp_refused(void **state) {
        struct addr a;
        int fd = refusing(&a);
        struct run run;

        (void)state;
        run = probe(&a);
        assert_bad(&run, -ECONNREFUSED);
        assert_in_range(run.took_ms, 0, SLACK_MS);
        close(fd);
}

static void test_tcp_full_queue(void **state) {
        struct full full;
        struct run run;

        (void)state;
        full_open(&full, "127.0.0.1:0");
        check.timeout_ms = 200;
        run = probe(&full.server.addr);
        assert_bad(&run, -ETIMEDOUT);
        assert_in_range(run.took_ms, 200, 200 + SLACK_MS);
        assert_true(run.probe.first_timed_out);
        full_close(&full);
}

static void test_tcp_unreachable(void **state) {
        struct addr a = addr_at("255.255.255.255:1"); /* no TCP to everybody */
        struct run run;

        (void)state;
        run = probe(&a);
        assert_int_equal(run.verdict, PROBE_BAD);
        assert_int_equal(connect_failure_of(run.failure), CONNECT_OTHER);
}

static void test_port_of_the_check(void **state) {
        struct addr a;
        int fd = refusing(&a);
        struct run run;

        (void)state;
        server_open(&server, "127.0.0.1:0", 16);
        check.port = addr_port(&server.addr);
        run = probe(&a);
        assert_good(&run);
        check.port = addr_port(&a);
        run = probe(&server.addr);
        assert_bad(&run, -ECONNREFUSED);
        close(fd);
}

/* Whoever closes at once is no backend, whoever says nothing may be. */
static void test_lingers(void **state) {
        struct run run;

        (void)state;
        server_open(&server, "127.0.0.1:0", 16);
        server_answer(&server, "");
        server.early = true;
        linger_ms = 300;
        run = probe(&server.addr); /* silence */
        assert_good(&run);
        assert_in_range(run.took_ms, 300, 300 + SLACK_MS);

        server.closes = true;
        run = probe(&server.addr);
        assert_bad(&run, FAILURE_CLOSED);
        assert_in_range(run.took_ms, 0, 299);
        linger_ms = 0;
        run = probe(&server.addr); /* a connect alone says nothing of it */
        assert_good(&run);
        linger_ms = 300;
        server.resets = true;
        run = probe(&server.addr);
        assert_int_equal(connect_failure_of(run.failure), CONNECT_CLOSED);

        linger_ms = 5000;
        server.closes = server.resets = false;
        server_answer(&server, "220 hello\r\n");
        run = probe(&server.addr);
        assert_good(&run);
        assert_in_range(run.took_ms, 0, SLACK_MS);
        server.deaf = true;
        check.timeout_ms = 200; /* no longer than a check may take, and that is no failure */
        run = probe(&server.addr);
        assert_good(&run);
        assert_in_range(run.took_ms, 200, 200 + SLACK_MS);
}

/* Nothing of a probe is left behind: no descriptor, and no connection in TIME_WAIT. */
static unsigned time_waits(uint16_t port) {
        FILE *f = fopen("/proc/net/tcp", "re");
        char line[256];
        unsigned n = 0, local, remote, status;

        assert_non_null(f);
        while (fgets(line, sizeof(line), f))
                if (sscanf(line, "%*d: %*x:%x %*x:%x %x", &local, &remote, &status) == 3 &&
                    status == 6 && (local == port || remote == port))
                        n++;
        fclose(f);
        return n;
}

static void test_leaves_nothing(void **state) {
        int before = dup(0), after;

        (void)state;
        close(before);
        server_open(&server, "127.0.0.1:0", 64);
        server_answer(&server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        for (size_t i = 0; i < 40; i++) {
                struct run run;

                check.type = i % 2 ? CONFIG_CHECK_HTTP : CONFIG_CHECK_TCP;
                run = probe(&server.addr);
                assert_good(&run);
        }
        for (size_t i = 0; i < 5; i++)
                turn(NULL);
        assert_int_equal(time_waits(addr_port(&server.addr)), 0);
        server_close(&server);
        after = dup(0);
        assert_int_equal(after, before);
        close(after);
}

/* Whoever knocks at a dead port of his own machine meets himself some day. First by hand, to see
 * that this kernel does it within so many attempts; the probe shall not take that for a backend. */
#define KNOCKS 40000
static void test_is_not_fooled_by_itself(void **state) {
        struct addr a;
        int fd, r = 0, met = 0;

        (void)state;
        do { /* connect() takes even ports first, and bind() odd ones */
                a = addr_at("127.0.0.1:0");
                close(bound(&a));
                addr_set_port(&a, addr_port(&a) & ~1);
                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                r = bind(fd, &a.sa, a.len);
                close(fd);
        } while (r < 0);

        for (int i = 0; i < KNOCKS && !met; i++) {
                r = sock_connect(&fd, &a);
                if (r == 0 || r == -EINPROGRESS) {
                        struct linger linger = { .l_onoff = 1 };

                        met = sock_error(fd) == 0 && sock_met_itself(fd);
                        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
                        close(fd);
                }
        }
        if (!met)
                skip();
        for (int i = 0; i < KNOCKS; i++) {
                struct run run;

                begin(&run, &a, 1, 0);
                while (!run.ended)
                        assert_int_equal(loop_turn(loop), 0);
                assert_bad(&run, -ECONNREFUSED);
        }
}

static void test_stopped_in_the_middle(void **state) {
        struct full full;
        struct run run;

        (void)state;
        full_open(&full, "127.0.0.1:0");
        begin(&run, &full.server.addr, 1, 0);
        turn(NULL);
        assert_false(run.ended);
        probe_stop(&run.probe);
        probe_stop(&run.probe);
        assert_int_equal(loop_next_ms(loop), UINT64_MAX);
        full_close(&full);
}

static void test_without_descriptors(void **state) {
        struct rlimit limit, none;
        struct run run;

        (void)state;
        server_open(&server, "127.0.0.1:0", 16);
        getrlimit(RLIMIT_NOFILE, &limit);
        none = limit;
        none.rlim_cur = 0;
        begin(&run, &server.addr, 1, 0); /* one that has its descriptor ends well */
        setrlimit(RLIMIT_NOFILE, &none);
        server.deaf = true;
        finish(&run, NULL);
        assert_good(&run);
        begin(&run, &server.addr, 1, 0);
        setrlimit(RLIMIT_NOFILE, &limit);
        assert_true(run.ended);
        assert_int_equal(run.verdict, PROBE_UNABLE);
        assert_int_equal(run.failure, -EMFILE);
}

/* ---- Unix sockets ---- */

static char dir[] = "/tmp/bal-probe.XXXXXX";

static const char *unix_at(const char *name) {
        static char text[64];

        snprintf(text, sizeof(text), "unix:%s/%s", dir, name);
        return text;
}

static int setup_dir(void **state) {
        memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
        return mkdtemp(dir) ? setup(state) : -1;
}

static int teardown_dir(void **state) {
        unlink(unix_at("s") + 5);
        rmdir(dir);
        return teardown(state);
}

static void test_unix(void **state) {
        struct run run;
        struct addr a = addr_at(unix_at("s"));

        (void)state;
        run = probe(&a);
        assert_bad(&run, -ENOENT);
        server_open(&server, unix_at("s"), 16);
        check.port = 80; /* of no meaning here */
        run = probe(&server.addr);
        assert_good(&run);

        check.type = CONFIG_CHECK_HTTP;
        endpoint.addr = a;
        server_answer(&server, "HTTP/1.0 200 OK\r\n\r\n");
        run = probe(&server.addr);
        assert_good(&run);
        assert_non_null(strstr(server.request, "\r\nHost: localhost\r\n"));
        server_close(&server);
        run = probe(&a);
        assert_bad(&run, -ECONNREFUSED);
}

/* connect() says EAGAIN at once; a client would be let wait, and so does the probe. */
static void test_unix_full_queue(void **state) {
        struct full full;
        struct run run;

        (void)state;
        full_open(&full, unix_at("s"));
        check.timeout_ms = 200;
        run = probe(&full.server.addr);
        assert_bad(&run, -ETIMEDOUT);
        assert_in_range(run.took_ms, 200, 200 + SLACK_MS);

        check.timeout_ms = 5000;
        begin(&run, &full.server.addr, 1, 0);
        for (size_t i = 0; i < 20; i++)
                turn(NULL);
        assert_false(run.ended);
        full.server.deaf = false;
        finish(&run, &full);
        assert_good(&run);
        assert_in_range(run.took_ms, 1, 2000);
        full_close(&full);
}

/* ---- many addresses ---- */

static void test_any_address_will_do(void **state) {
        struct addr addrs[3];
        struct run run;
        int fd = refusing(&addrs[0]), other = refusing(&addrs[1]);

        (void)state;
        server_open(&server, "127.0.0.1:0", 16);
        addrs[2] = server.addr;
        for (size_t first = 0; first < 7; first++) {
                begin(&run, addrs, 3, first);
                finish(&run, NULL);
                assert_good(&run);
                assert_int_equal(probe_addr(&run.probe), 2);
                assert_int_equal(run.probe.n_tried, 3 - first % 3);
        }
        begin(&run, addrs, 2, 1);
        finish(&run, NULL);
        assert_bad(&run, -ECONNREFUSED);
        close(fd);
        close(other);
}

/* A silent first address leaves the second its share of the time. */
static void test_silent_address_first(void **state) {
        struct addr addrs[2];
        struct full full;
        struct run run;

        (void)state;
        full_open(&full, "127.0.0.1:0");
        server_open(&server, "127.0.0.1:0", 16);
        addrs[0] = full.server.addr;
        addrs[1] = server.addr;
        check.timeout_ms = 400;
        begin(&run, addrs, 2, 0);
        finish(&run, NULL);
        assert_good(&run);
        assert_int_equal(probe_addr(&run.probe), 1);
        assert_true(run.probe.first_timed_out);
        assert_in_range(run.took_ms, 200, 200 + SLACK_MS);

        begin(&run, addrs, 2, 1); /* as the next one will */
        finish(&run, NULL);
        assert_good(&run);
        assert_false(run.probe.first_timed_out);

        addrs[1] = full.server.addr;
        begin(&run, addrs, 2, 0);
        finish(&run, NULL);
        assert_bad(&run, -ETIMEDOUT);
        assert_in_range(run.took_ms, 400, 400 + SLACK_MS);
        full_close(&full);
}

/* What is known of one address is a verdict; that the other could not be tried is none. */
static void test_local_trouble_of_one_address(void **state) {
        struct addr addrs[2] = { addr_at("127.0.0.1:1"), { 0 } };
        int fd = refusing(&addrs[1]);
        struct run run;

        (void)state;
        addrs[0].sa.sa_family = 12345; /* EAFNOSUPPORT: says nothing of the backend */
        for (size_t first = 0; first < 2; first++) {
                begin(&run, addrs, 2, first);
                finish(&run, NULL);
                assert_bad(&run, -ECONNREFUSED);
        }
        assert_true(probe_is_local(-EADDRNOTAVAIL) && probe_is_local(-EMFILE) &&
                    probe_is_local(-ENFILE) && probe_is_local(-ENOBUFS) && probe_is_local(-ENOMEM));
        assert_false(probe_is_local(-ECONNREFUSED) || probe_is_local(-ETIMEDOUT) ||
                     probe_is_local(-EHOSTUNREACH) || probe_is_local(0) || probe_is_local(503));
        close(fd);
}

/* ---- HTTP ---- */

static struct run ask(const char *answer) {
        check.type = CONFIG_CHECK_HTTP;
        if (server.fd < 0)
                server_open(&server, "127.0.0.1:0", 16);
        if (answer)
                server_answer(&server, answer);
        return probe(&server.addr);
}

static void test_http_statuses(void **state) {
        static const struct {
                const char *answer;
                int failure;
        } rows[] = {
                { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0 },
                { "HTTP/1.1 204 No Content\r\n\r\n", 0 },
                { "HTTP/1.1 204\r\n\r\n", 0 }, /* no reason */
                { "HTTP/1.1 301 Moved\r\n\r\n", 0 },
                { "HTTP/1.1 399 x\r\n\r\n", 0 },
                { "HTTP/1.1 200 OK\r\n\r\nits body is not looked at \x01\xff\n", 0 },
                { "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 503 x\r\n\r\n", 503 },
                { "HTTP/1.1 100 a\r\n\r\nHTTP/1.1 102 b\r\n\r\nHTTP/1.1 301 c\r\n\r\n", 0 },
                { "HTTP/1.1 100 Continue\r\n\r\nx", FAILURE_NOT_HTTP },
                { "HTTP/1.1 400 x\r\n\r\n", 400 },
                { "HTTP/1.1 201 x\r\n\r\n", 201 },
                { "HTTP/1.1 503 x\r\n\r\n", 503 },
                { "SSH-2.0-OpenSSH_9.2\r\n", FAILURE_NOT_HTTP },
        };
        struct run run;

        (void)state;
        check.status[1] = (struct config_status){ 204, 204 };
        check.status[2] = (struct config_status){ 300, 399 };
        check.n_status = 3;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                run = ask(rows[i].answer);
                assert_int_equal(run.failure, rows[i].failure);
                assert_int_equal(run.verdict, rows[i].failure ? PROBE_BAD : PROBE_GOOD);
        }
        assert_int_equal(server.n_accepted, ELEMENTS(rows));
}

static void test_http_byte_by_byte(void **state) {
        struct run run;

        (void)state;
        server.piece = 1;
        server_open(&server, "127.0.0.1:0", 16);
        server.piece = 1;
        run = ask("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_good(&run);
        run = ask("HTTP/1.1 500 OK\r\n\r\n");
        assert_bad(&run, 500);
        server.closes = true;
        run = ask("HTTP/1.1 200 OK");
        assert_bad(&run, FAILURE_CLOSED);
}

static void test_http_closed_early(void **state) {
        struct run run;

        (void)state;
        server_open(&server, "127.0.0.1:0", 16);
        server.closes = true;
        run = ask("");
        assert_bad(&run, FAILURE_CLOSED);
        server.early = true; /* before it has read the request: that is a reset */
        run = ask("");
        assert_bad(&run, FAILURE_CLOSED);
        server.resets = true;
        run = ask("HTTP/1.1 2"); /* maybe before the probe has seen that it is connected */
        if (run.failure != -ECONNRESET)
                assert_int_equal(run.failure, FAILURE_CLOSED);
        assert_int_equal(run.verdict, PROBE_BAD);
        server.early = server.resets = false;
        run = ask("HTTP/1.1 200 OK\r\n"); /* a client would get a 502, whatever the status is */
        assert_bad(&run, FAILURE_CLOSED);
        run = ask("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"); /* only the head is read */
        assert_good(&run);
}

/* What the codec says of it, which is the one that traffic goes through. */
static int expected_of(const struct verdict_row *row) {
        struct http_scan scan = { 0 };
        struct http_head head;

        if (row->verdict == HTTP_MORE)
                return FAILURE_CLOSED;
        if (row->verdict != HTTP_OK)
                return failure_of_verdict(row->verdict);
        http_read_response(&head, &scan, row->text, row->n, &http_response_limits,
                           (struct http_asked){ 0 });
        return head.interim ? FAILURE_CLOSED : head.status == 200 ? 0 : head.status;
}

static void test_http_verdicts(void **state) {
        (void)state;
        check.type = CONFIG_CHECK_HTTP;
        server_open(&server, "127.0.0.1:0", 16);
        server.closes = true;
        for (size_t i = 0; i < ELEMENTS(response_rows) * 2; i++) {
                const struct verdict_row *row = &response_rows[i / 2];
                struct run run;

                server.answer = row->text;
                server.n_answer = row->n;
                server.piece = i % 2 ? 7 : 0;
                run = probe(&server.addr);
                if (run.failure != expected_of(row))
                        fail_msg("%s: %d", row->why, run.failure);
                assert_int_equal(run.verdict, run.failure == 0 ? PROBE_GOOD : PROBE_BAD);
        }
}

/* A head of n bytes with so many bytes a header; freed by the caller. */
static char *long_head(size_t n, size_t each) {
        char *head = malloc(n + 1);
        size_t at = (size_t)sprintf(head, "HTTP/1.1 200 OK\r\n");

        memset(head + at, 'a', n - at);
        for (; at + each + 4 < n; at += each) {
                memcpy(head + at, "A: ", 3);
                memcpy(head + at + each - 2, "\r\n", 2);
        }
        memcpy(head + at, "A: ", 3);
        memcpy(head + n - 4, "\r\n\r\n", 5);
        return head;
}

/* Any head that a client would get, and none that is longer. */
static void test_http_limits(void **state) {
        const size_t most = http_response_limits.headers_max + strlen("HTTP/1.1 200 OK\r\n\r\n");
        static const struct {
                int more; /* bytes than the most */
                size_t each;
                enum http_verdict verdict;
        } rows[] = {
                { 0, 60000, HTTP_OK },
                { 0, 1000, HTTP_OK },
                { 1, 60000, HTTP_HEADERS_LONG },
                { 1, 1000, HTTP_HEADERS_LONG },
                { -40000, 30, HTTP_HEADERS_MANY },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows) * 2; i++) {
                char *head = long_head(most + (size_t)rows[i / 2].more, rows[i / 2].each);
                enum http_verdict v = rows[i / 2].verdict;
                struct run run;

                if (server.fd < 0)
                        server_open(&server, "127.0.0.1:0", 16);
                server.piece = i % 2 ? 1500 : 0;
                run = ask(head);
                assert_int_equal(run.failure, v == HTTP_OK ? 0 : failure_of_verdict(v));
                assert_null(run.probe.head);
                free(head);
        }
}

/* As many interim responses as traffic lets pass. */
static void test_http_interim(void **state) {
        static const char one[] = "HTTP/1.1 102 Processing\r\nX: y\r\n\r\n";
        char answer[sizeof(one) * (HTTP_INTERIM_MAX + 1) + 100];

        (void)state;
        server_open(&server, "127.0.0.1:0", 16);
        for (size_t i = 0; i < 6; i++) {
                size_t n = HTTP_INTERIM_MAX + i % 2, at = 0;
                struct run run;

                for (size_t k = 0; k < n; k++)
                        at += (size_t)sprintf(answer + at, "%s", one);
                sprintf(answer + at, "HTTP/1.1 200 OK\r\n\r\n");
                server.piece = i / 2 * 13;
                run = ask(answer);
                assert_int_equal(run.failure, n > HTTP_INTERIM_MAX ? FAILURE_NOT_HTTP : 0);
        }
}

static void test_http_silence(void **state) {
        struct run run;

        (void)state;
        check.timeout_ms = 200;
        run = ask(NULL); /* accepts, and says nothing */
        assert_bad(&run, -ETIMEDOUT);
        assert_in_range(run.took_ms, 200, 200 + SLACK_MS);
        server_close(&server);
        server_open(&server, "127.0.0.1:0", 16);
        server.deaf = true; /* the kernel accepts, the server sleeps */
        run = ask("HTTP/1.1 200 OK\r\n\r\n");
        assert_bad(&run, -ETIMEDOUT);
}

/* It ends at the bound, long before the time is up. */
static void test_http_endless(void **state) {
        size_t max = http_head_room(&http_response_limits), n = 64 * max;
        char *endless = malloc(n + 1);
        struct run run;

        (void)state;
        assert_non_null(endless);
        memset(endless, 'a', n);
        memcpy(endless, "HTTP/1.1 200 ", 13);
        endless[n] = '\0';
        check.timeout_ms = 20000;
        run = ask(endless);
        assert_bad(&run, failure_of_verdict(HTTP_LINE_LONG));
        assert_in_range(run.took_ms, 0, 5000);
        memcpy(endless, "HTTP/1.1 200 OK\r\nA:", 19);
        run = ask(endless);
        assert_bad(&run, failure_of_verdict(HTTP_HEADERS_LONG));
        assert_in_range(run.took_ms, 0, 5000);
        assert_in_range(run.probe.room, http_response_limits.headers_max, max);
        free(endless);
}

/* A head slower than the time that the check has, though bytes come all the while. */
static void test_http_drip(void **state) {
        size_t n = 8192;
        char *drip = malloc(n + 1);
        struct run run;

        (void)state;
        assert_non_null(drip);
        memset(drip, 'a', n);
        memcpy(drip, "HTTP/1.1 200 ", 13);
        drip[n] = '\0';
        server_open(&server, "127.0.0.1:0", 16);
        server.piece = 1;
        check.timeout_ms = 300;
        run = ask(drip);
        assert_bad(&run, -ETIMEDOUT);
        assert_in_range(run.took_ms, 300, 300 + SLACK_MS);
        free(drip);
}

/* One address answers badly, the other well: that will do, and traffic shall go there. */
static void test_http_second_address(void **state) {
        struct server sick;
        struct addr addrs[2];
        struct run run;

        (void)state;
        check.type = CONFIG_CHECK_HTTP;
        server_open(&sick, "127.0.0.1:0", 16);
        server_answer(&sick, "HTTP/1.1 503 sick\r\n\r\n");
        server_open(&server, "127.0.0.1:0", 16);
        server_answer(&server, "HTTP/1.1 200 well\r\n\r\n");
        addrs[0] = sick.addr;
        addrs[1] = server.addr;
        begin(&run, addrs, 2, 0);
        while (!run.ended) {
                server_turn(&sick);
                turn(NULL);
        }
        assert_good(&run);
        assert_int_equal(probe_addr(&run.probe), 1);
        assert_int_equal(sick.n_accepted, 1);
        server_close(&sick);
}

/* The answer may take all the time that is left, also where there are other addresses to try. */
static void test_http_slow_first_address(void **state) {
        struct addr addrs[2];
        struct run run;
        int fd = refusing(&addrs[1]);

        (void)state;
        check.type = CONFIG_CHECK_HTTP;
        check.timeout_ms = 800;
        server_open(&server, "127.0.0.1:0", 16);
        addrs[0] = server.addr;
        begin(&run, addrs, 2, 0);
        for (uint64_t end = clock_mono_ms() + 500; clock_mono_ms() < end;)
                turn(NULL);
        assert_false(run.ended);
        server_answer(&server, "HTTP/1.1 200 OK\r\n\r\n");
        finish(&run, NULL);
        assert_good(&run);
        assert_int_equal(probe_addr(&run.probe), 0);
        close(fd);
}

static void test_http_request(void **state) {
        static const struct {
                const char *name, *addr, *host; /* host: of the check */
                uint16_t port, check_port;
                const char *expected;
        } rows[] = {
                { "app.example", NULL, NULL, 80, 0, "app.example" },
                { "app.example", NULL, NULL, 8080, 0, "app.example:8080" },
                { "app.example", NULL, NULL, 8080, 80, "app.example" },
                { "app.example", NULL, NULL, 80, 9000, "app.example:9000" },
                { "app.example", NULL, "other.example", 8080, 9000, "other.example" },
                { "app.example", NULL, "other.example:7", 8080, 0, "other.example:7" },
                { NULL, "10.0.0.1:80", NULL, 0, 0, "10.0.0.1" },
                { NULL, "10.0.0.1:81", NULL, 0, 0, "10.0.0.1:81" },
                { NULL, "10.0.0.1:80", NULL, 0, 81, "10.0.0.1:81" },
                { NULL, "[2001:db8::1]:80", NULL, 0, 0, "[2001:db8::1]" },
                { NULL, "[2001:db8::1]:81", NULL, 0, 0, "[2001:db8::1]:81" },
                { NULL, "[fe80::1%lo]:81", NULL, 0, 0, "[fe80::1]:81" },
                { NULL, "unix:/run/app", NULL, 0, 0, "localhost" },
                { NULL, "unix:/run/app", "app", 0, 0, "app" },
        };
        char buf[PROBE_REQUEST_MAX], expected[PROBE_REQUEST_MAX];

        (void)state;
        check.path = (char *)"/health?x=1";
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct probe_target target = { .endpoint = &endpoint, .check = &check };
                size_t n;

                endpoint = (struct config_endpoint){ .host = (char *)rows[i].name,
                                                     .port = rows[i].port };
                if (rows[i].addr)
                        endpoint.addr = addr_at(rows[i].addr);
                check.host = (char *)rows[i].host;
                check.port = rows[i].check_port;
                snprintf(expected, sizeof(expected),
                         "GET /health?x=1 HTTP/1.1\r\nHost: %s\r\nUser-Agent: bal-health\r\n"
                         "Connection: close\r\n\r\n",
                         rows[i].expected);
                n = probe_request(&target, buf);
                assert_string_equal(buf, expected);
                assert_int_equal(n, strlen(expected));
        }
}

/* The longest that the configuration allows. */
static void test_http_long_request(void **state) {
        char path[1025], host[256];
        struct run run;

        (void)state;
        memset(path, 'p', sizeof(path));
        memset(host, 'h', sizeof(host));
        path[0] = '/';
        path[sizeof(path) - 1] = host[sizeof(host) - 1] = '\0';
        check.path = path;
        check.host = host;
        run = ask("HTTP/1.1 200 OK\r\n\r\n");
        assert_good(&run);
        assert_non_null(strstr(server.request, path));
        assert_non_null(strstr(server.request, host));
        assert_non_null(strstr(server.request, "\r\nConnection: close\r\n\r\n"));
}

#define TEST(f)     cmocka_unit_test_setup_teardown(f, setup, teardown)
#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, setup_dir, teardown_dir)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_tcp),
                TEST(test_tcp_ipv6),
                TEST(test_tcp_refused),
                TEST(test_tcp_full_queue),
                TEST(test_tcp_unreachable),
                TEST(test_port_of_the_check),
                TEST(test_lingers),
                TEST(test_leaves_nothing),
                TEST(test_is_not_fooled_by_itself),
                TEST(test_stopped_in_the_middle),
                TEST(test_without_descriptors),
                WITH_DIR(test_unix),
                WITH_DIR(test_unix_full_queue),
                TEST(test_any_address_will_do),
                TEST(test_silent_address_first),
                TEST(test_local_trouble_of_one_address),
                TEST(test_http_statuses),
                TEST(test_http_byte_by_byte),
                TEST(test_http_closed_early),
                TEST(test_http_verdicts),
                TEST(test_http_limits),
                TEST(test_http_interim),
                TEST(test_http_silence),
                TEST(test_http_endless),
                TEST(test_http_drip),
                TEST(test_http_second_address),
                TEST(test_http_slow_first_address),
                TEST(test_http_request),
                TEST(test_http_long_request),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
