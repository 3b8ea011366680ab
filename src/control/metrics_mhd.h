/* SPDX-License-Identifier: MIT */
/* control/metrics_mhd.h - libmicrohttpd, loaded when it is needed; see metrics_http.h. */
#pragma once

#include <microhttpd.h>

/* clang-format off */
#define MHD_FUNCTIONS(X)                                                                           \
        X(start_daemon)                                                                            \
        X(stop_daemon)                                                                             \
        X(add_connection)                                                                          \
        X(run)                                                                                     \
        X(get_timeout)                                                                             \
        X(get_daemon_info)                                                                         \
        X(get_connection_info)                                                                     \
        X(lookup_connection_value)                                                                 \
        X(create_response_from_buffer)                                                             \
        X(add_response_header)                                                                     \
        X(queue_response)                                                                          \
        X(destroy_response)
/* clang-format on */

struct mhd {
#define X(name) __typeof__(MHD_##name) *name;
        MHD_FUNCTIONS(X)
#undef X
};

/* The same each time, and for good. NULL: it is not there, or too old. */
const struct mhd *mhd_load(void);
