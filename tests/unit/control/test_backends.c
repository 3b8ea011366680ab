/* SPDX-License-Identifier: MIT */
/* SetState and SetWeight as a client calls them: real sockets, workers, pools; no checks. */
#include "control/backends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/state.h"
#include "core/clock.h"

#define PATIENCE_MS 10000

static struct supervisor s;
static char dir[64], socket_path[96];
static int client;

/* ---- the daemon ---- */

#define POOLS                                                                                      \
        "frontends:\n"                                                                             \
        "  - { name: one, listen: \"127.0.0.1:81\", backend: web }\n"                              \
        "  - { name: two, listen: \"127.0.0.1:82\", backend: db }\n"                               \
        "global: { drain_timeout: 7s }\n"                                                          \
        "backends:\n"                                                                              \
        "  - name: web\n"                                                                          \
        "    health_check: { type: none }\n"                                                       \
        "    servers:\n"                                                                           \
        "      - { address: \"10.0.0.1:80\", weight: 3 }\n"                                        \
        "      - { address: \"10.0.0.2:80\" }\n"                                                   \
        "      - { address: \"10.0.0.3:80\" }\n"                                                   \
        "      - { address: \"10.0.0.4:80\" }\n"                                                   \
        "  - name: db\n"                                                                           \
        "    health_check: { type: none }\n"                                                       \
        "    servers:\n"                                                                           \
        "      - { address: \"10.0.0.1:80\" }\n"                                                   \
        "      - { address: \"10.0.1.1:5432\", weight: %u }\n"

static const struct server_method methods[] = {
        { BAL_METHOD_SET_STATE, backends_on_set_state },
        { BAL_METHOD_SET_WEIGHT, backends_on_set_weight },
};

static struct config *config_of(unsigned weight) {
        struct config *c = NULL;
        struct diags d;
        char text[2048];

        snprintf(text, sizeof(text), POOLS, weight);
        diags_init(&d);
        assert_int_equal(config_load_text(&c, "t.yaml", text, strlen(text), &d), 0);
        diags_done(&d);
        return c;
}

static void on_done(int r, void *arg) {
        assert_int_equal(r, 0);
        *(bool *)arg = true;
}

/* The next generation, in force. */
static void adopt(unsigned weight) {
        struct config *c = config_of(weight);
        struct upstream *next = NULL;
        bool done = false;

        assert_int_equal(upstream_new(&next, c, NULL, s.upstream, 1), 0);
        upstream_publish(next, 100);
        assert_int_equal(crew_adopt(s.crew, next, NULL, 0, on_done, &done), 0);
        while (!done) {
                usleep(1000);
                crew_dispatch(s.crew);
        }
        upstream_unref(s.upstream);
        config_unref(s.config);
        s.upstream = next;
        s.config = c;
        checks_adopt(&s);
}

static int setup(void **state) {
        const struct crew_options crew = {
                .n_workers = 1, .max_pipes = 1, .news = checks_on_news, .arg = &s
        };
        struct sockaddr_un un = { .sun_family = AF_UNIX };

        (void)state;
        s = (struct supervisor){ .n_workers = 1 };
        strcpy(dir, "/tmp/bal-backends-XXXXXX");
        if (!mkdtemp(dir) || log_thread_init() < 0 || sd_event_new(&s.event) < 0)
                return -1;
        snprintf(socket_path, sizeof(socket_path), "%s/admin.sock", dir);
        assert_int_equal(crew_new(&s.crew, &crew), 0);
        assert_int_equal(checks_new(&s), 0);
        adopt(1);
        assert_int_equal(server_new(&s.server, s.event, methods, ELEMENTS(methods), &s), 0);
        assert_int_equal(server_listen(s.server, BAL_SOCKET_ADMIN, socket_path, 0600), 0);

        client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        strcpy(un.sun_path, socket_path);
        return connect(client, (struct sockaddr *)&un, sizeof(un));
}

struct seen {
        unsigned n;
        enum log_event event;
};

static bool count_record(const struct log_record *record, void *userdata) {
        struct seen *seen = userdata;

        seen->n += record->site->event == seen->event;
        return true;
}

