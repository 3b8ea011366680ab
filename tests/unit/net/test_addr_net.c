/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/addr.h"

static const struct {
        const char *text;
        int r, family;
        unsigned prefix;
        const char *why;
} nets[] = {
        { "10.0.0.0/8", 0, AF_INET, 8, "IPv4" },
        { "10.0.0.1", 0, AF_INET, 32, "one address" },
        { "10.0.0.1/32", 0, AF_INET, 32, "the same" },
        { "0.0.0.0/0", 0, AF_INET, 0, "all of IPv4" },
        { "10.20.0.128/25", 0, AF_INET, 25, "within a byte" },
        { "2001:db8::/32", 0, AF_INET6, 32, "IPv6" },
        { "2001:DB8::1", 0, AF_INET6, 128, "one address" },
        { "::/0", 0, AF_INET6, 0, "all of IPv6" },
        { "::ffff:10.0.0.0/104", 0, AF_INET, 8, "mapped" },
        { "::ffff:10.0.0.1", 0, AF_INET, 32, "one mapped address" },
        { "::ffff:0:0/96", 0, AF_INET, 0, "everything that can be mapped" },
        { "::ffff:0:0/95", -EDOM, 0, 0, "bits behind the prefix" },
        { "unix:", 0, AF_UNIX, 0, "Unix sockets" },
        { "unix:/run/x", -EINVAL, 0, 0, "their paths say nothing" },
        { "10.0.0.1/8", -EDOM, 0, 0, "bits behind the prefix" },
        { "10.20.0.129/25", -EDOM, 0, 0, "within a byte" },
        { "2001:db8::1/64", -EDOM, 0, 0, "IPv6" },
        { "10.0.0.0/33", -ERANGE, 0, 0, "too long" },
        { "::/129", -ERANGE, 0, 0, "too long" },
        { "10.0.0.0/99999999999999999999", -ERANGE, 0, 0, "far too long" },
        { "10.0.0.0/", -EINVAL, 0, 0, "no prefix" },
        { "10.0.0.0/08", -EINVAL, 0, 0, "a leading zero" },
        { "10.0.0.0/-1", -EINVAL, 0, 0, "a sign" },
        { "10.0.0.0/8/8", -EINVAL, 0, 0, "two of them" },
        { "10.0.0.0/255.0.0.0", -EINVAL, 0, 0, "a mask" },
        { "10.0.0/8", -EINVAL, 0, 0, "three numbers" },
        { "010.0.0.0/8", -EINVAL, 0, 0, "octal or not? neither" },
        { "[::1]", -EINVAL, 0, 0, "brackets" },
        { "fe80::1%lo", -EINVAL, 0, 0, "a zone" },
        { "10.0.0.1:80", -EINVAL, 0, 0, "a port" },
        { "proxy.example", -EINVAL, 0, 0, "a name" },
        { "/8", -EINVAL, 0, 0, "no address" },
        { "", -EINVAL, 0, 0, "empty" },
        { "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb/8", -EINVAL, 0, 0, "long" },
};

static void test_parse(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(nets); i++) {
                struct addr_net net = { .family = -1 };
                int r = addr_net_parse(&net, nets[i].text);

                if (r != nets[i].r)
                        fail_msg("%s: %s", nets[i].text, nets[i].why);
                if (r < 0)
                        assert_int_equal(net.family, -1);
                else if (net.family != nets[i].family || net.prefix != nets[i].prefix)
                        fail_msg("%s: %s", nets[i].text, nets[i].why);
        }
}

static void test_text(void **state) {
        static const char *const texts[] = { "10.0.0.0/8", "10.0.0.1",      "0.0.0.0/0", "::/0",
                                             "::1",        "2001:db8::/32", "unix:" };
        char buf[ADDR_NET_TEXT_MAX];
        struct addr_net net;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                assert_int_equal(addr_net_parse(&net, texts[i]), 0);
                assert_string_equal(addr_net_text(&net, buf), texts[i]);
        }
        assert_int_equal(addr_net_parse(&net, "::ffff:10.0.0.1/128"), 0);
        assert_string_equal(addr_net_text(&net, buf), "10.0.0.1");
}

static const struct {
        const char *net, *addr;
        bool has;
} members[] = {
        { "10.0.0.0/8", "10.255.255.255:1", true },
        { "10.0.0.0/8", "11.0.0.0:1", false },
        { "10.0.0.0/8", "9.255.255.255:1", false },
        { "10.20.0.128/25", "10.20.0.128:1", true },
        { "10.20.0.128/25", "10.20.0.127:1", false },
        { "10.20.0.4/30", "10.20.0.7:1", true },
        { "10.20.0.4/30", "10.20.0.8:1", false },
        { "10.20.0.4", "10.20.0.4:65535", true },
        { "10.20.0.4", "10.20.0.5:65535", false },
        { "0.0.0.0/0", "255.255.255.255:1", true },
        { "0.0.0.0/0", "[::1]:1", false },
        { "0.0.0.0/0", "[::ffff:10.0.0.1]:1", true }, /* a listener on [::] says it so */
        { "10.0.0.0/8", "[::ffff:10.1.2.3]:1", true },
        { "10.0.0.0/8", "[::ffff:11.1.2.3]:1", false },
        { "::ffff:10.0.0.0/104", "10.1.2.3:1", true },
        { "::/0", "[::1]:1", true },
        { "::/0", "10.1.2.3:1", false },
        { "::/0", "[::ffff:10.1.2.3]:1", false },
        { "2001:db8::/33", "[2001:db8:7fff::1]:1", true },
        { "2001:db8::/33", "[2001:db8:8000::1]:1", false },
        { "::1", "[::1]:1", true },
        { "::1", "[::2]:1", false },
        { "0.0.0.0/0", "unix:/run/x", false },
        { "unix:", "unix:/run/x", true },
        { "unix:", "10.0.0.1:1", false },
        { "unix:", "[::1]:1", false },
};

static void test_has(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(members); i++) {
                struct addr_net net;
                struct addr a;

                assert_int_equal(addr_net_parse(&net, members[i].net), 0);
                assert_int_equal(addr_parse(&a, members[i].addr), 0);
                if (addr_net_has(&net, &a.sa) != members[i].has)
                        fail_msg("%s in %s", members[i].addr, members[i].net);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_has),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
