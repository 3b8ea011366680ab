/* SPDX-License-Identifier: MIT */
#include "net/owner.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/sock.h"

#define BOTH (OWNER_RANK_LISTEN | OWNER_RANK_FAMILY)

/* The tables print words of the machine; the samples are those of a little-endian one. */
static bool little_endian(void) {
        return htons(1) != 1;
}

static struct addr addr(const char *text) {
        struct addr a;

        assert_int_equal(addr_parse(&a, text), 0);
        return a;
}

#define V4(local, state, inode)                                                                    \
        "   3: " local " 00000000:0000 " state                                                     \
        " 00000000:00000000 00:00000000 00000000  1000        0 " inode                            \
        " 1 0000000000000000 100 0 0 10 0"
#define V6(local, state, inode)                                                                    \
        "  12: " local " 00000000000000000000000000000000:0000 " state                             \
        " 00000000:00000000 00:00000000 00000000     0        0 " inode                            \
        " 1 0000000000000000 100 0 0 10 0"
#define ANY6 "00000000000000000000000000000000"

static const struct {
        const char *line, *wanted;
        bool found;
        unsigned rank;
        const char *why;
} tcp_rows[] = {
        { V4("0100007F:1F90", "0A", "4711"), "127.0.0.1:8080", true, BOTH, "the same" },
        { V4("0100007F:1F90", "0A", "4711"), "127.0.0.1:8081", false, 0, "another port" },
        { V4("0100007F:1F90", "0A", "4711"), "127.0.0.2:8080", false, 0, "another address" },
        { V4("00000000:1F90", "0A", "4711"), "127.0.0.2:8080", true, BOTH, "all of IPv4" },
        { V4("0100007F:1F90", "0A", "4711"), "0.0.0.0:8080", true, BOTH, "all are wanted" },
        { V4("0100007F:1F90", "0A", "4711"), "[::]:8080", true, OWNER_RANK_LISTEN, "dual stack" },
        { V4("00000000:1F90", "0A", "4711"), "[::1]:8080", false, 0, "the other family" },
        { V4("00000000:1F90", "0A", "4711"), "[::ffff:10.0.0.1]:8080", true, BOTH, "mapped" },
        { V4("0100007F:1F90", "01", "4711"), "127.0.0.1:8080", true, OWNER_RANK_FAMILY,
          "a connection has the port, too" },
        { V4("0100007F:1F90", "06", "0"), "127.0.0.1:8080", false, 0, "TIME_WAIT has no owner" },
        { V6(ANY6 ":0050", "0A", "9"), "[::]:80", true, BOTH, "the same" },
        { V6(ANY6 ":0050", "0A", "9"), "10.0.0.1:80", true, OWNER_RANK_LISTEN, "maybe dual stack" },
        { V6(ANY6 ":0050", "0A", "9"), "[2001:db8::1]:80", true, BOTH, "all of IPv6" },
        { V6("00000000000000000000000001000000:0050", "0A", "9"), "[::1]:80", true, BOTH, "::1" },
        { V6("B80D0120000000000000000001000000:0050", "0A", "9"), "[2001:db8::1]:80", true, BOTH,
          "each word is swapped" },
        { V6("B80D0120000000000000000001000000:0050", "0A", "9"), "[2001:db8::2]:80", false, 0,
          "its neighbour" },
        { V6("B80D0120000000000000000001000000:0050", "0A", "9"), "0.0.0.0:80", false, 0,
          "IPv6 only" },
        { V6("0000000000000000FFFF00000100007F:0050", "0A", "9"), "127.0.0.1:80", true, BOTH,
          "mapped" },
        { V6("0000000000000000FFFF00000100007F:0050", "0A", "9"), "0.0.0.0:80", true, BOTH,
          "mapped, all wanted" },
        { V6("0000000000000000FFFF000000000000:0050", "0A", "9"), "10.0.0.1:80", true, BOTH,
          "all of IPv4, mapped" },
        { V4("0100007F:1F90", "0A", "18446744073709551615"), "127.0.0.1:8080", true, BOTH,
          "a large inode" },
        { "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
          "timeout inode",
          "127.0.0.1:8080", false, 0, "the heading" },
        { "", "127.0.0.1:8080", false, 0, "nothing" },
        { "   3: 0100007F:1F90 00000000:0000 0A", "127.0.0.1:8080", false, 0, "cut" },
        { V4("0100007:1F90", "0A", "4711"), "127.0.0.1:8080", false, 0, "seven digits" },
        { V4("0100007F0:1F90", "0A", "4711"), "127.0.0.1:8080", false, 0, "nine digits" },
        { V4("0100007F01000000000000000000000000:1F90", "0A", "4711"), "127.0.0.1:8080", false, 0,
          "34 digits" },
};

