/* SPDX-License-Identifier: MIT */
#include "rig.h"

static bool shows(struct rig *rig, const char *text) {
        for (size_t row = 0; row < rig->c.rows; row++) {
                _cleanup_(str_freep) char *line = canvas_text(&rig->c, row);

                if (strstr(line, text))
                        return true;
        }
        return false;
}

static void repaint(struct rig *rig) {
        paint(&rig->c, &rig->ui, &rig->m);
}

/* Every size, every page: no row is wider than the screen, the bar ends with Quit. */
static void test_every_size(void **state) {
        struct rig rig;

        (void)state;
        rig_open(&rig, 80, 24);
        for (size_t columns = 1; columns <= 300; columns += columns < 60 ? 1 : 13) {
                for (size_t rows = 1; rows <= 100; rows += rows < 40 ? 1 : 17) {
                        rig.ui.mode = columns % 4 == 0 ? MODE_DETAIL : MODE_TABLE;
                        rig.ui.page = rows % PAGES_COUNT;
                        ui_refresh(&rig.ui, &rig.m, 1, true);
                        assert_int_equal(canvas_resize(&rig.c, columns, rows), 0);
                        repaint(&rig);
                        assert_true(rig.c.cursor_column < columns && rig.c.cursor_row < rows);
                        if (columns < 20 || rows < 5)
                                continue;
                        _cleanup_(str_freep) char *bar = canvas_text(&rig.c, rows - 1);

                        assert_string_equal(bar + strlen(bar) - 4, "Quit");
                        assert_true(str_cells(bar, strlen(bar)) <= columns);
                }
        }
        rig_close(&rig);
}

/* Columns leave in this order. */
static void test_drop_order(void **state) {
        static const char *const order[] = { "PEAK", " W ",   "POOL",  "OUT/s",  "TMO/REF/OTH",
                                             "CHK",  "SINCE", "RTTms", "CONN/S", "HIST" };
        size_t gone[ELEMENTS(order)] = { 0 };
        struct rig rig;

        (void)state;
        rig_open(&rig, 130, 24);
        for (size_t columns = 130; columns >= 50; columns--) {
                canvas_resize(&rig.c, columns, 24);
                repaint(&rig);
                for (size_t i = 0; i < ELEMENTS(order); i++) {
                        if (gone[i] == 0 && !shows(&rig, order[i]))
                                gone[i] = columns;
                }
        }
        assert_int_equal(gone[ELEMENTS(order) - 1], 0); /* the history shrinks, and stays */
        for (size_t i = 0; i + 2 < ELEMENTS(order); i++)
                assert_true(gone[i] > gone[i + 1]);
        rig_close(&rig);
}

static void test_states_are_words(void **state) {
        struct rig rig;

        (void)state;
        rig_open(&rig, 80, 24);
        repaint(&rig);
        assert_true(shows(&rig, "> DOWN  10.0.0.2:80"));
        assert_true(shows(&rig, "  COOL  db2:5432"));
        assert_true(shows(&rig, "In -/s Out -/s")); /* nothing is known of traffic yet */
        assert_int_equal(canvas_at(&rig.c, 6, 3)->style, STYLE_DOWN);
        assert_true(canvas_at(&rig.c, 6, 40)->reverse);
        assert_false(canvas_at(&rig.c, 7, 40)->reverse);
        rig_close(&rig);
}

/* A bal that is restarted still serves; one that stops does not. */
static void test_the_end(void **state) {
        struct rig rig;

        (void)state;
        rig_open(&rig, 120, 24);
        repaint(&rig);
        assert_false(shows(&rig, "STOPPING"));
        rig.m.draining = true;
        repaint(&rig);
        assert_true(shows(&rig, "  STOPPING"));
        rig.m.restarting = true;
        for (size_t columns = 120; columns >= 80; columns -= 40) {
                canvas_resize(&rig.c, columns, 24);
                repaint(&rig);
                assert_true(shows(&rig, "  RESTARTING"));
                assert_false(shows(&rig, "STOPPING"));
        }
        rig_close(&rig);
}

/* What no backend has to do with stands in the title. */
static void test_title_tells_trouble(void **state) {
        static const struct {
                bool draining, log_failed;
                const char *text;
        } table[] = { { false, false, "cfg #17  " },
                      { false, true, "cfg #17  NO LOG " },
                      { true, true, "cfg #17  STOPPING " } };
        struct rig rig;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                rig_open(&rig, 80, 24);
                rig.m.draining = table[i].draining;
                rig.m.log_failed = table[i].log_failed;
                repaint(&rig);
                assert_true(shows(&rig, table[i].text));
                assert_int_equal(shows(&rig, "NO LOG"), i == 1);
                rig_close(&rig);
        }
}

static void test_away(void **state) {
        struct rig rig;

        (void)state;
        rig_open(&rig, 100, 24);
        rig.ui.link = LINK_RECONNECTING;
        rig.ui.link_s = 4;
        rig.ui.retry_ms = 1000;
        repaint(&rig);
        assert_true(shows(&rig, "RECONNECTING 4s (retry 1s)  data from "));
        assert_true(shows(&rig, "read-only"));
        assert_true(canvas_at(&rig.c, 6, 9)->dim); /* the last data stay, dimmed */
        assert_false(canvas_at(&rig.c, 0, 1)->dim);
        rig_close(&rig);
}

