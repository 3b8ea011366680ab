/* SPDX-License-Identifier: MIT */

#include <gnu/libc-version.h>
#include <yaml.h>

#include "bal/exit.h"
#include "cli/verb.h"

static json_t *version_document(void) {
        json_t *doc = out_document("bal.version");
        json_t *libs = json_pack("{s:s, s:s, s:s, s:s}", "glibc", gnu_get_libc_version(), "jansson",
                                 jansson_version_str(), "libsystemd", BAL_SYSTEMD_VERSION,
                                 "libyaml", yaml_get_version_string());

        if (doc && json_object_set_new(doc, "version", json_string(BAL_VERSION)) == 0 &&
            json_object_set(doc, "libs", libs) == 0) {
                json_decref(libs);
                return doc;
        }
        json_decref(libs);
        json_decref(doc);
        return NULL;
}

int version_run(struct cli *c) {
        if (args_has(&c->args, OPTION_BIT(JSON))) {
                out_json(&c->out, version_document());
                return BAL_EXIT_OK;
        }
        out_printf(&c->out, "bal " BAL_VERSION "\n");
        if (args_has(&c->args, OPTION_BIT(VERBOSE)))
                out_printf(&c->out, "glibc %s, jansson %s, libsystemd %s, libyaml %s\n",
                           gnu_get_libc_version(), jansson_version_str(), BAL_SYSTEMD_VERSION,
                           yaml_get_version_string());
        return BAL_EXIT_OK;
}
