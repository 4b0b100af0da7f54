/*
 * CivetWeb 1.15 as Debian 12 builds it opens "libcrypto.so" and "libssl.so" when an HTTPS listener
 * starts, and calls SSL_get_peer_certificate(), a function that OpenSSL 3 only has as a macro: the
 * first HTTPS request calls a null pointer. The names without a version come with development
 * packages alone.
 *
 * So two small libraries with these very names are opened first, by their full path: one stands for
 * the system's libcrypto, the other for its libssl with the function added (tls_shim/). The dynamic
 * linker gives CivetWeb what is already there under a name. The second one also tells where
 * CivetWeb reads to, which the checks of http/framing.c want to know.
 *
 * A libcivetweb that does not open its TLS library by these names is refused: its reads could not
 * be watched, and the checks could not be sure of what they look at.
 */
#include "http/tls_library.h"

#include "base/file.h"
#include "base/log.h"
#include "base/place.h"
#include "http/wait.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What stands in the image of the library, each with its NUL. */
static const char wants_ssl[] = "libssl.so";

struct image {
    uintptr_t inside; /* an address of the library */
    bool found;
    bool opens_ssl;
};

static bool holds(const ElfW(Phdr) * segment, uintptr_t base, const char *text, size_t size)
{
    /* The loader mapped it, so it is there to be read. */
    const void *start = (const void *)(base + segment->p_vaddr);

    return memmem(start, segment->p_filesz, text, size) != NULL;
}

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct image *image = arg;
    bool ours = false;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

        ours = ours || (info->dlpi_phdr[i].p_type == PT_LOAD && image->inside >= start &&
                        image->inside - start < info->dlpi_phdr[i].p_memsz);
    }
    for (int i = 0; ours && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_R))
            continue;
        image->opens_ssl |= holds(segment, info->dlpi_addr, wants_ssl, sizeof(wants_ssl));
    }
    image->found = ours;
    return ours;
}

static void *open_shim(const char *name)
{
    char path[PATH_MAX];
    char *joined = grc_place(GRC_PLACE_TLS, path, sizeof(path)) ? grc_path_join(path, name) : NULL;
    void *handle = joined ? dlopen(joined, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!handle) {
        const char *problem = dlerror();

        grc_error("%s", problem ? problem : "out of memory");
    }
    free(joined);
    return handle;
}

static bool open_shims(const char **ret_reason)
{
    typedef void watch_reads_fn(void (*watch)(const void *buffer, int size, int got));
    void *crypto = open_shim("libcrypto.so");
    void *ssl = crypto ? open_shim("libssl.so") : NULL;
    void *symbol = ssl ? dlsym(ssl, "greenroom_watch_reads") : NULL;
    watch_reads_fn *watch_reads;

    if (!symbol) {
        *ret_reason = "HTTPS needs libssl.so and libcrypto.so of this installation";
        return false;
    }
    memcpy(&watch_reads, &symbol, sizeof(symbol));
    watch_reads(grc_wait_took);
    return true; /* they stay open: CivetWeb keeps pointers into them */
}

/* CivetWeb gets a context of the TLS library that this program is linked with. */
static bool same_library(void)
{
    void *handle = dlopen(wants_ssl, RTLD_NOW | RTLD_NOLOAD);
    void *theirs = handle ? dlsym(handle, "SSL_CTX_new") : NULL;
    SSL_CTX *(*mine)(const SSL_METHOD *) = SSL_CTX_new;
    void *ours;

    memcpy(&ours, &mine, sizeof(ours));
    return theirs == ours;
}

bool grc_tls_library_open(uintptr_t inside, const char **ret_reason)
{
    static bool opened;
    struct image image = {.inside = inside};

    if (opened)
        return true;
    dl_iterate_phdr(look, &image);
    if (!image.found || !image.opens_ssl) {
        *ret_reason = "the linked libcivetweb does not open libssl.so for its TLS, so that it "
                      "cannot be given the one it needs";
        return false;
    }
    if (!open_shims(ret_reason))
        return false;
    if (!same_library()) {
        *ret_reason = "libcivetweb and this program would use different TLS libraries";
        return false;
    }
    opened = true;
    return true;
}
