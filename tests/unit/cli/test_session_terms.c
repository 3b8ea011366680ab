/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/session_terms.h"
#include "core/str.h"

#define WORDS_MAX 8

static const char text[] = "{\"backends\":["
                           "{\"pool\":\"web\",\"name\":\"10.20.0.11:8080\"},"
                           "{\"pool\":\"web\",\"name\":\"10.20.0.22:8080\"},"
                           "{\"pool\":\"api\",\"name\":\"10.20.0.22:8080\"},"
                           "{\"pool\":\"api\",\"name\":\"unix:/run/app.sock\"}, null, {}],"
                           "\"leaving\":[{\"pool\":\"web\",\"name\":\"10.20.0.99:8080\"},"
                           "{\"pool\":\"old\",\"name\":\"10.20.0.98:8080\"},"
                           "{\"pool\":\"web\",\"name\":\"10.20.0.11:8080\"}],"
                           "\"pools\":[{\"name\":\"web\"},{\"name\":\"api\"}],"
                           "\"frontends\":[{\"name\":\"front\"}]}";

/* words are parted by blanks */
static int read_line(struct session_terms *ret, const char *line, char **ret_problem) {
        _cleanup_(str_freep) char *copy = str_printf("%s", line);
        char *rest = copy;
        const char *words[WORDS_MAX], *word;
        json_t *doc = json_loads(text, 0, NULL);
        size_t n = 0;
        int r;

        assert_non_null(doc);
        while ((word = strsep(&rest, " ")) && n < WORDS_MAX) {
                if (*word)
                        words[n++] = word;
        }
        r = session_terms_read(ret, session_terms_need_names(words, n) ? doc : NULL, words, n,
                               ret_problem);
        json_decref(doc);
        return r;
}

