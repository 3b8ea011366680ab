/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/event_line.h"
#include "core/str.h"

#define RECORD(level, fields)                                                                      \
        "{\"number\":3,\"timestamp\":\"2026-11-20T12:04:28.412Z\",\"level\":\"" level              \
        "\",\"message\":\"it is so\",\"module\":\"health\",\"event\":\"backend_state\","           \
        "\"fields\":{" fields "}}"
#define AT "2026-11-20 12:04:28Z "

static json_t *load(const char *text) {
        json_t *j = json_loads(text, 0, NULL);

        if (!j)
                fail_msg("%s", text);
        return j;
}

static void test_line(void **state) {
        static const struct {
                const char *record, *line;
                bool colour, verbose;
        } table[] = {
                { RECORD("INFO", ""), AT "INFO  it is so\n", true, false },
                { RECORD("WARN", "\"pool\":\"web\",\"n\":7,\"on\":true,\"none\":null"),
                  AT "WARN  it is so  pool=web n=7 on=true none=null\n", false, false },
                { RECORD("WARN", ""), AT "\033[33mWARN\033[0m  \033[33mit is so\033[0m\n", true,
                  false },
                { RECORD("ERROR", ""), AT "\033[1;31mERROR\033[0m \033[1;31mit is so\033[0m\n",
                  true, false },
                { RECORD("INFO", "\"a\":\"two words\",\"b\":\"\",\"c\":\"q\\\"\\\\q\""),
                  AT "INFO  it is so  a=\"two words\" b=\"\" c=\"q\\\"\\\\q\"\n", false, false },
                { RECORD("INFO", "\"a\":\"\\u001b[2J\",\"\\u0007b\":1"),
                  AT "INFO  it is so  a=?[2J ?b=1\n", false, false },
                { RECORD("INFO", "\"a\":\"\\u202ex\\udb40\\udc41\",\"b\":\"\\u200b \\u2066\""),
                  AT "INFO  it is so  a=?x? b=\"? ?\"\n", false, false },
                { RECORD("INFO", "\"a\":1"),
                  "2026-11-20T12:04:28.412Z INFO  it is so  a=1 event=backend_state "
                  "module=health\n",
                  false, true },
                /* of a daemon that is not quite right */
                { "{}", "? ?     ?\n", false, false },
                { "{\"timestamp\":\"soon\",\"level\":7,\"message\":[],\"fields\":8}",
                  "soon ?     ?\n", false, false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                _cleanup_(str_freep) char *text = NULL;
                size_t n = 0;
                struct out o = { .file = open_memstream(&text, &n), .colour = table[i].colour };
                json_t *record = load(table[i].record);

                event_line(&o, record, table[i].verbose);
                fclose(o.file);
                assert_string_equal(text, table[i].line);
                json_decref(record);
        }
}

/* Numbers and times, as N@T. */
static json_t *records(const char *list) {
        _cleanup_(str_freep) char *copy = str_printf("%s", list);
        char *rest = copy, *word;
        json_t *all = json_array();

        while ((word = strsep(&rest, " "))) {
                int number;
                char time;

                if (sscanf(word, "%d@%c", &number, &time) == 2)
                        json_array_append_new(all, json_pack("{s:i, s:s%}", "number", number,
                                                             "timestamp", &time, (size_t)1));
        }
        return all;
}

static void test_goes_on(void **state) {
        static const struct {
                const char *last, *now;
                bool goes_on;
                size_t known; /* so many of now */
        } table[] = {
                { "5@c", "3@a 4@b 5@c 6@d", true, 3 },
                { "5@c", "5@c", true, 1 },
                { "5@c", "600@z 601@z", true, 0 },  /* it is not kept any more */
                { "5@c", "0@x 1@x", false, 2 },     /* another daemon */
                { "5@c", "3@x 5@x 6@x", false, 2 }, /* it has a fifth record, too */
                { "5@c", "3@x 6@x", false, 1 },
                { "5@c", "", false, 0 },
                { "", "0@a", false, 0 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                json_t *old = records(table[i].last), *now = records(table[i].now), *record;
                const json_t *last = json_array_get(old, 0);
                size_t known = 0, k;

                assert_int_equal(event_goes_on(now, last), table[i].goes_on);
                json_array_foreach(now, k, record)
                        known += event_is_known(record, last);
                assert_int_equal(known, table[i].known);
                json_decref(old);
                json_decref(now);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_line),
                cmocka_unit_test(test_goes_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