static void test_tcp_rows(void **state) {
        (void)state;
        if (!little_endian())
                skip();
        for (size_t i = 0; i < ELEMENTS(tcp_rows); i++) {
                struct addr a = addr(tcp_rows[i].wanted);
                struct owner_row row = { 0 };

                if (owner_row_tcp(&row, tcp_rows[i].line, &a) != tcp_rows[i].found)
                        fail_msg("row %zu: %s", i, tcp_rows[i].why);
                if (row.rank != tcp_rows[i].rank)
                        fail_msg("row %zu: rank %u: %s", i, row.rank, tcp_rows[i].why);
                assert_int_equal(row.inode != 0, tcp_rows[i].found);
        }
}

static const struct {
        const char *line;
        uint64_t inode; /* 0: not the one */
        const char *why;
} unix_rows[] = {
        { "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/x.sock", 12345,
          "listens there" },
        { "ffff9c0a4b3f8c00: 00000002 00000000 00010000 0001 01   77 /run/x.sock", 77,
          "with its address" },
        { "0000000000000000: 00000003 00000000 00000000 0001 03 12345 /run/x.sock", 0,
          "a connection" },
        { "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/x.sock2", 0, "longer" },
        { "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/x.soc", 0, "shorter" },
        { "0000000000000000: 00000002 00000000 00010000 0001 01 12345 @/run/x.sock", 0,
          "abstract" },
        { "0000000000000000: 00000002 00000000 00010000 0001 01 12345", 0, "no name" },
        { "0000000000000000: 00000002 00000000 00010000 0001 01 0 /run/x.sock", 0, "no inode" },
        { "Num       RefCount Protocol Flags    Type St Inode Path", 0, "the heading" },
        { "", 0, "nothing" },
};

static void test_unix_rows(void **state) {
        struct addr a = addr("unix:/run/x.sock");

        (void)state;
        for (size_t i = 0; i < ELEMENTS(unix_rows); i++) {
                struct owner_row row = { 0 };

                if (owner_row_unix(&row, unix_rows[i].line, &a) != (unix_rows[i].inode != 0) ||
                    row.inode != unix_rows[i].inode)
                        fail_msg("row %zu: %s", i, unix_rows[i].why);
        }
}

