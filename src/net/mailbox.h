/* SPDX-License-Identifier: MIT */
/*
 * net/mailbox.h - the only way into a thread: post from any other, runs in the owner's loop.
 *
 * A worker reads its box from its loop (mailbox_attach), the control thread from sd-event
 * (mailbox_fd and mailbox_run). One small lock, one eventfd(2); the wake-up is written only when
 * the box was empty.
 */
#pragma once

#include "net/loop.h"

struct mailbox;

struct mail {
        struct link link;
        void (*fn)(struct mail *m, void *owner); /* must free m or hand it back */
};

int mailbox_new(struct mailbox **ret, void *owner); /* -ENOMEM, -EMFILE, -ENFILE */
struct mailbox *mailbox_free(struct mailbox *mb);   /* must be empty and detached */
DEFINE_CLEANUP(struct mailbox *, mailbox_free);

int mailbox_attach(struct mailbox *mb, struct loop *loop);
void mailbox_detach(struct mailbox *mb);

int mailbox_fd(const struct mailbox *mb); /* readable: call mailbox_run() */
void mailbox_run(struct mailbox *mb);     /* owner's thread: all that is there now, in order */

void mailbox_post(struct mailbox *mb, struct mail *m); /* any thread; never fails; takes m */
