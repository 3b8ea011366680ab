/* SPDX-License-Identifier: MIT */
#include "rig.h"

static unsigned type(struct rig *rig, const char *text) {
        unsigned what = 0;

        for (; *text; text++)
                what |= ui_key(&rig->ui, &rig->m, *text == '\n' ? KEY_RETURN : *text, 5000);
        return what;
}

static const char *prompt(struct rig *rig) {
        static char buf[512];

        return ui_prompt(&rig->ui, &rig->m, buf, sizeof(buf));
}

static void test_worst_first(void **state) {
        static const struct rig_backend swapped[] = {
                { "web", "10.0.0.1:80", "up", 5, 0 },
                { "web", "10.0.0.2:80", "up", 0, 0 },
                { "pg", "db1:5432", "down", 9, 0 },
                { "pg", "db2:5432", "up", 1, 0 },
        };
        struct rig rig;

        (void)state;
        rig_open(&rig, 80, 24);
        assert_int_equal(rig.ui.order[0], 1); /* down */
        assert_int_equal(rig.ui.order[1], 3); /* cool */
        assert_int_equal(rig.ui.order[2], 2); /* up, and more connections */
        type(&rig, "j");
        assert_string_equal(rig_selected(&rig), "db2:5432");

        rig_sample(&rig.m, swapped, 4, 1500);
        ui_refresh(&rig.ui, &rig.m, 1500, false);
        assert_int_equal(rig.ui.order[0], 1); /* not so soon again */
        ui_refresh(&rig.ui, &rig.m, 2000, false);
        assert_int_equal(rig.ui.order[0], 2);
        assert_string_equal(rig_selected(&rig), "db2:5432"); /* wherever it stands now */
        rig_close(&rig);
}

/* By connections only now and then, by trouble at once. */
static void test_settled(void **state) {
        static const struct rig_backend moved[] = {
                { "web", "10.0.0.1:80", "up", 50, 0 },
                { "web", "10.0.0.2:80", "down", 0, 2.1 },
                { "pg", "db1:5432", "up", 9, 0 },
                { "pg", "db2:5432", "cool", 1, 0.2 },
        };
        static const struct rig_backend worse[] = {
                { "web", "10.0.0.1:80", "up", 50, 0.1 },
                { "web", "10.0.0.2:80", "up", 70, 0 },
                { "pg", "db1:5432", "up", 9, 0 },
                { "pg", "db2:5432", "cool", 1, 0.2 },
        };
        struct rig rig;

        (void)state;
        rig_open(&rig, 80, 24);
        rig_sample(&rig.m, moved, 4, 2000);
        ui_refresh(&rig.ui, &rig.m, 2000, false);
        assert_int_equal(rig.ui.order[2], 2); /* as it was */
        ui_refresh(&rig.ui, &rig.m, 8000, false);
        assert_int_equal(rig.ui.order[2], 0);
        rig_sample(&rig.m, worse, 4, 9000);
        ui_refresh(&rig.ui, &rig.m, 9000, false);
        assert_int_equal(rig.ui.order[0], 3);
        assert_int_equal(rig.ui.order[1], 0);
        assert_int_equal(rig.ui.order[2], 1); /* it stood above the other */
        rig_close(&rig);
}

static void test_filter(void **state) {
        struct rig rig;

        (void)state;
        rig_open(&rig, 80, 24);
        type(&rig, "/db");
        assert_int_equal(rig.ui.n_order, 2); /* as you type */
        assert_string_equal(prompt(&rig), "/db");
        type(&rig, "1\n");
        assert_int_equal(rig.ui.n_order, 1);
        assert_string_equal(rig_selected(&rig), "db1:5432");
        ui_key(&rig.ui, &rig.m, KEY_ESC, 0);
        assert_int_equal(rig.ui.n_order, 4);
        type(&rig, "/nothing at all\n");
        assert_int_equal(rig.ui.n_order, 0);
        type(&rig, "jkgGnN d"); /* with nothing there */
        rig_close(&rig);
}

static void test_read_only(void **state) {
        struct rig rig;

        (void)state;
        rig_open(&rig, 80, 24);
        assert_int_equal(type(&rig, "d") & DO_ORDERS, 0);
        assert_non_null(strstr(rig.ui.message, "read-only"));
        assert_int_equal(rig.ui.mode, MODE_TABLE);
        assert_true(type(&rig, "a") & DO_ADMIN);
        ui_admin(&rig.ui, -EACCES, 5000);
        assert_non_null(strstr(rig.ui.message, "needs group bal-admin"));
        assert_false(rig.ui.admin);
        ui_admin(&rig.ui, 0, 5000);
        assert_true(rig.ui.admin);
        rig.ui.link = LINK_RECONNECTING;
        type(&rig, "d");
        assert_int_equal(rig.ui.mode, MODE_TABLE);
        assert_non_null(strstr(rig.ui.message, "unless LIVE"));
        rig_close(&rig);
}

/* The default is No; what is asked about is what is sent, wherever the row went meanwhile. */
static void test_confirm(void **state) {
        struct rig rig;
        json_t *answer = json_pack("{s:s}", "to", "drain");

        (void)state;
        rig_open(&rig, 80, 24);
        rig.ui.admin = true;
        strcpy(rig.ui.user, "kim");
        type(&rig, "d"); /* the one that is down: nothing gets worse */
        assert_string_equal(prompt(&rig),
                            "Drain 10.0.0.2:80? 0 connections stay until they close. [y/N]");
        assert_int_equal(type(&rig, "\n") & DO_ORDERS, 0);
        assert_int_equal(rig.ui.mode, MODE_TABLE);
        assert_int_equal(rig.ui.n_orders, 0);

        type(&rig, "d");
        rig_sample(&rig.m, rig_four + 2, 2, 6000); /* it is gone from the list */
        assert_true(type(&rig, "y") & DO_ORDERS);
        assert_string_equal(ui_next_order(&rig.ui)->backend, "10.0.0.2:80");
        assert_false(ui_next_order(&rig.ui)->confirmed);
        ui_answered(&rig.ui, answer, NULL, 5000);
        assert_non_null(strstr(rig.ui.message, "drained 10.0.0.2:80 by kim (undo: e)"));
        assert_null(ui_next_order(&rig.ui));
        json_decref(answer);
        rig_close(&rig);
}

