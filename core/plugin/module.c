#include "plugin/module.h"

#include "base/clock.h"
#include "base/format.h"
#include "base/secure.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Sanitizers find the names for their reports in what is mapped when the program ends. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNLOADS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNLOADS false
#endif
#endif
#ifndef UNLOADS
#define UNLOADS true
#endif

struct grc_module {
    struct grc_module *_Atomic next; /* read by grc_module_at() at any time */
    struct grc_image image;          /* its file descriptor stays open while the code is mapped */
    unsigned char digest[32];
    void *library;
    gr_plugin_entry_fn *entry;
    _Atomic uintptr_t start; /* of the mapping; 0 when it is unloaded */
    _Atomic uintptr_t end;
    uintptr_t base; /* the address that the virtual addresses of the file are relative to */
    char file[64];
    char version[32];
    unsigned refs;
    unsigned generation;
    int64_t loaded_ms;
};

/* All modules. The entry of an unloaded module is reused and never freed, so that a signal handler
 * can walk the list. */
static struct {
    pthread_mutex_t lock;
    struct grc_module *_Atomic first;
} modules = {PTHREAD_MUTEX_INITIALIZER, NULL};

static struct grc_module *first_module(void)
{
    return atomic_load_explicit(&modules.first, memory_order_acquire);
}

static struct grc_module *next_module(const struct grc_module *module)
{
    return atomic_load_explicit(&((struct grc_module *)(uintptr_t)module)->next,
                                memory_order_acquire);
}

static bool is_mapped(const struct grc_module *module)
{
    return atomic_load_explicit(&module->start, memory_order_acquire) != 0;
}

/* --- loading --- */

static struct grc_module *find_same(const unsigned char digest[32])
{
    for (struct grc_module *module = first_module(); module; module = next_module(module)) {
        if (is_mapped(module) && memcmp(module->digest, digest, sizeof(module->digest)) == 0)
            return module;
    }
    return NULL;
}

/* Returns the entry of an unloaded module, or a new one. NULL without memory. */
static struct grc_module *take_place(void)
{
    struct grc_module *module = first_module();

    while (module && is_mapped(module))
        module = next_module(module);
    if (module)
        return module;
    module = calloc(1, sizeof(*module));
    if (module) {
        atomic_store_explicit(&module->next, first_module(), memory_order_relaxed);
        module->image.fd = -1;
        atomic_store_explicit(&modules.first, module, memory_order_release);
    }
    return module;
}

static unsigned next_generation(const char *name)
{
    static struct {
        char name[sizeof(((struct gr_note *)0)->name)];
        unsigned count;
    } * seen;
    static size_t count;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(seen[i].name, name) == 0)
            return ++seen[i].count;
    }
    void *more = realloc(seen, (count + 1) * sizeof(*seen));
    if (!more)
        return 0; /* unknown */
    seen = more;
    snprintf(seen[count].name, sizeof(seen[count].name), "%s", name);
    seen[count].count = 1;
    return seen[count++].count;
}

struct extent {
    uintptr_t base;
    uintptr_t start;
    uintptr_t end;
};

static int note_extent(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct extent *extent = arg;
    uintptr_t start = UINTPTR_MAX;
    uintptr_t end = 0;

    (void)size;
    if (info->dlpi_addr != extent->base)
        return 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

        if (segment->p_type != PT_LOAD)
            continue;
        uintptr_t from = info->dlpi_addr + segment->p_vaddr;
        start = from < start ? from : start;
        end = from + segment->p_memsz > end ? from + segment->p_memsz : end;
    }
    extent->start = start;
    extent->end = end;
    return 1;
}

/* Makes sure that a library which a plugin needs stays loaded: it may have threads, or be in use
 * elsewhere. */
static void keep_needed(void *arg, const char *library)
{
    void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD | RTLD_NODELETE);

    (void)arg;
    if (handle)
        dlclose(handle);
}

/* Replaces the path at the start of the dynamic linker's message by the name of the file. */
static char *reason_of_linker(const char *file, const char *path)
{
    const char *said = dlerror();
    size_t len = strlen(path);

    if (!said)
        said = "the dynamic linker refused it";
    if (strncmp(said, path, len) == 0 && strncmp(said + len, ": ", 2) == 0)
        said += len + 2;
    return grc_format("%s: %s", file, said);
}

