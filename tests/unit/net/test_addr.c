/* SPDX-License-Identifier: MIT */
#include "net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* 107 characters and the NUL fill sun_path. */
#define PATH_100                                                                                      \
        "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
        "aaaaaaaaa"

static const struct {
        const char *text;
        int r;
        const char *out; /* NULL: as text */
        const char *why;
} whole[] = {
        { "10.0.0.1:80", 0, NULL, "IPv4" },
        { "0.0.0.0:0", 0, NULL, "the least" },
        { "255.255.255.255:65535", 0, NULL, "the most" },
        { "10.0.0.1:080", 0, "10.0.0.1:80", "digits are digits" },
        { "[::1]:80", 0, NULL, "IPv6" },
        { "[::]:0", 0, NULL, "any" },
        { "[2001:DB8:0:0::1]:443", 0, "[2001:db8::1]:443", "one form out" },
        { "[::ffff:10.0.0.1]:80", 0, NULL, "mapped" },
        { "[fe80::1%lo]:80", 0, "[fe80::1%1]:80", "a link by name" },
        { "[fe80::1%4000000000]:80", 0, NULL, "a link by number, there or not" },
        { "unix:/run/x.sock", 0, NULL, "a path" },
        { "unix:/run/a:1", 0, NULL, "a path with a colon" },
        { "unix:" PATH_100 "1234567", 0, NULL, "the longest path" },
        { "unix:" PATH_100 "12345678", -ENAMETOOLONG, NULL, "too long a path" },
        { "unix:run/x.sock", -EINVAL, NULL, "a relative path" },
        { "unix:", -EINVAL, NULL, "no path" },
        { "", -EINVAL, NULL, "empty" },
        { ":80", -EINVAL, NULL, "no host" },
        { "10.0.0.1", -EINVAL, NULL, "no port" },
        { "10.0.0.1:", -EINVAL, NULL, "an empty port" },
        { "10.0.0.1:-1", -EINVAL, NULL, "a sign" },
        { "10.0.0.1:+1", -EINVAL, NULL, "another" },
        { "10.0.0.1: 80", -EINVAL, NULL, "a blank" },
        { "10.0.0.1:80 ", -EINVAL, NULL, "a blank behind" },
        { " 10.0.0.1:80", -EINVAL, NULL, "a blank before" },
        { "10.0.0.1:0x50", -EINVAL, NULL, "hexadecimal" },
        { "10.0.0.1:65536", -ERANGE, NULL, "a port too large" },
        { "10.0.0.1:99999999999999999999", -ERANGE, NULL, "far too large" },
        { "10.0.0:80", -EINVAL, NULL, "three numbers" },
        { "10.0.0.256:80", -EINVAL, NULL, "256" },
        { "010.0.0.1:80", -EINVAL, NULL, "octal or not? neither" },
        { "localhost:80", -EINVAL, NULL, "a name" },
        { "*:80", -EINVAL, NULL, "a star" },
        { "::1:80", -EINVAL, NULL, "without brackets it reads two ways" },
        { "[::1]", -EINVAL, NULL, "no port" },
        { "[::1]80", -EINVAL, NULL, "no colon" },
        { "[::1:80", -EINVAL, NULL, "not closed" },
        { "::1]:80", -EINVAL, NULL, "not opened" },
        { "[]:80", -EINVAL, NULL, "nothing in it" },
        { "[:80", -EINVAL, NULL, "only one" },
        { "[10.0.0.1]:80", -EINVAL, NULL, "IPv4 in brackets" },
        { "[::1%]:80", -EINVAL, NULL, "an empty link" },
        { "[::1%0]:80", -EINVAL, NULL, "link 0 is none" },
        { "[::1%4294967296]:80", -EINVAL, NULL, "a number too large" },
        { "[::1%no-such-link]:80", -EINVAL, NULL, "no such link" },
        { "[::1%averyveryveryveryverylonglinkname]:80", -EINVAL, NULL, "no link has such a name" },
        { "[1:2:3:4:5:6:7:8:9]:80", -EINVAL, NULL, "nine words" },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:80",
          -EINVAL, NULL, "longer than any address" },
};

static void test_parse(void **state) {
        char text[ADDR_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(whole); i++) {
                const char *out = whole[i].out ? whole[i].out : whole[i].text;
                struct addr a, before;
                int r;

                memset(&a, 0x55, sizeof(a));
                before = a;
                r = addr_parse(&a, whole[i].text);
                if (r != whole[i].r)
                        fail_msg("\"%s\": %d, not %d: %s", whole[i].text, r, whole[i].r,
                                 whole[i].why);
                if (r < 0)
                        assert_memory_equal(&a, &before, sizeof(a));
                else if (strcmp(addr_text(&a, text), out) != 0)
                        fail_msg("\"%s\" becomes \"%s\": %s", whole[i].text, text, whole[i].why);
        }
}

