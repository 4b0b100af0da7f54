/*
 * Checks the file of a plugin by reading it: none of its code is mapped executable or run. Reasons
 * name what was found and what was wanted.
 */
#pragma once

#include <greenroom/plugin.h>

#define GRC_BUILD_ID_SIZE 65 /* hex digits of at most 32 bytes, and a NUL */

struct grc_elf {
    bool has_note; /* the next three are the note's */
    struct gr_abi abi;
    char name[sizeof(((struct gr_note *)0)->name)];
    char version[sizeof(((struct gr_note *)0)->version)];
    char build_id[GRC_BUILD_ID_SIZE]; /* "" when the linker wrote none */
    /* The name (static) of an imported function with effects that outlive the library, such as
     * pthread_create, so that the library has to stay loaded. NULL when there is none. */
    const char *outlives;
};

enum grc_elf_verdict {
    GRC_ELF_OK = 0,
    GRC_ELF_FILE,     /* not a shared object for this machine, or one that must not be loaded */
    GRC_ELF_NO_ENTRY, /* a shared object, but not a plugin */
};

/* Called with the name of a needed library. */
typedef void grc_elf_needed_fn(void *arg, const char *library);

/* Judges the bytes of a file. ret_elf is complete for GRC_ELF_OK; else it has what the file's notes
 * tell, and ret_reason gets a malloc'ed text without the file's name (NULL without memory). Never
 * reads past size. */
enum grc_elf_verdict grc_elf_read(const void *bytes, size_t size, struct grc_elf *ret_elf,
                                  char **ret_reason);
/* Returns the number of bytes from a virtual address to the end of the object that contains it, or
 * to the end of its segment when the file has no symbol for the object. 0 when no segment has it.
 */
size_t grc_elf_room(const void *bytes, size_t size, uintptr_t address);
/* Calls fn for each library that the file needs, in the order of the file; names are borrowed. Does
 * nothing when the bytes are not an ELF file. */
void grc_elf_needed(const void *bytes, size_t size, grc_elf_needed_fn *fn, void *arg);
