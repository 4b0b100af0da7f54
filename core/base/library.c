#include "base/library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The header of this program, from the linker. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* --- loading --- */

/* Returns the name of a function that the library does not have, or NULL. dlsym() returns data
 * pointers, which ISO C does not convert to functions, hence the copies. */
static const char *find_functions(void *library, const struct grc_library_function *functions,
                                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(library, functions[i].name);

        if (!found)
            return functions[i].name;
        memcpy(functions[i].at, &found, sizeof(found));
    }
    return NULL;
}

bool grc_library_load(const char *file, const struct grc_library_function *functions, size_t count,
                      char reason[GRC_LIBRARY_REASON])
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    if (!library) {
        const char *problem = dlerror();

        snprintf(reason, GRC_LIBRARY_REASON, "%s", problem ? problem : file);
        return false;
    }
    const char *missing = find_functions(library, functions, count);
    if (missing) {
        snprintf(reason, GRC_LIBRARY_REASON, "%s has no function %s", file, missing);
        (void)dlclose(library);
        return false;
    }
    return true;
}

/* --- looking --- */

/* Whether a file can be read at this path. *ret_fits tells whether its header fits this program. */
static bool look_at(const char *path, bool *ret_fits)
{
    const ElfW(Ehdr) *own = &__ehdr_start;
    ElfW(Ehdr) found;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    *ret_fits = read(fd, &found, sizeof(found)) == (ssize_t)sizeof(found) &&
                memcmp(found.e_ident, own->e_ident, EI_OSABI) == 0 && found.e_type == ET_DYN &&
                found.e_machine == own->e_machine;
    close(fd);
    return true;
}

static bool look_in(const Dl_serinfo *directories, const char *file)
{
    char path[4096];
    bool fits = false;

    for (unsigned i = 0; i < directories->dls_cnt; i++) {
        int len = snprintf(path, sizeof(path), "%s/%s", directories->dls_serpath[i].dls_name, file);

        if (len > 0 && (size_t)len < sizeof(path) && look_at(path, &fits))
            return fits;
    }
    return false;
}

bool grc_library_is_there(const char *file)
{
    Dl_serinfo size;
    void *program = dlopen(NULL, RTLD_LAZY);
    bool there = false;

    if (program && dlinfo(program, RTLD_DI_SERINFOSIZE, &size) == 0) {
        Dl_serinfo *directories = calloc(1, size.dls_size);

        if (directories) {
            directories->dls_size = size.dls_size;
            directories->dls_cnt = size.dls_cnt;
            there =
                dlinfo(program, RTLD_DI_SERINFO, directories) == 0 && look_in(directories, file);
        }
        free(directories);
    }
    if (program)
        (void)dlclose(program);
    return there;
}