/* What is written can be read, and is the same. */
static void test_text_and_back(void **state) {
        char text[ADDR_TEXT_MAX];
        struct addr a, b;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(whole); i++) {
                if (whole[i].r < 0)
                        continue;
                assert_int_equal(addr_parse(&a, whole[i].text), 0);
                assert_int_equal(addr_parse(&b, addr_text(&a, text)), 0);
                assert_true(addr_equal(&a, &b));
                assert_int_equal(addr_hash(&a), addr_hash(&b));
        }
}

static void test_parse_host(void **state) {
        static const struct {
                const char *host;
                int r;
                const char *host_out, *out;
        } rows[] = {
                { "10.0.0.1", 0, "10.0.0.1", "10.0.0.1:7" },
                { "::1", 0, "::1", "[::1]:7" },
                { "[::1]", 0, "::1", "[::1]:7" },
                { "fe80::1%1", 0, "fe80::1%1", "[fe80::1%1]:7" },
                { "unix:/x", 0, "unix:/x", "unix:/x" },
                { "", -EINVAL, NULL, NULL },
                { "[", -EINVAL, NULL, NULL },
                { "[]", -EINVAL, NULL, NULL },
                { "[::1", -EINVAL, NULL, NULL },
                { "::1]", -EINVAL, NULL, NULL },
                { "[[::1]]", -EINVAL, NULL, NULL },
                { "10.0.0.1:80", -EINVAL, NULL, NULL },
                { "localhost", -EINVAL, NULL, NULL },
                { "/x", -EINVAL, NULL, NULL },
                { "unix:", -EINVAL, NULL, NULL },
                { "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]",
                  -EINVAL, NULL, NULL },
        };
        char text[ADDR_TEXT_MAX];
        struct addr a;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                assert_int_equal(addr_parse_host(&a, rows[i].host, 7), rows[i].r);
                if (rows[i].r < 0)
                        continue;
                assert_string_equal(addr_text_host(&a, text), rows[i].host_out);
                assert_string_equal(addr_text(&a, text), rows[i].out);
        }
}

static struct addr addr(const char *text) {
        struct addr a = { 0 };

        if (text[0] != '\0')
                assert_int_equal(addr_parse(&a, text), 0);
        return a;
}