static bool open_library(const char *file, struct grc_module *module, char **ret_reason)
{
    struct link_map *map = NULL;
    char path[64];

    /* The path has the process id instead of "self", so that a debugger can open it too. */
    snprintf(path, sizeof(path), "/proc/%ld/fd/%d", (long)getpid(), module->image.fd);
    module->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module->library) {
        *ret_reason = reason_of_linker(file, path);
        return false;
    }
    void *symbol = dlsym(module->library, "gr_plugin_entry");
    struct extent extent = {0, 0, 0};
    if (symbol && dlinfo(module->library, RTLD_DI_LINKMAP, &map) == 0) {
        extent.base = map->l_addr;
        (void)dl_iterate_phdr(note_extent, &extent);
    }
    if (!extent.start) {
        dlclose(module->library);
        return grc_refuse(ret_reason,
                          "%s: gr_plugin_entry: found no such symbol, wanted the function that "
                          "GR_PLUGIN() defines",
                          file);
    }
    memcpy(&module->entry, &symbol,
           sizeof(module->entry)); /* from an object to a function pointer */
    grc_elf_needed(module->image.bytes, module->image.size, keep_needed, NULL);
    module->base = extent.base;
    const char *slash = strrchr(file, '/');
    snprintf(module->file, sizeof(module->file), "%s", slash ? slash + 1 : file);
    module->version[0] = '\0';
    atomic_store_explicit(&module->end, extent.end, memory_order_relaxed);
    atomic_store_explicit(&module->start, extent.start, memory_order_release);
    return true;
}

static struct grc_module *load_new(const char *file, struct grc_image *image,
                                   const unsigned char digest[32], char **ret_reason)
{
    struct grc_module *module = take_place();

    if (!module) {
        *ret_reason = NULL;
        grc_image_done(image);
        return NULL;
    }
    module->image = *image;
    if (!open_library(file, module, ret_reason)) {
        grc_image_done(&module->image);
        return NULL;
    }
    memcpy(module->digest, digest, sizeof(module->digest));
    module->refs = 1;
    module->generation = next_generation(image->elf.name);
    module->loaded_ms = grc_now_ms();
    return module;
}

struct grc_module *grc_module_load(const char *file, struct grc_image *image, char **ret_reason)
{
    unsigned char digest[32];

    grc_sha256((gr_str){(const char *)image->bytes, image->size}, digest);
    pthread_mutex_lock(&modules.lock);
    struct grc_module *module = find_same(digest);
    if (module) {
        module->refs++;
        grc_image_done(image);
    } else {
        module = load_new(file, image, digest, ret_reason);
    }
    pthread_mutex_unlock(&modules.lock);
    return module;
}

/* --- unloading --- */

void grc_module_unref(struct grc_module *module)
{
    char path[64];

    if (!module)
        return;
    pthread_mutex_lock(&modules.lock);
    if (--module->refs == 0 && UNLOADS && !module->image.elf.outlives) {
        snprintf(path, sizeof(path), "/proc/%ld/fd/%d", (long)getpid(), module->image.fd);
        dlclose(module->library);
        void *still = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
        if (still) {
            module->library = still; /* the dynamic linker keeps it mapped */
        } else {
            atomic_store_explicit(&module->start, 0, memory_order_release);
            grc_image_done(&module->image);
        }
    }
    pthread_mutex_unlock(&modules.lock);
}

/* --- members --- */

const struct gr_plugin *grc_module_descriptor(const struct grc_module *module)
{
    return module->entry();
}

const struct grc_elf *grc_module_elf(const struct grc_module *module)
{
    return &module->image.elf;
}

unsigned grc_module_generation(const struct grc_module *module)
{
    return module->generation;
}

const char *grc_module_file(const struct grc_module *module)
{
    return module->file;
}

const char *grc_module_version(const struct grc_module *module)
{
    return module->version;
}

void grc_module_version_set(struct grc_module *module, const char *version)
{
    snprintf(module->version, sizeof(module->version), "%s", version);
}

size_t grc_module_room(const struct grc_module *module, const void *address)
{
    return grc_elf_room(module->image.bytes, module->image.size, (uintptr_t)address - module->base);
}

int64_t grc_module_loaded_ms(const struct grc_module *module)
{
    return module->loaded_ms;
}

int grc_module_fd(const struct grc_module *module)
{
    return module->image.fd;
}

const struct grc_module *grc_module_at(const void *address, size_t *ret_offset)
{
    for (const struct grc_module *module = first_module(); module; module = next_module(module)) {
        uintptr_t start = atomic_load_explicit(&module->start, memory_order_acquire);
        uintptr_t end = atomic_load_explicit(&module->end, memory_order_relaxed);

        if (start && (uintptr_t)address >= start && (uintptr_t)address < end) {
            *ret_offset = (uintptr_t)address - module->base;
            return module;
        }
    }
    return NULL;
}

struct grc_modules_count grc_modules_count(void)
{
    struct grc_modules_count count = {0, 0};

    pthread_mutex_lock(&modules.lock);
    for (struct grc_module *module = first_module(); module; module = next_module(module)) {
        if (is_mapped(module) && module->refs > 0)
            count.loaded++;
        else if (is_mapped(module))
            count.kept++;
    }
    pthread_mutex_unlock(&modules.lock);
    return count;
}
