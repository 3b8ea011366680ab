/* SPDX-License-Identifier: MIT */
/*
 * manager PATH ANSWER - a bus with nothing but a service manager on it, which says what job runs
 *
 * ANSWER: the type of the job; "none": no job; or what goes wrong: "hang" answers nothing, "close"
 * hangs up, "error" and "late-error" refuse the first and the second question, "odd" and "late-odd"
 * answer them with something else, "silent" says nothing at all, "noise" is no bus.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define SERVICE_UNKNOWN "org.freedesktop.DBus.Error.ServiceUnknown"

static const char *answer;

static int is(const char *what) {
        return strcmp(answer, what) == 0;
}

static int on_job(sd_bus_message *m) {
        if (is("error"))
                return sd_bus_reply_method_errorf(m, SERVICE_UNKNOWN, "no such service");
        if (is("odd"))
                return sd_bus_reply_method_return(m, "v", "s", "what?");
        if (is("none"))
                return sd_bus_reply_method_return(m, "v", "(uo)", 0, "/");
        return sd_bus_reply_method_return(m, "v", "(uo)", 7, "/org/freedesktop/systemd1/job/7");
}

static int on_type(sd_bus_message *m) {
        if (is("late-error"))
                return sd_bus_reply_method_errorf(m, SERVICE_UNKNOWN, "no such service");
        if (is("late-odd"))
                return sd_bus_reply_method_return(m, "v", "u", 7);
        return sd_bus_reply_method_return(m, "v", "s", answer);
}

static int on_get(sd_bus_message *m) {
        const char *path = sd_bus_message_get_path(m), *interface, *property;
        int r;

        r = sd_bus_message_read(m, "ss", &interface, &property);
        if (r < 0)
                return r;
        printf("%s %s %s\n", path, interface, property);
        if (is("hang"))
                return 1;
        if (is("close"))
                exit(0);
        return strcmp(property, "Job") == 0 ? on_job(m) : on_type(m);
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void)userdata;
        (void)error;
        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "Hello"))
                return sd_bus_reply_method_return(m, "s", ":1.1");
        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "Get"))
                return on_get(m);
        return 0;
}

static void serve(int fd) {
        sd_id128_t id =
                SD_ID128_MAKE(6d, 3d, 1d, d3, d9, df, 51, b2, ad, 90, 5d, a0, 6b, 91, c2, 80);
        sd_bus *bus = NULL;
        int r;

        if (is("silent"))
                return;
        if (is("noise")) {
                if (write(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28) < 0)
                        perror("write");
                close(fd);
                return;
        }
        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_fd(bus, fd, fd);
        if (r >= 0)
                r = sd_bus_set_server(bus, 1, id);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, on_message, NULL);
        if (r >= 0)
                r = sd_bus_start(bus);
        while (r >= 0) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        sd_bus_close_unref(bus);
}

int main(int argc, char **argv) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (argc != 3 || strlen(argv[1]) >= sizeof(a.sun_path)) {
                fprintf(stderr, "usage: manager PATH ANSWER\n");
                return 2;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        answer = argv[2];
        strcpy(a.sun_path, argv[1]);
        if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0) {
                perror(argv[1]);
                return 1;
        }
        puts("ready");
        for (;;) {
                int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (peer >= 0)
                        serve(peer);
        }
}