static unsigned logged(enum log_event e) {
        struct seen seen = { .event = e };

        while (log_drain(count_record, &seen) > 0)
                ;
        return seen.n;
}

static int teardown(void **state) {
        (void)state;
        close(client);
        server_free(s.server);
        crew_free(s.crew);
        checks_free(&s);
        upstream_unref(s.upstream);
        config_unref(s.config);
        sd_event_unref(s.event);
        log_thread_done();
        logged(EVENT_admin_call);
        return rmdir(dir);
}

static struct endpoint *endpoint(size_t pool, size_t i) {
        return s.upstream->pools[pool].endpoints[i].endpoint;
}

/* ---- the client ---- */

/* Returns the reply; *ret_error is the name behind the last dot, or NULL. Takes parameters. */
static json_t *call(const char *method, json_t *parameters, const char **ret_error) {
        static char reply[65536];
        static json_t *message;
        uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;
        json_t *request;
        const char *name;
        size_t n = 0;
        char *text;

        assert_non_null(parameters);
        request = json_pack("{s:s, s:o}", "method", method, "parameters", parameters);
        text = json_dumps(request, 0);
        json_decref(request);
        assert_int_equal(send(client, text, strlen(text) + 1, 0), (ssize_t)strlen(text) + 1);
        free(text);

        while (n == 0 || reply[n - 1] != '\0') {
                ssize_t k;

                assert_true(clock_mono_ms() < until_ms);
                assert_true(sd_event_run(s.event, 5000) >= 0);
                k = recv(client, reply + n, sizeof(reply) - n, 0);
                n += k > 0 ? (size_t)k : 0;
        }
        json_decref(message);
        message = json_loads(reply, 0, NULL);
        assert_non_null(message);
        name = json_string_value(json_object_get(message, "error"));
        *ret_error = name ? strrchr(name, '.') + 1 : NULL;
        return json_object_get(message, "parameters");
}

static json_t *works(const char *method, json_t *parameters) {
        const char *error;
        json_t *reply = call(method, parameters, &error);

        assert_null(error);
        return reply;
}

static json_t *fails(const char *method, json_t *parameters, const char *expected) {
        const char *error;
        json_t *reply = call(method, parameters, &error);

        assert_non_null(error);
        assert_string_equal(error, expected);
        return reply;
}

#define STATE  "io.bal.Admin.SetState"
#define WEIGHT "io.bal.Admin.SetWeight"

static const char *text_of(const json_t *reply, const char *key) {
        return json_string_value(json_object_get(reply, key));
}

static json_int_t number_of(const json_t *reply, const char *key) {
        assert_true(json_is_integer(json_object_get(reply, key)));
        return json_integer_value(json_object_get(reply, key));
}

/* ---- states ---- */

