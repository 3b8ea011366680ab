/* SPDX-License-Identifier: MIT */
/*
 * Two questions: which job runs for the unit this process is in, and of which type it is. systemd
 * calls the job of a restart "restart" until the old process is gone, and "start" after that. It
 * finds the unit by itself: with ProcSubset=pid, sd_pid_get_unit() does not work.
 *
 * The unit may be the system's or a user's, whose manager is on the user's bus. Where there is no
 * bus, root may ask the system's manager on a socket of its own. Nothing here blocks.
 */

#include "control/restart.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "core/log.h"

#define LOG_MODULE "restart"

#define MANAGER        "org.freedesktop.systemd1"
#define OWN_UNIT       "/org/freedesktop/systemd1/unit/self" /* that of the process that asks */
#define MANAGER_SOCKET "unix:path=/run/systemd/private"

struct restart_question {
        sd_bus *bus;
        sd_event_source *timer;
        restart_fn fn;
        void *arg;
        bool answered;
};

struct restart_question *restart_forget(struct restart_question *q) {
        if (!q)
                return NULL;
        sd_event_source_disable_unref(q->timer);
        sd_bus_close_unref(q->bus); /* calls that have no answer yet are dropped */
        free(q);
        return NULL;
}

/* The bus is closed at once: one that is attached to an event loop when that ends is flushed first,
 * which may take a minute and a half if nobody reads. */
static void answer(struct restart_question *q, bool restart) {
        if (q->answered)
                return;
        q->answered = true;
        sd_event_source_set_enabled(q->timer, SD_EVENT_OFF);
        sd_bus_close(q->bus);
        q->fn(restart, q->arg);
}

static void unknown(struct restart_question *q, int r, const char *why) {
        if (q->answered)
                return;
        log_warn(restart_unknown, "systemd does not say whether this is a restart: it is a stop",
                 F_STR("reason", why), F_ERR(r));
        answer(q, false);
}

static bool failed(struct restart_question *q, sd_bus_message *m) {
        const sd_bus_error *error = sd_bus_message_get_error(m);

        if (!error)
                return false;
        unknown(q, -sd_bus_error_get_errno(error), error->message);
        return true;
}

static int on_type(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct restart_question *q = userdata;
        const char *type;
        int r;

        (void)error;
        if (failed(q, m))
                return 0;
        r = sd_bus_message_read(m, "v", "s", &type);
        if (r < 0)
                unknown(q, r, "the type of the job cannot be read");
        else
                answer(q, strcmp(type, "restart") == 0 || strcmp(type, "try-restart") == 0);
        return 0;
}

static int get_property(struct restart_question *q,
                        const char *path,
                        const char *interface,
                        const char *property,
                        sd_bus_message_handler_t fn) {
        return sd_bus_call_method_async(q->bus, NULL, MANAGER, path,
                                        "org.freedesktop.DBus.Properties", "Get", fn, q, "ss",
                                        interface, property);
}

static int on_job(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct restart_question *q = userdata;
        const char *path;
        uint32_t id;
        int r;

        (void)error;
        if (failed(q, m))
                return 0;
        r = sd_bus_message_read(m, "v", "(uo)", &id, &path);
        if (r >= 0 && id == 0) {
                answer(q, false); /* a signal by hand */
                return 0;
        }
        if (r >= 0)
                r = get_property(q, path, MANAGER ".Job", "JobType", on_type);
        if (r < 0)
                unknown(q, r, "the job cannot be read");
        return 0;
}

static int on_late(sd_event_source *source, uint64_t at, void *userdata) {
        (void)source;
        (void)at;
        unknown(userdata, -ETIMEDOUT, "no answer");
        return 0;
}

/* ---- asking ---- */

static int open_manager_socket(sd_bus **ret) {
        sd_bus *bus;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, MANAGER_SOCKET);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0) {
                sd_bus_unref(bus);
                return r;
        }
        *ret = bus;
        return 0;
}

static int open_bus(sd_bus **ret) {
        int r;

        if (getenv("MANAGERPID")) /* only a user's manager sets it */
                return sd_bus_open_user(ret);
        r = sd_bus_open_system(ret);
        if (r < 0 && open_manager_socket(ret) == 0)
                r = 0;
        return r;
}

static int ask(struct restart_question *q, sd_event *event) {
        int r;

        r = open_bus(&q->bus);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(q->bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        r = get_property(q, OWN_UNIT, MANAGER ".Unit", "Job", on_job);
        if (r < 0)
                return r;
        return sd_event_add_time_relative(event, &q->timer, CLOCK_MONOTONIC,
                                          (uint64_t)RESTART_ANSWER_MS * 1000, 1000, on_late, q);
}

int restart_ask(struct restart_question **ret, sd_event *event, restart_fn fn, void *arg) {
        _cleanup_(restart_forgetp) struct restart_question *q = NULL;
        int r;

        if (!getenv("INVOCATION_ID"))
                return -ENOTSUP;
        q = calloc(1, sizeof(*q));
        if (!q)
                return -ENOMEM;
        q->fn = fn;
        q->arg = arg;
        r = ask(q, event);
        if (r < 0) {
                log_info(restart_unknown,
                         "systemd cannot be asked whether this is a restart: it is a stop",
                         F_ERR(r));
                return r;
        }
        *ret = take_ptr(q);
        return 0;
}
