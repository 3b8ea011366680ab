/* SPDX-License-Identifier: MIT */

#include "rig.h"

#include <jansson.h>

#include "config/report.h"

static const char text[] = "mode: x\nport: 0\nbackends: [ { host: a, port: 1 } ]\n";

static void test_lists(void **state) {
        struct config *c;
        struct diags d;
        json_t *errors, *warnings, *all, *first;

        (void)state;
        assert_int_equal(load(&c, &d, text), -EINVAL);
        errors = report_errors(&d);
        warnings = report_warnings(&d);
        all = report_diagnostics(&d);

        assert_int_equal(json_array_size(errors), 1);
        assert_string_equal(json_string_value(json_array_get(errors, 0)),
                            "t.yaml:2:7: error[E021]: 0 is below the minimum of 1");
        assert_int_equal(json_array_size(warnings), 1);
        assert_string_equal(json_string_value(json_array_get(warnings, 0)),
                            "t.yaml:1:1: warning[W001]: 'mode' is ignored");

        assert_int_equal(json_array_size(all), 2);
        first = json_array_get(all, 1);
        assert_string_equal(json_string_value(json_object_get(first, "severity")), "error");
        assert_string_equal(json_string_value(json_object_get(first, "code")), "E021");
        assert_string_equal(json_string_value(json_object_get(first, "file")), "t.yaml");
        assert_int_equal(json_integer_value(json_object_get(first, "line")), 2);
        assert_int_equal(json_integer_value(json_object_get(first, "column")), 7);
        assert_int_equal(json_integer_value(json_object_get(first, "end_column")), 8);
        assert_string_equal(json_string_value(json_object_get(first, "message")),
                            "value out of range for port");
        assert_string_equal(json_string_value(json_object_get(first, "hint")),
                            "use 1 to 65535 (default 9295)");

        json_decref(errors);
        json_decref(warnings);
        json_decref(all);
        diags_done(&d);
}

/* A file whose name is not UTF-8, and a problem of the whole file: still JSON, no place. */
static void test_odd_file(void **state) {
        struct config *c = NULL;
        struct diags d;
        json_t *errors;

        (void)state;
        diags_init(&d);
        assert_int_equal(config_load(&c, "/nowhere/\xff\n", &d), -ENOENT);
        errors = report_errors(&d);
        assert_non_null(errors);
        assert_string_equal(json_string_value(json_array_get(errors, 0)),
                            "/nowhere/?\?: error[E001]: No such file or directory");
        json_decref(errors);
        diags_done(&d);
}

static void test_none(void **state) {
        struct diags d;
        json_t *list;

        (void)state;
        diags_init(&d);
        list = report_errors(&d);
        assert_true(json_is_array(list));
        assert_int_equal(json_array_size(list), 0);
        json_decref(list);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lists),
                cmocka_unit_test(test_odd_file),
                cmocka_unit_test(test_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