static void test_understood(void **state) {
        static const struct {
                const char *line, *parameters;
                bool names;
                const char *doubt;
        } table[] = {
                { "", "{}", false, NULL },
                { "web", "{\"pool\":\"web\"}", true, NULL },
                { "pool:api", "{\"pool\":\"api\"}", true, NULL },
                { "10.20.0.11:8080", "{\"backend\":\"10.20.0.11:8080\",\"pool\":\"web\"}", true,
                  NULL },
                { "web/10.20.0.22:8080", "{\"backend\":\"10.20.0.22:8080\",\"pool\":\"web\"}", true,
                  NULL },
                { "backend:unix:/run/app.sock",
                  "{\"backend\":\"unix:/run/app.sock\",\"pool\":\"api\"}", true, NULL },
                /* both pools' */
                { "10.20.0.22:8080", "{\"backend\":\"10.20.0.22:8080\"}", true, NULL },
                { "10.20.0.22:8080 api", "{\"backend\":\"10.20.0.22:8080\",\"pool\":\"api\"}", true,
                  NULL },
                { "web web/10.20.0.22:8080", "{\"backend\":\"10.20.0.22:8080\",\"pool\":\"web\"}",
                  true, NULL },
                /* removed by a reload, and not gone */
                { "web/10.20.0.99:8080", "{\"backend\":\"10.20.0.99:8080\",\"pool\":\"web\"}", true,
                  NULL },
                { "pool:old", "{\"pool\":\"old\"}", true, NULL },
                { "frontend:front", "{\"frontend\":\"front\"}", true, NULL },
                { "client:10.0.0.7", "{\"client\":\"10.0.0.7\"}", true, NULL },
                { "client:10.0.0.7:51234", "{\"client\":\"10.0.0.7:51234\"}", true, NULL },
                { "client:[::1]:80", "{\"client\":\"[::1]:80\"}", true, NULL },
                { "client:[2001:DB8:0::1]:80", "{\"client\":\"[2001:db8::1]:80\"}", true, NULL },
                { "client:unix:", "{\"client\":\"unix:\"}", true, NULL },
                { "id:42", "{\"id\":42}", true, NULL },
                { "idle:10m", "{\"min_idle_ms\":600000}", false, NULL },
                { "age:1h30m idle:1s", "{\"min_age_ms\":5400000,\"min_idle_ms\":1000}", false,
                  NULL },
                { "web web pool:web", "{\"pool\":\"web\"}", true, NULL },
                /* told only when nothing fits */
                { "pool:wbe", "{\"pool\":\"wbe\"}", true, "no pool 'wbe'; did you mean 'web'?" },
                { "frontend:frnot", "{\"frontend\":\"frnot\"}", true,
                  "no frontend 'frnot'; did you mean 'front'?" },
                { "frontend:x", "{\"frontend\":\"x\"}", true, "no frontend 'x'" },
                { "backend:web/10.20.0.11:8081", "{\"backend\":\"web/10.20.0.11:8081\"}", true,
                  "no backend 'web/10.20.0.11:8081'; did you mean 'web/10.20.0.11:8080'?" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(session_terms_done) struct session_terms t = { .parameters = NULL };
                _cleanup_(str_freep) char *problem = NULL;
                json_t *wanted = json_loads(table[i].parameters, 0, NULL);

                if (read_line(&t, table[i].line, &problem) < 0)
                        fail_msg("'%s': %s", table[i].line, problem);
                if (!json_equal(t.parameters, wanted))
                        fail_msg("'%s': %s", table[i].line, json_dumps(t.parameters, JSON_COMPACT));
                assert_int_equal(t.names, table[i].names);
                assert_true(!t.doubt == !table[i].doubt);
                if (t.doubt)
                        assert_string_equal(t.doubt, table[i].doubt);
                json_decref(wanted);
        }
}

static void test_refused(void **state) {
        static const struct {
                const char *line;
                int code;
                const char *problem;
        } table[] = {
                { "id:0", -EINVAL, "id: '0' is not a number above 0" },
                { "id:-1", -EINVAL, "id: '-1' is not a number above 0" },
                { "id:99999999999999999999", -EINVAL,
                  "id: '99999999999999999999' is not a number above 0" },
                { "idle:10", -EINVAL, "idle: '10' is not a duration; write 10s or 1h30m" },
                { "age:", -EINVAL, "'age:' needs a value" },
                { "client:lb1.example", -EINVAL,
                  "client: 'lb1.example' is not an address; write 10.0.0.7, 10.0.0.7:51234 or "
                  "[::1]:51234" },
                { "pool:web pool:api", -EINVAL,
                  "pool: is given twice, and no connection has both" },
                { "10.20.0.11:8080 pool:api", -EINVAL,
                  "pool: is given twice, and no connection has both" },
                { "id:1 id:2", -EINVAL, "id: is given twice, and no connection has both" },
                { "wbe/10.20.0.11:8080", -ENOENT,
                  "no pool 'wbe'; did you mean 'web/10.20.0.11:8080'?" },
                { "10.20.0.11:8081", -ENOENT,
                  "no backend '10.20.0.11:8081'; did you mean 'web/10.20.0.11:8080'?" },
                { "bakend:10.20.0.11:8080", -ENOENT,
                  "no backend and no pool 'bakend:10.20.0.11:8080'; did you mean "
                  "'backend:10.20.0.11:8080'?" },
                { "192.0.2.7", -ENOENT,
                  "no backend '192.0.2.7'; a client is meant by client:192.0.2.7" },
                { "nonsense", -ENOENT, "no backend 'nonsense'; all there are: bal backend list" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(session_terms_done) struct session_terms t = { .parameters = NULL };
                _cleanup_(str_freep) char *problem = NULL;

                assert_int_equal(read_line(&t, table[i].line, &problem), table[i].code);
                assert_string_equal(problem, table[i].problem);
        }
}

static void test_needs_names(void **state) {
        static const char *const none[] = { "id:7", "client:10.0.0.7", "idle:1s", "age:1s" },
                                 *const some[] = { "id:7", "pool:web" }, *const bare[] = { "web" };

        (void)state;
        assert_false(session_terms_need_names(none, ELEMENTS(none)));
        assert_false(session_terms_need_names(NULL, 0));
        assert_true(session_terms_need_names(some, ELEMENTS(some)));
        assert_true(session_terms_need_names(bare, ELEMENTS(bare)));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_understood),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_needs_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
