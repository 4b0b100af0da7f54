/*
 * A plugin's file, judged by plain reads: nothing of it is mapped executable or run. What is wrong
 * with it is said with what was found and what was wanted.
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
    /* A function it imports whose effects outlive the library, such as pthread_create: the library
     * then stays loaded. NULL: none. Static. */
    const char *outlives;
};

enum grc_elf_verdict {
    GRC_ELF_OK = 0,
    GRC_ELF_FILE,     /* not a shared object for this machine, or one that must not be loaded */
    GRC_ELF_NO_ENTRY, /* a shared object, but no plugin */
};

/* Takes one needed library's name. */
typedef void grc_elf_needed_fn(void *arg, const char *library);

/* Judges the bytes of a file. ret_elf is complete for GRC_ELF_OK; else it has what the file's notes
 * tell, and ret_reason gets a malloc'ed text without the file's name (NULL without memory). Never
 * reads past size. */
enum grc_elf_verdict grc_elf_read(const void *bytes, size_t size, struct grc_elf *ret_elf,
                                  char **ret_reason);
/* How many bytes of the loaded file lie from a virtual address to the end of the object that holds
 * it, which the symbols tell, or to the end of its segment when they do not. 0: it lies in none. */
size_t grc_elf_room(const void *bytes, size_t size, uintptr_t address);
/* Calls fn for each library the file needs, in the order of the file; the names are borrowed. Does
 * nothing for bytes that are no ELF file. */
void grc_elf_needed(const void *bytes, size_t size, grc_elf_needed_fn *fn, void *arg);
