/*
 * Libraries that are loaded when they are first needed, and not with the program. libcurl and libpq
 * of Debian bring 28 more libraries (GnuTLS, LDAP, Kerberos, SSH …). Linked, they cost a gateway
 * that has called no upstream yet, and keeps its data in SQLite, a third of its start and 4 MiB.
 * They are loaded by the name that the linker found in them at build time.
 *
 * A module of the gateway's own, linked with such a library, would be one more file to install, to
 * find and to keep at the version of the program.
 */
#pragma once

#include <link.h>
#include <stdbool.h>
#include <stddef.h>

#define GRC_LIBRARY_REASON 200u

/* A function of a library, and the address of the pointer to set. */
struct grc_library_function {
    const char *name;
    void *at;
};

/* Loads a library, which stays loaded, and sets the pointers; the caller loads no library twice at
 * the same time. Returns false with a reason. Takes some milliseconds. */
bool grc_library_load(const char *file, const struct grc_library_function *functions, size_t count,
                      char reason[GRC_LIBRARY_REASON]);

/* Whether the first file of this name in the directories of the dynamic linker is a shared object
 * for this processor. Takes some microseconds. It knows nothing of what /etc/ld.so.conf adds: after
 * false, grc_library_load() may still succeed. */
bool grc_library_is_there(const char *file);

/* Writes into the program that it loads a library (uapi-group.org, "ELF dlopen metadata"), for
 * tools that make packages and images. json is a list with one object. */
#define GRC_LIBRARY_NOTE(name_, json_)                                                             \
    __attribute__((used, section(".note.dlopen"), aligned(4))) static const struct {               \
        ElfW(Nhdr) head;                                                                           \
        char owner[4];                                                                             \
        char json[(sizeof(json_) + 3) / 4 * 4];                                                    \
    } name_ = {{4, sizeof(json_), 0x407c0c0a}, "FDO", json_}
