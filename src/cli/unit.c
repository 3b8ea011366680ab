/* SPDX-License-Identifier: MIT */
/*
 * Asked over systemd's bus, read-only, and not for long: a manager that does not answer must not
 * hold up a report.
 */

#include "cli/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "bal/exit.h"
#include "core/clock.h"
#include "core/paths.h"
#include "core/str.h"

#define MANAGER   "org.freedesktop.systemd1"
#define ANSWER_US ((uint64_t)400000)
#define DAY_US    ((uint64_t)86400 * 1000000)

bool unit_systemd_runs(void) {
        return access("/run/systemd/system", F_OK) == 0;
}

bool unit_starts(const char *config_path) {
        return config_path && strcmp(config_path, PATHS_ETC_CONFIG) == 0 && unit_systemd_runs();
}

struct of { /* whose properties */
        sd_bus *bus;
        const char *path, *interface;
};

/* *ret: points into *reply, which is the caller's, for a text. */
static int property(const struct of *of,
                    const char *name,
                    char type,
                    void *ret,
                    sd_bus_message **reply) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        const char text[] = { type, '\0' };
        int r;

        r = sd_bus_message_new_method_call(of->bus, &call, MANAGER, of->path,
                                           "org.freedesktop.DBus.Properties", "Get");
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", of->interface, name);
        if (r >= 0)
                r = sd_bus_call(of->bus, call, ANSWER_US, NULL, reply);
        if (r >= 0)
                r = sd_bus_message_enter_container(*reply, 'v', text);
        return r < 0 ? r : sd_bus_message_read_basic(*reply, type, ret);
}

static int number(const struct of *of, const char *name, char type, void *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

        return property(of, name, type, ret, &reply);
}

/* New string, NULL: unknown. */
static char *word(const struct of *of, const char *name) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *text = NULL;

        return property(of, name, 's', &text, &reply) < 0 || !text ? NULL : strdup(text);
}

static int unit_path(sd_bus *bus, const char *name, char **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        const char *path;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, MANAGER, "/org/freedesktop/systemd1",
                                           MANAGER ".Manager", "LoadUnit");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", name);
        if (r >= 0)
                r = sd_bus_call(bus, call, ANSWER_US, NULL, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return r;
        *ret = strdup(path);
        return *ret ? 0 : -ENOMEM;
}

int unit_read(struct unit *u) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(str_freep) char *path = NULL;
        struct of unit, service;
        int reload = 0, r;

        r = sd_bus_open_system(&bus);
        if (r < 0)
                return r;
        sd_bus_set_method_call_timeout(bus, ANSWER_US);
        r = unit_path(bus, u->name, &path);
        if (r < 0)
                return r;
        unit = (struct of){ bus, path, MANAGER ".Unit" };
        service = (struct of){ bus, path, MANAGER ".Service" };
        u->load = word(&unit, "LoadState");
        u->active = word(&unit, "ActiveState");
        u->enabled = word(&unit, "UnitFileState");
        if (!u->load || !u->active)
                return -EIO;
        if (strcmp(u->load, "loaded") != 0)
                return 0;
        u->restart = word(&service, "Restart");
        u->result = word(&service, "Result");
        number(&service, "LimitNOFILE", 't', &u->nofile);
        number(&service, "NRestarts", 'u', &u->restarts);
        number(&service, "ExecMainCode", 'i', &u->code);
        number(&service, "ExecMainStatus", 'i', &u->status);
        number(&service, "ExecMainExitTimestamp", 't', &u->exited_us);
        if (number(&unit, "NeedDaemonReload", 'b', &reload) >= 0)
                u->reload_needed = reload;
        return 0;
}

void unit_done(struct unit *u) {
        free(u->load);
        free(u->active);
        free(u->enabled);
        free(u->restart);
        free(u->result);
}

/* "12:01:07" of today, with the date when it is longer ago; local time. */
static void exit_time(uint64_t exited_us, char *buf, size_t size) {
        time_t t = (time_t)(exited_us / 1000000);
        bool recent = clock_real_us() < exited_us + DAY_US;
        struct tm tm;

        if (!localtime_r(&t, &tm) ||
            strftime(buf, size, recent ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm) == 0)
                buf[0] = '\0';
}

static const char *status_text(int status) {
        switch (status) {
        case BAL_EXIT_CONFIG:
                return " (configuration)";
        case BAL_EXIT_NO_RIGHT:
                return " (no right)";
        case BAL_EXIT_NO_INPUT:
                return " (no configuration file)";
        case BAL_EXIT_SOFTWARE:
                return " (a bug)";
        default:
                return "";
        }
}

char *unit_last_exit(const struct unit *u) {
        char when[32];

        if (u->exited_us == 0)
                return NULL;
        exit_time(u->exited_us, when, sizeof(when));
        if (u->code == CLD_EXITED)
                return str_printf("last exit %s status %d%s", when, u->status,
                                  status_text(u->status));
        return str_printf("last exit %s by signal %d (%s)", when, u->status, strsignal(u->status));
}
