/* SPDX-License-Identifier: MIT */
/* The model that a text becomes, the texts of the mock-ups, and input that is large on purpose. */

#include "rig.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "balance/balance.h"
#include "core/hash.h"

static void test_simple_model(void **state) {
        struct config *c =
                load_good("port: 80\n"
                          "method: least_connections\n"
                          "log_level: warn\n"
                          "workers: 2\n"
                          "drain_timeout: 1m\n"
                          "restart_drain: 750ms\n"
                          "runtime: { overload_policy: queue, tcp_backlog: 7 }\n"
                          "backends:\n"
                          "  - { host: DB.example, port: 5432, weight: 3, backup: false }\n"
                          "  - { host: '[::1]', port: 81, backup: true, max_connections: 9 }\n");
        const struct config_frontend *f = c->frontends;
        const struct config_endpoint *e = c->pools[0].endpoints;
        char text[ADDR_TEXT_MAX];

        (void)state;
        assert_int_equal(c->dialect, CONFIG_SIMPLE);
        assert_null(c->path);
        assert_int_equal(c->log_level, LOG_LEVEL_WARN);
        assert_int_equal(c->workers, 2);
        assert_int_equal(c->drain_timeout_ms, 60000);
        assert_int_equal(c->restart_drain_ms, 750);
        assert_int_equal(c->resolve_interval_ms, 5000);
        assert_int_equal(c->max_connections, 10000);
        assert_true(c->watch);
        assert_false(c->metrics);

        assert_int_equal(c->n_frontends, 1);
        assert_string_equal(f->name, "main");
        assert_int_equal(f->n_listen, 1);
        assert_string_equal(addr_text(&f->listen[0], text), "0.0.0.0:80");
        assert_ptr_equal(f->balance, &balance_least_connections);
        assert_int_equal(f->overload, CONFIG_QUEUE);
        assert_int_equal(f->queue_timeout_ms, 1000);
        assert_int_equal(f->backlog, 7);
        assert_int_equal(f->connect_timeout_ms, 500);
        assert_int_equal(f->idle_timeout_ms, 120000);
        assert_int_equal(f->max_connections, 0);

        assert_int_equal(c->n_pools, 1);
        assert_int_equal(c->pools[0].n_endpoints, 2);
        assert_string_equal(e[0].name, "db.example:5432");
        assert_true(e[0].id == hash_bytes("db.example:5432", strlen("db.example:5432")));
        assert_string_equal(e[0].host, "db.example");
        assert_int_equal(e[0].port, 5432);
        assert_int_equal(e[0].addr.len, 0);
        assert_int_equal(e[0].weight, 3);
        assert_int_equal(e[0].line, 9);
        assert_null(e[1].host);
        assert_string_equal(addr_text(&e[1].addr, text), "[::1]:81");
        assert_true(e[1].backup);
        assert_int_equal(e[1].max_connections, 9);

        assert_int_equal(c->pools[0].check.type, CONFIG_CHECK_TCP);
        assert_int_equal(c->pools[0].check.interval_ms, 200);
        assert_int_equal(c->pools[0].check.unhealthy_interval_ms, 200);
        assert_int_equal(c->pools[0].check.status[0].first, 200);
        assert_int_equal(c->pools[0].check.status[0].last, 200);
        assert_int_equal(c->pools[0].check.n_status, 1);
        assert_int_equal(c->pools[0].slow_start_ms, 0);
        assert_int_equal(c->pools[0].hold_ms, 5000);
        assert_int_equal(c->pools[0].connect_deadline_ms, 5000);
        assert_false(c->pools[0].close_on_marked_down);
        config_unref(c);
}

