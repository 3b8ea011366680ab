/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/table.h"

static const char *const names[] = { "NO_COLOR", "BAL_NO_COLOR", "CLICOLOR_FORCE", "TERM" };

static void set_environment(const char *const values[static 4]) {
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                if (values[i])
                        setenv(names[i], values[i], 1);
                else
                        unsetenv(names[i]);
        }
}

static void test_colour(void **state) {
        static const struct {
                const char *env[4]; /* NO_COLOR, BAL_NO_COLOR, CLICOLOR_FORCE, TERM */
                enum args_color color;
                bool on_tty, on_pipe;
        } table[] = {
                { { NULL, NULL, NULL, "xterm" }, COLOR_AUTO, true, false },
                { { NULL, NULL, NULL, "dumb" }, COLOR_AUTO, false, false },
                { { NULL, NULL, NULL, NULL }, COLOR_AUTO, false, false },
                { { "1", NULL, NULL, "xterm" }, COLOR_AUTO, false, false },
                { { "", NULL, NULL, "xterm" }, COLOR_AUTO, true, false },
                { { NULL, "1", NULL, "xterm" }, COLOR_AUTO, false, false },
                { { NULL, NULL, "1", "dumb" }, COLOR_AUTO, true, true },
                { { NULL, NULL, "0", "xterm" }, COLOR_AUTO, true, false },
                { { "1", NULL, "1", "xterm" }, COLOR_AUTO, false, false },
                { { "1", NULL, NULL, "dumb" }, COLOR_ALWAYS, true, true },
                { { NULL, NULL, "1", "xterm" }, COLOR_NEVER, false, false },
        };
        int tty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), ends[2];

        (void)state;
        assert_true(tty >= 0);
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                set_environment(table[i].env);
                if (out_wants_colour(tty, table[i].color) != table[i].on_tty ||
                    out_wants_colour(ends[1], table[i].color) != table[i].on_pipe)
                        fail_msg("row %zu", i);
        }
        close(tty);
        close(ends[0]);
        close(ends[1]);
}

/* A write that fails is told; so is one that only fails when the buffer is flushed. */
static void test_full_disk(void **state) {
        FILE *full = fopen("/dev/full", "w");
        struct out o = { .file = full };

        (void)state;
        assert_non_null(full);
        out_printf(&o, "text\n");
        assert_int_equal(out_finish(&o), -ENOSPC);
        fclose(full);

        full = fopen("/dev/full", "w");
        o = (struct out){ .file = full };
        setvbuf(full, NULL, _IONBF, 0);
        out_clean(&o, "text");
        errno = 0;
        assert_int_equal(out_finish(&o), -ENOSPC);
        out_json(&o, json_string("x"));
        fclose(full);
}

static void test_no_file(void **state) {
        struct out o = { .file = NULL };

        (void)state;
        out_printf(&o, "%d", 1);
        out_paint(&o, RED, "x");
        out_json(&o, out_document("bal.x"));
        assert_int_equal(out_finish(&o), 0);
}

static void test_text(void **state) {
        json_t *j = out_text("\xed\x95\x9c\x1b");

        (void)state;
        assert_string_equal(json_string_value(j), "\xed\x95\x9c\x1b"); /* escaped when written */
        json_decref(j);
        j = out_text("a\xff");
        assert_string_equal(json_string_value(j), "a?");
        json_decref(j);
        assert_true(json_is_null(out_text(NULL)));
}

static void test_json_is_ascii(void **state) {
        char *text = NULL;
        size_t size = 0;
        struct out o = { .file = open_memstream(&text, &size) };

        (void)state;
        out_json(&o, json_pack("{s:s}", "k", "\xed\x95\x9c\x1b\xc2\x9b"));
        fclose(o.file);
        assert_string_equal(text, "{\n  \"k\": \"\\uD55C\\u001B\\u009B\"\n}\n");
        free(text);
}

