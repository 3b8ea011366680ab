/* SPDX-License-Identifier: MIT */

#include "control/parameter.h"

/* NULL: absent or null. */
static const json_t *value_of(const json_t *parameters, const char *key) {
        const json_t *v = json_object_get(parameters, key);

        return json_is_null(v) ? NULL : v;
}

int parameter_text(const char **ret, const json_t *parameters, const char *key) {
        const json_t *v = value_of(parameters, key);

        if (!v)
                return 0;
        if (!json_is_string(v))
                return -EINVAL;
        *ret = json_string_value(v);
        return 1;
}

int parameter_number(uint64_t *ret,
                     const json_t *parameters,
                     const char *key,
                     uint64_t min,
                     uint64_t max) {
        const json_t *v = value_of(parameters, key);
        json_int_t n = json_integer_value(v);

        if (!v)
                return 0;
        if (!json_is_integer(v) || n < 0 || (uint64_t)n < min || (uint64_t)n > max)
                return -EINVAL;
        *ret = (uint64_t)n;
        return 1;
}

int parameter_flag(bool *ret, const json_t *parameters, const char *key) {
        const json_t *v = value_of(parameters, key);

        if (!v)
                return 0;
        if (!json_is_boolean(v))
                return -EINVAL;
        *ret = json_is_true(v);
        return 1;
}

int parameter_word(int *ret,
                   const json_t *parameters,
                   const char *key,
                   int (*find)(const char *word)) {
        const char *word = NULL;
        int r = parameter_text(&word, parameters, key), i;

        if (r <= 0)
                return r;
        i = find(word);
        if (i < 0)
                return -EINVAL;
        *ret = i;
        return 1;
}
