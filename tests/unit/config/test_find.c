/* SPDX-License-Identifier: MIT */

#include "rig.h"

#include <sys/stat.h>
#include <unistd.h>

#include "config/find.h"

static char home[] = "/tmp/bal-test-XXXXXX";

static int set_up(void **state) {
        (void)state;
        return mkdtemp(home) && setenv("HOME", home, 1) == 0 ? 0 : -1;
}

static int tear_down(void **state) {
        (void)state;
        return rmdir(home);
}

static void test_given(void **state) {
        char *path = NULL;

        (void)state;
        assert_int_equal(config_find(&path, "/nowhere/c.yaml"), -ENOENT);
        assert_string_equal(path, "/nowhere/c.yaml");
        free(path);
        assert_int_equal(config_find(&path, "/proc/self/status"), 0);
        assert_string_equal(path, "/proc/self/status");
        free(path);
}

/* None, then the first one, which loads without a warning and is not written a second time. */
static void test_first(void **state) {
        char *path = NULL, wanted[128], dir[64];
        struct config *c = NULL;
        struct diags d;
        struct stat st;
        int r;

        (void)state;
        snprintf(dir, sizeof(dir), "%s/.bal", home);
        snprintf(wanted, sizeof(wanted), "%s/config.yaml", dir);
        r = config_find(&path, NULL);
        if (access("/etc/bal/config.yaml", F_OK) == 0) { /* bal is installed on this machine */
                assert_int_equal(r, 0);
                assert_string_equal(path, "/etc/bal/config.yaml");
        } else {
                assert_int_equal(r, -ENOENT);
                assert_string_equal(path, wanted);
        }
        free(path);

        assert_int_equal(config_write_first(wanted), 0);
        assert_int_equal(config_write_first(wanted), -EEXIST);
        assert_int_equal(stat(wanted, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(stat(dir, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);

        assert_int_equal(config_find(&path, NULL), 0);
        assert_string_equal(path, wanted);
        diags_init(&d);
        assert_int_equal(config_load(&c, path, &d), 0);
        assert_int_equal(d.n_warnings, 0);
        assert_int_equal(addr_port(&c->frontends[0].listen[0]), 9295);
        assert_int_equal(c->pools[0].n_endpoints, 1);
        assert_string_equal(c->pools[0].endpoints[0].name, "127.0.0.1:9000");
        config_unref(c);
        diags_done(&d);
        free(path);

        unlink(wanted);
        rmdir(dir);
}

/* Never through a link that somebody else has laid. */
static void test_link(void **state) {
        char path[128], target[128];

        (void)state;
        snprintf(path, sizeof(path), "%s/config.yaml", home);
        snprintf(target, sizeof(target), "%s/target", home);
        assert_int_equal(symlink(target, path), 0);
        assert_int_equal(config_write_first(path), -EEXIST);
        assert_int_not_equal(access(target, F_OK), 0);
        unlink(path);
        assert_int_equal(config_write_first("/nowhere/at/all/c.yaml"), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_given),
                cmocka_unit_test(test_first),
                cmocka_unit_test(test_link),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