static void test_full_model(void **state) {
        struct config *c =
                load_good("frontends:\n"
                          "  - { name: a, listen: ['127.0.0.1:1', 'unix:/run/x'], backend: q,"
                          " algorithm: weighted }\n"
                          "  - { name: b, listen: '[::]:2', backend: p, max_connections: 4 }\n"
                          "backends:\n"
                          "  - { name: p, servers: [ { address: 'unix:/run/y' } ] }\n"
                          "  - { name: q, servers: [ { address: 'h:3', weight: 0 },"
                          " { address: '1.2.3.4:5' } ], failover: { backoff_max: 1m },"
                          " hold: 0s, connect_deadline: 1m30s }\n");
        char text[ADDR_TEXT_MAX];

        (void)state;
        assert_int_equal(c->dialect, CONFIG_FULL);
        assert_int_equal(c->n_frontends, 2);
        assert_string_equal(c->frontends[0].name, "a");
        assert_int_equal(c->frontends[0].pool, 1);
        assert_int_equal(c->frontends[1].pool, 0);
        assert_int_equal(c->frontends[1].max_connections, 4);
        assert_string_equal(addr_text(&c->frontends[0].listen[1], text), "unix:/run/x");
        assert_ptr_equal(c->frontends[0].balance,
                         &balance_round_robin); /* weighted is its name too */
        assert_int_equal(c->frontends[0].connect_timeout_ms, c->pools[1].connect_timeout_ms);
        assert_string_equal(c->pools[0].endpoints[0].name, "unix:/run/y");
        assert_int_equal(c->pools[1].endpoints[0].weight, 0);
        assert_int_equal(c->pools[1].backoff_max_ms, 60000);
        assert_int_equal(c->pools[0].hold_ms, 5000);
        assert_int_equal(c->pools[0].connect_deadline_ms, 5000);
        assert_int_equal(c->pools[1].hold_ms, 0);
        assert_int_equal(c->pools[1].connect_deadline_ms, 90000);
        assert_true(c->metrics);
        assert_string_equal(c->metrics_address, "127.0.0.1:9090");
        config_unref(c);
}

static void check_statuses(const char *text, const char *wanted) {
        char file[512], got[128] = "";
        struct config *c;
        size_t n = 0;

        snprintf(file, sizeof(file),
                 "health_check:\n  type: http\n  expected_status: %s\n"
                 "backends: [ { host: a, port: 1 } ]\n",
                 text);
        c = load_good(file);
        for (size_t i = 0; i < c->pools[0].check.n_status; i++)
                n += (size_t)snprintf(got + n, sizeof(got) - n, "%u-%u ",
                                      c->pools[0].check.status[i].first,
                                      c->pools[0].check.status[i].last);
        assert_string_equal(got, wanted);
        config_unref(c);
}

static void test_statuses(void **state) {
        (void)state;
        check_statuses("204", "204-204 ");
        check_statuses("'100-599'", "100-599 ");
        check_statuses("200-200", "200-200 ");
        check_statuses("304 ,200-299", "304-304 200-299 ");
        check_statuses("[ 304, 200-299, 200 ]", "304-304 200-299 200-200 ");
        check_statuses("[ '200, 204', 301 ]", "200-200 204-204 301-301 ");
        check_statuses("\n    - 200\n    - 404", "200-200 404-404 ");
        check_statuses("200,201,202,203,204,205,206,207",
                       "200-200 201-201 202-202 203-203 204-204 205-205 206-206 207-207 ");
}

static void test_marks(void **state) {
        struct config *c = load_good("runtime: { slow_start_ms: 2500, on_marked_down: close,\n"
                                     "  health_check_fail_threshold: 1 }\n"
                                     "backends: [ { host: a, port: 1 } ]\n");
        struct config *d = load_good("frontends: [ { name: f, listen: '1.1.1.1:1', backend: p } ]\n"
                                     "backends: [ { name: p, servers: [ { address: 'a:1' } ],\n"
                                     "  slow_start: 1h, on_marked_down: close } ]\n");

        (void)state;
        assert_int_equal(c->pools[0].slow_start_ms, 2500);
        assert_true(c->pools[0].close_on_marked_down);
        assert_int_equal(d->pools[0].slow_start_ms, 3600000);
        assert_true(d->pools[0].close_on_marked_down);
        config_unref(c);
        config_unref(d);
}

static void test_workers_auto(void **state) {
        struct config *c = load_good("backends: [ { host: a, port: 1 } ]\n");
        cpu_set_t set;

        (void)state;
        assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
        assert_int_equal(c->workers, CPU_COUNT(&set) > 64 ? 64 : CPU_COUNT(&set));
        assert_true(c->frontends[0].backlog > 0);
        config_unref(c);
}

