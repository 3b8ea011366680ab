/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"

#define FILE_NAME "/etc/bal/config.yaml"
#define HAN       "\xed\x95\x9c" /* two cells */

/* Not inlined: at -O3 gcc 12 takes what open_memstream() returns for the variable it returns it
 * in. */
__attribute__((__noinline__)) static char *shown(const struct diags *d, bool brief) {
        char *text = NULL;
        size_t size = 0;
        struct out o = { .file = open_memstream(&text, &size) };

        assert_non_null(o.file);
        if (brief)
                show_diags_brief(&o, d);
        else
                show_diags(&o, d);
        fclose(o.file);
        assert_int_equal(o.error, 0);
        return text;
}

static void expect(const struct diag *problem, const char *text) {
        struct diags d;
        char *got;

        diags_init(&d);
        diags_add(&d, problem);
        got = shown(&d, false);
        assert_string_equal(got, text);
        free(got);
        diags_done(&d);
}

/* The three problems of the mock-up in the design, in the form it demands. */
static const struct diag unknown_key = {
        .level = DIAG_ERROR,
        .code = DIAG_E014,
        .at = { FILE_NAME, 14, 5, 9 },
        .path = (char *)"backends[0].prot",
        .message = (char *)"unknown key 'prot' in backends[0]",
        .label = (char *)"did you mean 'port'?",
        .brief = (char *)"unknown key 'prot', did you mean 'port'?",
        .what_happened = (char *)"'prot' is not a backend key, so this backend has no port",
        .why_likely = (char *)"typing error; keys: host port weight backup max_connections",
        .do_this_now = (char *)"change line 14 to 'port: 8080', then run: bal check",
        .source = { (char *)"backends:", (char *)"  - host: \"10.20.0.11\"",
                    (char *)"    prot: 8080" },
};
static const struct diag out_of_range = {
        .level = DIAG_ERROR,
        .code = DIAG_E021,
        .at = { FILE_NAME, 6, 29, 30 },
        .message = (char *)"value out of range for runtime.health_check_interval_ms",
        .label = (char *)"0 is below the minimum of 1",
        .brief = (char *)"0 is below the minimum of 1",
        .do_this_now = (char *)"use 1 or more (default 200)",
        .source = { NULL, NULL, (char *)"  health_check_interval_ms: 0" },
};
static const struct diag every_interface = {
        .level = DIAG_WARNING,
        .code = DIAG_W003,
        .at = { FILE_NAME, 2, 15, 22 },
        .message = (char *)"bind_address 0.0.0.0 listens on every interface",
        .label = (char *)"3 interfaces here: lo, eth0 (public), eth1",
        .brief = (char *)"bind_address 0.0.0.0: every interface",
        .do_this_now = (char *)"bind 10.20.0.5, or keep it and check the firewall",
        .source = { NULL, NULL, (char *)"bind_address: 0.0.0.0" },
};

#define TEXT_E014                                                                                  \
        "error[E014]: unknown key 'prot' in backends[0]\n"                                         \
        "  --> /etc/bal/config.yaml:14:5\n"                                                        \
        "   |\n"                                                                                   \
        "12 | backends:\n"                                                                         \
        "13 |   - host: \"10.20.0.11\"\n"                                                          \
        "14 |     prot: 8080\n"                                                                    \
        "   |     ^^^^ did you mean 'port'?\n"                                                     \
        "   |\n"                                                                                   \
        "   = what_happened: 'prot' is not a backend key, so this backend has no port\n"           \
        "   = why_likely:    typing error; keys: host port weight backup max_connections\n"        \
        "   = do_this_now:   change line 14 to 'port: 8080', then run: bal check\n"
#define TEXT_E021                                                                                  \
        "error[E021]: value out of range for runtime.health_check_interval_ms\n"                   \
        "  --> /etc/bal/config.yaml:6:29\n"                                                        \
        "   |\n"                                                                                   \
        " 6 |   health_check_interval_ms: 0\n"                                                     \
        "   |                             ^ 0 is below the minimum of 1\n"                         \
        "   |\n"                                                                                   \
        "   = do_this_now:   use 1 or more (default 200)\n"
