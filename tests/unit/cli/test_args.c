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

#define WORDS_MAX 12

static int parse(struct args *ret, const char *line, char **ret_problem) {
        static char copy[512];
        char *argv[WORDS_MAX + 2] = { (char *)"bal" }, *rest = copy, *word;
        int argc = 1;

        snprintf(copy, sizeof(copy), "%s", line);
        while ((word = strsep(&rest, " ")) && argc <= WORDS_MAX) {
                if (*word)
                        argv[argc++] = word;
        }
        return args_parse(ret, argc, argv, ret_problem);
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
                { "config keys --json", "config keys", OPTION_BIT(JSON), NULL, NULL, NULL },
                { "help", "help", 0, NULL, NULL, NULL },
                { "help check", "help", 0, NULL, NULL, "check" },
                { "explain -h", "explain", OPTION_BIT(HELP), NULL, NULL, NULL },
                { "config -h", "config keys", OPTION_BIT(HELP), NULL, NULL, NULL },
                { "-V", NULL, OPTION_BIT(VERSION), NULL, NULL, NULL },
                { "stop extra --version", "stop", OPTION_BIT(VERSION), NULL, NULL, NULL },
                { "", NULL, 0, NULL, NULL, NULL },
                { "graceful --dry-run", "graceful", OPTION_BIT(DRY_RUN), NULL, NULL, NULL },
                { "status --watch", "status", OPTION_BIT(WATCH), NULL, NULL, NULL },
                { "status --watch --json", "status", OPTION_BIT(WATCH) | OPTION_BIT(JSON), NULL,
                  NULL, NULL },
                { "status --follow", "status", OPTION_BIT(FOLLOW), NULL, NULL, NULL },
                { "backend list", "backend list", 0, NULL, NULL, NULL },
                { "backend list web state:down", "backend list", 0, NULL, NULL, "web" },
                { "--json backend drain a:1", "backend drain", OPTION_BIT(JSON), NULL, NULL,
                  "a:1" },
                { "backend --yes drain a:1", "backend drain", OPTION_BIT(YES), NULL, NULL, "a:1" },
                { "backend maint a:1 --deadline 10m", "backend maint", OPTION_BIT(DEADLINE), NULL,
                  NULL, "a:1" },
                { "backend enable -- --odd", "backend enable", 0, NULL, NULL, "--odd" },
                { "backend weight a:1 0", "backend weight", 0, NULL, NULL, "a:1" },
                { "help backend drain", "help", 0, NULL, NULL, "backend" },
                { "backend drain -h", "backend drain", OPTION_BIT(HELP), NULL, NULL, NULL },
                { "reload", "reload", 0, NULL, NULL, NULL },
                { "sessions", "sessions", 0, NULL, NULL, NULL },
                { "sessions web idle:1m --sort=rtt --limit 5", "sessions",
                  OPTION_BIT(SORT) | OPTION_BIT(LIMIT), NULL, NULL, "web" },
                { "sessions close web", "sessions close", 0, NULL, NULL, "web" },
                { "sessions close id:7 --yes", "sessions close", OPTION_BIT(YES), NULL, NULL,
                  "id:7" },
                { "sessions close close", "sessions close", 0, NULL, NULL, "close" },
                { "sessions closed", "sessions", 0, NULL, NULL, "closed" },
                { "sessions close -h", "sessions close", OPTION_BIT(HELP), NULL, NULL, NULL },
                { "sessions -h", "sessions", OPTION_BIT(HELP), NULL, NULL, NULL },
                { "events --follow --level=warn --event=backend_state --limit 0", "events",
                  OPTION_BIT(FOLLOW) | OPTION_BIT(LEVEL) | OPTION_BIT(EVENT) | OPTION_BIT(LIMIT),
                  NULL, NULL, NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(str_freep) char *problem = NULL;
                _cleanup_(args_done) struct args a = { .words = NULL };
                char title[ARGS_COMMAND_MAX];

                if (parse(&a, table[i].line, &problem) < 0)
                        fail_msg("'%s': %s", table[i].line, problem);
                if (a.given != table[i].given)
                        fail_msg("'%s': given %x", table[i].line, a.given);
                if (!table[i].verb)
                        assert_null(a.verb);
                else
                        assert_string_equal(verb_title(a.verb, title), table[i].verb);
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
                { "config keys x", "'config keys' does not take 'x'", "config keys" },
                { "explain", "'explain' needs a CODE: bal explain CODE", "explain" },
                { "explain E1 E2", "'explain' does not take 'E2'", "explain" },
                { "help a b c", "'help' does not take 'c'", "help" },
                { "backend",
                  "'backend' needs a second word: bal backend "
                  "list|drain|maint|enable|weight",
                  "" },
                { "backend drian a:1",
                  "unknown command 'backend drian'; did you mean "
                  "'backend drain'?",
                  "" },
                { "backend stop a:1",
                  "unknown command 'backend stop'; there is: bal backend "
                  "list|drain|maint|enable|weight",
                  "" },
                { "backned list", "unknown command 'backned'; did you mean 'backend'?", "" },
                { "backend drain", "'backend drain' needs a NAME: bal backend drain NAME...",
                  "backend drain" },
                { "backend weight a:1",
                  "'backend weight' needs a NAME and a weight: bal backend "
                  "weight NAME... N",
                  "backend weight" },
                { "backend enable a:1 --deadline=1m",
                  "'backend enable' does not take the option '--deadline'", "backend enable" },
                { "backend list --yes", "'backend list' does not take the option '--yes'",
                  "backend list" },
                { "backend drain a --deadline=10",
                  "--deadline: '10' is not a duration; write 10m or 1h30m, or 0s for none", "" },
                { "backend drain a --deadline=200h",
                  "--deadline: '200h' is more than a week (168h)", "" },
                { "backend drain a --deadline",
                  "option '--deadline' needs a value: "
                  "--deadline=TIME",
                  "" },
                { "backend drain a --yes=1", "option '--yes' takes no value", "" },
                { "status --watch=", "option '--watch' needs a value: --watch=2", "" },
                { "status --watch=x",
                  "--watch: 'x' is not a number of seconds; write 2, 0.5 or 500ms", "" },
                { "status --watch=nan",
                  "--watch: 'nan' is not a number of seconds; write 2, 0.5 or 500ms", "" },
                { "status --watch=-1",
                  "--watch: '-1' is not a number of seconds; write 2, 0.5 or 500ms", "" },
                { "status --watch=1x",
                  "--watch: '1x' is not a number of seconds; write 2, 0.5 or 500ms", "" },
                { "status --watch=0", "--watch: '0' is not between 0.1 and 3600 seconds", "" },
                { "status --watch=1e99", "--watch: '1e99' is not between 0.1 and 3600 seconds",
                  "" },
                { "status --watch 2", "'status' does not take '2'", "status" },
                { "check --watch", "'check' does not take the option '--watch'", "check" },
                { "sessions close", "'sessions close' needs a FILTER: bal sessions close FILTER...",
                  "sessions close" },
                { "sessions close web --sort=age",
                  "'sessions close' does not take the option '--sort'", "sessions close" },
                { "sessions --yes", "'sessions' does not take the option '--yes'", "sessions" },
                { "sessions --sort=byte", "--sort: unknown 'byte'; did you mean 'bytes'?", "" },
                { "sessions --sort=x",
                  "--sort: unknown 'x'; use age, idle, bytes, rtt or retransmits", "" },
                { "sessions --limit=all", "--limit: 'all' is not a number", "" },
                { "sessions --limit=-1", "--limit: '-1' is not a number", "" },
                { "sessions --limit=99999999999999999999",
                  "--limit: '99999999999999999999' is not a number", "" },
                { "events --level=debug",
                  "--level: unknown 'debug'; use error, warn or info, and what is worse", "" },
                { "events --level=inof", "--level: unknown 'inof'; did you mean 'info'?", "" },
                { "events --event=backend_sate",
                  "--event: unknown 'backend_sate'; did you mean 'backend_state'?", "" },
                { "events --event=x", "--event: unknown 'x'; all there are: man 7 bal-logs", "" },
                { "events web", "'events' does not take 'web'", "events" },
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
                _cleanup_(args_done) struct args a = { .words = NULL };

                if (parse(&a, table[i].line, &problem) != -EINVAL)
                        fail_msg("'%s' was understood", table[i].line);
                assert_string_equal(problem, table[i].problem);
                assert_string_equal(a.command, table[i].command);
        }
}

