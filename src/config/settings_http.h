/* SPDX-License-Identifier: MIT */
/* config/settings_http.h - what differs in the lists of protocol http: told by name, not by value,
 * since a header's value may be a secret. */
#pragma once

#include "config/settings.h"

/* "http.request_headers changed (X-A, -Server), routes changed (3 -> 4)"; "" when there is no
 * difference, or when only one of the two frontends speaks http. -ENOMEM. */
int settings_of_http(char **ret, const struct settings_ends *e);