/* The identity of a backend does not depend on how it was written. */
static void test_identity(void **state) {
        struct config *c = load_good("backends: [ { host: '0:0::1', port: 1 } ]\n");
        struct config *d =
                load_good("frontends: [ { name: f, listen: '1.1.1.1:1', backend: p } ]\n"
                          "backends: [ { name: p, servers: [ { address: '[::1]:1' } ] } ]\n");

        (void)state;
        assert_string_equal(c->pools[0].endpoints[0].name, "[::1]:1");
        assert_true(c->pools[0].endpoints[0].id == d->pools[0].endpoints[0].id);
        config_unref(c);
        config_unref(d);
}

static const char mock_up[] = "# bal on lb1\n"
                              "bind_address: 0.0.0.0\n"
                              "port: 9295\n"
                              "method: round_robin\n"
                              "runtime:\n"
                              "  health_check_interval_ms: 0\n"
                              "\n\n\n\n\n"
                              "backends:\n"
                              "  - host: \"10.20.0.11\"\n"
                              "    prot: 8080\n";

static void test_mock_up(void **state) {
        struct config *c;
        struct diags d;
        const struct diag *p;

        (void)state;
        assert_int_equal(load(&c, &d, mock_up), -EINVAL);
        assert_int_equal(d.n_errors, 2);
        assert_int_equal(d.n_warnings, 1);

        p = nth(&d, 0);
        assert_int_equal(p->code, DIAG_W003);
        assert_string_equal(p->message, "bind_address 0.0.0.0 listens on every interface");
        assert_string_equal(p->brief, "bind_address 0.0.0.0: every interface");
        assert_int_equal(p->at.line, 2);
        assert_int_equal(p->at.column, 15);
        assert_int_equal(p->at.end_column, 22);
        assert_non_null(strstr(p->label, " here: "));
        assert_string_equal(p->source[2], "bind_address: 0.0.0.0");
        assert_null(p->source[1]);

        p = nth(&d, 1);
        assert_int_equal(p->code, DIAG_E021);
        assert_string_equal(p->message, "value out of range for runtime.health_check_interval_ms");
        assert_string_equal(p->label, "0 is below the minimum of 1");
        assert_string_equal(p->brief, "0 is below the minimum of 1");
        assert_string_equal(p->do_this_now, "use 1 or more (default 200)");
        assert_string_equal(p->path, "runtime.health_check_interval_ms");
        assert_int_equal(p->at.column, 29);
        assert_null(p->source[1]);

        p = nth(&d, 2);
        assert_int_equal(p->code, DIAG_E014);
        assert_string_equal(p->message, "unknown key 'prot' in backends[0]");
        assert_string_equal(p->label, "did you mean 'port'?");
        assert_string_equal(p->brief, "unknown key 'prot', did you mean 'port'?");
        assert_string_equal(p->what_happened,
                            "'prot' is not a backend key, so this backend has no port");
        assert_string_equal(p->why_likely,
                            "typing error; keys: host port weight backup max_connections");
        assert_string_equal(p->do_this_now, "change line 14 to 'port: 8080', then run: bal check");
        assert_string_equal(p->path, "backends[0].prot");
        assert_int_equal(p->at.line, 14);
        assert_int_equal(p->at.column, 5);
        assert_int_equal(p->at.end_column, 9);
        assert_string_equal(p->source[0], "backends:");
        assert_string_equal(p->source[1], "  - host: \"10.20.0.11\"");
        assert_string_equal(p->source[2], "    prot: 8080");
        diags_done(&d);
}

static void test_both_places(void **state) {
        struct config *c;
        struct diags d;
        const struct diag *p;

        (void)state;
        assert_int_equal(load(&c, &d, "port: 1\nbackends: [ { host: a, port: 1 } ]\nport: 2\n"),
                         -EINVAL);
        p = nth(&d, 0);
        assert_int_equal(p->code, DIAG_E015);
        assert_int_equal(p->at.line, 3);
        assert_int_equal(p->other.line, 1);
        assert_int_equal(p->other.end_column, 5);
        assert_string_equal(p->other_source, "port: 1");
        assert_string_equal(p->other_label, "first given here");
        diags_done(&d);
}

/* A line that is shown must not turn the text behind it around, nor hide anything of itself. */
static void test_source_hides(void **state) {
        struct config *c;
        struct diags d;

        (void)state;
        assert_int_equal(load(&c, &d,
                              "prot:\t1 # a\xe2\x80\xae"
                              "b\xe2\x80\x8b\xf3\xa0\x81\x81\n"),
                         -EINVAL);
        assert_string_equal(nth(&d, 0)->source[2], "prot:\t1 # a?b??");
        diags_done(&d);
}

