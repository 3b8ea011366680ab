/* SPDX-License-Identifier: MIT */
/*
 * Replays a corpus through a fuzz target, so that every build runs what the fuzzers once found:
 * main FILE|FOLDER... Each input is also cut short at some places and has single bytes changed, by
 * rule and not by chance: the same inputs in every run.
 */

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (8 * 1024 * 1024)
#define VARIANTS  8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs a copy that ends where the memory ends, so that sanitizers see one byte too far. */
static void run(const uint8_t *data, size_t size) {
        uint8_t *copy = malloc(size ? size : 1);

        if (!copy)
                abort();
        if (size > 0)
                memcpy(copy, data, size);
        LLVMFuzzerTestOneInput(copy, size);
        free(copy);
}

static void run_variants(uint8_t *data, size_t size) {
        run(data, size);
        for (size_t i = 0; i < VARIANTS && size > 0; i++) {
                size_t at = size * i / VARIANTS;
                uint8_t kept = data[at];

                run(data, at);
                data[at] ^= (uint8_t)(1U << (i % 8));
                run(data, size);
                data[at] = kept;
        }
}

static int run_file(const char *path) {
        FILE *f = fopen(path, "rb");
        uint8_t *data = malloc(INPUT_MAX);
        size_t n;

        if (!f || !data) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                exit(1);
        }

        n = fread(data, 1, INPUT_MAX, f);
        fclose(f);
        run_variants(data, n);
        free(data);
        return 1;
}

static int run_path(const char *path);

static int run_folder(const char *path) {
        struct dirent **names;
        int n = scandir(path, &names, NULL, alphasort), done = 0;

        if (n < 0) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                exit(1);
        }

        for (int i = 0; i < n; i++) {
                char *inner;

                if (names[i]->d_name[0] != '.') {
                        if (asprintf(&inner, "%s/%s", path, names[i]->d_name) < 0)
                                abort();
                        done += run_path(inner);
                        free(inner);
                }
                free(names[i]);
        }
        free(names);
        return done;
}

static int run_path(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                exit(1);
        }
        return S_ISDIR(st.st_mode) ? run_folder(path) : run_file(path);
}

int main(int argc, char *argv[]) {
        int n = 0;

        for (int i = 1; i < argc; i++)
                n += run_path(argv[i]);
        printf("%d inputs, each in %d forms\n", n, 1 + 2 * VARIANTS);
        return n > 0 ? 0 : 1; /* a corpus that has gone missing is a failure */
}