static void test_links(void **state) {
        static const struct {
                const char *link;
                uint64_t inode; /* 0: none */
        } rows[] = {
                { "socket:[4711]", 4711 },
                { "socket:[18446744073709551615]", UINT64_MAX },
                { "socket:[18446744073709551616]", 0 },
                { "socket:[99999999999999999999999999999999]", 0 },
                { "socket:[]", 0 },
                { "socket:[-1]", 0 },
                { "socket:[4711", 0 },
                { "socket:[4711]x", 0 },
                { "pipe:[4711]", 0 },
                { "anon_inode:[eventpoll]", 0 },
                { "/dev/null", 0 },
                { "", 0 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint64_t inode = 0;

                assert_int_equal(owner_link_inode(&inode, rows[i].link), rows[i].inode != 0);
                assert_int_equal(inode, rows[i].inode);
        }
}

/* ---- real sockets ---- */

static uint16_t listen_on(int *ret_fd, const char *text) {
        struct addr a = addr(text);
        socklen_t len = sizeof(a.un);

        assert_int_equal(sock_listen(ret_fd, &a, 5), 0);
        assert_int_equal(getsockname(*ret_fd, &a.sa, &len), 0);
        return addr_port(&a);
}

static void test_real_tcp(void **state) {
        static const struct {
                const char *has, *wants;
        } rows[] = {
                { "127.0.0.1:0", "127.0.0.1:0" }, { "127.0.0.1:0", "0.0.0.0:0" },
                { "127.0.0.1:0", "[::]:0" },      { "0.0.0.0:0", "127.0.0.3:0" },
                { "[::1]:0", "[::1]:0" },         { "[::1]:0", "[::]:0" },
                { "[::]:0", "127.0.0.1:0" },      { "[::]:0", "0.0.0.0:0" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct addr a = addr(rows[i].wants);
                struct owner owner = { 0 };
                int fd, second;

                addr_set_port(&a, listen_on(&fd, rows[i].has));
                assert_int_equal(sock_listen(&second, &a, 5), -EADDRINUSE);
                assert_int_equal(owner_of_addr(&owner, &a), 0);
                assert_int_equal(owner.pid, getpid());
                assert_true(strlen(owner.command) > 0);
                fd_close(fd);
                assert_int_equal(owner_of_addr(&owner, &a), -ENOENT);
        }
}

static void test_real_unix(void **state) {
        char dir[] = "/tmp/bal-owner.XXXXXX", text[64];
        struct owner owner = { 0 };
        struct addr a;
        int fd;

        (void)state;
        assert_non_null(mkdtemp(dir));
        snprintf(text, sizeof(text), "unix:%s/x.sock", dir);
        a = addr(text);
        listen_on(&fd, text);
        assert_int_equal(owner_of_addr(&owner, &a), 0);
        assert_int_equal(owner.pid, getpid());
        fd_close(fd);
        assert_int_equal(owner_of_addr(&owner, &a), -ENOENT);
        assert_int_equal(unlink(a.un.sun_path), 0);
        assert_int_equal(rmdir(dir), 0);
}

/* The child has a name made to break terminals and JSON. */
static void test_another_process(void **state) {
        struct addr a = addr("127.0.0.1:0");
        struct owner owner = { 0 };
        char byte;
        int fd, up[2];
        pid_t pid;

        (void)state;
        addr_set_port(&a, listen_on(&fd, "127.0.0.1:0"));
        assert_int_equal(pipe(up), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                prctl(PR_SET_NAME, "a b)\x1b[31m\n\xff\xc3\xa9");
                if (write(up[1], "x", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        assert_int_equal(read(up[0], &byte, 1), 1);
        fd_close(fd);
        assert_int_equal(owner_of_addr(&owner, &a), 0);
        assert_int_equal(owner.pid, pid);
        assert_string_equal(owner.command, "a b)?[31m");
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(owner_of_addr(&owner, &a), -ENOENT);
        fd_close(up[0]);
        fd_close(up[1]);
}

static void test_nobody(void **state) {
        static const char *const rows[] = { "127.0.0.1:0", "[::]:0", "unix:/nonexistent/x.sock" };
        struct owner owner = { .pid = -1 };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct addr a = addr(rows[i]);

                assert_int_equal(owner_of_addr(&owner, &a), -ENOENT);
        }
        assert_int_equal(owner_of_addr(&owner, &(struct addr){ 0 }), -ENOENT);
        assert_int_equal(owner.pid, -1);
}

/* A socket that two have: the one that is asked about counts, else the first in /proc. */
static void test_many(void **state) {
        struct owner_query q[4] = { { .addr = addr("127.0.0.1:0") },
                                    { .addr = addr("127.0.0.1:0") },
                                    { .addr = addr("127.0.0.1:0") },
                                    { .addr = { 0 } } };
        int one, two, free_fd, up[2], used, peer;
        char byte;
        pid_t pid;

        (void)state;
        addr_set_port(&q[0].addr, listen_on(&one, "127.0.0.1:0"));
        addr_set_port(&q[1].addr, listen_on(&two, "127.0.0.1:0"));
        addr_set_port(&q[2].addr, listen_on(&free_fd, "127.0.0.1:0"));
        fd_close(free_fd);
        assert_int_equal(pipe(up), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                fd_close(two);
                if (write(up[1], "x", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        assert_int_equal(read(up[0], &byte, 1), 1);

        assert_int_equal(owner_find(q, ELEMENTS(q), pid), 0);
        assert_int_equal(q[0].state, OWNER_LISTENS);
        assert_int_equal(q[0].owner.pid, pid); /* it has one of them, too */
        assert_int_equal(q[1].state, OWNER_LISTENS);
        assert_int_equal(q[1].owner.pid, getpid());
        assert_int_equal(q[2].state, OWNER_FREE);
        assert_int_equal(q[2].owner.pid, 0);
        assert_int_equal(q[3].state, OWNER_FREE);
        assert_int_equal(owner_find(q, ELEMENTS(q), getpid()), 0);
        assert_int_equal(q[0].owner.pid, getpid());
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(owner_find(q, ELEMENTS(q), pid), 0); /* of one that is gone */
        assert_int_equal(q[0].owner.pid, getpid());

        /* a client whose own end the port is */
        used = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(used, &q[2].addr.sa, q[2].addr.len), 0);
        assert_int_equal(connect(used, &q[0].addr.sa, q[0].addr.len), 0);
        assert_int_equal(owner_find(q, ELEMENTS(q), 0), 0);
        assert_int_equal(q[2].state, OWNER_IN_USE);
        assert_int_equal(q[2].owner.pid, getpid());
        peer = accept(one, NULL, NULL);
        fd_close(peer);
        fd_close(used);
        fd_close(one);
        fd_close(two);
        fd_close(up[0]);
        fd_close(up[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tcp_rows),  cmocka_unit_test(test_unix_rows),
                cmocka_unit_test(test_links),     cmocka_unit_test(test_real_tcp),
                cmocka_unit_test(test_real_unix), cmocka_unit_test(test_another_process),
                cmocka_unit_test(test_many),      cmocka_unit_test(test_nobody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