static void test_table(void **state) {
        char *text = NULL;
        size_t size = 0;
        struct out o = { .file = open_memstream(&text, &size), .colour = true };
        struct table t = { .columns = 3, .right = 2, .cells_max = 8, .indent = "  " };

        (void)state;
        table_add(&t, RED, "\xed\x95\x9c");
        table_add(&t, PLAIN, "1");
        table_add(&t, PLAIN, "a\x1b");
        table_add(&t, PLAIN, "abcdefghijkl");
        table_add(&t, PLAIN, "1000");
        table_add(&t, PLAIN, "b");
        table_print(&o, &t);
        table_done(&t);
        fclose(o.file);
        assert_string_equal(text, "  \033[1;31m\xed\x95\x9c\033[0m           1  a?\n"
                                  "  abc~ijkl  1000  b\n");
        free(text);
}

/* Columns that may shrink do, the widest first, as far as it is needed; others stay whole. */
static void test_narrow_table(void **state) {
        static const struct {
                unsigned columns;
                const char *text;
        } table[] = {
                { 0, "  NAME                        POOL\n"
                     "  [2001:db8:11~222:3333]:443  web   a note that stays as it is\n" },
                { 62, "  NAME                        POOL\n"
                      "  [2001:db8:11~222:3333]:443  web   a note that stays as it is\n" },
                { 60, "  NAME                      POOL\n"
                      "  [2001:db8:1~22:3333]:443  web   a note that stays as it is\n" },
                { 20, "  NAME                    POOL\n"
                      "  [2001:db8:~2:3333]:443  web   a note that stays as it is\n" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                char *text = NULL;
                size_t size = 0;
                struct out o = { .file = open_memstream(&text, &size),
                                 .columns = table[i].columns };
                struct table t = {
                        .columns = 4, .shrinks = 1, .optional = 4, .cells_max = 26, .indent = "  "
                };

                table_add(&t, PLAIN, "NAME");
                table_add(&t, PLAIN, "POOL");
                table_add(&t, PLAIN, "NOBODY");
                table_add(&t, PLAIN, "%s", "");
                table_add(&t, PLAIN, "[2001:db8:1111:2222:2222:2222:3333]:443");
                table_add(&t, PLAIN, "web");
                table_add(&t, PLAIN, "-"); /* an optional column of which nothing else is said */
                table_add(&t, PLAIN, "a note that stays as it is");
                table_print(&o, &t);
                table_done(&t);
                fclose(o.file);
                assert_string_equal(text, table[i].text);
                free(text);
        }
}

static void test_wrapped(void **state) {
        static const struct {
                unsigned columns;
                const char *note, *text;
        } table[] = {
                { 0, "weight 1 -> 3, backup false -> true; tuned for 3 backends",
                  " ab  weight 1 -> 3, backup false -> true; tuned for 3 backends\n" },
                { 26, "weight 1 -> 3, backup false -> true; tuned for 3 backends",
                  " ab  weight 1 -> 3,\n"
                  "     backup false -> true;\n"
                  "     tuned for 3 backends\n" },
                { 25, "weight 1 -> 3, backup false -> true; tuned for 3 backends",
                  " ab  weight 1 -> 3,\n"
                  "     backup false ->\n"
                  "     true;\n"
                  "     tuned for 3 backends\n" },
                /* a word that has no end is cut where the line ends; wide letters stay whole */
                { 25, "0123456789012345678901234", " ab  01234567890123456789\n     01234\n" },
                { 25,
                  "x\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c"
                  "\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c",
                  " ab  x\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c"
                  "\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c\n"
                  "     \xed\x95\x9c\n" },
                /* no room to wrap in: the terminal may do it */
                { 24, "0123456789012345678901234", " ab  0123456789012345678901234\n" },
                { 25, "", " ab\n" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                char *text = NULL;
                size_t size = 0;
                struct out o = { .file = open_memstream(&text, &size),
                                 .columns = table[i].columns };
                struct table t = { .columns = 2, .wraps = true, .indent = " " };

                table_add(&t, PLAIN, "ab");
                table_add(&t, PLAIN, "%s", table[i].note);
                table_print(&o, &t);
                table_done(&t);
                fclose(o.file);
                assert_string_equal(text, table[i].text);
                free(text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_colour),       cmocka_unit_test(test_full_disk),
                cmocka_unit_test(test_no_file),      cmocka_unit_test(test_text),
                cmocka_unit_test(test_table),        cmocka_unit_test(test_json_is_ascii),
                cmocka_unit_test(test_narrow_table), cmocka_unit_test(test_wrapped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