/* Milliseconds of this thread, so that a busy machine does not fail the test. */
static double cpu_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static char *many_backends(unsigned n, unsigned same) {
        char *text = malloc(64 + n * 48UL);
        size_t used = (size_t)sprintf(text, "backends:\n");

        for (unsigned i = 0; i < n; i++)
                used += (size_t)sprintf(text + used, "  - { host: 10.%u.%u.1, port: 80 }\n",
                                        i % same / 250, i % same % 250);
        return text;
}

static void test_speed(void **state) {
        char *few = many_backends(200, 200), *many = many_backends(4096, 4096);
        double start = cpu_ms(), middle;
        struct config *c = load_good(few);

        (void)state;
        middle = cpu_ms();
        config_unref(c);
        c = load_good(many);
        assert_int_equal(c->pools[0].n_endpoints, 4096);
        /* 30 ms are for the whole of `bal check`; sanitizers cost a factor of ten */
        print_message("200 backends %.2f ms, 4096 %.2f ms\n", middle - start, cpu_ms() - middle);
        assert_true(middle - start < 100);
        assert_true(cpu_ms() - middle < 2000);
        config_unref(c);
        free(few);
        free(many);
}

static void test_many_duplicates(void **state) {
        char *text = many_backends(4096, 2048);
        struct config *c;
        struct diags d;
        double start = cpu_ms();

        (void)state;
        assert_int_equal(load(&c, &d, text), -EINVAL);
        assert_int_equal(nth(&d, 0)->code, DIAG_E034);
        assert_true(d.n_errors >= 20 && d.n_suppressed > 0);
        assert_true(cpu_ms() - start < 2000);
        diags_done(&d);
        free(text);
}

/* before, then `n` times fill, then after. */
static char *big(const char *before, const char *fill, size_t n, const char *after, size_t *ret_n) {
        size_t k = strlen(fill), b = strlen(before), a = strlen(after);
        char *text = malloc(b + n * k + a + 1);

        memcpy(text, before, b);
        for (size_t i = 0; i < n; i++)
                memcpy(text + b + i * k, fill, k);
        memcpy(text + b + n * k, after, a + 1);
        *ret_n = b + n * k + a;
        return text;
}

