/* SPDX-License-Identifier: MIT */
#include "rig.h"

static void test_snapshot(void **state) {
        struct model m = { 0 };
        const struct backend *b;

        (void)state;
        rig_sample(&m, rig_four, ELEMENTS(rig_four), 1000);
        assert_true(m.valid);
        assert_int_equal(m.n_backends, 4);
        assert_int_equal(m.count[STATE_UP], 2);
        assert_int_equal(m.count[STATE_DOWN], 1);
        assert_int_equal(m.count[STATE_COOL], 1);
        assert_int_equal(m.active, 14210);
        assert_true(m.in_per_s < 0); /* one document says nothing about traffic */
        b = model_find(&m, "pg", "db1:5432");
        assert_non_null(b);
        assert_int_equal(b->active, 9);
        assert_int_equal(b->since_s, NOW_S - 3);
        assert_string_equal(b->check.result, "ok");
        assert_null(model_find(&m, "web", "db1:5432"));
        assert_int_equal(m.n_frontends, 1);
        assert_string_equal(m.frontends[0].listen, "0.0.0.0:9295");
        model_done(&m);
}

/* Of all pools, and of all frontends. */
static void test_clients_that_wait(void **state) {
        json_t *doc = rig_document(json_array()), *pools = json_object_get(doc, "pools");
        struct model m = { 0 };

        (void)state;
        json_object_set_new(json_array_get(pools, 0), "holding", json_integer(12));
        json_object_set_new(json_array_get(pools, 1), "holding", json_integer(3));
        json_object_set_new(
                json_array_get(json_object_get(doc, "frontends"), 0), "waiting_for",
                json_pack("{s:i, s:i, s:i}", "slot", 4, "backend_full", 2, "backend_down", 15));
        assert_int_equal(model_snapshot(&m, doc, rig_span("[]"), 1000, NOW_S), 0);
        assert_int_equal(m.held, 15);
        assert_int_equal(m.queued, 6);
        model_done(&m);
        json_decref(doc);
}

static void test_goes_on(void **state) {
        static const struct rig_backend fewer[] = {
                { "pg", "db1:5432", "up", 3, 0 },
                { "web", "10.0.0.1:80", "up", 50, 0 },
        };
        struct model m = { 0 };
        const struct backend *b;

        (void)state;
        rig_sample(&m, rig_four, ELEMENTS(rig_four), 1000);
        model_find(&m, "pg", "db1:5432")->tagged = true;
        rig_sample(&m, fewer, ELEMENTS(fewer), 2000);
        b = model_find(&m, "pg", "db1:5432");
        assert_true(b->tagged);
        assert_int_equal(b->peak, 9); /* it had been higher */
        assert_true(b->in_per_s >= 0 && b->in_per_s < 0.001);
        assert_int_equal(model_find(&m, "web", "10.0.0.1:80")->peak, 50);
        assert_null(model_find(&m, "web", "10.0.0.2:80"));
        model_done(&m);
}

static void assert_rate(double seen, double expected) {
        assert_true(seen > expected - 0.001 && seen < expected + 0.001); /* neither inf nor nan */
}

/* Two documents make a rate only if time has passed between them and the counter went on: after a
 * reload a counter may begin again, and a viewer that was stopped may look twice at once. What is
 * not known is below 0, and is shown as such. */
