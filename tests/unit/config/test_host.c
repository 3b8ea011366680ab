/* SPDX-License-Identifier: MIT */

#include "rig.h"

#include "config/host.h"

static void test_hosts(void **state) {
        static const struct {
                const char *text;
                enum host_verdict verdict;
                const char *shown; /* with port 80 */
        } cases[] = {
                { "10.0.0.1", HOST_OK, "10.0.0.1:80" },
                { "::1", HOST_OK, "[::1]:80" },
                { "[::1]", HOST_OK, "[::1]:80" },
                { "0:0:0:0:0:0:0:1", HOST_OK, "[::1]:80" },
                { "2001:DB8::A", HOST_OK, "[2001:db8::a]:80" },
                { "fe80::1%lo", HOST_OK, "[fe80::1%lo]:80" }, /* not its number here */
                { "[FE80::1%lo]", HOST_OK, "[fe80::1%lo]:80" },
                { "fe80::1%nosuchif0", HOST_NO_ZONE, NULL },
                { "unix:/run/a b", HOST_OK, "unix:/run/a b" },
                { "unix:run", HOST_BAD_PATH, NULL },
                { "Web-1.Example.", HOST_OK, "web-1.example.:80" },
                { "a_b", HOST_OK, "a_b:80" },
                { "1a", HOST_OK, "1a:80" },
                { "1.2.3.a", HOST_OK, "1.2.3.a:80" },
                { "xn--9t4b11yi5a", HOST_OK, "xn--9t4b11yi5a:80" },
                { "", HOST_BAD, NULL },
                { ".", HOST_BAD, NULL },
                { "a..", HOST_BAD, NULL },
                { "a.-b", HOST_BAD, NULL },
                { "a b", HOST_BAD, NULL },
                { "[", HOST_BAD, NULL },
                { "[]", HOST_BAD, NULL },
                { "[1.2.3.4]", HOST_BAD, NULL },
                { "256.1.1.1", HOST_BAD_NUMBERS, NULL },
                { "1.2.3.04", HOST_BAD_NUMBERS, NULL },
                { "0x7f.1", HOST_BAD_NUMBERS, NULL },
                { "0x7F000001", HOST_BAD_NUMBERS, NULL },
                { "0xg", HOST_OK, "0xg:80" },
                { "1.2.3.4:80", HOST_HAS_PORT, NULL },
                { "[::1]:80", HOST_HAS_PORT, NULL },
                { "a:b", HOST_BAD, NULL },
                { "\xec\x84\x9c", HOST_NOT_ASCII, NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[HOST_TEXT_MAX];
                struct host h;
                enum host_verdict v = host_parse(&h, cases[i].text, 80);

                if (v != cases[i].verdict)
                        fail_msg("'%s': %d", cases[i].text, v);
                if (v == HOST_OK)
                        assert_string_equal(host_text(&h, text), cases[i].shown);
        }
}

static void test_ports(void **state) {
        static const struct {
                const char *text;
                enum host_verdict verdict;
                const char *shown;
        } cases[] = {
                { "10.0.0.1:1", HOST_OK, "10.0.0.1:1" },
                { "10.0.0.1:65535", HOST_OK, "10.0.0.1:65535" },
                { "[::1]:80", HOST_OK, "[::1]:80" },
                { "DB:5432", HOST_OK, "db:5432" },
                { "unix:/run/a:80", HOST_OK, "unix:/run/a:80" },
                { "10.0.0.1", HOST_NO_PORT, NULL },
                { "[::1]", HOST_NO_PORT, NULL },
                { "", HOST_NO_PORT, NULL },
                { "10.0.0.1:", HOST_BAD_PORT, NULL },
                { "10.0.0.1:0", HOST_BAD_PORT, NULL },
                { "10.0.0.1:65536", HOST_BAD_PORT, NULL },
                { "10.0.0.1:000080", HOST_BAD_PORT, NULL },
                { "10.0.0.1:+80", HOST_BAD_PORT, NULL },
                { "10.0.0.1: 80", HOST_BAD_PORT, NULL },
                { "::1:80", HOST_NO_BRACKETS, NULL },
                { "::", HOST_NO_BRACKETS, NULL },
                { ":80", HOST_PORT_ONLY, NULL },
                { "*:80", HOST_PORT_ONLY, NULL },
                { "80", HOST_PORT_ONLY, NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[HOST_TEXT_MAX];
                struct host h;
                enum host_verdict v = host_parse_port(&h, cases[i].text);

                if (v != cases[i].verdict)
                        fail_msg("'%s': %d", cases[i].text, v);
                if (v == HOST_OK)
                        assert_string_equal(host_text(&h, text), cases[i].shown);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hosts),
                cmocka_unit_test(test_ports),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
