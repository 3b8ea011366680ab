/* SPDX-License-Identifier: MIT */

#include "fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/epoll.h>

#define DISARMED (-1)

static _Atomic int left = DISARMED; /* allocations until the one that fails */
static _Atomic bool failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);

void fault_arm(int nth) {
        atomic_store(&failed, false);
        atomic_store(&left, nth);
}

bool fault_disarm(void) {
        atomic_store(&left, DISARMED);
        return atomic_load(&failed);
}

static bool is_due(int error) {
        int now = atomic_load(&left);

        while (now != DISARMED && !atomic_compare_exchange_weak(&left, &now, now - 1))
                ;
        if (now != 0)
                return false;
        atomic_store(&failed, true);
        errno = error;
        return true;
}

void *__wrap_malloc(size_t size) {
        return is_due(ENOMEM) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
        return is_due(ENOMEM) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size) {
        return is_due(ENOMEM) ? NULL : __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
        return is_due(ENOMEM) ? NULL : __real_aligned_alloc(alignment, size);
}

int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event) {
        if (op == EPOLL_CTL_ADD && is_due(ENOSPC))
                return -1;
        return __real_epoll_ctl(epoll_fd, op, fd, event);
}