#define TEXT_W003                                                                                  \
        "warning[W003]: bind_address 0.0.0.0 listens on every interface\n"                         \
        "  --> /etc/bal/config.yaml:2:15\n"                                                        \
        "   |\n"                                                                                   \
        " 2 | bind_address: 0.0.0.0\n"                                                             \
        "   |               ^^^^^^^ 3 interfaces here: lo, eth0 (public), eth1\n"                  \
        "   |\n"                                                                                   \
        "   = do_this_now:   bind 10.20.0.5, or keep it and check the firewall\n"

static void test_mock_up(void **state) {
        struct diags d;
        char *text;

        (void)state;
        diags_init(&d);
        diags_add(&d, &every_interface);
        diags_add(&d, &unknown_key);
        diags_add(&d, &out_of_range);

        text = shown(&d, false); /* errors first, each level in the order of the file */
        assert_string_equal(text, TEXT_E021 TEXT_E014 TEXT_W003);
        free(text);

        text = shown(&d, true);
        assert_string_equal(
                text, "/etc/bal/config.yaml:6:29: error[E021]: 0 is below the minimum of 1\n"
                      "/etc/bal/config.yaml:14:5: error[E014]: unknown key 'prot', did you mean "
                      "'port'?\n"
                      "/etc/bal/config.yaml:2:15: warning[W003]: bind_address 0.0.0.0: every "
                      "interface\n");
        free(text);
        assert_int_equal(show_first(&d)->at.line, 6);
        diags_done(&d);
}

static void test_wide_characters(void **state) {
        struct diag p = { .level = DIAG_ERROR,
                          .code = DIAG_E014,
                          .at = { "f", 3, 7, 9 },
                          .message = (char *)"m",
                          .label = (char *)"here",
                          .do_this_now = (char *)"x",
                          .source = { NULL, NULL, (char *)HAN HAN HAN HAN ": " HAN "b" } };

        (void)state;
        /* Four syllables and two signs: 10 cells; the mark is as wide as a syllable and more. */
        expect(&p, "error[E014]: m\n  --> f:3:7\n   |\n 3 | " HAN HAN HAN HAN ": " HAN "b\n"
                   "   |           ^^^ here\n   |\n   = do_this_now:   x\n");
}

static void test_tabs(void **state) {
        struct diag p = { .level = DIAG_ERROR,
                          .code = DIAG_E007,
                          .at = { "f", 3, 3, 4 },
                          .message = (char *)"m",
                          .do_this_now = (char *)"x\ny",
                          .source = { NULL, NULL, (char *)"\ta\tb" } };

        (void)state;
        p.at.column = 4; /* behind tab, a, tab */
        p.at.end_column = 5;
        expect(&p, "error[E007]: m\n  --> f:3:4\n   |\n 3 | \ta\tb\n   | \t \t^\n   |\n"
                   "   = do_this_now:   x\n                    y\n");
}

static void test_columns_out_of_the_line(void **state) {
        struct diag p = { .level = DIAG_ERROR,
                          .code = DIAG_E006,
                          .at = { "f", 1, 40, 90 },
                          .message = (char *)"m",
                          .do_this_now = (char *)"x",
                          .source = { NULL, NULL, (char *)"ab" } };

        (void)state;
        expect(&p, "error[E006]: m\n  --> f:1:40\n   |\n 1 | ab\n   |   ^\n   |\n"
                   "   = do_this_now:   x\n");
}

static void test_no_place(void **state) {
        struct diag p = { .level = DIAG_ERROR,
                          .code = DIAG_E001,
                          .at = { "f", 0, 0, 0 },
                          .message = (char *)"m",
                          .do_this_now = (char *)"x" };

        (void)state;
        expect(&p, "error[E001]: m\n  --> f\n   = do_this_now:   x\n");
}

