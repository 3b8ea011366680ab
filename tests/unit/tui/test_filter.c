/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include "filter.h"

static void test_fits(void **state) {
        static const struct filter_row row = {
                .name = "10.20.0.17:8080", .pool = "web", .state = "DOWN", .text = "Refused twice"
        };
        static const struct {
                const char *filter;
                bool fits;
        } table[] = {
                { "", true },
                { "   ", true },
                { "10.20", true },
                { "10.21", false },
                { "WEB", false },
                { "web", true },
                { "refused", true },
                { "Refused", true },
                { "REFUSED", false },
                { "17 web", true },
                { "17 api", false },
                { "api|web", true },
                { "api|pg", false },
                { "api|", true },
                { "!api", true },
                { "!web", false },
                { "!api|web", true },
                { "state:down", true },
                { "state:DO", true },
                { "state:up", false },
                { "!state:up", true },
                { "pool:web", true },
                { "pool:10.20", false },
                { "state:down|state:cool pool:web", true },
                { "state:", true },
                { "!", false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                if (filter_fits(table[i].filter, &row) != table[i].fits)
                        fail_msg("'%s'", table[i].filter);
        }
        assert_true(filter_fits("a", &(struct filter_row){ .name = "a" }));
        assert_false(filter_fits("state:up", &(struct filter_row){ .name = "a" }));
}

int main(void) {
        static const struct CMUnitTest tests[] = { cmocka_unit_test(test_fits) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