static void test_values(void **state) {
        static const struct {
                const char *line;
                int wait_ms, watch_ms, color, level;
                int64_t deadline_ms;
        } table[] = {
                { "graceful", 10000, 2000, COLOR_AUTO, -1, -1 },
                { "graceful --wait 1m30s --color never", 90000, 2000, COLOR_NEVER, -1, -1 },
                { "start --log-level=debug", 10000, 2000, COLOR_AUTO, LOG_LEVEL_DEBUG, -1 },
                { "status --watch", 10000, 2000, COLOR_AUTO, -1, -1 },
                { "status --watch=5", 10000, 5000, COLOR_AUTO, -1, -1 },
                { "status --watch=0.25", 10000, 250, COLOR_AUTO, -1, -1 },
                { "status --watch=1m", 10000, 60000, COLOR_AUTO, -1, -1 },
                { "status --watch=300ms --follow", 10000, 300, COLOR_AUTO, -1, -1 },
                { "backend drain a --deadline 10m", 10000, 2000, COLOR_AUTO, -1, 600000 },
                { "backend maint a --deadline=0s", 10000, 2000, COLOR_AUTO, -1, 0 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(str_freep) char *problem = NULL;
                _cleanup_(args_done) struct args a = { .words = NULL };

                if (parse(&a, table[i].line, &problem) < 0)
                        fail_msg("'%s': %s", table[i].line, problem);
                assert_int_equal(a.wait_ms, table[i].wait_ms);
                assert_int_equal(a.watch_ms, table[i].watch_ms);
                assert_int_equal(a.color, table[i].color);
                assert_int_equal(a.log_level, table[i].level);
                assert_int_equal(a.deadline_ms, table[i].deadline_ms);
        }
}

/* Options between them, and an end of the options, do not disturb the order of the operands. */
static void test_operands(void **state) {
        _cleanup_(str_freep) char *problem = NULL;
        _cleanup_(args_done) struct args a = { .words = NULL };

        (void)state;
        assert_int_equal(parse(&a, "backend weight one --yes two -- -3 4", &problem), 0);
        assert_int_equal(a.n_operands, 4);
        assert_string_equal(a.operands[0], "one");
        assert_string_equal(a.operands[1], "two");
        assert_string_equal(a.operands[2], "-3");
        assert_string_equal(a.operands[3], "4");
        assert_false(a.group);
}

static void test_group(void **state) {
        _cleanup_(str_freep) char *problem = NULL;
        _cleanup_(args_done) struct args a = { .words = NULL };
        char subs[VERB_SUBS_MAX];

        (void)state;
        assert_int_equal(parse(&a, "backend --help", &problem), 0);
        assert_true(a.group);
        assert_ptr_equal(a.verb, verb_group("backend"));
        assert_string_equal(verb_subs("backend", subs), "list|drain|maint|enable|weight");
        assert_string_equal(verb_subs("status", subs), "");
        assert_null(verb_group("status"));
        assert_string_equal(verb_closest_sub("backend", "enabel"), "enable");
        assert_null(verb_closest_sub("config", "enable"));
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
                _cleanup_(args_done) struct args a = { .words = NULL };

                assert_int_equal(parse(&a, table[i].line, &problem), -EINVAL);
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
                char title[ARGS_COMMAND_MAX], subs[VERB_SUBS_MAX];

                assert_non_null(verbs[i].run);
                assert_true(verbs[i].help[0] >= 'a' && verbs[i].help[0] <= 'z');
                assert_true(verbs[i].operands_min <= verbs[i].operands_max);
                assert_true(verbs[i].operands_max == 0 || verbs[i].operand);
                assert_true(verbs[i].operands_min == 0 || verbs[i].needs);
                assert_true(strlen(verb_title(&verbs[i], title)) < ARGS_COMMAND_MAX - 1);
                assert_true(strlen(verb_subs(verbs[i].name, subs)) < VERB_SUBS_MAX - 1);
                for (size_t k = 0; k < i; k++) {
                        char other[ARGS_COMMAND_MAX];

                        assert_string_not_equal(title, verb_title(&verbs[k], other));
                        /* two rows of a name: the one without a second word takes words, too */
                        assert_true(strcmp(verbs[i].name, verbs[k].name) != 0 ||
                                    (verbs[i].sub && verbs[k].sub) ||
                                    (verbs[i].sub ? verbs[k].operand : verbs[i].operand));
                }
        }
}

static size_t help_lines(const struct verb *v, const char *name) {
        char *text = NULL;
        size_t size = 0, lines = 0;
        struct out o = { .file = open_memstream(&text, &size) };

        assert_non_null(o.file);
        if (v && *name == ' ')
                verb_help_group(&o, v->name);
        else if (v)
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
        assert_true(help_lines(verb_group("backend"), " backend") <= 24);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_understood),     cmocka_unit_test(test_refused),
                cmocka_unit_test(test_values),         cmocka_unit_test(test_json_before_the_error),
                cmocka_unit_test(test_operands),       cmocka_unit_test(test_group),
                cmocka_unit_test(test_table_is_sound), cmocka_unit_test(test_help_fits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
