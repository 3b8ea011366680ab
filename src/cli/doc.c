/* SPDX-License-Identifier: MIT */

#include "cli/doc.h"

const char *doc_text(const json_t *doc, const char *key, const char *otherwise) {
        const char *s = json_string_value(json_object_get(doc, key));

        return s ? s : otherwise;
}

int64_t doc_int(const json_t *doc, const char *key) {
        return json_integer_value(json_object_get(doc, key));
}

double doc_number(const json_t *doc, const char *key) {
        return json_number_value(json_object_get(doc, key));
}

bool doc_bool(const json_t *doc, const char *key) {
        return json_is_true(json_object_get(doc, key));
}

json_t *doc_array(const json_t *doc, const char *key) {
        json_t *a = json_object_get(doc, key);

        return json_is_array(a) ? a : NULL;
}
