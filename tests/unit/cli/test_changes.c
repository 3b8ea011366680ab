/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/changes.h"

#define CHANGE(action, object, pool, name, text)                                                   \
        "{\"action\":\"" action "\",\"object\":\"" object "\",\"pool\":" pool ",\"name\":\"" name  \
        "\",\"text\":\"" text "\"}"

static const char some[] =
        "{\"changes\":[" CHANGE("removed", "backend", "\"web\"", "10.20.0.9:8080", "") "," CHANGE(
                "changed",
                "backend",
                "\"web\"",
                "\xed\x95\x9c\xea\xb8\x80:80",
                "weight 1 -> 3") "," CHANGE("changed",
                                            "global",
                                            "null",
                                            "workers",
                                            "2 -> 4") "," CHANGE("added",
                                                                 "listener",
                                                                 "null",
                                                                 "0.0.0.0:8081",
                                                                 "frontend web") "," CHANGE("turned",
                                                                                            "thing",
                                                                                            "null",
                                                                                            "\\u001b[31mx",
                                                                                            "\\n") "],\"changes_total\":5}";

static char *rendered(const json_t *doc, bool all, bool colour, bool connections) {
        char *text = NULL;
        size_t size = 0;
        struct out o = { .file = open_memstream(&text, &size), .colour = colour };

        assert_non_null(o.file);
        if (connections)
                changes_connections(&o, doc);
        else
                changes_print(&o, doc, all);
        fclose(o.file);
        assert_int_equal(o.error, 0);
        return text;
}

static void test_rows(void **state) {
        json_t *doc = json_loads(some, 0, NULL);
        char *text;

        (void)state;
        assert_non_null(doc);
        text = rendered(doc, false, false, false);
        assert_string_equal(text, "  -  removed  backend   web/10.20.0.9:8080\n"
                                  "  ~  changed  backend   web/\xed\x95\x9c\xea\xb8\x80:80"
                                  "         weight 1 -> 3\n"
                                  "  ~  changed  global    workers             2 -> 4\n"
                                  "  +  added    listener  0.0.0.0:8081        frontend web\n"
                                  "  ?  turned   thing     ?[31mx              ?\n");
        free(text);
        text = rendered(doc, false, true, false);
        assert_non_null(strstr(text, "\033[1;31mremoved\033[0m"));
        assert_non_null(strstr(text, "\033[32m+\033[0m"));
        free(text);
        json_decref(doc);
}

static void test_many(void **state) {
        json_t *doc = json_loads(some, 0, NULL), *list = json_object_get(doc, "changes");
        size_t rows = 0;
        char *text;

        (void)state;
        for (int i = 0; i < 30; i++)
                json_array_append(list, json_array_get(list, 0));
        json_object_set_new(doc, "changes_total", json_integer(1200));
        text = rendered(doc, false, false, false);
        for (char *s = text; *s; s++)
                rows += *s == '\n';
        assert_int_equal(rows, CHANGES_ROWS_MAX + 1);
        assert_non_null(strstr(text, "\n  ... and 1180 more (--verbose lists them)\n"));
        free(text);
        text = rendered(doc, true, false, false);
        assert_non_null(strstr(text, "\n  ... and 1165 more\n"));
        free(text);
        json_decref(doc);
}

static void test_nothing(void **state) {
        static const char *const none[] = { "{}", "{\"changes\":[],\"changes_total\":0}",
                                            "{\"changes\":[null,5,{}],\"changes_total\":\"x\"}",
                                            "{\"changes\":7,\"changes_total\":-3}" };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(none); i++) {
                json_t *doc = json_loads(none[i], 0, NULL);
                char *text = rendered(doc, false, false, false);

                assert_non_null(doc);
                if (i != 2)
                        assert_string_equal(text, "");
                free(text);
                json_decref(doc);
        }
}

static void test_connections(void **state) {
        static const struct {
                int kept, draining;
                const char *text;
        } table[] = {
                { 0, 0, "  connections  0 stay\n" },
                { 1, 0, "  connections  1 stays\n" },
                { 14210, 12,
                  "  connections  14210 stay, 12 of them until they end: their backends are "
                  "removed\n" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                json_t *doc = json_pack("{s:i, s:i}", "connections_kept", table[i].kept,
                                        "connections_draining", table[i].draining);
                char *text = rendered(doc, false, false, true);

                assert_string_equal(text, table[i].text);
                free(text);
                json_decref(doc);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_nothing),
                cmocka_unit_test(test_connections),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
