/* SPDX-License-Identifier: MIT */
/* config/find.h - which file: -c FILE, ~/.bal/config.yaml, /etc/bal/config.yaml; the first one. */
#pragma once

#include "core/base.h"

/* given: of -c, or NULL. *ret is the file to use, owned by the caller. 0; -ENOENT: none exists, and
 * *ret is still set, to the path that `bal start` would create (given, or ~/.bal/config.yaml). */
int config_find(char **ret, const char *given);

/* Writes the minimal file (0600, its directory 0700) without ever replacing one. 0, -EEXIST, ... */
int config_write_first(const char *path);
