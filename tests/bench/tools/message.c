/* SPDX-License-Identifier: MIT */
/*
 * The body is read with MSG_TRUNC: the kernel drops it instead of copying it, so that the ends of a
 * load take as little as possible of the machine that the proxy is measured on.
 */
#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BODY_READ ((size_t)1024 * 1024)

void message_begin(struct message *m) {
        m->n_head = 0;
        m->in_body = false;
        m->left = m->body_bytes = 0;
}

static uint64_t content_length(const char *head) {
        const char *field = strcasestr(head, "\r\ncontent-length:");

        return field ? strtoull(field + strlen("\r\ncontent-length:"), NULL, 10) : 0;
}

/* What has come with the head belongs to the body; whatever comes after that nobody asked for. */
static int head_ends(struct message *m, char *end) {
        size_t over = (size_t)(m->head + m->n_head - (end + 4));

        end[2] = '\0'; /* the last field keeps its CR LF */
        m->left = content_length(m->head);
        if (over > m->left)
                return -EBADMSG;
        m->left -= over;
        m->body_bytes = over;
        m->in_body = true;
        return m->left == 0;
}

static int read_head(struct message *m, int fd) {
        ssize_t n = recv(fd, m->head + m->n_head, sizeof(m->head) - 1 - m->n_head, 0);
        char *end;

        if (n <= 0)
                return n == 0 ? -EPIPE : errno == EAGAIN ? 0 : -errno;
        m->n_head += (size_t)n;
        m->head[m->n_head] = '\0';
        end = strstr(m->head, "\r\n\r\n");
        if (end)
                return head_ends(m, end);
        return m->n_head == sizeof(m->head) - 1 ? -EBADMSG : 0;
}

int message_read(struct message *m, int fd) {
        size_t room = m->left < BODY_READ ? (size_t)m->left : BODY_READ;
        ssize_t n;

        if (!m->in_body)
                return read_head(m, fd);

        n = recv(fd, NULL, room, MSG_TRUNC);
        if (n <= 0)
                return n == 0 ? -EPIPE : errno == EAGAIN ? 0 : -errno;
        m->left -= (uint64_t)n;
        m->body_bytes += (uint64_t)n;
        return m->left == 0;
}

unsigned message_status(const struct message *m) {
        if (!m->in_body || strncmp(m->head, "HTTP/1.", 7) != 0)
                return 0;
        return (unsigned)strtoul(m->head + strlen("HTTP/1.1 "), NULL, 10);
}
