/* SPDX-License-Identifier: MIT */
#include "rig.h"

static void test_flows_over(void **state) {
        struct rig *rig = rig_new(&balance_first, 4);

        (void)state;
        assert_int_equal(rig_pick(rig, 0), 0);
        assert_int_equal(rig_pick(rig, 1), 0);
        rig->c[0].usable = false; /* full */
        assert_int_equal(rig_pick(rig, 0), 1);
        rig->c[1].weight = 0;
        assert_int_equal(rig_pick(rig, 0), 2);
        rig->c[2].usable = false;
        rig->c[3].weight = 256;
        assert_int_equal(rig_pick(rig, 0), 3);
        rig->c[0].usable = true; /* one has left */
        assert_int_equal(rig_pick(rig, 0), 0);
        rig_free(rig);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_flows_over),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
