/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/screen.h"

#define HOME "\033[H"
#define EOL  "\033[K\n"
#define REST "\033[J"
#define RED  "\033[1;31m"
#define OFF  "\033[0m"

static void test_frame(void **state) {
        static const struct {
                const char *text;
                unsigned columns, rows;
                const char *frame;
        } table[] = {
                { "one\ntwo\n", 80, 24, HOME "one" EOL "two" EOL REST },
                { "", 80, 24, HOME REST },
                { "no newline", 80, 24, HOME "no newline" EOL REST },
                { "\n\nx\n", 80, 24, HOME EOL EOL "x" EOL REST },
                { "one\ntwo\n", 0, 0, HOME "one" EOL "two" EOL REST }, /* unknown: nothing is cut */
                /* behind the last column nothing is erased: it would be that column */
                { "longer than that\n", 6, 24,
                  HOME "longer"
                       "\n" REST },
                { "fits\n", 4, 24,
                  HOME "fits"
                       "\n" REST },
                /* wide letters: two cells each, and none is cut in half */
                { "\xed\x95\x9c\xea\xb8\x80x\n", 4, 24, HOME "\xed\x95\x9c\xea\xb8\x80\n" REST },
                { "\xed\x95\x9c\xea\xb8\x80x\n", 3, 24, HOME "\xed\x95\x9c" EOL REST },
                { "\xed\x95\x9c\xea\xb8\x80x\n", 1, 24, HOME EOL REST },
                /* colours take no room and are switched off behind the edge too */
                { "a" RED "DOWN" OFF "b\n", 6, 24, HOME "a" RED "DOWN" OFF "b\n" REST },
                { "a" RED "DOWN" OFF "b\n", 3, 24, HOME "a" RED "DO" OFF "\n" REST },
                { RED "DOWN" OFF " x\n", 4, 24, HOME RED "DOWN" OFF "\n" REST },
                { "abc" RED "\xed\x95\x9c" OFF "d\n", 4, 24, HOME "abc" RED OFF EOL REST },
                /* what does not fit is counted; the last row belongs to the cursor */
                { "1\n2\n3\n", 80, 4, HOME "1" EOL "2" EOL "3" EOL REST },
                { "1\n2\n3\n4\n", 80, 4, HOME "1" EOL "2" EOL "... and 2 more lines" EOL REST },
                { "1\n2\n3\n4\n", 7, 3, HOME "1" EOL "... and\n" REST },
                { "1\n2\n", 80, 2, HOME "... and 2 more lines" EOL REST },
                { "1\n2\n", 80, 1, HOME "1" EOL "2" EOL REST }, /* no room for anything anyhow */
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                const struct screen_size size = { .columns = table[i].columns,
                                                  .rows = table[i].rows };
                size_t n = 0;
                char *frame = screen_frame(table[i].text, size, false, &n);

                assert_non_null(frame);
                assert_int_equal(n, strlen(table[i].frame));
                assert_string_equal(frame, table[i].frame);
                free(frame);
        }
}

static void test_first(void **state) {
        size_t n = 0;
        char *frame =
                screen_frame("x\n", (struct screen_size){ .columns = 80, .rows = 24 }, true, &n);

        (void)state;
        assert_non_null(frame);
        assert_string_equal(frame, HOME "\033[2Jx" EOL REST);
        free(frame);
}

static void test_terminal(void **state) {
        int tty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), ends[2];
        struct winsize w = { .ws_col = 37, .ws_row = 11 };
        struct screen_size size;

        (void)state;
        assert_true(tty >= 0);
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(ioctl(tty, TIOCSWINSZ, &w), 0);
        setenv("TERM", "xterm", 1);
        assert_true(screen_possible(tty));
        assert_false(screen_possible(ends[1]));
        setenv("TERM", "dumb", 1);
        assert_false(screen_possible(tty));
        unsetenv("TERM");
        assert_false(screen_possible(tty));
        size = screen_size(tty);
        assert_int_equal(size.columns, 37);
        assert_int_equal(size.rows, 11);
        size = screen_size(ends[1]);
        assert_int_equal(size.columns, 0);
        close(tty);
        close(ends[0]);
        close(ends[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_frame),
                cmocka_unit_test(test_first),
                cmocka_unit_test(test_terminal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
