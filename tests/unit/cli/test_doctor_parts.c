/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor/finding.h"
#include "cli/doctor/ports.h"
#include "cli/doctor/proc.h"

/* The tables print words of the machine; the samples are those of a little-endian one. */
static bool little_endian(void) {
        return htons(1) != 1;
}

/* ---- what the kernel writes ---- */

static void test_units(void **state) {
        static const struct {
                const char *cgroup, *unit; /* unit NULL: none */
        } rows[] = {
                { "0::/system.slice/nginx.service\n", "nginx.service" },
                { "0::/system.slice/system-bal.slice/bal@web.service\n", "bal@web.service" },
                { "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope\n",
                  "app-x.scope" },
                { "0::/system.slice/bal.service/worker\n", "bal.service" },
                { "9:name=systemd:/system.slice/bal.service\n8:pids:/other.service\n0::/\n",
                  "bal.service" },
                { "8:pids:/system.slice/wrong.service\n9:name=systemd:/\n0::/\n", NULL },
                { "0::/\n", NULL },
                { "", NULL },
                { "0::/system.slice/.service\n", NULL },
                { "garbage\n::\n0:", NULL },
                { "0::/docker/0123456789abcdef\n", NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char unit[PROC_UNIT_MAX] = "";

                assert_int_equal(proc_unit(unit, rows[i].cgroup), rows[i].unit != NULL);
                if (rows[i].unit)
                        assert_string_equal(unit, rows[i].unit);
        }
}

static void test_unit_too_long(void **state) {
        char cgroup[PROC_UNIT_MAX + 64] = "0::/", unit[PROC_UNIT_MAX];

        (void)state;
        memset(cgroup + 4, 'a', PROC_UNIT_MAX);
        strcpy(cgroup + 4 + PROC_UNIT_MAX, ".service");
        assert_false(proc_unit(unit, cgroup));
}

static void test_limits(void **state) {
        static const char text[] =
                "Limit                     Soft Limit           Hard Limit           Units\n"
                "Max processes             1000                 2000                 processes\n"
                "Max open files            1024                 1048576              files\n";
        struct proc_limits l;

        (void)state;
        assert_true(proc_nofile(&l, text));
        assert_int_equal(l.soft, 1024);
        assert_int_equal(l.hard, 1048576);
        assert_true(proc_nofile(&l, "Max open files            unlimited   unlimited   files\n"));
        assert_true(l.soft == UINT64_MAX && l.hard == UINT64_MAX);
        assert_false(proc_nofile(&l, "Max open files            \n"));
        assert_false(proc_nofile(&l, "Max open files            12 x files\n"));
        assert_false(proc_nofile(&l, ""));
}

static void test_small_texts(void **state) {
        unsigned a, b;
        uint64_t n;

        (void)state;
        assert_int_equal(proc_state("42 (bal) S 1 42"), 'S');
        assert_int_equal(proc_state("42 (a) T (b) D 1"), 'D');
        assert_int_equal(proc_state("42 (bal"), 0);
        assert_int_equal(proc_state(""), 0);

        assert_true(proc_port_range(&a, &b, "32768\t60999\n"));
        assert_true(a == 32768 && b == 60999);
        assert_false(proc_port_range(&a, &b, "60999 32768"));
        assert_false(proc_port_range(&a, &b, "1 70000"));
        assert_false(proc_port_range(&a, &b, "x"));

        assert_true(proc_kernel(&a, &b, "6.1.0-18-amd64"));
        assert_true(a == 6 && b == 1);
        assert_false(proc_kernel(&a, &b, "unknown"));

        assert_true(proc_sockets(&n,
                                 "sockets: used 9\n"
                                 "TCP: inuse 5 orphan 0 tw 700 alloc 12 mem 1\nUDP: inuse 3\n"));
        assert_int_equal(n, 712);
        assert_true(proc_sockets(&n, "TCP: inuse 5 orphan 0 tw 7 alloc 2 mem 1\n"));
        assert_int_equal(n, 12);
        assert_false(proc_sockets(&n, "UDP: inuse 3\n"));
        assert_false(proc_sockets(&n, "TCP: inuse\n"));

        assert_int_equal(proc_percent(0, 0), 0);
        assert_int_equal(proc_percent(5, 0), 0);
        assert_int_equal(proc_percent(799, 1000), 79);
        assert_int_equal(proc_percent(800, 1000), 80);
        assert_int_equal(proc_percent(UINT64_MAX, 7), 100);
        assert_int_equal(proc_percent(UINT64_MAX / 2, UINT64_MAX), 50);
}

static void test_reading(void **state) {
        char path[] = "/tmp/bal-doctor-XXXXXX", buf[8];
        int fd = mkstemp(path);
        uint64_t n;

        (void)state;
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "12345\n", 6), 6);
        assert_int_equal(proc_number(&n, path), 0);
        assert_int_equal(n, 12345);
        assert_int_equal(proc_read(path, buf, 4), 3); /* the start, and a NUL */
        assert_string_equal(buf, "123");
        assert_int_equal(write(fd, "6 7\n", 4), 4);
        assert_int_equal(proc_number(&n, path), 0);
        assert_int_equal(n, 12345); /* a line counts */
        unlink(path);
        close(fd);
        assert_int_equal(proc_number(&n, path), -ENOENT);
        assert_true(proc_read_of(getpid(), "comm", buf, sizeof(buf)) > 0);
}

