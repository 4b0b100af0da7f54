/*
 * The bytes between the gateway and a Redis server: TCP, TLS over TCP, or a socket of this machine.
 * For core/redis only. The calls block, but never beyond their deadline (monotonic, ms), however
 * slowly the other side sends. One thread at a time uses a transport. `reason` gets what failed,
 * without any secret.
 */
#pragma once

#include "redis/redis.h"

struct grc_redis_transport;

/* Connects; with TLS, the server has to show a certificate for the URL's host. The lookup of the
 * host's name is the one thing that the deadline does not end. Returns NULL with a reason. */
struct grc_redis_transport *grc_redis_transport_open(const struct grc_redis_url *url,
                                                     const char *ca_file, int64_t deadline_ms,
                                                     char reason[GRC_REDIS_REASON]);
/* NULL is fine. */
void grc_redis_transport_close(struct grc_redis_transport *transport);

/* Writes all bytes. */
bool grc_redis_transport_write(struct grc_redis_transport *transport, gr_str bytes,
                               int64_t deadline_ms, char reason[GRC_REDIS_REASON]);
/* Returns the number of bytes read, at least 1; 0 with a reason. */
size_t grc_redis_transport_read(struct grc_redis_transport *transport, char *ret, size_t size,
                                int64_t deadline_ms, char reason[GRC_REDIS_REASON]);
