/* SPDX-License-Identifier: MIT */
/* varlink/names.h - looking names up in the tables of bal/protocol.h; the rest is declared
 * there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bal/protocol.h"

int varlink_interface_find(const char *name, size_t n); /* of n bytes; -ENOENT */
int varlink_method_find(const char *qualified);         /* -ENOENT */

bool varlink_interface_on(enum bal_interface i, enum bal_socket s);
enum bal_interface varlink_method_interface(enum bal_method m);
bool varlink_method_takes(enum bal_method m, const char *parameter);
bool varlink_method_more(enum bal_method m);

const char *varlink_description(enum bal_interface i); /* the text of its .varlink file */

/* 0, or -EINVAL: the grammar of Varlink forbids the name. */
int varlink_check_interface(const char *name, size_t n);
int varlink_check_method(const char *qualified); /* "interface.Method" */
