/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#define CLIENTS 200000

static uint64_t id_of(unsigned host) {
        char text[32];

        return hash_bytes(text, (size_t)snprintf(text, sizeof(text), "10.0.0.%u:8000", host));
}

/* Who serves which client is the same on every node and in every release. The expected letters come
 * from a second implementation, in another language. */
static void test_vectors(void **state) {
        static const struct {
                bool v6;
                uint32_t weights[5];
                const char *expected;
        } cases[] = {
                { false,
                  { 1, 1, 1, 1, 1 },
                  "aaebacadeeedbacaddeaecedcaaecacabbebeddbebedeeaacedebdadeaacccdc" },
                { true,
                  { 1, 2, 0, 256, 17 },
                  "ddddadddddddddddedddeddddddddddbddbdddddeddedddddddddddddddddddd" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct rig *rig = rig_new(&balance_ip_hash, 5);

                for (unsigned j = 0; j < 5; j++) {
                        rig->c[j].id = id_of(j + 1);
                        rig->c[j].weight = cases[i].weights[j];
                }
                for (unsigned client = 0; cases[i].expected[client]; client++) {
                        char text[32];
                        int n = snprintf(text, sizeof(text),
                                         cases[i].v6 ? "2001:db8::%x" : "192.0.2.%u", client);
                        ssize_t got = rig_pick(rig, hash_bytes(text, (size_t)n));

                        assert_int_equal('a' + got, cases[i].expected[client]);
                }
                rig_free(rig);
        }
}

/* Keys that nobody hashed work too: 0, 1, 2, ... */
static void test_plain_keys(void **state) {
        static const char expected[] =
                "ecadedebddbcecedebdebcdcceeadbcbddbeecedededdacaedabcccececeaeeb";
        struct rig *rig = rig_new(&balance_ip_hash, 5);

        (void)state;
        for (unsigned j = 0; j < 5; j++) {
                rig->c[j].id = id_of(j + 1);
                rig->c[j].weight = j + 1;
        }
        for (unsigned key = 0; expected[key]; key++)
                assert_int_equal('a' + rig_pick(rig, key), expected[key]);
        rig_free(rig);
}

static void check_shares(const uint32_t *weights, size_t n) {
        struct rig *rig = rig_new(&balance_ip_hash, n);
        double total = 0;

        for (size_t i = 0; i < n; i++)
                total += rig->c[i].weight = weights[i];
        for (uint64_t client = 0; client < CLIENTS * 5; client++)
                rig_pick(rig, hash_bytes(&client, sizeof(client)));
        for (size_t i = 0; i < n; i++) {
                double expected = CLIENTS * 5 * weights[i] / total;

                /* 2 %, plus what chance does to small numbers */
                rig_expect(rig, i, expected, expected < 20000 ? 450 : 0.02 * expected);
        }
        rig_free(rig);
}

static void test_shares(void **state) {
        (void)state;
        check_shares((uint32_t[]){ 1, 1 }, 2);
        check_shares((uint32_t[]){ 1, 2, 3, 4 }, 4);
        check_shares((uint32_t[]){ 5, 1, 1 }, 3);
        check_shares((uint32_t[]){ 256, 1, 128, 255, 0, 64 }, 6);
        check_shares((uint32_t[]){ 256, 256, 256, 256, 256, 256, 256, 256, 128, 64 }, 10);
}

/* 4096 candidates: the winning draws are tiny, where the logarithm has to be good. The halves weigh
 * 1 and 3. */
static void test_shares_of_many(void **state) {
        struct rig *rig = rig_new(&balance_ip_hash, RIG_MAX);
        unsigned heavy = 0;

        (void)state;
        for (size_t i = 0; i < RIG_MAX; i++)
                rig->c[i].weight = i % 2 ? 3 : 1;
        for (uint64_t client = 0; client < 10000; client++)
                heavy += rig_pick(rig, hash_bytes(&client, sizeof(client))) % 2;
        assert_in_range(heavy, 7500 - 150, 7500 + 150);
        rig_free(rig);
}

/* One of ten is lost, three ways, and comes back. Its own clients move, to everybody; no other. */
static void test_loses_one(void **state) {
        struct rig *rig = rig_new(&balance_ip_hash, 10);
        unsigned moved[10] = { 0 };

        (void)state;
        for (uint64_t client = 0; client < CLIENTS; client++) {
                uint64_t key = hash_bytes(&client, sizeof(client));
                ssize_t before, after;

                before = rig_pick(rig, key);
                rig->c[3].usable = false;
                after = rig_pick(rig, key);
                rig->c[3].usable = true;
                rig->c[3].weight = 0;
                assert_int_equal(rig_pick(rig, key), after);
                rig->c[3].weight = 1;
                assert_int_equal(rig_pick(rig, key), before);

                if (before == 3)
                        moved[after]++;
                else
                        assert_int_equal(after, before);
        }
        for (size_t i = 0; i < 10; i++)
                if (i != 3)
                        assert_in_range(moved[i], CLIENTS / 90 - 250, CLIENTS / 90 + 250);
        rig_free(rig);
}

/* More weight only takes clients, as many as it should; less only gives. */
static void test_reweights(void **state) {
        struct rig *rig = rig_new(&balance_ip_hash, 10);
        unsigned moved = 0;

        (void)state;
        for (size_t i = 0; i < 10; i++)
                rig->c[i].weight = 10;
        for (uint64_t client = 0; client < CLIENTS; client++) {
                uint64_t key = hash_bytes(&client, sizeof(client));
                ssize_t before, after;

                rig->c[7].weight = 10;
                before = rig_pick(rig, key);
                rig->c[7].weight = 20;
                after = rig_pick(rig, key);
                if (after != before) {
                        assert_int_equal(after, 7);
                        moved++;
                }

                rig->c[7].weight = 3;
                after = rig_pick(rig, key);
                if (after != before)
                        assert_int_equal(before, 7);
        }
        /* from 10/100 to 20/110 */
        assert_in_range(moved, CLIENTS * 9 / 110 - 500, CLIENTS * 9 / 110 + 500);
        rig_free(rig);
}

/* The order in the file does not matter, nor what else is in it that cannot be used. */
static void test_order(void **state) {
        struct rig *rig = rig_new(&balance_ip_hash, 50), *mixed = rig_new(&balance_ip_hash, 50);

        (void)state;
        for (size_t i = 0; i < 50; i++)
                rig->c[i].weight = (uint32_t)(1 + rig_random(rig) % 256);
        for (size_t i = 0; i < 50; i++)
                mixed->c[i] = rig->c[(i * 7 + 3) % 50];
        for (uint64_t client = 0; client < 20000; client++) {
                uint64_t key = hash_bytes(&client, sizeof(client));

                assert_int_equal(rig->c[rig_pick(rig, key)].id, mixed->c[rig_pick(mixed, key)].id);
        }
        rig_free(mixed);
        rig_free(rig);
}

/* Any set of lost ones at once: whoever's backend is still there stays with it. */
static void test_random_losses(void **state) {
        struct rig *rig = rig_new(&balance_ip_hash, 30);

        (void)state;
        for (size_t i = 0; i < 30; i++)
                rig->c[i].weight = (uint32_t)(1 + rig_random(rig) % 256);
        for (unsigned round = 0; round < 20000; round++) {
                uint64_t key = rig_random(rig), lost = rig_random(rig);
                ssize_t before = rig_pick(rig, key);

                for (size_t i = 0; i < 30; i++)
                        rig->c[i].usable = !(lost >> i & 1);
                if (rig->c[before].usable)
                        assert_int_equal(rig_pick(rig, key), before);
                else
                        assert_int_not_equal(rig_pick(rig, key), before);
                for (size_t i = 0; i < 30; i++)
                        rig->c[i].usable = true;
        }
        rig_free(rig);
}

/* The same backend twice: one of them, and always the same. */
static void test_same_id(void **state) {
        struct rig *rig = rig_new(&balance_ip_hash, 2);

        (void)state;
        rig->c[1].id = rig->c[0].id;
        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(rig_pick(rig, rig_random(rig)), 0);
        rig_free(rig);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_vectors),   cmocka_unit_test(test_plain_keys),
                cmocka_unit_test(test_shares),    cmocka_unit_test(test_shares_of_many),
                cmocka_unit_test(test_loses_one), cmocka_unit_test(test_reweights),
                cmocka_unit_test(test_order),     cmocka_unit_test(test_random_losses),
                cmocka_unit_test(test_same_id),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
