/* SPDX-License-Identifier: MIT */
/* With which status `bal start` ends: a contract with systemd (bal/exit.h). The supervisor is this
 * file: it starts, gets ready and fails as the test wants (-Wl,--wrap). */
#include "daemon/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bal/exit.h"
#include "control/supervisor.h"

static char dir[] = "/tmp/bal-test-start-XXXXXX", path[64];

/* ---- the supervisor ---- */

static struct {
        int new, run;
        bool ready;
        void (*on_ready)(void *arg);
        void *arg;
} life;

int __wrap_supervisor_new(struct supervisor **ret, const struct supervisor_options *o);
int __wrap_supervisor_run(struct supervisor *s);
const char *__wrap_supervisor_problem(const struct supervisor *s);
struct supervisor *__wrap_supervisor_free(struct supervisor *s);

int __wrap_supervisor_new(struct supervisor **ret, const struct supervisor_options *o) {
        assert_string_equal(o->config_path, path);
        assert_string_equal(o->runtime_dir, dir);
        life.on_ready = o->ready;
        life.arg = o->arg;
        if (life.new < 0)
                return life.new;
        *ret = (struct supervisor *)&life;
        return 0;
}

int __wrap_supervisor_run(struct supervisor *s) {
        assert_ptr_equal(s, &life);
        if (life.ready)
                life.on_ready(life.arg);
        return life.run;
}

const char *__wrap_supervisor_problem(const struct supervisor *s) {
        (void)s;
        return "as the test wants it";
}

struct supervisor *__wrap_supervisor_free(struct supervisor *s) {
        (void)s;
        return NULL;
}

/* ---- the tests ---- */

static void write_config(const char *text) {
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}

static int set_up(void **state) {
        (void)state;
        if (!mkdtemp(dir))
                return -1;
        snprintf(path, sizeof(path), "%s/config.yaml", dir);
        setenv("RUNTIME_DIRECTORY", dir, 1);
        unsetenv("NOTIFY_SOCKET");
        unsetenv("LISTEN_FDS");
        return 0;
}

static int tear_down(void **state) {
        char log[64];

        (void)state;
        snprintf(log, sizeof(log), "%s/bal.log", dir);
        unlink(log);
        unlink(path);
        return rmdir(dir);
}

static void show(const struct diags *d, const char *of) {
        (void)d;
        (void)of;
}

static int start(bool detach) {
        const struct start_options o = {
                .config = path, .log_level = -1, .detach = detach, .no_watch = true, .show = show
        };
        pid_t self = getpid();
        int code;

        write_config("port: 9295\nbind_address: \"127.0.0.1\"\n"
                     "backends:\n  - { host: 127.0.0.1, port: 9 }\n");
        fflush(NULL);
        code = daemon_start(&o);
        if (getpid() != self)
                _exit(code); /* the daemon itself */
        while (waitpid(-1, NULL, 0) > 0)
                ; /* it has let go of its lock */
        return code;
}

/* Before it is ready the reason is told by the status, so that systemd does not try again in vain
 * (RestartPreventExitStatus=); a daemon that ran and fails is started again. */
static void test_ends(void **state) {
        static const struct {
                int new;
                bool ready;
                int run, code, code_detached;
        } table[] = {
                { 0, true, 0, BAL_EXIT_OK, BAL_EXIT_OK },
                { 0, false, -EIO, BAL_EXIT_FAILED, BAL_EXIT_FAILED },
                { 0, false, -EADDRINUSE, BAL_EXIT_FAILED, BAL_EXIT_FAILED },
                { 0, false, -EACCES, BAL_EXIT_NO_RIGHT, BAL_EXIT_NO_RIGHT },
                { 0, false, -EPERM, BAL_EXIT_NO_RIGHT, BAL_EXIT_NO_RIGHT },
                { 0, true, -EIO, BAL_EXIT_SOFTWARE, BAL_EXIT_OK },
                { 0, true, -EACCES, BAL_EXIT_SOFTWARE, BAL_EXIT_OK },
                { -ENOMEM, false, 0, BAL_EXIT_FAILED, BAL_EXIT_FAILED },
                { -EPERM, false, 0, BAL_EXIT_NO_RIGHT, BAL_EXIT_NO_RIGHT },
                { 0, false, 0, BAL_EXIT_OK, BAL_EXIT_FAILED }, /* stopped before it was ready */
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                life.new = table[i].new;
                life.ready = table[i].ready;
                life.run = table[i].run;
                assert_int_equal(start(false), table[i].code);
                assert_int_equal(start(true), table[i].code_detached);
        }
}

static void test_no_file(void **state) {
        const struct start_options o = { .config = path, .log_level = -1, .show = show };

        (void)state;
        life.new = life.run = 0;
        unlink(path);
        assert_int_equal(daemon_start(&o), BAL_EXIT_NO_INPUT);
        write_config("port: 0\n");
        assert_int_equal(daemon_start(&o), BAL_EXIT_CONFIG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ends),
                cmocka_unit_test(test_no_file),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
