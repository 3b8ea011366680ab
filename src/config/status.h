/* SPDX-License-Identifier: MIT */
/* config/status.h - expected_status: HTTP statuses and ranges of them, "200, 204, 300-399". */
#pragma once

#include "config/config.h"

struct statuses {
        struct config_status ranges[CONFIG_STATUS_MAX];
        size_t n; /* may be greater: so many there were */
};

enum status_verdict { STATUS_OK, STATUS_BAD, STATUS_ORDER };

struct status_piece { /* what is wrong: a part of the text */
        const char *start;
        size_t n;
};

/* Appends what the text lists. *bad is set unless the verdict is STATUS_OK; it may be NULL. */
enum status_verdict status_parse(struct statuses *s, const char *text, struct status_piece *bad);

/* "200,300-399", as it may stand in the file. Returns buf. */
#define STATUS_TEXT_MAX (CONFIG_STATUS_MAX * 8 + 1)
const char *status_text(const struct statuses *s, char buf[static STATUS_TEXT_MAX]);
