/* SPDX-License-Identifier: MIT */
/* control/metrics_mhd.h - libmicrohttpd, loaded when it is needed; see metrics_http.h. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>

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

/* Whether mhd_load() is likely to work. It looks where the library mostly lies; it loads it where
 * it is not there, or where that has failed before. */
bool mhd_is_there(void);
/* The same each time, and for good. NULL: it is not there, or too old. */
const struct mhd *mhd_load(void);
const char *mhd_problem(void); /* what the newest mhd_load() has failed of; UTF-8 */
