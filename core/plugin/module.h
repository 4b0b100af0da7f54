/*
 * The loaded code of a plugin. The file is read once into sealed memory, and checked and loaded
 * from there, so that later changes of the file cannot harm running code. Debuggers find the memory
 * under /proc/PID/fd/N, and as "greenroom:NAME" in /proc/PID/maps.
 */
#pragma once

#include "plugin/elf.h"

enum grc_module_state {
    GRC_MODULE_OK = 0,
    GRC_MODULE_NOT_FOUND, /* no such file, or none that can be read */
    GRC_MODULE_UNSAFE,    /* a file that others can write */
    GRC_MODULE_FILE,      /* not a shared object that may be loaded */
    GRC_MODULE_NO_ENTRY,  /* a shared object, but not a plugin */
    GRC_MODULE_DLOPEN,    /* the dynamic linker refused it */
};

/* Loaded code. All instances of a plugin that come from files with equal bytes share it. */
struct grc_module;

/* A file in sealed memory that is not loaded yet. */
struct grc_image {
    const unsigned char *bytes;
    size_t size;
    int fd;
    struct grc_elf elf;
};

/* Reads and checks a file without running its code. On success the caller releases *ret_image with
 * grc_image_done(). Otherwise the reason is one malloc'ed line that names the file (NULL without
 * memory). */
enum grc_module_state grc_image_read(const char *file, struct grc_image *ret_image,
                                     char **ret_reason);
/* The same for sealed memory that grc_image_read() made in another process. Takes the descriptor
 * over in any case. file is for messages. */
enum grc_module_state grc_image_take(const char *file, int fd, struct grc_image *ret_image,
                                     char **ret_reason);
void grc_image_done(struct grc_image *image);

/* Loads an image, or returns the module that was loaded from the same bytes. Runs the constructors
 * of new code. Steals the image in any case. The caller releases the module with
 * grc_module_unref(). Returns NULL with a malloc'ed reason. */
struct grc_module *grc_module_load(const char *file, struct grc_image *image, char **ret_reason);
/* Drops a reference; the last one unloads the code. Code stays mapped when it may have left a
 * thread or a callback behind, or when the dynamic linker keeps it; grc_modules_count() counts
 * those. Thread-safe, but no instance of the plugin may be in use. NULL is fine. */
void grc_module_unref(struct grc_module *module);

/* The descriptor that the entry function returns, which may be NULL. */
const struct gr_plugin *grc_module_descriptor(const struct grc_module *module);
/* What was read from the file. */
const struct grc_elf *grc_module_elf(const struct grc_module *module);
/* 1 for the first code of this name that the process loaded, 2 for the next one and so on. */
unsigned grc_module_generation(const struct grc_module *module);
/* The name of the file that it was loaded from, without directory. */
const char *grc_module_file(const struct grc_module *module);
/* The version that grc_module_version_set() was called with; "" before that. */
const char *grc_module_version(const struct grc_module *module);
void grc_module_version_set(struct grc_module *module, const char *version);
/* Returns the number of bytes from an address to the end of the object that contains it, see
 * grc_elf_room(). 0 when the address is outside of the module. */
size_t grc_module_room(const struct grc_module *module, const void *address);
/* When it was loaded, in milliseconds since the Unix epoch. */
int64_t grc_module_loaded_ms(const struct grc_module *module);
/* The sealed memory that it was loaded from. Borrowed. */
int grc_module_fd(const struct grc_module *module);

/* Finds the module of an address and the offset in its file, for reports of faults. NULL when the
 * address is in no loaded plugin. Async-signal-safe. */
const struct grc_module *grc_module_at(const void *address, size_t *ret_offset);

struct grc_modules_count {
    unsigned loaded; /* in use */
    unsigned kept;   /* no longer in use, but still mapped */
};
struct grc_modules_count grc_modules_count(void);
