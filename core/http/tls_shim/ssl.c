/*
 * Becomes the libssl.so that CivetWeb 1.15 opens by name: the system's libssl, with what is missing
 * in it and one call watched. See core/http/tls_library.c.
 */
#include <openssl/ssl.h>
#include <stdatomic.h>

/* That is a macro in OpenSSL 3, and CivetWeb looks for a function. */
#undef SSL_get_peer_certificate

#define SHIM_EXPORT __attribute__((visibility("default")))

typedef void watch_fn(const void *buffer, int size, int got);

SHIM_EXPORT X509 *SSL_get_peer_certificate(const SSL *ssl);
SHIM_EXPORT void greenroom_watch_reads(watch_fn *watch);

static _Atomic(watch_fn *) watching;

/* The function of that name gave a reference away. */
X509 *SSL_get_peer_certificate(const SSL *ssl)
{
    return SSL_get1_peer_certificate(ssl);
}

/* From now on, every read on a TLS connection of CivetWeb is told of. */
void greenroom_watch_reads(watch_fn *watch)
{
    atomic_store(&watching, watch);
}

SHIM_EXPORT int SSL_read(SSL *ssl, void *buffer, int size)
{
    watch_fn *watch = atomic_load_explicit(&watching, memory_order_relaxed);
    size_t count = 0;
    int got = 0;

    if (size > 0 && SSL_read_ex(ssl, buffer, (size_t)size, &count) == 1)
        got = (int)count;
    if (watch)
        watch(buffer, size, got);
    return got;
}