static void test_large_input(void **state) {
        static const struct {
                const char *why, *before, *fill;
                size_t n;
                const char *after;
                enum diag_code code;
        } cases[] = {
                { "a line of 1 MiB", "port: ", "9", 1 << 20, "\n", DIAG_E021 },
                { "a key of 1 MiB", "", "k", 1 << 20, ": 1\n", DIAG_E006 },
                { "a quoted text of 1 MiB", "method: \"", "x", 1 << 20, "\"\n", DIAG_E022 },
                { "a comment of 1 MiB", "#", "x", 1 << 20, "\nport: 0\n", DIAG_E021 },
                { "nothing but blanks", "", " ", 1 << 20, "", DIAG_E005 },
                { "nothing but line feeds", "", "\n", 1 << 20, "port: 0", DIAG_E021 },
                { "brackets without end", "a: ", "[", 1 << 20, "", DIAG_E014 },
                { "braces without end", "", "{", 1 << 20, "", DIAG_E012 },
                { "dashes without end", "", "- ", 1 << 20, "", DIAG_E012 },
                { "question marks without end", "", "? ", 1 << 20, "", DIAG_E012 },
                { "unknown keys", "", "key: 1\n", 200000, "", DIAG_E014 },
                { "one key again and again", "", "port: 1\n", 200000, "", DIAG_E015 },
                { "small items", "backends:\n", "- x\n", 300000, "", DIAG_E027 },
                { "more items than are looked at", "backends:\n", "-\n", 500000, "", DIAG_E002 },
                { "aliases", "a: [", "*a,", 300000, "]\n", DIAG_E011 },
                { "carriage returns", "", "\r", 1 << 20, "port: 0", DIAG_E021 },
                { "tabs", "port: 1\n", "\t", 1 << 20, "", DIAG_E007 },
                { "four bytes a character", "mode: ", "\xf0\x9f\xa6\x80", 1 << 18, "\n",
                  DIAG_E042 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct config *c = NULL;
                struct diags d;
                double start = cpu_ms();
                bool found = false;
                size_t n;
                char *text = big(cases[i].before, cases[i].fill, cases[i].n, cases[i].after, &n);

                diags_init(&d);
                assert_int_equal(config_load_text(&c, "t", text, n, &d), -EINVAL);
                list_for_each(l, &d.list)
                        found |= container_of(l, struct diag, link)->code == cases[i].code;
                if (!found)
                        fail_msg("%s: got %s", cases[i].why, diag_info(nth(&d, 0)->code)->name);
                if (cpu_ms() - start > 5000)
                        fail_msg("%s: took %.0f ms", cases[i].why, cpu_ms() - start);
                diags_done(&d);
                free(text);
        }
}

static void test_too_large(void **state) {
        char *text = calloc(1, CONFIG_FILE_MAX + 1);
        struct config *c = NULL;
        struct diags d;

        (void)state;
        memset(text, '\n', CONFIG_FILE_MAX + 1);
        diags_init(&d);
        assert_int_equal(config_load_text(&c, "t", text, CONFIG_FILE_MAX + 1, &d), -EFBIG);
        assert_int_equal(nth(&d, 0)->code, DIAG_E002);
        diags_done(&d);

        diags_init(&d);
        assert_int_equal(config_load_text(&c, "t", text, CONFIG_FILE_MAX, &d), -EINVAL);
        assert_int_equal(nth(&d, 0)->code, DIAG_E005);
        diags_done(&d);
        free(text);
}

static int load_path(const char *path, enum diag_code *code) {
        struct config *c = NULL;
        struct diags d;
        int r;

        diags_init(&d);
        r = config_load(&c, path, &d);
        if (r == 0)
                config_unref(c);
        else
                *code = nth(&d, 0)->code;
        assert_int_equal(d.n_errors, r < 0);
        diags_done(&d);
        return r;
}

static void test_files(void **state) {
        char dir[] = "/tmp/bal-test-XXXXXX", path[64];
        enum diag_code code = 0;
        FILE *f;

        (void)state;
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/c.yaml", dir);

        assert_int_equal(load_path(path, &code), -ENOENT);
        assert_int_equal(code, DIAG_E001);
        assert_int_equal(load_path(dir, &code), -EISDIR);

        /* a FIFO nobody writes to must not hold up a reload */
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_int_equal(load_path(path, &code), -ENODEV);
        unlink(path);

        f = fopen(path, "w");
        assert_non_null(f);
        fputs("backends: [ { host: a, port: 1 } ]\n", f);
        fclose(f);
        assert_int_equal(load_path(path, &code), 0);
        if (geteuid() != 0) {
                chmod(path, 0);
                assert_int_equal(load_path(path, &code), -EACCES);
        }
        assert_int_equal(truncate(path, CONFIG_FILE_MAX + 1), 0);
        assert_int_equal(load_path(path, &code), -EFBIG);
        assert_int_equal(code, DIAG_E002);
        unlink(path);
        rmdir(dir);
}

static void *share(void *arg) {
        struct config *c = arg;

        for (int i = 0; i < 10000; i++)
                config_unref(config_ref(c));
        return config_unref(c);
}

static void test_sharing(void **state) {
        struct config *c = load_good("backends: [ { host: a, port: 1 } ]\n");
        pthread_t t[4];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(t); i++)
                assert_int_equal(pthread_create(&t[i], NULL, share, config_ref(c)), 0);
        assert_null(config_unref(c));
        for (size_t i = 0; i < ELEMENTS(t); i++)
                pthread_join(t[i], NULL);
        assert_null(config_unref(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_simple_model), cmocka_unit_test(test_full_model),
                cmocka_unit_test(test_statuses),     cmocka_unit_test(test_marks),
                cmocka_unit_test(test_workers_auto), cmocka_unit_test(test_identity),
                cmocka_unit_test(test_mock_up),      cmocka_unit_test(test_both_places),
                cmocka_unit_test(test_speed),        cmocka_unit_test(test_many_duplicates),
                cmocka_unit_test(test_large_input),  cmocka_unit_test(test_too_large),
                cmocka_unit_test(test_files),        cmocka_unit_test(test_sharing),
                cmocka_unit_test(test_source_hides),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
