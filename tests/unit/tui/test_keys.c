/* SPDX-License-Identifier: MIT */
#include "rig.h"

/* A key that stands in two rows would do what only one of them says. */
static void test_once(void **state) {
        (void)state;
        for (size_t i = 0; i < n_keys; i++) {
                assert_true(*keys[i].help && *keys[i].names);
                for (size_t k = 0; k < KEYS_PER_ROW && keys[i].keys[k]; k++)
                        assert_ptr_equal(key_find(keys[i].keys[k]), &keys[i]);
        }
}

static void test_rules(void **state) {
        static const char movement[] = "hjklgG";

        (void)state;
        assert_true(key_find('q')->run == do_quit);
        assert_true(key_find(KEY_F1 + 9)->run == do_quit);
        assert_true(key_find(KEY_ESC)->run != do_quit);
        assert_true(keys[n_keys - 1].run == do_quit); /* the key bar ends with it */
        for (int n = 1; n <= 12; n++) {
                const struct key_row *row = key_find(KEY_F1 + n - 1);

                if (n == 2 || n == 7 || n == 8 || n == 9)
                        assert_null(row);
                assert_true(!row || row->run != do_action);
        }
        for (const char *p = movement; *p; p++)
                assert_true(!key_find(*p) || key_find(*p)->run != do_action);
}

/* The help is made of these rows: what it says a key is called is what the row has. */
static void test_names(void **state) {
        (void)state;
        for (size_t i = 0; i < n_keys; i++) {
                for (size_t k = 0; k < KEYS_PER_ROW && keys[i].keys[k]; k++) {
                        int key = keys[i].keys[k];

                        if (key > ' ' && key < 127)
                                assert_non_null(strchr(keys[i].names, key));
                }
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_once),
                cmocka_unit_test(test_rules),
                cmocka_unit_test(test_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