/* ---- tables that are nearly full ---- */

static void test_conntrack(void **state) {
        static const struct {
                uint64_t count, max;
                enum level level;
                const char *summary;
        } rows[] = {
                { 0, 262144, LEVEL_OK, "nf_conntrack 0 % full (0 of 262144)" },
                { 209715, 262144, LEVEL_OK, "nf_conntrack 79 % full (209715 of 262144)" },
                { 238551, 262144, LEVEL_WARN, "nf_conntrack 90 % full (238551 of 262144)" },
                { 249037, 262144, LEVEL_CRITICAL, "nf_conntrack 95 % full (249037 of 262144)" },
                { 300000, 262144, LEVEL_CRITICAL, "nf_conntrack 100 % full (300000 of 262144)" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct finding f = { .level = LEVEL_OK };

                conntrack_judge(&f, rows[i].count, rows[i].max);
                assert_int_equal(f.level, rows[i].level);
                assert_string_equal(f.summary, rows[i].summary);
                assert_true(f.perf != NULL);
                assert_int_equal(f.do_this_now != NULL, f.level != LEVEL_OK);
                if (f.level != LEVEL_OK)
                        assert_string_equal(f.do_this_now,
                                            "sysctl net.netfilter.nf_conntrack_max=524288");
                finding_done(&f);
        }
}

/* "sl: local:port remote:port state" and what nobody reads here */
static void row(char *line, size_t size, const char *local, const char *remote, const char *state) {
        snprintf(line, size, "   7: %s %s %s 00000000:00000000 00:00000000 00000000 0 0 1 1 0",
                 local, remote, state);
}

static void test_connections(void **state) {
        static const struct {
                const char *local, *remote, *state, *text; /* text NULL: none */
        } rows[] = {
                { "0100007F:9C40", "0100000A:1F90", "01", "10.0.0.1:8080" },
                { "0100007F:9C40", "0100000A:1F90", "06", "10.0.0.1:8080" }, /* TIME_WAIT */
                { "00000000:1F90", "00000000:0000", "0A", NULL },            /* it listens */
                { "0000000000000000FFFF00000100007F:9C40", "0000000000000000FFFF00000100000A:1F90",
                  "01", "10.0.0.1:8080" },
                { "00000000000000000000000001000000:9C40", "B80D0120000000000000000001000000:0050",
                  "01", "[2001:db8::1]:80" },
                { "0100007F:9C40", "00000000000000000000000001000000:0050", "01", NULL },
                { "0100007F:9C40", "0100000A", "01", NULL },
                { "local_address", "rem_address", "st", NULL },
        };

        (void)state;
        if (!little_endian())
                skip();
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char line[256], text[ADDR_TEXT_MAX];
                struct addr remote;
                uint16_t port;

                row(line, sizeof(line), rows[i].local, rows[i].remote, rows[i].state);
                assert_int_equal(proc_connection(&port, &remote, line), rows[i].text != NULL);
                if (!rows[i].text)
                        continue;
                assert_int_equal(port, 40000);
                assert_string_equal(addr_text(&remote, text), rows[i].text);
        }
}

static void test_ports(void **state) {
        struct port_use uses[5] = { 0 };
        static const char *const backends[] = { "10.0.0.2:80", "10.0.0.1:80", "[2001:db8::1]:80",
                                                "10.0.0.1:80", "10.0.0.1:81" };
        struct finding f = { .level = LEVEL_OK };
        char line[256], local[32];
        size_t n;

        (void)state;
        if (!little_endian())
                skip();
        for (size_t i = 0; i < ELEMENTS(backends); i++)
                assert_int_equal(addr_parse(&uses[i].addr, backends[i]), 0);
        n = ports_prepare(uses, ELEMENTS(uses));
        assert_int_equal(n, 4); /* one stood there twice */

        for (unsigned port = 40000; port < 40080; port++) {
                snprintf(local, sizeof(local), "0100007F:%04X", port);
                row(line, sizeof(line), local, "0100000A:0050", port % 2 ? "01" : "06");
                ports_count(uses, n, line, 40000, 40099);
        }
        row(line, sizeof(line), "0100007F:1F90", "0100000A:0050", "01"); /* no port of the range */
        ports_count(uses, n, line, 40000, 40099);
        row(line, sizeof(line), "0100007F:9C40", "0900000A:0050", "01"); /* no backend */
        ports_count(uses, n, line, 40000, 40099);
        row(line, sizeof(line), "0100007F:9C40", "0200000A:0050", "01"); /* another one */
        ports_count(uses, n, line, 40000, 40099);

        ports_judge(&f, uses, n, 101);
        assert_int_equal(f.level, LEVEL_OK);
        assert_string_equal(f.summary, "80 of 101 source ports to 10.0.0.1:80 in use (79 %)");
        ports_judge(&f, uses, n, 100);
        assert_int_equal(f.level, LEVEL_WARN);
        assert_string_equal(f.summary, "80 of 100 source ports to 10.0.0.1:80 in use (80 %)");
        finding_done(&f);
        ports_judge(&f, uses, n, 84);
        assert_int_equal(f.level, LEVEL_CRITICAL);
        finding_done(&f);
        ports_judge(&f, uses, 0, 100);
        assert_int_equal(f.level, LEVEL_OK);
        finding_done(&f);
}

