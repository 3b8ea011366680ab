/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include "options.h"

static int parse(struct options *o, char **problem, const char *a, const char *b, const char *c) {
        const char *argv[] = { "bal-top", a, b, c, NULL };
        int argc = 1;

        while (argv[argc])
                argc++;
        return options_parse(o, argc, (char **)argv, problem);
}

static void test_good(void **state) {
        char *problem;
        struct options o;

        (void)state;
        unsetenv("BAL_A11Y");
        assert_int_equal(parse(&o, &problem, NULL, NULL, NULL), 0);
        assert_int_equal(o.output, OUTPUT_SCREEN);
        assert_int_equal(o.interval_ms, 1000);
        assert_int_equal(parse(&o, &problem, "-bn", "3", "--interval=0.5"), 0);
        assert_int_equal(o.output, OUTPUT_BATCH);
        assert_int_equal(o.count, 3);
        assert_int_equal(o.interval_ms, 500);
        assert_int_equal(parse(&o, &problem, "-n3", "--json", NULL), 0);
        assert_int_equal(o.output, OUTPUT_JSON);
        assert_int_equal(parse(&o, &problem, "-n", "3", NULL), 0);
        assert_int_equal(o.output, OUTPUT_BATCH);
        assert_int_equal(parse(&o, &problem, "--socket", "/x", "--admin"), 0);
        assert_string_equal(o.socket, "/x");
        assert_true(o.admin);
        assert_int_equal(parse(&o, &problem, "--chars=braille", "--color=never", NULL), 0);
        assert_int_equal(o.chars, CHARS_BRAILLE);
        setenv("BAL_A11Y", "text", 1);
        assert_int_equal(parse(&o, &problem, NULL, NULL, NULL), 0);
        assert_int_equal(o.output, OUTPUT_PLAIN);
        unsetenv("BAL_A11Y");
}

static void test_bad(void **state) {
        static const struct {
                const char *words[3];
                const char *problem;
        } table[] = {
                { { "--onec" }, "did you mean '--once'" },
                { { "--inter" }, "unknown option" },
                { { "-x" }, "unknown option '-x'" },
                { { "-n" }, "needs a value" },
                { { "-n", "0" }, "wrong value" },
                { { "-d", "0.1" }, "wrong value" },
                { { "-d", "61" }, "wrong value" },
                { { "-d", "nan" }, "wrong value" },
                { { "--once=1" }, "takes no value" },
                { { "web" }, "takes no 'web'" },
                { { "--color=red" }, "wrong value" },
                { { "--chars=x" }, "wrong value" },
                { { "--" }, "takes no '--'" },
                { { "" }, "takes no ''" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(str_freep) char *problem = NULL;
                struct options o;

                assert_int_equal(parse(&o, &problem, table[i].words[0], table[i].words[1], NULL),
                                 -EINVAL);
                if (!strstr(problem, table[i].problem))
                        fail_msg("'%s' instead of '%s'", problem, table[i].problem);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_bad),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