static void test_rates(void **state) {
        static const struct {
                int64_t bytes_in, bytes_out, total;
                uint64_t mono_ms;
                double in_per_s, out_per_s, new_per_s;
        } table[] = {
                { 1000, 2000, 50, 1000, -1, -1, -1 }, /* the first one */
                { 3000, 2000, 60, 2000, 2000, 0, 10 },
                { 4000, 2500, 61, 2500, 2000, 1000, 2 },
                { 5000, 2500, 61, 2500, -1, -1, -1 }, /* no time has passed */
                { 6000, 2500, 61, 2400, -1, -1, -1 }, /* it went back */
                { 7000, 2500, 61, 3400, 1000, 0, 0 },
                { 6999, 2600, 60, 4400, -1, 100, -1 }, /* counters went back */
                { 0, 0, 0, 5400, -1, -1, -1 },
                { 0, 0, 0, 6400, 0, 0, 0 },
                { 9000, 9000, 90, 7400, -1, -1, -1 }, /* of another process: see below */
        };
        struct model m = { 0 };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                json_t *b = rig_backend(&rig_four[0]), *doc = rig_document(json_array());
                json_t *frontend = json_array_get(json_object_get(doc, "frontends"), 0);
                json_t *list = json_array();
                char *text;

                if (i == ELEMENTS(table) - 1)
                        json_object_set_new(doc, "pid", json_integer(4243));
                json_array_append_new(list, b);
                json_object_set_new(b, "bytes_in", json_integer(table[i].bytes_in));
                json_object_set_new(b, "bytes_out", json_integer(table[i].bytes_out));
                json_object_set_new(frontend, "connections_total", json_integer(table[i].total));
                json_object_set_new(frontend, "rejected_total", json_integer(table[i].total));
                text = json_dumps(list, 0);
                assert_int_equal(model_snapshot(&m, doc, rig_span(text), table[i].mono_ms, NOW_S),
                                 0);
                assert_rate(m.backends[0].in_per_s, table[i].in_per_s);
                assert_rate(m.backends[0].out_per_s, table[i].out_per_s);
                assert_rate(m.frontends[0].new_per_s, table[i].new_per_s);
                assert_rate(m.frontends[0].rejected_per_s, table[i].new_per_s);
                free(text);
                json_decref(list);
                json_decref(doc);
        }
        model_done(&m);
}

/* What is no such document changes nothing. */
static void test_strange_documents(void **state) {
        static const char *const texts[] = {
                "{}",
                "{\"backends\":[]}",
                "{\"backends\":7,\"verdict\":\"OK\"}",
        };
        struct model m = { 0 };

        (void)state;
        rig_sample(&m, rig_four, ELEMENTS(rig_four), 1000);
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                json_t *doc = json_loads(texts[i], 0, NULL);

                assert_int_equal(model_snapshot(&m, doc, rig_span("[]"), 2000, NOW_S), -EBADMSG);
                assert_int_equal(model_history(&m, doc, rig_span("[]")), -EBADMSG);
                assert_int_equal(model_sessions(&m, doc), -EBADMSG);
                assert_int_equal(model_events(&m, doc, true), -EBADMSG);
                json_decref(doc);
        }
        assert_int_equal(m.n_backends, 4);
        assert_int_equal(m.mono_ms, 1000);
        model_done(&m);
}

/* What the daemon of another version may say; a list that breaks off changes nothing. */
static void test_strange_backends(void **state) {
        static const char list[] =
                "[{\"later\":{\"a\":[1]},\"address\":\"10.0.0.1:80\",\"pool\":\"w\\u00e9b\",\"state\":"
                "\"asleep\",\"weight\":7,\"reason\":null,\"check\":null,\"retry_in_ms\":\"soon\","
                "\"new_per_s\":2,\"active_connections\":1.5,\"bytes_in\":-12,\"backup\":1,"
                "\"counters\":{\"other\":4},\"since\":\"yesterday\"} , "
                "{\"name\":\"a\\\"b\",\"address\":\"10.0.0.2:80\",\"state\":\"up\"}]";
        struct model m = { 0 };
        json_t *doc = rig_document(json_array());
        const struct backend *b;

        (void)state;
        assert_non_null(doc);
        assert_int_equal(model_snapshot(&m, doc, rig_span(list), 1000, NOW_S), 0);
        assert_int_equal(m.n_backends, 2);
        b = model_find(&m, "w\u00e9b", "10.0.0.1:80");
        assert_non_null(b);
        assert_int_equal(b->state, STATE_DOWN); /* rather too bad than too good */
        assert_int_equal(b->weight_configured, 7);
        assert_int_equal(b->retry_in_ms, -1);
        assert_int_equal(b->active, 0);
        assert_int_equal(b->bytes_in, -12);
        assert_int_equal(b->other, 4);
        assert_int_equal(b->since_s, 0);
        assert_true(b->new_per_s > 1.9 && b->new_per_s < 2.1);
        assert_string_equal(b->check.type, "none");
        assert_non_null(model_find(&m, "", "a\"b"));
        for (size_t n = 0; n < sizeof(list) - 1; n++) {
                struct scan_text part = { .text = list, .n = n };

                assert_int_equal(model_snapshot(&m, doc, part, 2000, NOW_S), -EBADMSG);
        }
        assert_int_equal(m.mono_ms, 1000);
        json_decref(doc);
        model_done(&m);
}