/* ---- a finding on its way ---- */

/* Writes f into a pipe and returns what came out. */
static size_t sent(const struct finding *f, char *bytes, size_t size) {
        int fds[2];
        size_t n = 0;
        ssize_t k;

        assert_int_equal(pipe(fds), 0);
        assert_true(fcntl(fds[1], F_SETPIPE_SZ, 2 * FINDING_MAX) > 0);
        assert_int_equal(finding_write(fds[1], f), 0);
        close(fds[1]);
        while ((k = read(fds[0], bytes + n, size - n)) > 0)
                n += (size_t)k;
        close(fds[0]);
        return n;
}

static void test_texts(void **state) {
        struct finding f = { .level = LEVEL_OK };

        (void)state;
        finding_warn(&f, "%d of %d", 1, 2);
        assert_int_equal(f.level, LEVEL_WARN);
        assert_string_equal(f.summary, "1 of 2");
        words_append(&f.why_likely, "one");
        words_append(&f.why_likely, "two");
        assert_string_equal(f.why_likely, "one, two");
        words_line(&f.why_likely, "three");
        assert_string_equal(f.why_likely, "one, two\nthree");
        words_set(&f.why_likely, "%s!", f.why_likely); /* of itself */
        assert_string_equal(f.why_likely, "one, two\nthree!");
        finding_done(&f);
}

static void test_way(void **state) {
        char bytes[1024];
        struct finding f = { .level = LEVEL_OK }, g = { .level = LEVEL_OK };
        size_t n;

        (void)state;
        finding_critical(&f, "all is lost");
        words_set(&f.what_happened, "%s", "");
        words_set(&f.do_this_now, "a\nb");
        n = sent(&f, bytes, sizeof(bytes));
        assert_int_equal(finding_read(&g, bytes, n), 0);
        assert_int_equal(g.level, LEVEL_CRITICAL);
        assert_string_equal(g.summary, "all is lost");
        assert_string_equal(g.what_happened, "");
        assert_null(g.why_likely);
        assert_string_equal(g.do_this_now, "a\nb");
        assert_null(g.perf);
        finding_done(&g);
        for (size_t k = 0; k < n; k++) /* a process that died in the middle of it */
                assert_int_equal(finding_read(&g, bytes, k), -EBADMSG);
        bytes[n] = '-';
        assert_int_equal(finding_read(&g, bytes, n + 1), -EBADMSG);
        bytes[0] = '9';
        assert_int_equal(finding_read(&g, bytes, n), -EBADMSG);
        assert_int_equal(finding_read(&g, "0-----", 6), -EBADMSG); /* no summary */
        finding_done(&f);
}

/* What is too long for the way is cut, not lost. */
static void test_long(void **state) {
        static char bytes[2 * FINDING_MAX];
        char *text = malloc(2 * FINDING_MAX);
        struct finding f = { .level = LEVEL_OK }, g;
        size_t n;

        (void)state;
        assert_non_null(text);
        memset(text, 'x', 2 * FINDING_MAX - 1);
        text[2 * FINDING_MAX - 1] = '\0';
        finding_ok(&f, "fine");
        f.what_happened = text;
        words_set(&f.why_likely, "no room");
        n = sent(&f, bytes, sizeof(bytes));
        assert_in_range(n, FINDING_MAX - 128, FINDING_MAX);
        assert_int_equal(finding_read(&g, bytes, n), 0);
        assert_string_equal(g.summary, "fine");
        assert_true(strlen(g.what_happened) > FINDING_MAX / 2);
        assert_null(g.why_likely);
        finding_done(&f);
        finding_done(&g);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_units),       cmocka_unit_test(test_unit_too_long),
                cmocka_unit_test(test_limits),      cmocka_unit_test(test_small_texts),
                cmocka_unit_test(test_reading),     cmocka_unit_test(test_conntrack),
                cmocka_unit_test(test_connections), cmocka_unit_test(test_ports),
                cmocka_unit_test(test_texts),       cmocka_unit_test(test_way),
                cmocka_unit_test(test_long),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