static void test_protection(void **state) {
        struct rig rig;

        (void)state;
        rig_open(&rig, 120, 35);
        rig.m.pools[0].protected = true;
        free(rig.m.pools[0].reason);
        rig.m.pools[0].reason = strdup("timeout_or_refused_storm");
        rig.m.pools[0].since_s = NOW_S - 42;
        rig.m.pools[0].successes = 3;
        repaint(&rig);
        assert_true(
                shows(&rig, " Protect  ON 00:42 timeout_or_refused_storm   stable 3/6 to leave"));
        assert_int_equal(canvas_at(&rig.c, 4, 60)->style, STYLE_HEAD);
        rig_close(&rig);
}

/* At every width, and nothing of it while no client waits. */
static void test_clients_that_wait(void **state) {
        static const struct {
                size_t columns, rows;
                const char *text;
        } screens[] = {
                { 140, 35, "2/4 up   12 held   1 down   1 cool   0 drain   0 maint   7 queued" },
                { 100, 35, "2/4 up  12 held 1 down 1 cool 0 drain 0 maint 7 queued" },
                { 80, 24, "2/4 up  12 held 1 down 1 cool 0 drain 0 maint 7 queued" },
                { 48, 12, "UP 2/4  12 held DN 1 CL 1 DR 0 MT 0 7 queued" },
                { 80, 8, "UP 2/4  12 held DN 1 CL 1 DR 0 MT 0 7 queued  conn" },
                { 30, 3, " H:12" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(screens); i++) {
                struct rig rig;

                rig_open(&rig, screens[i].columns, screens[i].rows);
                repaint(&rig);
                assert_false(shows(&rig, "held") || shows(&rig, "queued") || shows(&rig, "H:"));
                rig.m.held = 12;
                rig.m.queued = 7;
                repaint(&rig);
                if (!shows(&rig, screens[i].text))
                        fail_msg("%zu columns", screens[i].columns);
                rig_close(&rig);
        }
}

static void test_wide_names(void **state) {
        static const struct rig_backend hangul[] = {
                { "web", "\ud55c\uae00\uc11c\ubc84.example:8080", "up", 5, 0 },
                { "web", "[2001:db8:1234:5678:9abc::5]:5432", "up", 4, 0 },
                { "web", "a\033[31mb:80", "up", 3, 0 },
        };
        struct rig rig;
        size_t act = 20;

        (void)state;
        rig_open(&rig, 80, 24);
        rig_sample(&rig.m, hangul, 3, 2000);
        ui_refresh(&rig.ui, &rig.m, 9000, true);
        repaint(&rig);
        assert_true(shows(&rig, "\ud55c\uae00\uc11c\ubc84.example:8080"));
        assert_true(shows(&rig, "a?[31mb:80"));
        assert_true(shows(&rig, "~")); /* a long one loses its middle */
        /* what stands right of a name stands below its head, whatever letters the name has */
        while (strcmp(canvas_at(&rig.c, 5, act)->glyph, "A") != 0)
                act++;
        assert_string_equal(canvas_at(&rig.c, 6, act + 2)->glyph, "5");
        assert_string_equal(canvas_at(&rig.c, 7, act + 2)->glyph, "4");
        assert_string_equal(canvas_at(&rig.c, 8, act + 2)->glyph, "3");
        rig_close(&rig);
}

static void test_waiting(void **state) {
        struct rig rig = { .c.utf8 = true };

        (void)state;
        ui_init(&rig.ui);
        rig.ui.link = LINK_WAITING;
        strcpy(rig.ui.user, "kim");
        strcpy(rig.ui.link_why, "/run/bal/status.sock: Permission denied");
        canvas_resize(&rig.c, 80, 24);
        repaint(&rig);
        assert_true(shows(&rig, "WAITING"));
        assert_true(shows(&rig, "/run/bal/status.sock: Permission denied"));
        assert_true(shows(&rig, "user 'kim' is not in group 'bal'"));
        strcpy(rig.ui.link_why, "/run/bal/status.sock: No such file or directory");
        repaint(&rig);
        assert_true(shows(&rig, "bal check && systemctl start bal"));
        rig_close(&rig);
}

static void test_help(void **state) {
        struct rig rig;

        (void)state;
        rig_open(&rig, 80, 60);
        rig.ui.mode = MODE_HELP;
        repaint(&rig);
        for (size_t i = 0; i < n_keys; i++)
                assert_true(shows(&rig, keys[i].help));
        rig_close(&rig);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_size),
                cmocka_unit_test(test_drop_order),
                cmocka_unit_test(test_states_are_words),
                cmocka_unit_test(test_the_end),
                cmocka_unit_test(test_away),
                cmocka_unit_test(test_title_tells_trouble),
                cmocka_unit_test(test_protection),
                cmocka_unit_test(test_wide_names),
                cmocka_unit_test(test_clients_that_wait),
                cmocka_unit_test(test_waiting),
                cmocka_unit_test(test_help),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