static void test_danger(void **state) {
        struct rig rig;

        (void)state;
        rig_open(&rig, 80, 24);
        rig.ui.admin = true;
        type(&rig, "/10.0.0.1\nx"); /* the last of the pool that is in use */
        assert_int_equal(rig.ui.mode, MODE_DANGER);
        assert_string_equal(
                prompt(&rig),
                "DANGER pool 'web' keeps 0 of 2 backends. Type web to go on, Esc to stop: ");
        assert_int_equal(type(&rig, "y\n") & DO_ORDERS, 0);
        assert_int_equal(rig.ui.n_orders, 0);
        type(&rig, "x");
        assert_true(type(&rig, "web\n") & DO_ORDERS);
        assert_true(ui_next_order(&rig.ui)->confirmed);
        ui_answered(&rig.ui, NULL, "no", 5000);
        type(&rig, "x");
        ui_key(&rig.ui, &rig.m, KEY_ESC, 5000);
        assert_int_equal(rig.ui.n_orders, 0);
        rig_close(&rig);
}

/* The daemon counts otherwise than we did: it has the last word. */
static void test_refused(void **state) {
        json_t *answer = json_pack("{s:s, s:i, s:i}", "pool", "web", "left", 0, "total", 2);
        struct rig rig;

        (void)state;
        rig_open(&rig, 80, 24);
        rig.ui.admin = true;
        type(&rig, "dy");
        ui_refused(&rig.ui, answer, 5000);
        assert_int_equal(rig.ui.mode, MODE_DANGER);
        assert_null(ui_next_order(&rig.ui));
        assert_true(type(&rig, "web\n") & DO_ORDERS);
        assert_true(ui_next_order(&rig.ui)->confirmed);
        json_decref(answer);
        rig_close(&rig);
}

static void test_tags(void **state) {
        struct rig rig;

        (void)state;
        rig_open(&rig, 80, 24);
        rig.ui.admin = true;
        type(&rig, "  ");
        assert_int_equal(ui_tagged(&rig.m), 2);
        type(&rig, "w5\n");
        assert_string_equal(prompt(&rig), "Weight 5 for 2 tagged backends? [y/N]");
        assert_true(type(&rig, "y") & DO_ORDERS);
        assert_int_equal(rig.ui.weight, 5);
        assert_int_equal(ui_answered(&rig.ui, NULL, NULL, 5000), DO_ORDERS);
        ui_answered(&rig.ui, NULL, NULL, 5000);
        assert_null(ui_next_order(&rig.ui));
        type(&rig, "w300\n");
        assert_non_null(strstr(rig.ui.message, "0 to 256"));
        type(&rig, "u");
        assert_int_equal(ui_tagged(&rig.m), 0);
        rig_close(&rig);
}

static void test_typing(void **state) {
        char typed[8] = "";

        (void)state;
        assert_true(ui_type(typed, sizeof(typed), 'a'));
        assert_true(ui_type(typed, sizeof(typed), 0xd55c));
        assert_string_equal(typed, "a\ud55c");
        assert_true(ui_type(typed, sizeof(typed), 0xd55c)); /* no room for all of it: none of it */
        assert_string_equal(typed, "a\ud55c");
        assert_true(ui_type(typed, sizeof(typed), KEY_RUBOUT));
        assert_string_equal(typed, "a");
        assert_true(ui_type(typed, sizeof(typed), KEY_CTRL_U));
        assert_true(ui_type(typed, sizeof(typed), KEY_RUBOUT));
        assert_string_equal(typed, "");
        assert_false(ui_type(typed, sizeof(typed), KEY_TO_DOWN));
}

/* Any keys in any order: it stays in one piece. */
static void test_any_keys(void **state) {
        struct rig rig;
        unsigned seed = 1;

        (void)state;
        rig_open(&rig, 80, 24);
        rig.ui.admin = true;
        for (int i = 0; i < 20000; i++) {
                const struct key_row *row;
                unsigned what;

                seed = seed * 1103515245 + 12345;
                row = &keys[(seed >> 16) % (n_keys - 1)];
                what = ui_key(&rig.ui, &rig.m, row->keys[0], (uint64_t)i * 100);
                if (what & DO_ORDERS)
                        ui_answered(&rig.ui, NULL, "no", (uint64_t)i * 100);
                assert_true(ui_selected(&rig.ui, &rig.m) <= rig.ui.n_order);
                canvas_resize(&rig.c, 1 + seed % 130, 1 + (seed >> 8) % 40);
                paint(&rig.c, &rig.ui, &rig.m);
        }
        rig_close(&rig);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_worst_first), cmocka_unit_test(test_settled),
                cmocka_unit_test(test_filter),      cmocka_unit_test(test_read_only),
                cmocka_unit_test(test_confirm),     cmocka_unit_test(test_danger),
                cmocka_unit_test(test_refused),     cmocka_unit_test(test_tags),
                cmocka_unit_test(test_typing),      cmocka_unit_test(test_any_keys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
