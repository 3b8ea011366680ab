/* SPDX-License-Identifier: MIT */
/* In place of metrics_http.c where bal is built without libmicrohttpd (meson: -Dmetrics=disabled):
 * `bal metrics` works, and nothing listens. */

#include "control/metrics_http.h"

int metrics_http_new(struct metrics_http **ret,
                     sd_event *event,
                     int listen_fd,
                     const char *path,
                     const struct metrics_http_hooks *hooks) {
        (void)ret, (void)event, (void)path, (void)hooks;
        fd_close(listen_fd);
        return -ENOSYS;
}

struct metrics_http *metrics_http_free(struct metrics_http *h) {
        (void)h;
        return NULL;
}

int metrics_http_set_path(struct metrics_http *h, const char *path) {
        (void)h, (void)path;
        return -ENOSYS;
}

void metrics_http_tick(struct metrics_http *h) {
        (void)h;
}

const char *metrics_http_library(void) {
        return "this bal was built without libmicrohttpd";
}
