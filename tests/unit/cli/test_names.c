/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/names.h"
#include "core/str.h"

#define HANGUL "\xed\x95\x9c\xea\xb8\x80.example:80"

static const char text[] =
        "{\"backends\":["
        "{\"pool\":\"web\",\"name\":\"10.20.0.11:8080\",\"state\":\"up\"},"
        "{\"pool\":\"web\",\"name\":\"10.20.0.22:8080\",\"state\":\"drain\"},"
        "{\"pool\":\"api\",\"name\":\"10.20.0.22:8080\",\"state\":\"up\"},"
        "{\"pool\":\"api\",\"name\":\"" HANGUL "\",\"state\":\"down\"},"
        "{\"pool\":\"api\",\"name\":\"[2001:db8::5]:5432\",\"state\":\"up\"},"
        "{\"pool\":\"web2\",\"name\":\"unix:/run/app.sock\",\"state\":\"up\"},"
        "{\"pool\":\"web2\",\"address\":\"db1.example:5432\",\"state\":\"nosuch\"},"
        "null, 7, {}, {\"name\":5}]}";

static json_t *document(void) {
        json_t *doc = json_loads(text, 0, NULL);

        assert_non_null(doc);
        return doc;
}

static void test_found(void **state) {
        static const struct {
                const char *text, *pool, *name;
        } table[] = {
                { "10.20.0.11:8080", "web", "10.20.0.11:8080" },
                { "web/10.20.0.11:8080", "web", "10.20.0.11:8080" },
                { "api/10.20.0.22:8080", "api", "10.20.0.22:8080" },
                { HANGUL, "api", HANGUL },
                { "api/" HANGUL, "api", HANGUL },
                { "[2001:db8::5]:5432", "api", "[2001:db8::5]:5432" },
                { "unix:/run/app.sock", "web2", "unix:/run/app.sock" },
                { "web2/unix:/run/app.sock", "web2", "unix:/run/app.sock" },
                { "db1.example:5432", "web2", "db1.example:5432" }, /* it has an address only */
        };
        json_t *doc = document();

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(str_freep) char *problem = NULL;
                struct backend_name n;

                if (name_find(&n, doc, table[i].text, &problem) < 0)
                        fail_msg("'%s': %s", table[i].text, problem);
                assert_string_equal(n.pool, table[i].pool);
                assert_string_equal(n.name, table[i].name);
        }
        json_decref(doc);
}

static void test_not_found(void **state) {
        static const struct {
                const char *text;
                int result;
                const char *problem;
        } table[] = {
                { "10.20.0.22:8080", -ENOTUNIQ,
                  "'10.20.0.22:8080' is in 2 pools; say which: web/10.20.0.22:8080, "
                  "api/10.20.0.22:8080" },
                { "10.20.0.12:8080", -ENOENT,
                  "no backend '10.20.0.12:8080'; did you mean 'web/10.20.0.11:8080'?" },
                { "web/10.20.0.2:8080", -ENOENT,
                  "no backend 'web/10.20.0.2:8080'; did you mean 'web/10.20.0.22:8080'?" },
                { "10.20.0.11", -ENOENT,
                  "no backend '10.20.0.11'; did you mean 'web/10.20.0.11:8080'?" },
                { "db1.exmaple:5432", -ENOENT,
                  "no backend 'db1.exmaple:5432'; did you mean 'web2/db1.example:5432'?" },
                { "unix:/run/ap.sock", -ENOENT,
                  "no backend 'unix:/run/ap.sock'; did you mean 'web2/unix:/run/app.sock'?" },
                { "192.0.2.1:1", -ENOENT,
                  "no backend '192.0.2.1:1'; all there are: bal backend list" },
                { "ap/10.20.0.22:8080", -ENOENT,
                  "no pool 'ap'; did you mean 'api/10.20.0.22:8080'?" },
                { "nothing/10.20.0.22:8080", -ENOENT,
                  "no pool 'nothing'; all there are: bal backend list" },
                { "web", -ENOENT,
                  "'web' is a pool; say which of its backends: bal backend list web" },
                { "", -ENOENT, NULL },
                { "/", -ENOENT, NULL },
                { "web/", -ENOENT, NULL },
        };
        json_t *doc = document();

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(str_freep) char *problem = NULL;
                struct backend_name n;

                assert_int_equal(name_find(&n, doc, table[i].text, &problem), table[i].result);
                assert_non_null(problem);
                if (table[i].problem)
                        assert_string_equal(problem, table[i].problem);
        }
        json_decref(doc);
}

static void test_filter(void **state) {
        static const struct {
                const char *text;
                size_t n;
                const char *problem;
        } table[] = {
                { "web", 2, NULL }, /* the pool, and not web2 */
                { "we", 4, NULL },
                { "pool:web2", 2, NULL },
                { "pool:we", 0, "no pool 'we'; did you mean 'web'?" },
                { "pool:nothing", 0, "no pool 'nothing'" },
                { "state:drain", 1, NULL },
                { "state:down", 6, NULL },  /* what is not known is trouble */
                { "state:maint", 0, NULL }, /* a good question, and nobody is */
                { "state:dwon", 0, "no state 'dwon'; did you mean 'down'?" },
                { "state:x", 0, "no state 'x'; use up, cool, down, drain or maint" },
                { "10.20.0.22", 2, NULL },
                { "API/10", 1, NULL },
                { "wbe", 0, "no pool 'wbe'; did you mean 'web'?" },
                { "10.20.0.99:8080", 0,
                  "no backend '10.20.0.99:8080'; did you mean 'web/10.20.0.11:8080'?" },
        };
        json_t *doc = document(), *b;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                struct name_filter f = name_filter(doc, table[i].text);
                _cleanup_(str_freep) char *problem = NULL;
                size_t n = 0, k;

                json_array_foreach(json_object_get(doc, "backends"), k, b)
                        n += name_fits(b, &f);
                if (n != table[i].n)
                        fail_msg("'%s': %zu", table[i].text, n);
                if (n > 0)
                        continue;
                problem = name_filter_problem(doc, &f);
                if (!table[i].problem)
                        assert_null(problem);
                else
                        assert_string_equal(problem, table[i].problem);
        }
        json_decref(doc);
}

/* Of many pools the first are named, and it is said that there are more. */
static void test_many_pools(void **state) {
        _cleanup_(str_freep) char *problem = NULL;
        json_t *doc = json_pack("{s:[]}", "backends"), *list = json_object_get(doc, "backends");
        struct backend_name n;

        (void)state;
        for (int i = 0; i < 12; i++)
                json_array_append_new(list, json_pack("{s:o, s:s}", "pool", json_sprintf("p%d", i),
                                                      "name", "a:1"));
        assert_int_equal(name_find(&n, doc, "a:1", &problem), -ENOTUNIQ);
        assert_string_equal(problem, "'a:1' is in 12 pools; say which: p0/a:1, p1/a:1, p2/a:1, "
                                     "p3/a:1, p4/a:1, p5/a:1, p6/a:1, p7/a:1, ...");
        json_decref(doc);
}

static void test_no_document(void **state) {
        _cleanup_(str_freep) char *problem = NULL;
        struct backend_name n;

        (void)state;
        assert_int_equal(name_find(&n, NULL, "a:1", &problem), -ENOENT);
        assert_string_equal(problem, "no backend 'a:1'; all there are: bal backend list");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_found),       cmocka_unit_test(test_not_found),
                cmocka_unit_test(test_filter),      cmocka_unit_test(test_many_pools),
                cmocka_unit_test(test_no_document),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
