/* SPDX-License-Identifier: MIT */
#include "core/paths.h"

#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void set(const char *name, const char *value) {
        assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static void test_join(void **state) {
        char *path;

        (void)state;
        assert_int_equal(paths_join(&path, "/run/bal", "admin.sock"), 0);
        assert_string_equal(path, "/run/bal/admin.sock");
        free(path);
}

static void test_runtime_dir(void **state) {
        static const struct {
                const char *runtime, *home, *dir, *why;
        } rows[] = {
                { "/run/bal", "/home/u", "/run/bal", "systemd's" },
                { "/run/bal:/run/other", "/home/u", "/run/bal", "the first of several" },
                { NULL, "/home/u", "/home/u/.bal", "none" },
                { "", "/home/u", "/home/u/.bal", "empty" },
                { "bal", "/home/u", "/home/u/.bal", "not absolute" },
                { ":/run/bal", "/home/u", "/home/u/.bal", "the first is empty" },
        };
        char *dir;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                set("RUNTIME_DIRECTORY", rows[i].runtime);
                set("HOME", rows[i].home);
                assert_int_equal(paths_runtime_dir(&dir), 0);
                if (strcmp(dir, rows[i].dir) != 0)
                        fail_msg("%s: %s", rows[i].why, dir);
                free(dir);
        }
}

/* Without a usable $HOME the password database knows. */
static void test_home_dir(void **state) {
        static const char *const homes[] = { NULL, "", "relative/path" };
        const struct passwd *pw = getpwuid(geteuid());
        char expected[4096], *dir;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(homes); i++) {
                set("HOME", homes[i]);
                if (!pw || pw->pw_dir[0] != '/') {
                        assert_int_equal(paths_home_dir(&dir), -ENOENT);
                        continue;
                }
                snprintf(expected, sizeof(expected), "%s/.bal", pw->pw_dir);
                assert_int_equal(paths_home_dir(&dir), 0);
                assert_string_equal(dir, expected);
                free(dir);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_join),
                cmocka_unit_test(test_runtime_dir),
                cmocka_unit_test(test_home_dir),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
