/*
 * The code of a plugin, as this process runs it. The file is read once into sealed memory, judged
 * there and loaded from there, so that nothing that is done to the file afterwards harms what runs.
 * Debuggers find the memory under /proc/PID/fd/N, and as "greenroom:NAME" in /proc/PID/maps.
 */
#pragma once

#include "plugin/elf.h"

enum grc_module_state {
    GRC_MODULE_OK = 0,
    GRC_MODULE_NOT_FOUND, /* no such file, or none that can be read */
    GRC_MODULE_UNSAFE,    /* a file that others can write */
    GRC_MODULE_FILE,      /* not a shared object that may be loaded */
    GRC_MODULE_NO_ENTRY,  /* a shared object, but no plugin */
    GRC_MODULE_DLOPEN,    /* the dynamic linker refused it */
};

/* Bytes of one content: all instances of a plugin that come from equal files share it. */
struct grc_module;

/* A file in sealed memory, not loaded yet. Zeroed: none. */
struct grc_image {
    const unsigned char *bytes;
    size_t size;
    int fd;
    struct grc_elf elf;
};

/* Reads and judges a file. None of its code is run. Else the reason is one malloc'ed line that
 * names the file (NULL without memory). On success ret_image is released with grc_image_done(). */
enum grc_module_state grc_image_read(const char *file, struct grc_image *ret_image,
                                     char **ret_reason);
/* The same of sealed memory that grc_image_read() made in another process; takes the descriptor
 * over in any case. file is for messages. */
enum grc_module_state grc_image_take(const char *file, int fd, struct grc_image *ret_image,
                                     char **ret_reason);
void grc_image_done(struct grc_image *image);

/* Loads an image, or takes the module that the same bytes were loaded as. Runs the constructors of
 * new code. NULL with a malloc'ed reason, else released with grc_module_unref(). Takes the image
 * over in any case. One thread at a time loads (the main thread does). */
struct grc_module *grc_module_load(const char *file, struct grc_image *image, char **ret_reason);
/* Unloads the code with the last reference. It stays when it may have left a thread or a callback
 * behind, or when the dynamic linker keeps it; grc_modules_count() counts those. Any thread, but no
 * instance of it may be in use. NULL is fine. */
void grc_module_unref(struct grc_module *module);

/* The descriptor that its entry function gives; NULL when it gives none. */
const struct gr_plugin *grc_module_descriptor(const struct grc_module *module);
/* What the file said of itself. */
const struct grc_elf *grc_module_elf(const struct grc_module *module);
/* 1 for the first code of this name that the process loaded, 2 for the next one and so on. */
unsigned grc_module_generation(const struct grc_module *module);
/* The name of the file that it was loaded from, without directory. */
const char *grc_module_file(const struct grc_module *module);
/* What grc_module_version_set() was given; "" before. */
const char *grc_module_version(const struct grc_module *module);
void grc_module_version_set(struct grc_module *module, const char *version);
/* How many bytes of the module lie from an address to the end of the object that holds it: see
 * grc_elf_room(). 0: the address is not the module's. */
size_t grc_module_room(const struct grc_module *module, const void *address);
/* When it was loaded, in milliseconds since the Unix epoch. */
int64_t grc_module_loaded_ms(const struct grc_module *module);
/* The sealed memory that it was loaded from. Borrowed. */
int grc_module_fd(const struct grc_module *module);
/* The SHA-256 of its bytes. */
const unsigned char *grc_module_digest(const struct grc_module *module);

/* Where an address lies: the module and the offset in its file, for reports of faults. Async-signal
 * safe. NULL when it lies in no loaded plugin. */
const struct grc_module *grc_module_at(const void *address, size_t *ret_offset);

struct grc_modules_count {
    unsigned loaded; /* in use */
    unsigned kept;   /* not in use any more, but still mapped */
};
struct grc_modules_count grc_modules_count(void);
