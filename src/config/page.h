/* SPDX-License-Identifier: MIT */
/* config/page.h - the files behind error_pages. */
#pragma once

#include "config/arena.h"
#include "http/span.h"

#define PAGE_MAX (16 * 1024) /* bytes */

struct page {
        struct span body;         /* in the arena; p is never NULL */
        const char *content_type; /* by the end of the name: .html, .json, else plain text */
};

/* path: absolute, or below the folder of the configuration file. 0; -EFBIG above PAGE_MAX; -EISDIR,
 * -ENODEV: not a file; -ENOMEM; what open() and read() say. */
int page_read(struct page *ret, struct arena *a, const char *config_file, const char *path);
