/* SPDX-License-Identifier: MIT */

#include "cli/doctor/listening.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define WAIT_S      1
#define SOCKETS_MAX 65536 /* a machine with more is left alone */

struct list {
        struct listening *all;
        size_t n, size;
};

static int ask(int fd, sa_family_t family) {
        struct {
                struct nlmsghdr head;
                struct inet_diag_req_v2 req;
        } call = {
                .head = { .nlmsg_len = sizeof(call),
                          .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                          .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                .req = { .sdiag_family = (uint8_t)family,
                         .sdiag_protocol = IPPROTO_TCP,
                         .idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1),
                         .idiag_states = 1 << TCP_LISTEN },
        };

        return send(fd, &call, sizeof(call), 0) < 0 ? -errno : 0;
}

static void read_drops(struct listening *l, const struct nlmsghdr *head) {
        const struct inet_diag_msg *msg = NLMSG_DATA(head);
        int left = (int)(head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)));

        for (const struct rtattr *a = (const void *)(msg + 1); RTA_OK(a, left);
             a = RTA_NEXT(a, left)) {
                uint32_t values[SK_MEMINFO_VARS] = { 0 };

                if (a->rta_type != INET_DIAG_SKMEMINFO || RTA_PAYLOAD(a) < sizeof(values))
                        continue;
                memcpy(values, RTA_DATA(a), sizeof(values));
                l->dropped = values[SK_MEMINFO_DROPS];
                l->knows_dropped = true;
        }
}

static int add(struct list *list, const struct nlmsghdr *head) {
        const struct inet_diag_msg *msg = NLMSG_DATA(head);
        struct listening *l;
        bool is_local;

        if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
                return -EBADMSG;
        is_local = msg->idiag_family == AF_INET6 &&
                   IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)msg->id.idiag_src);
        if (msg->id.idiag_if != 0 && !is_local)
                return 0; /* bound to one network device: hidden, and about to be closed */
        if (list->n == list->size) {
                size_t size = list->size ? 2 * list->size : 64;
                struct listening *all;

                if (size > SOCKETS_MAX)
                        return -E2BIG;
                all = reallocarray(list->all, size, sizeof(*all));
                if (!all)
                        return -ENOMEM;
                list->all = all;
                list->size = size;
        }
        l = &list->all[list->n++];
        *l = (struct listening){ .inode = msg->idiag_inode,
                                 .queue = msg->idiag_rqueue,
                                 .queue_max = msg->idiag_wqueue };
        if (msg->idiag_family == AF_INET) {
                l->addr.len = sizeof(l->addr.in4);
                l->addr.in4.sin_family = AF_INET;
                l->addr.in4.sin_port = msg->id.idiag_sport;
                memcpy(&l->addr.in4.sin_addr, msg->id.idiag_src, sizeof(l->addr.in4.sin_addr));
        } else {
                l->addr.len = sizeof(l->addr.in6);
                l->addr.in6.sin6_family = AF_INET6;
                l->addr.in6.sin6_port = msg->id.idiag_sport;
                memcpy(&l->addr.in6.sin6_addr, msg->id.idiag_src, sizeof(l->addr.in6.sin6_addr));
                if (is_local)
                        l->addr.in6.sin6_scope_id = msg->id.idiag_if;
        }
        read_drops(l, head);
        return 0;
}

/* 1: there is more to come; 0: that was the end. */
static int hear(struct list *list, int fd) {
        _Alignas(struct nlmsghdr) char bytes[32768];
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        unsigned left;
        int r;

        if (n < 0)
                return errno == EINTR ? 1 : -errno;
        left = (unsigned)n;
        for (const struct nlmsghdr *head = (const void *)bytes; NLMSG_OK(head, left);
             head = NLMSG_NEXT(head, left)) {
                if (head->nlmsg_type == NLMSG_DONE)
                        return 0;
                if (head->nlmsg_type == NLMSG_ERROR) {
                        const struct nlmsgerr *e = NLMSG_DATA(head);

                        return head->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) ? -EBADMSG : e->error;
                }
                r = add(list, head);
                if (r < 0)
                        return r;
        }
        return 1;
}

static int dump(struct list *list, sa_family_t family) {
        _cleanup_(fd_closep) int fd =
                socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        const struct timeval wait = { .tv_sec = WAIT_S };
        int r;

        if (fd < 0)
                return -errno;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
        r = ask(fd, family);
        if (r < 0)
                return r;
        do
                r = hear(list, fd);
        while (r > 0);
        return r;
}

int listening_all(struct listening **ret, size_t *ret_n) {
        struct list list = { .all = NULL };
        int r;

        r = dump(&list, AF_INET);
        if (r == 0)
                r = dump(&list, AF_INET6);
        if (r < 0) {
                free(list.all);
                return r;
        }
        *ret = list.all;
        *ret_n = list.n;
        return 0;
}
