/* SPDX-License-Identifier: MIT */
/* test_names FILE.. - the .varlink files in the order of BAL_INTERFACES. */

#include "varlink/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base.h"

static char **idl_paths;

static void test_names_are_found(void **state) {
        (void)state;
        for (int i = 0; i < BAL_INTERFACES_COUNT; ++i) {
                const char *name = bal_interface_name(i);

                assert_int_equal(varlink_interface_find(name, strlen(name)), i);
                assert_int_equal(varlink_interface_find(name, strlen(name) - 1), -ENOENT);
                assert_int_equal(varlink_check_interface(name, strlen(name)), 0);
        }
        for (int m = 0; m < BAL_METHODS_COUNT; ++m) {
                assert_int_equal(varlink_method_find(bal_method_name(m)), m);
                assert_int_equal(varlink_check_method(bal_method_name(m)), 0);
        }
        for (int e = 0; e < BAL_ERRORS_COUNT; ++e) {
                assert_int_equal(bal_error_find(bal_error_name(e)), e);
                assert_int_equal(varlink_check_method(bal_error_name(e)), 0);
        }
        assert_int_equal(varlink_method_find("io.bal.Status.Gut"), -ENOENT);
        assert_int_equal(bal_error_find("io.bal.Admin.Bus"), -ENOENT);
        assert_int_equal(bal_error_find(""), -ENOENT);
        assert_string_equal(bal_method_name(BAL_METHOD_RELOAD), "io.bal.Admin.Reload");
        assert_string_equal(bal_error_name(BAL_ERROR_NO_METHOD),
                            "org.varlink.service.MethodNotFound");
}

static void test_sockets(void **state) {
        (void)state;
        assert_true(varlink_interface_on(BAL_INTERFACE_STATUS, BAL_SOCKET_STATUS));
        assert_false(varlink_interface_on(BAL_INTERFACE_ADMIN, BAL_SOCKET_STATUS));
        for (int i = 0; i < BAL_INTERFACES_COUNT; ++i)
                assert_true(varlink_interface_on(i, BAL_SOCKET_ADMIN));
        assert_int_equal(varlink_method_interface(BAL_METHOD_STOP), BAL_INTERFACE_ADMIN);
        assert_int_equal(varlink_method_interface(BAL_METHOD_GET), BAL_INTERFACE_STATUS);
}

static void test_parameters(void **state) {
        (void)state;
        assert_true(varlink_method_takes(BAL_METHOD_GET_DESCRIPTION, "interface"));
        assert_false(varlink_method_takes(BAL_METHOD_GET_DESCRIPTION, "inter"));
        assert_false(varlink_method_takes(BAL_METHOD_GET_DESCRIPTION, "interfaces"));
        assert_false(varlink_method_takes(BAL_METHOD_GET_DESCRIPTION, ""));
        assert_false(varlink_method_takes(BAL_METHOD_GET, ""));
        assert_false(varlink_method_takes(BAL_METHOD_GET, "x"));
        /* each of several, and nothing of what stands between them */
        assert_true(varlink_method_takes(BAL_METHOD_SET_WEIGHT, "pool"));
        assert_true(varlink_method_takes(BAL_METHOD_SET_WEIGHT, "backend"));
        assert_true(varlink_method_takes(BAL_METHOD_SET_WEIGHT, "confirmed"));
        assert_false(varlink_method_takes(BAL_METHOD_SET_WEIGHT, "pool,"));
        assert_false(varlink_method_takes(BAL_METHOD_SET_WEIGHT, ","));
        assert_false(varlink_method_takes(BAL_METHOD_SET_WEIGHT, ""));
        assert_false(varlink_method_takes(BAL_METHOD_SET_WEIGHT, "pool, backend"));
        assert_false(varlink_method_more(BAL_METHOD_GET));
}

static void test_length(void **state) {
        char name[600];

        (void)state;
        memset(name, 'a', sizeof(name));
        memcpy(name, "io.", 3);
        assert_int_equal(varlink_check_interface(name, 255), 0);
        assert_int_equal(varlink_check_interface(name, 256), -EINVAL);
        assert_int_equal(varlink_check_interface(name, 0), -EINVAL);

        memcpy(name, "io.bal.A", 8);
        name[7 + 255] = '\0';
        assert_int_equal(varlink_check_method(name), 0);
        name[7 + 255] = 'a';
        name[7 + 256] = '\0';
        assert_int_equal(varlink_check_method(name), -EINVAL);
}

/* What GetInterfaceDescription answers is the file, to the byte, and the file of that interface. */
static void test_descriptions(void **state) {
        (void)state;
        for (int i = 0; i < BAL_INTERFACES_COUNT; ++i) {
                static char text[65536];
                char first[128];
                FILE *f = fopen(idl_paths[i], "re");
                size_t n;

                assert_non_null(f);
                n = fread(text, 1, sizeof(text) - 1, f);
                text[n] = '\0';
                fclose(f);

                assert_true(n > 0);
                assert_string_equal(varlink_description(i), text);
                snprintf(first, sizeof(first), "\ninterface %s\n", bal_interface_name(i));
                assert_non_null(strstr(text, first));
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names_are_found), cmocka_unit_test(test_sockets),
                cmocka_unit_test(test_parameters),      cmocka_unit_test(test_length),
                cmocka_unit_test(test_descriptions),
        };

        if (argc != 1 + BAL_INTERFACES_COUNT) {
                fprintf(stderr, "usage: test_names FILE.varlink.. (%d)\n", BAL_INTERFACES_COUNT);
                return 2;
        }
        idl_paths = argv + 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
