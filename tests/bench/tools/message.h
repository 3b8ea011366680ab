/* SPDX-License-Identifier: MIT */
/* tools/message.h - reads one HTTP/1.1 message with a Content-Length and throws its body away. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_HEAD_MAX 8192

struct message {
        char head[MESSAGE_HEAD_MAX];
        size_t n_head;
        bool in_body;
        uint64_t left;       /* of the body */
        uint64_t body_bytes; /* of the body that have come so far */
};

void message_begin(struct message *m);

/* One read, which the caller knows not to wait, or lets wait. 1: the message is whole, 0: there is
 * more to come, or nothing there; < 0: negative errno, -EPIPE at EOF, -EBADMSG when it is none. */
int message_read(struct message *m, int fd);

/* Of a response, when its head is there; 0: it is none. */
unsigned message_status(const struct message *m);
