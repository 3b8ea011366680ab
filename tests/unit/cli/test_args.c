/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verb.h"
#include "core/log.h"
#include "core/str.h"

#define WORDS_MAX 8

static int parse(struct args *ret, const char *line, char **ret_problem, const char **ret_command) {
        static char copy[512];
        char *argv[WORDS_MAX + 2] = { (char *)"bal" }, *rest = copy, *word;
        int argc = 1;

        snprintf(copy, sizeof(copy), "%s", line);
        while ((word = strsep(&rest, " ")) && argc <= WORDS_MAX) {
                if (*word)
                        argv[argc++] = word;
        }
        return args_parse(ret, argc, argv, ret_problem, ret_command);
}

static void test_understood(void **state) {
        static const struct {
                const char *line, *verb;
                uint32_t given;
                const char *config, *socket, *operand;
        } table[] = {
                { "check", "check", 0, NULL, NULL, NULL },
                { "--json check", "check", OPTION_BIT(JSON), NULL, NULL, NULL },
                { "check --json", "check", OPTION_BIT(JSON), NULL, NULL, NULL },
                { "-c a check", "check", OPTION_BIT(CONFIG), "a", NULL, NULL },
                { "check -ca", "check", OPTION_BIT(CONFIG), "a", NULL, NULL },
                { "check -c=a", "check", OPTION_BIT(CONFIG), "a", NULL, NULL },
                { "check --config=a", "check", OPTION_BIT(CONFIG), "a", NULL, NULL },
                { "check --config a", "check", OPTION_BIT(CONFIG), "a", NULL, NULL },
                { "check --config=--odd", "check", OPTION_BIT(CONFIG), "--odd", NULL, NULL },
                { "check --config a --config b", "check", OPTION_BIT(CONFIG), "b", NULL, NULL },
                { "--config a --validate", "check", OPTION_BIT(CONFIG) | OPTION_BIT(VALIDATE), "a",
                  NULL, NULL },
                { "check --validate", "check", OPTION_BIT(VALIDATE), NULL, NULL, NULL },
                { "check -qv", "check", OPTION_BIT(QUIET) | OPTION_BIT(VERBOSE), NULL, NULL, NULL },
                { "check -qca", "check", OPTION_BIT(QUIET) | OPTION_BIT(CONFIG), "a", NULL, NULL },
                { "status --socket /x", "status", OPTION_BIT(SOCKET), NULL, "/x", NULL },
                { "status --exit-code", "status", OPTION_BIT(EXIT_CODE), NULL, NULL, NULL },
                { "-- status", "status", 0, NULL, NULL, NULL },
                { "explain -- --odd", "explain", 0, NULL, NULL, "--odd" },
                { "explain E014", "explain", 0, NULL, NULL, "E014" },
                { "explain -", "explain", 0, NULL, NULL, "-" },
                { "start -d --no-watch", "start", OPTION_BIT(DETACH) | OPTION_BIT(NO_WATCH), NULL,
                  NULL, NULL },
                { "config keys --json", "config", OPTION_BIT(JSON), NULL, NULL, NULL },
                { "help", "help", 0, NULL, NULL, NULL },
                { "help check", "help", 0, NULL, NULL, "check" },
                { "explain -h", "explain", OPTION_BIT(HELP), NULL, NULL, NULL },
                { "config -h", "config", OPTION_BIT(HELP), NULL, NULL, NULL },
                { "-V", NULL, OPTION_BIT(VERSION), NULL, NULL, NULL },
                { "stop extra --version", "stop", OPTION_BIT(VERSION), NULL, NULL, NULL },
                { "", NULL, 0, NULL, NULL, NULL },
                { "reload", "reload", 0, NULL, NULL, NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(str_freep) char *problem = NULL;
                const char *command;
                struct args a;

                if (parse(&a, table[i].line, &problem, &command) < 0)
                        fail_msg("'%s': %s", table[i].line, problem);
                if (a.given != table[i].given)
                        fail_msg("'%s': given %x", table[i].line, a.given);
                if (!table[i].verb)
                        assert_null(a.verb);
                else
                        assert_string_equal(a.verb->name, table[i].verb);
#define SAME(x, y) assert_true((!(x) && !(y)) || ((x) && (y) && strcmp((x), (y)) == 0))
                SAME(a.config, table[i].config);
                SAME(a.socket, table[i].socket);
                SAME(a.operand, table[i].operand);
        }
}

static void test_refused(void **state) {
        static const struct {
                const char *line, *problem, *command;
        } table[] = {
                { "chekc", "unknown command 'chekc'; did you mean 'check'?", "" },
                { "statsu --json", "unknown command 'statsu'; did you mean 'status'?", "" },
                { "doctor", "unknown command 'doctor'", "" },
                { "upgrade", "unknown command 'upgrade'", "" },
                { "chec --help", "unknown command 'chec'; did you mean 'check'?", "" },
                { "config", "'config' needs a second word: bal config keys", "" },
                { "config kesy", "unknown command 'config kesy'; did you mean 'config keys'?", "" },
                { "check --jsno", "unknown option '--jsno'; did you mean '--json'?", "" },
                { "check --js", "unknown option '--js'", "" }, /* no abbreviations */
                { "check --verb", "unknown option '--verb'", "" },
                { "check --frobnicate=1", "unknown option '--frobnicate'", "" },
                { "check -x", "unknown option '-x'", "" },
                { "check --json=1", "option '--json' takes no value", "" },
                { "check --config", "option '--config' needs a value: --config=FILE", "" },
                { "check --config=", "option '--config' needs a value: --config=FILE", "" },
                { "check -c --json", "option '--config' needs a value: --config=FILE", "" },
                { "check --wait=1s", "'check' does not take the option '--wait'", "check" },
                { "start --validate", "'start' does not take the option '--validate'", "start" },
                { "check --brief -v", "--brief and --verbose exclude each other", "check" },
                { "check file.yaml", "'check' does not take 'file.yaml'", "check" },
                { "config keys x", "'config' does not take 'x'", "config" },
                { "explain", "'explain' needs a CODE: bal explain CODE", "explain" },
                { "explain E1 E2", "'explain' does not take 'E2'", "explain" },
                { "graceful --wait=10", "--wait: '10' is not a duration; write 10s or 1m30s", "" },
                { "graceful --wait=0s", "--wait: '0s' is not between 1ms and 1h", "" },
                { "graceful --wait=2h", "--wait: '2h' is not between 1ms and 1h", "" },
                { "--color=alwasy help", "--color: unknown 'alwasy'; did you mean 'always'?", "" },
                { "--color=x help", "--color: unknown 'x'; use auto, always or never", "" },
                { "start --log-level inof", "--log-level: unknown 'inof'; did you mean 'info'?",
                  "" },
                { "start --log-level 7",
                  "--log-level: unknown '7'; use error, warn, info, debug or trace", "" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(str_freep) char *problem = NULL;
                const char *command;
                struct args a;

                if (parse(&a, table[i].line, &problem, &command) != -EINVAL)
                        fail_msg("'%s' was understood", table[i].line);
                assert_string_equal(problem, table[i].problem);
                assert_string_equal(command, table[i].command);
        }
}

static void test_values(void **state) {
        _cleanup_(str_freep) char *problem = NULL;
        const char *command;
        struct args a;

        (void)state;
        assert_int_equal(parse(&a, "graceful", &problem, &command), 0);
        assert_int_equal(a.wait_ms, 10000);
        assert_int_equal(a.log_level, -1);
        assert_int_equal(a.color, COLOR_AUTO);
        assert_int_equal(parse(&a, "graceful --wait 1m30s --color never", &problem, &command), 0);
        assert_int_equal(a.wait_ms, 90000);
        assert_int_equal(a.color, COLOR_NEVER);
        assert_int_equal(parse(&a, "start --log-level=debug", &problem, &command), 0);
        assert_int_equal(a.log_level, LOG_LEVEL_DEBUG);
}

/* Who asked for JSON gets it, wherever the wrong word stands. */
static void test_json_before_the_error(void **state) {
        static const struct {
                const char *line;
                bool json;
        } table[] = {
                { "chekc --json", true },
                { "--bogus --json check", true },
                { "chekc", false },
                { "chekc -- --json", false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(str_freep) char *problem = NULL;
                const char *command;
                struct args a;

                assert_int_equal(parse(&a, table[i].line, &problem, &command), -EINVAL);
                assert_int_equal(args_has(&a, OPTION_BIT(JSON)), table[i].json);
        }
}

static void test_table_is_sound(void **state) {
        (void)state;
        for (size_t i = 0; i < OPTIONS_COUNT; i++) {
                assert_true(strlen(options[i].name) > 1);
                assert_true(strlen(options[i].help) <= 55); /* a row of help is below 80 columns */
                for (size_t k = 0; k < i; k++) {
                        assert_string_not_equal(options[i].name, options[k].name);
                        assert_true(!options[i].letter || options[i].letter != options[k].letter);
                }
        }
        for (size_t i = 0; i < n_verbs; i++) {
                assert_non_null(verbs[i].run);
                assert_true(verbs[i].help[0] >= 'a' && verbs[i].help[0] <= 'z');
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(verbs[i].name, verbs[k].name);
        }
}

static size_t help_lines(const struct verb *v, const char *name) {
        char *text = NULL;
        size_t size = 0, lines = 0;
        struct out o = { .file = open_memstream(&text, &size) };

        assert_non_null(o.file);
        if (v)
                verb_help(&o, v);
        else
                verb_help_all(&o);
        fclose(o.file);
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
                if (strlen(line) > 80)
                        fail_msg("%s: '%s'", name, line);
                lines += rest != NULL;
        }
        free(text);
        return lines;
}

static void test_help_fits(void **state) {
        (void)state;
        assert_int_equal(help_lines(NULL, "bal"), 12);
        for (size_t i = 0; i < n_verbs; i++)
                assert_true(help_lines(&verbs[i], verbs[i].name) <= 24);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_understood),     cmocka_unit_test(test_refused),
                cmocka_unit_test(test_values),         cmocka_unit_test(test_json_before_the_error),
                cmocka_unit_test(test_table_is_sound), cmocka_unit_test(test_help_fits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
