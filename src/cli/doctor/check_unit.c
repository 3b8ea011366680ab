/* SPDX-License-Identifier: MIT */
/*
 * What systemd knows of bal, where systemd runs. Asked over its bus, read-only, and not for long:
 * a manager that does not answer must not hold up the report.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "cli/doctor/exam.h"
#include "cli/doctor/proc.h"

#define MANAGER   "org.freedesktop.systemd1"
#define ANSWER_US ((uint64_t)400000)
#define NAME      "bal.service"
#define DAEMON_MS 300 /* a stuck daemon is not waited for */

struct unit {
        char name[PROC_UNIT_MAX];
        char *load, *active, *enabled, *restart, *result; /* NULL: unknown */
        uint64_t nofile;
        uint32_t restarts;
        int32_t status;
        bool reload_needed;
};

static int property(sd_bus *bus,
                    const char *path,
                    const char *interface,
                    const char *name,
                    char type,
                    void *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        const char text[] = { type, '\0' };
        int r;

        r = sd_bus_message_new_method_call(bus, &call, MANAGER, path,
                                           "org.freedesktop.DBus.Properties", "Get");
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", interface, name);
        if (r >= 0)
                r = sd_bus_call(bus, call, ANSWER_US, NULL, &reply);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'v', text);
        return r < 0 ? r : sd_bus_message_read_basic(reply, type, ret);
}

/* New string, NULL: unknown. */
static char *word(sd_bus *bus, const char *path, const char *interface, const char *name) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        const char *text = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, MANAGER, path,
                                           "org.freedesktop.DBus.Properties", "Get");
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", interface, name);
        if (r >= 0)
                r = sd_bus_call(bus, call, ANSWER_US, NULL, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "v", "s", &text);
        return r < 0 || !text ? NULL : strdup(text);
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

static int unit_read(struct unit *u) {
        static const char unit[] = MANAGER ".Unit", service[] = MANAGER ".Service";
        sd_bus *bus = NULL;
        char *path = NULL;
        int reload = 0, r;

        r = sd_bus_open_system(&bus);
        if (r < 0)
                return r;
        sd_bus_set_method_call_timeout(bus, ANSWER_US);
        r = unit_path(bus, u->name, &path);
        if (r < 0)
                return r;
        u->load = word(bus, path, unit, "LoadState");
        u->active = word(bus, path, unit, "ActiveState");
        u->enabled = word(bus, path, unit, "UnitFileState");
        if (!u->load || !u->active)
                return -EIO;
        if (strcmp(u->load, "loaded") != 0)
                return 0;
        u->restart = word(bus, path, service, "Restart");
        u->result = word(bus, path, service, "Result");
        property(bus, path, service, "LimitNOFILE", 't', &u->nofile);
        property(bus, path, service, "NRestarts", 'u', &u->restarts);
        property(bus, path, service, "ExecMainStatus", 'i', &u->status);
        if (property(bus, path, unit, "NeedDaemonReload", 'b', &reload) >= 0)
                u->reload_needed = reload;
        return 0;
}

static bool is(const char *value, const char *wanted) {
        return value && strcmp(value, wanted) == 0;
}

static void judge(struct finding *f, const struct unit *u, pid_t daemon, bool in_unit) {
        if (!is(u->load, "loaded")) {
                finding_ok(f, "systemd has no %s%s", u->name,
                           daemon > 0 ? "; the daemon was started by hand" : "");
                if (is(u->load, "masked"))
                        finding_ok(f, "%s is masked", u->name);
        } else if (is(u->active, "failed")) {
                finding_warn(f, "%s has failed (%s, status %d)", u->name,
                             u->result ? u->result : "?", u->status);
                words_set(&f->what_happened, "systemd has given it up after %u restarts",
                          u->restarts);
                words_set(&f->why_likely, u->status == 78 ? "the configuration is wrong"
                                                          : "the last lines of its log say it");
                words_set(&f->do_this_now, "journalctl -u %s -n 20; then: systemctl restart %s",
                          u->name, u->name);
        } else if (daemon > 0 && !in_unit &&
                   (is(u->active, "active") || is(u->enabled, "enabled"))) {
                finding_warn(f, "pid %d was started by hand, beside %s (%s)", daemon, u->name,
                             u->active);
                words_set(&f->what_happened, "systemd knows nothing of this daemon: it neither "
                                             "watches nor stops it");
                words_set(&f->why_likely,
                          "bal start was typed where systemctl start bal was meant");
                words_set(&f->do_this_now, "bal stop && systemctl start %s", u->name);
        } else if (u->reload_needed) {
                finding_warn(f, "the file of %s was changed and is not in force", u->name);
                words_set(&f->why_likely, "edited by hand, or by a package");
                words_set(&f->do_this_now, "systemctl daemon-reload");
        } else if (is(u->active, "active") && is(u->restart, "no")) {
                finding_warn(f, "%s has Restart=no: after a crash it stays away", u->name);
                words_set(&f->why_likely, "its file, or a drop-in, says so");
                words_set(&f->do_this_now, "systemctl edit %s: Restart=on-failure", u->name);
        } else {
                finding_ok(f, "%s is %s, %s; LimitNOFILE=%llu Restart=%s", u->name, u->active,
                           u->enabled && *u->enabled ? u->enabled : "not enabled",
                           (unsigned long long)u->nofile, u->restart ? u->restart : "?");
        }
}

int check_unit(struct exam *x, struct finding *f) {
        struct unit u = { .name = NAME };
        char cgroup[8192];
        bool in_unit = false;
        pid_t daemon;
        int r;

        if (access("/run/systemd/system", F_OK) < 0) {
                finding_ok(f, "systemd does not run here");
                return 0;
        }
        daemon = exam_pid(x, DAEMON_MS);
        if (daemon > 0 && proc_read_of(daemon, "cgroup", cgroup, sizeof(cgroup)) > 0) {
                char name[PROC_UNIT_MAX];

                in_unit = proc_unit(name, cgroup) && strncmp(name, "bal", 3) == 0;
                if (in_unit)
                        memcpy(u.name, name, sizeof(u.name));
        }
        r = unit_read(&u);
        if (r < 0)
                finding_ok(f, "not known: systemd does not answer (%s)", strerror(-r));
        else
                judge(f, &u, daemon, in_unit);
        return 0;
}