static void test_equal(void **state) {
        static const struct {
                const char *a, *b;
                bool equal;
        } rows[] = {
                { "10.0.0.1:80", "10.0.0.1:80", true },
                { "10.0.0.1:80", "10.0.0.1:81", false },
                { "10.0.0.1:80", "10.0.0.2:80", false },
                { "10.0.0.1:80", "[::ffff:10.0.0.1]:80", false }, /* two sockets */
                { "[::1]:80", "[0::1]:80", true },
                { "[fe80::1%1]:80", "[fe80::1%2]:80", false },
                { "[fe80::1]:80", "[fe80::1%2]:80", false },
                { "[::]:80", "0.0.0.0:80", false },
                { "unix:/a", "unix:/a", true },
                { "unix:/a", "unix:/ab", false },
                { "unix:/a", "unix:/b", false },
                { "unix:/a", "10.0.0.1:80", false },
                { "", "", true },
                { "", "10.0.0.1:80", false },
                { "", "unix:/a", false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct addr a = addr(rows[i].a), b = addr(rows[i].b);

                assert_int_equal(addr_equal(&a, &b), rows[i].equal);
                assert_int_equal(addr_equal(&b, &a), rows[i].equal);
        }
}

/* Padding may hold anything. */
static void test_equal_looks_at_members(void **state) {
        struct addr a = addr("10.0.0.1:80"), b = a, c = addr("[fe80::1%1]:80"), d = c;

        (void)state;
        memset(b.in4.sin_zero, 0xff, sizeof(b.in4.sin_zero));
        assert_true(addr_equal(&a, &b));
        d.in6.sin6_flowinfo = 7;
        assert_true(addr_equal(&c, &d));
}

static void test_port(void **state) {
        static const struct {
                const char *before, *after;
                uint16_t port;
        } rows[] = {
                { "10.0.0.1:80", "10.0.0.1:65535", 65535 },
                { "[::1%1]:80", "[::1%1]:1", 1 },
                { "unix:/a", "unix:/a", 0 },
        };
        char text[ADDR_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct addr a = addr(rows[i].before);

                addr_set_port(&a, rows[i].port);
                assert_int_equal(addr_port(&a), rows[i].port);
                assert_string_equal(addr_text(&a, text), rows[i].after);
        }
}

static void test_text_of_odd_ones(void **state) {
        struct addr none = { 0 }, full = addr("unix:/a");
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        char text[ADDR_TEXT_MAX];
        struct addr a;

        (void)state;
        assert_string_equal(addr_text(&none, text), "none");
        assert_string_equal(addr_text_host(&none, text), "none");

        assert_int_equal(addr_of(&a, (struct sockaddr *)&un, sizeof(sa_family_t)), 0);
        assert_string_equal(addr_text(&a, text), "unix:"); /* a client without a name */
        memcpy(un.sun_path, "\0abstract", 9);
        assert_int_equal(addr_of(&a, (struct sockaddr *)&un, sizeof(sa_family_t) + 9), 0);
        assert_string_equal(addr_text(&a, text), "unix:");

        memset(full.un.sun_path, 'p', sizeof(full.un.sun_path)); /* the kernel needs no NUL */
        full.len = sizeof(full.un);
        assert_int_equal(strlen(addr_text(&full, text)), 5 + sizeof(full.un.sun_path));
}

static void test_of(void **state) {
        struct sockaddr_in in4 = { .sin_family = AF_INET };
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
        struct sockaddr_storage big = { .ss_family = AF_UNIX };
        struct sockaddr other = { .sa_family = AF_PACKET };
        struct addr a;

        (void)state;
        assert_int_equal(addr_of(&a, (struct sockaddr *)&in4, sizeof(in4)), 0);
        assert_int_equal(addr_of(&a, (struct sockaddr *)&in4, sizeof(in4) - 1), -EINVAL);
        assert_int_equal(addr_of(&a, (struct sockaddr *)&in6, sizeof(in6)), 0);
        assert_int_equal(addr_of(&a, (struct sockaddr *)&in6, sizeof(in6) - 1), -EINVAL);
        assert_int_equal(addr_of(&a, (struct sockaddr *)&big, sizeof(big)), -EINVAL);
        assert_int_equal(addr_of(&a, (struct sockaddr *)&big, sizeof(struct sockaddr_un)), 0);
        assert_int_equal(addr_of(&a, &other, sizeof(other)), -EINVAL);
        assert_int_equal(addr_of(&a, &other, 1), -EINVAL);
        assert_int_equal(addr_of(&a, &other, 0), -EINVAL);
}

/* These are stored nowhere, but nodes and releases must agree: ip_hash rests on them. */
static void test_hash_is_for_ever(void **state) {
        static const struct {
                const char *text;
                uint64_t host, all;
        } rows[] = {
                { "10.0.0.1:80", UINT64_C(0xe7a770915e3a6bb4), UINT64_C(0x01861fbf7d07dea9) },
                { "[::ffff:10.0.0.1]:80", UINT64_C(0xe7a770915e3a6bb4),
                  UINT64_C(0x01861fbf7d07dea9) },
                { "[2001:db8::1]:443", UINT64_C(0x216dba65aa6c0c57), UINT64_C(0x1714080a4615e4cf) },
                { "unix:/run/x.sock", UINT64_C(0xf52a15e9a9b5e89b), UINT64_C(0x8d4b02afa6c8f60b) },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct addr a = addr(rows[i].text);

                assert_int_equal(addr_hash_host(&a.sa), rows[i].host);
                assert_int_equal(addr_hash(&a), rows[i].all);
        }
}

static void test_hash_differs(void **state) {
        struct addr a = addr("10.0.0.1:80"), b = addr("10.0.0.1:81"), c = addr("10.0.0.2:80");
        struct addr x = addr("unix:/a"), y = addr("unix:/b");

        (void)state;
        assert_int_equal(addr_hash_host(&a.sa), addr_hash_host(&b.sa));
        assert_int_not_equal(addr_hash(&a), addr_hash(&b));
        assert_int_not_equal(addr_hash_host(&a.sa), addr_hash_host(&c.sa));
        assert_int_not_equal(addr_hash(&x), addr_hash(&y));
        assert_int_equal(addr_hash_host(&x.sa), addr_hash_host(&y.sa)); /* clients have no name */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_text_and_back),
                cmocka_unit_test(test_parse_host),
                cmocka_unit_test(test_equal),
                cmocka_unit_test(test_equal_looks_at_members),
                cmocka_unit_test(test_port),
                cmocka_unit_test(test_text_of_odd_ones),
                cmocka_unit_test(test_of),
                cmocka_unit_test(test_hash_is_for_ever),
                cmocka_unit_test(test_hash_differs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