static void test_history(void **state) {
        json_t *doc = json_pack(
                "{s:i, s:{s:[i, i, i], s:[i, i, i]}, s:[{s:s, s:s, s:[i, i, i], s:[i, "
                "i, i]}, {s:s, s:s, s:[i], s:[i]}]}",
                "cell_ms", 5000, "total", "active", 5, 20000, 7, "down_s", 0, 0, 0, "backends",
                "pool", "web", "name", "10.0.0.1:80", "active", 3, 80, 2, "down_s", 0, 0, 5, "pool",
                "gone", "name", "x:1", "active", 1, "down_s", 0);
        struct model m = { 0 };
        struct strip strip;
        const struct backend *b;
        char *list;

        (void)state;
        assert_non_null(doc);
        rig_sample(&m, rig_four, ELEMENTS(rig_four), 1000);
        list = json_dumps(json_object_get(doc, "backends"), JSON_COMPACT);
        assert_int_equal(model_history(&m, doc, rig_span(list)), 0);
        b = model_find(&m, "web", "10.0.0.1:80");
        assert_int_equal(b->strip.n, 3);
        assert_int_equal(b->strip.active[1], 80);
        assert_int_equal(b->strip.active[2], -1);
        assert_int_equal(b->peak, 80);
        assert_int_equal(model_pool(&m, "web")->peak_cell, 80);
        assert_int_equal(m.peak, 20000);
        assert_int_equal(model_strip(&strip, rig_span(list), "web", "10.0.0.1:80"), 0);
        assert_int_equal(strip.n, 3);
        assert_int_equal(model_strip(&strip, rig_span(list), "pg", "10.0.0.1:80"), -ENOENT);
        free(list);
        json_decref(doc);
        model_done(&m);
}

static json_t *one_event(int number) {
        return json_pack("{s:[{s:i, s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s}}]}", "events",
                         "number", number, "timestamp", "2026-11-20T12:00:00.000Z", "level", "WARN",
                         "message", "m", "event", "backend_state", "fields", "pool", "web",
                         "backend", "10.0.0.1:80", "from", "up", "to", "down", "reason", "refused");
}

static void test_events(void **state) {
        struct model m = { 0 };

        (void)state;
        rig_sample(&m, rig_four, ELEMENTS(rig_four), 1000);
        for (int i = 1; i <= EVENTS_KEPT + 10; i++) {
                json_t *doc = one_event(i);

                assert_int_equal(model_events(&m, doc, i == 1), 0);
                json_decref(doc);
        }
        assert_int_equal(m.n_events, EVENTS_KEPT);
        assert_int_equal(m.events[0].number, 11); /* the oldest go */
        assert_string_equal(m.events[0].text, "UP -> DOWN refused");
        assert_int_equal(model_event_of(&m, &m.backends[0])->number, EVENTS_KEPT + 10);
        assert_null(model_event_of(&m, &m.backends[1]));
        model_done(&m);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_snapshot),         cmocka_unit_test(test_clients_that_wait),
                cmocka_unit_test(test_goes_on),          cmocka_unit_test(test_strange_documents),
                cmocka_unit_test(test_strange_backends), cmocka_unit_test(test_history),
                cmocka_unit_test(test_events),           cmocka_unit_test(test_rates),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
