/* SPDX-License-Identifier: MIT */
/* core/paths.h - where things lie: runtime directory, configuration, sockets. Ownership: the caller
 * frees every returned string. -ENOMEM; -ENOENT where there is no home directory. */
#pragma once

#include "core/base.h"

#define PATHS_ETC_CONFIG "/etc/bal/config.yaml"
#define PATHS_RUN        "/run/bal"

int paths_home_dir(char **ret);    /* ~/.bal; $HOME, else the password database */
int paths_runtime_dir(char **ret); /* $RUNTIME_DIRECTORY (its first entry), else ~/.bal */
int paths_join(char **ret, const char *dir, const char *name);
