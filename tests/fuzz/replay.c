/* Replaces the main() of libFuzzer. It gives every file of the named directories to the target
 * once, so that builds with any compiler try the inputs that were found earlier. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX_BYTES = 1 << 20, PATH_MAX_BYTES = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "cannot open '%s': %s\n", path, strerror(errno));
        return -1;
    }
    uint8_t *data = malloc(INPUT_MAX_BYTES);
    if (!data) {
        fclose(file);
        return -1;
    }
    size_t size = fread(data, 1, INPUT_MAX_BYTES, file);
    int failed = ferror(file);
    fclose(file);

    /* A copy of exactly this size, so that a sanitizer sees a read past its end. */
    uint8_t *exact = failed ? NULL : malloc(size ? size : 1);
    if (exact) {
        memcpy(exact, data, size);
        LLVMFuzzerTestOneInput(exact, size);
    }
    free(data);
    if (!exact) {
        fprintf(stderr, "cannot read '%s'\n", path);
        return -1;
    }
    free(exact);
    return 0;
}

/* Returns the number of inputs tried, or -1. */
static int replay_dir(const char *path)
{
    struct dirent **names = NULL;
    int count = scandir(path, &names, NULL, alphasort);
    if (count < 0) {
        fprintf(stderr, "cannot list '%s': %s\n", path, strerror(errno));
        return -1;
    }
    int tried = 0;
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.' && tried >= 0) {
            char file[PATH_MAX_BYTES];
            int length = snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
            int fits = length > 0 && (size_t)length < sizeof(file);
            tried = fits && replay_file(file) == 0 ? tried + 1 : -1;
        }
        free(names[i]);
    }
    free(names);
    return tried;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int tried = replay_dir(argv[i]);
        if (tried < 1) {
            fprintf(stderr, "no input was tried from '%s'\n", argv[i]);
            return EXIT_FAILURE;
        }
        printf("%s: %d inputs\n", argv[i], tried);
    }
    return EXIT_SUCCESS;
}