static void test_two_places(void **state) {
        struct diag p = { .level = DIAG_ERROR,
                          .code = DIAG_E015,
                          .at = { "f", 120, 1, 5 },
                          .other = { "f", 7, 1, 5 },
                          .message = (char *)"m",
                          .label = (char *)"given again",
                          .do_this_now = (char *)"x",
                          .source = { (char *)"a: 1", (char *)"b: 2", (char *)"port: 81" },
                          .other_label = (char *)"first given here",
                          .other_source = (char *)"port: 80" };

        (void)state;
        expect(&p, "error[E015]: m\n   --> f:120:1\n    |\n  7 | port: 80\n"
                   "    | ---- first given here\n...\n118 | a: 1\n119 | b: 2\n120 | port: 81\n"
                   "    | ^^^^ given again\n    |\n    = do_this_now:   x\n");

        p.other.line = 119; /* among the lines that are shown anyway */
        p.other_source = NULL;
        p.source[1] = (char *)"port: 80";
        expect(&p, "error[E015]: m\n   --> f:120:1\n    |\n118 | a: 1\n119 | port: 80\n"
                   "    | ---- first given here\n120 | port: 81\n"
                   "    | ^^^^ given again\n    |\n    = do_this_now:   x\n");
}

static void test_nothing_raw(void **state) {
        struct diag p = { .level = DIAG_ERROR,
                          .code = DIAG_E014,
                          .at = { "/tmp/\x1b[2J", 1, 1, 2 },
                          .message = (char *)"unknown key '\x1b[31m'",
                          .label = (char *)"\x1b]0;x\x07",
                          .brief = (char *)"a\nb\x1b",
                          .what_happened = (char *)"\xc2\x9b"
                                                   "1m",
                          .do_this_now = (char *)"\xff",
                          .source = { NULL, NULL, (char *)"\x1b[31mred\r" } };
        struct diags d;
        char *text;

        (void)state;
        diags_init(&d);
        diags_add(&d, &p);
        for (int brief = 0; brief < 2; brief++) {
                text = shown(&d, brief);
                assert_null(strchr(text, '\x1b'));
                assert_null(strchr(text, '\x07'));
                assert_null(strchr(text, '\r'));
                assert_null(strstr(text, "\xc2\x9b"));
                assert_null(strchr(text, '\xff'));
                assert_non_null(strstr(text, "?["));
                free(text);
        }
        diags_done(&d);
}

static void test_long_line(void **state) {
        static char line[100001];
        struct diag p = { .level = DIAG_ERROR,
                          .code = DIAG_E006,
                          .at = { "f", 1, 50001, 50002 },
                          .message = (char *)"m",
                          .do_this_now = (char *)"x",
                          .source = { NULL, NULL, line } };
        struct diags d;
        char *text, *mark, *from;

        (void)state;
        memset(line, 'a', sizeof(line) - 1);
        line[50000] = '!';
        diags_init(&d);
        diags_add(&d, &p);
        text = shown(&d, false);
        assert_true(strlen(text) < 600);
        from = strstr(text, " 1 | ~");
        mark = strchr(text, '^');
        assert_non_null(from);
        assert_non_null(mark);
        assert_true(from < mark);
        /* The mark stands below its character. */
        assert_int_equal(strchr(from, '!') - from, mark - (strchr(from, '\n') + 1));
        free(text);
        diags_done(&d);
}

static void test_at_most_twenty(void **state) {
        struct diags d;
        char *text;
        size_t n = 0;

        (void)state;
        diags_init(&d);
        for (unsigned i = 1; i <= 25; i++) {
                struct diag p = unknown_key;

                p.at.line = i;
                diags_add(&d, &p);
        }
        diags_add(&d, &every_interface);
        text = shown(&d, true);
        for (char *s = text; (s = strstr(s, "error[")); s++)
                n++;
        assert_int_equal(n, 20);
        assert_non_null(strstr(text, "... and 5 more errors\n"));
        assert_non_null(strstr(text, "warning[W003]"));
        free(text);
        diags_done(&d);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mock_up),
                cmocka_unit_test(test_wide_characters),
                cmocka_unit_test(test_tabs),
                cmocka_unit_test(test_columns_out_of_the_line),
                cmocka_unit_test(test_no_place),
                cmocka_unit_test(test_two_places),
                cmocka_unit_test(test_nothing_raw),
                cmocka_unit_test(test_long_line),
                cmocka_unit_test(test_at_most_twenty),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