static void test_there_and_back(void **state) {
        struct endpoint *e = endpoint(0, 1);
        json_t *r;

        (void)state;
        atomic_store(&e->per_worker[0].sessions_now, 7);
        r = works(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.2:80", "state", "drain"));
        assert_string_equal(text_of(r, "pool"), "web");
        assert_string_equal(text_of(r, "backend"), "10.0.0.2:80");
        assert_string_equal(text_of(r, "from"), "up");
        assert_string_equal(text_of(r, "to"), "drain");
        assert_int_equal(number_of(r, "active_connections"), 7);
        assert_true(json_is_null(json_object_get(r, "deadline_ms")));
        assert_int_equal(atomic_load(&e->admin), ADMIN_DRAIN);
        assert_true(atomic_load(&e->deadline_ms) == 0);

        r = works(STATE, json_pack("{s:s, s:s, s:n}", "backend", "10.0.0.2:80", "state", "maint",
                                   "deadline_ms"));
        assert_string_equal(text_of(r, "from"), "drain");
        assert_string_equal(text_of(r, "to"), "maint");
        assert_int_equal(number_of(r, "deadline_ms"), 7000); /* drain_timeout */
        assert_in_range(atomic_load(&e->deadline_ms), clock_mono_ms() + 5000,
                        clock_mono_ms() + 7000);

        r = works(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.2:80", "state", "ready"));
        assert_string_equal(text_of(r, "from"), "maint");
        assert_string_equal(text_of(r, "to"), "up");
        assert_true(json_is_null(json_object_get(r, "deadline_ms")));
        assert_true(atomic_load(&e->deadline_ms) == 0);
        assert_int_equal(logged(EVENT_backend_state), 3);

        works(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.2:80", "state", "ready"));
        assert_int_equal(logged(EVENT_backend_state), 0); /* it was so before */
        atomic_store(&e->per_worker[0].sessions_now, 0);
}

/* Who comes back from maintenance begins slowly, like one that was down. */
static void test_slow_start_after_maintenance(void **state) {
        struct endpoint *e = endpoint(0, 1);

        (void)state;
        works(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.2:80", "state", "drain"));
        works(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.2:80", "state", "ready"));
        assert_true(atomic_load(&e->up_at_ms) == 0); /* it was never away */
        works(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.2:80", "state", "maint"));
        works(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.2:80", "state", "ready"));
        assert_in_range(atomic_load(&e->up_at_ms), 1, clock_mono_ms());
}

static void test_another_deadline(void **state) {
        struct endpoint *e = endpoint(0, 0);
        uint64_t since;
        json_t *r;

        (void)state;
        works(STATE, json_pack("{s:s, s:s, s:s, s:i}", "pool", "web", "backend", "10.0.0.1:80",
                               "state", "drain", "deadline_ms", 600000));
        since = atomic_load(&e->since_us);
        usleep(2000);
        r = works(STATE, json_pack("{s:s, s:s, s:s, s:i}", "pool", "web", "backend", "10.0.0.1:80",
                                   "state", "drain", "deadline_ms", 1000));
        assert_string_equal(text_of(r, "from"), "drain");
        assert_int_equal(number_of(r, "deadline_ms"), 1000);
        assert_in_range(atomic_load(&e->deadline_ms), clock_mono_ms(), clock_mono_ms() + 1000);
        assert_true(atomic_load(&e->since_us) == since); /* it drains since the first call */
        r = works(STATE, json_pack("{s:s, s:s, s:s, s:i}", "pool", "web", "backend", "10.0.0.1:80",
                                   "state", "drain", "deadline_ms", 0));
        assert_true(json_is_null(json_object_get(r, "deadline_ms")));
        assert_true(atomic_load(&e->deadline_ms) == 0);
        assert_int_equal(logged(EVENT_backend_state), 3);
        assert_int_equal(atomic_load(&endpoint(1, 0)->admin), ADMIN_READY); /* its namesake */
}

static void test_survives_a_reload(void **state) {
        (void)state;
        works(STATE, json_pack("{s:s, s:s, s:i}", "backend", "10.0.0.3:80", "state", "maint",
                               "deadline_ms", 600000));
        adopt(1);
        assert_int_equal(endpoint_state(endpoint(0, 2)), ENDPOINT_MAINT);
        assert_true(atomic_load(&endpoint(0, 2)->deadline_ms) > clock_mono_ms() + 500000);
}

/* ---- which one ---- */

static void test_look_up(void **state) {
        json_t *r, *pools;

        (void)state;
        r = fails(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.9:80", "state", "drain"),
                  "NoSuchBackend");
        assert_true(json_is_null(json_object_get(r, "pool")));
        assert_string_equal(text_of(r, "backend"), "10.0.0.9:80");
        r = fails(STATE,
                  json_pack("{s:s, s:s, s:s}", "pool", "db", "backend", "10.0.0.2:80", "state",
                            "drain"),
                  "NoSuchBackend");
        assert_string_equal(text_of(r, "pool"), "db");
        fails(WEIGHT,
              json_pack("{s:s, s:s, s:i}", "pool", "nowhere", "backend", "10.0.0.2:80", "weight",
                        1),
              "NoSuchBackend");

        r = fails(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.1:80", "state", "drain"),
                  "AmbiguousBackend");
        pools = json_object_get(r, "pools");
        assert_int_equal(json_array_size(pools), 2);
        assert_string_equal(json_string_value(json_array_get(pools, 0)), "web");
        assert_string_equal(json_string_value(json_array_get(pools, 1)), "db");
        works(STATE, json_pack("{s:s, s:s, s:s, s:b}", "pool", "db", "backend", "10.0.0.1:80",
                               "state", "drain", "confirmed", 0));
        assert_int_equal(atomic_load(&endpoint(0, 0)->admin), ADMIN_READY);
        assert_int_equal(atomic_load(&endpoint(1, 0)->admin), ADMIN_DRAIN);
}

static void test_wrong_parameters(void **state) {
        static const struct {
                const char *method, *parameters, *wrong;
        } cases[] = {
                { STATE, "{}", "state" },
                { STATE, "{\"state\":\"up\",\"backend\":\"10.0.0.2:80\"}", "state" },
                { STATE, "{\"state\":1,\"backend\":\"10.0.0.2:80\"}", "state" },
                { STATE, "{\"state\":\"drain\"}", "backend" },
                { STATE, "{\"state\":\"drain\",\"backend\":7}", "backend" },
                { STATE, "{\"state\":\"drain\",\"backend\":null}", "backend" },
                { STATE, "{\"state\":\"drain\",\"backend\":\"10.0.0.2:80\",\"pool\":[]}", "pool" },
                { STATE, "{\"state\":\"drain\",\"backend\":\"10.0.0.2:80\",\"confirmed\":1}",
                  "confirmed" },
                { STATE, "{\"state\":\"drain\",\"backend\":\"10.0.0.2:80\",\"deadline_ms\":-1}",
                  "deadline_ms" },
                { STATE, "{\"state\":\"drain\",\"backend\":\"10.0.0.2:80\",\"deadline_ms\":1.5}",
                  "deadline_ms" },
                { STATE,
                  "{\"state\":\"drain\",\"backend\":\"10.0.0.2:80\",\"deadline_ms\":5000000000}",
                  "deadline_ms" },
                { STATE, "{\"state\":\"ready\",\"backend\":\"10.0.0.2:80\",\"deadline_ms\":1}",
                  "deadline_ms" },
                { STATE, "{\"state\":\"drain\",\"backend\":\"10.0.0.2:80\",\"weight\":1}",
                  "weight" },
                { WEIGHT, "{\"backend\":\"10.0.0.2:80\"}", "weight" },
                { WEIGHT, "{\"backend\":\"10.0.0.2:80\",\"weight\":null}", "weight" },
                { WEIGHT, "{\"backend\":\"10.0.0.2:80\",\"weight\":-1}", "weight" },
                { WEIGHT, "{\"backend\":\"10.0.0.2:80\",\"weight\":257}", "weight" },
                { WEIGHT, "{\"backend\":\"10.0.0.2:80\",\"weight\":\"3\"}", "weight" },
                { WEIGHT, "{\"weight\":1}", "backend" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                json_t *r = fails(cases[i].method, json_loads(cases[i].parameters, 0, NULL),
                                  "InvalidParameter");

                assert_string_equal(text_of(r, "parameter"), cases[i].wrong);
        }
        assert_int_equal(endpoint_state(endpoint(0, 1)), ENDPOINT_UP);
        assert_int_equal(logged(EVENT_backend_state), 0);
}

/* ---- too few ---- */

static void test_too_few(void **state) {
        static const struct {
                size_t usable, left, total;
                bool too_few;
        } cases[] = {
                { 4, 3, 4, false }, { 3, 2, 4, false },          { 2, 1, 4, true },
                { 1, 0, 4, true },  { 1, 1, 4, false },          { 0, 0, 4, false },
                { 2, 1, 2, false }, { 1, 0, 1, true },           { 3, 2, 5, true },
                { 1, 2, 9, false }, { 4096, 2048, 4096, false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(backends_too_few(cases[i].usable, cases[i].left, cases[i].total),
                                 cases[i].too_few);
}

static void drain(const char *backend, const char *error) {
        json_t *p =
                json_pack("{s:s, s:s, s:s}", "pool", "web", "backend", backend, "state", "drain");

        if (error)
                fails(STATE, p, error);
        else
                works(STATE, p);
}

static void test_pool_would_be_empty(void **state) {
        json_t *r;

        (void)state;
        drain("10.0.0.1:80", NULL);
        drain("10.0.0.2:80", NULL); /* half of them is not less than half */
        r = fails(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.3:80", "state", "maint"),
                  "PoolWouldBeEmpty");
        assert_string_equal(text_of(r, "pool"), "web");
        assert_int_equal(number_of(r, "usable"), 2);
        assert_int_equal(number_of(r, "left"), 1);
        assert_int_equal(number_of(r, "total"), 4);
        assert_int_equal(endpoint_state(endpoint(0, 2)), ENDPOINT_UP);
        r = fails(WEIGHT, json_pack("{s:s, s:i}", "backend", "10.0.0.3:80", "weight", 0),
                  "PoolWouldBeEmpty");
        assert_int_equal(number_of(r, "left"), 1);
        works(WEIGHT, json_pack("{s:s, s:i}", "backend", "10.0.0.3:80", "weight", 9));

        works(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.2:80", "state", "maint"));
        works(STATE, json_pack("{s:s, s:s, s:b}", "backend", "10.0.0.3:80", "state", "maint",
                               "confirmed", 1));
        r = fails(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.4:80", "state", "drain"),
                  "PoolWouldBeEmpty");
        assert_int_equal(number_of(r, "left"), 0);

        endpoint_mark_down(endpoint(0, 3), -ECONNREFUSED, clock_mono_ms());
        drain("10.0.0.4:80", NULL); /* nobody gets a session there anyway */
        works(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.4:80", "state", "ready"));
}

/* ---- weights ---- */

static void test_weight(void **state) {
        struct endpoint *e = endpoint(1, 1);
        json_t *r;

        (void)state;
        r = works(WEIGHT, json_pack("{s:s, s:i}", "backend", "10.0.1.1:5432", "weight", 256));
        assert_string_equal(text_of(r, "pool"), "db");
        assert_int_equal(number_of(r, "from"), 1);
        assert_int_equal(number_of(r, "to"), 256);
        assert_int_equal(number_of(r, "configured"), 1);
        assert_int_equal(number_of(r, "active_connections"), 0);
        assert_int_equal(atomic_load(&e->weight), 256);
        assert_int_equal(logged(EVENT_backend_weight), 1);

        adopt(1); /* the file says the same as before: what was set live stays */
        assert_int_equal(atomic_load(&e->weight), 256);
        r = works(WEIGHT, json_pack("{s:s, s:i}", "backend", "10.0.1.1:5432", "weight", 256));
        assert_int_equal(number_of(r, "from"), 256);
        assert_int_equal(logged(EVENT_backend_weight), 0);
        adopt(5);
        assert_int_equal(atomic_load(&e->weight), 5);
        r = works(WEIGHT, json_pack("{s:s, s:i}", "backend", "10.0.1.1:5432", "weight", 0));
        assert_int_equal(number_of(r, "configured"), 5);
        assert_int_equal(atomic_load(&e->weight), 0);
}

static void test_not_while_it_stops(void **state) {
        (void)state;
        s.stopping = true;
        fails(STATE, json_pack("{s:s, s:s}", "backend", "10.0.0.2:80", "state", "drain"), "Busy");
        fails(WEIGHT, json_pack("{s:s, s:i}", "backend", "10.0.0.2:80", "weight", 2), "Busy");
        assert_int_equal(endpoint_state(endpoint(0, 1)), ENDPOINT_UP);
        s.stopping = false;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_there_and_back),
                TEST(test_slow_start_after_maintenance),
                TEST(test_another_deadline),
                TEST(test_survives_a_reload),
                TEST(test_look_up),
                TEST(test_wrong_parameters),
                cmocka_unit_test(test_too_few),
                TEST(test_pool_would_be_empty),
                TEST(test_weight),
                TEST(test_not_while_it_stops),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
