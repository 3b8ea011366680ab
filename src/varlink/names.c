/* SPDX-License-Identifier: MIT */

#include "varlink/names.h"

#include <string.h>

#include "core/base.h"

#define NAME_MAX_LEN 255

extern const char *const varlink_idl[BAL_INTERFACES_COUNT]; /* made by embed.py */

static const struct interface_row {
        const char *name;
        bool on[BAL_SOCKETS_COUNT];
} interfaces[] = {
#define X(id, interface, on_status, on_admin)                                                      \
        [BAL_INTERFACE_##id] = { interface, { on_status, on_admin } },
        BAL_INTERFACES(X)
#undef X
};

static const struct method_row {
        const char *name, *parameters;
        enum bal_interface interface;
        bool more;
} methods[] = {
#define X(id, interface, method, parameters, more, help)                                           \
        [BAL_METHOD_##id] = { BAL_NAME_##interface "." method, parameters,                         \
                              BAL_INTERFACE_##interface, more },
        BAL_METHODS(X)
#undef X
};

static const char *const errors[] = {
#define X(id, interface, error, parameters) [BAL_ERROR_##id] = BAL_NAME_##interface "." error,
        BAL_ERRORS(X)
#undef X
};

const char *bal_interface_name(enum bal_interface i) {
        return interfaces[i].name;
}

const char *bal_method_name(enum bal_method m) {
        return methods[m].name;
}

const char *bal_error_name(enum bal_error e) {
        return errors[e];
}

int bal_error_find(const char *name) {
        for (int e = 0; e < BAL_ERRORS_COUNT; ++e)
                if (strcmp(errors[e], name) == 0)
                        return e;
        return -ENOENT;
}

int varlink_interface_find(const char *name, size_t n) {
        for (int i = 0; i < BAL_INTERFACES_COUNT; ++i)
                if (strlen(interfaces[i].name) == n && memcmp(interfaces[i].name, name, n) == 0)
                        return i;
        return -ENOENT;
}

int varlink_method_find(const char *qualified) {
        for (int m = 0; m < BAL_METHODS_COUNT; ++m)
                if (strcmp(methods[m].name, qualified) == 0)
                        return m;
        return -ENOENT;
}

bool varlink_interface_on(enum bal_interface i, enum bal_socket s) {
        return interfaces[i].on[s];
}

enum bal_interface varlink_method_interface(enum bal_method m) {
        return methods[m].interface;
}

bool varlink_method_takes(enum bal_method m, const char *parameter) {
        const char *word = methods[m].parameters;
        size_t n = strlen(parameter);

        while (*word) {
                size_t len = strcspn(word, ", ");

                if (len == n && memcmp(word, parameter, n) == 0)
                        return true;
                word += len;
                word += strspn(word, ", ");
        }
        return false;
}

bool varlink_method_more(enum bal_method m) {
        return methods[m].more;
}

const char *varlink_description(enum bal_interface i) {
        return varlink_idl[i];
}

/* Not isalpha(): that asks the locale. */
static bool is_letter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c) {
        return is_letter(c) || (c >= '0' && c <= '9');
}

/* One part of a name in reverse order of domains: letters, digits, and dashes between them. */
static bool is_label(const char *s, size_t n) {
        if (n == 0 || !is_alnum(s[0]) || !is_alnum(s[n - 1]))
                return false;
        for (size_t i = 0; i < n; ++i)
                if (!is_alnum(s[i]) && s[i] != '-')
                        return false;
        return true;
}

int varlink_check_interface(const char *name, size_t n) {
        size_t labels = 0, at = 0;

        if (n == 0 || n > NAME_MAX_LEN || !is_letter(name[0]))
                return -EINVAL;

        while (at <= n) {
                const char *dot = memchr(name + at, '.', n - at);
                size_t len = dot ? (size_t)(dot - name) - at : n - at;

                if (!is_label(name + at, len))
                        return -EINVAL;
                at += len + 1;
                ++labels;
        }
        return labels >= 2 ? 0 : -EINVAL;
}

int varlink_check_method(const char *qualified) {
        const char *dot = strrchr(qualified, '.');
        size_t n;

        if (!dot || varlink_check_interface(qualified, (size_t)(dot - qualified)) < 0)
                return -EINVAL;

        n = strlen(dot + 1);
        if (n == 0 || n > NAME_MAX_LEN || dot[1] < 'A' || dot[1] > 'Z')
                return -EINVAL;
        for (size_t i = 1; i <= n; ++i)
                if (!is_alnum(dot[i]))
                        return -EINVAL;
        return 0;
}
