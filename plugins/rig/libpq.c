#include "libpq.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

bool rig_pq_load(struct rig_pq *ret)
{
    const struct {
        const char *name;
        void *at;
    } rows[] = {
#define ROW(name_) {#name_, &ret->name_},
        RIG_PQ_FUNCTIONS(ROW)
#undef ROW
    };
    void *library = dlopen(GRC_LIBPQ, RTLD_NOW | RTLD_LOCAL);
    bool fine = library != NULL;

    for (size_t i = 0; fine && i < sizeof(rows) / sizeof(rows[0]); i++) {
        void *found = dlsym(library, rows[i].name);

        /* dlsym() returns data pointers, which ISO C does not convert to functions. */
        if (found)
            memcpy(rows[i].at, &found, sizeof(found));
        fine = found != NULL;
    }
    if (!fine)
        (void)fprintf(stderr, "greenroom: libpq cannot be loaded: %s\n", dlerror());
    if (!fine && library)
        (void)dlclose(library);
    return fine;
}
