/*
 * Signing keys. The kid of a key is derived from the key, so that a key can be replaced without a
 * list of names: the old key moves to ..._previous until its tokens have expired. A key that is not
 * configured is made once and stored in the state directory.
 */
#include "rig.h"

#include <stdio.h>

#define WEAK_BELOW 32
#define FILE_NAME_SIZE 64

/* Returns the key from the state directory, or NULL after logging an error. */
static const char *kept_key(struct gr_self *self, const char *what)
{
    char file[FILE_NAME_SIZE];

    (void)snprintf(file, sizeof(file), "rig-%s.key", what);
    gr_str key = gr_state_secret(self, file);
    if (!key.len) {
        gr_log_self(
            self, GR_LOG_ERROR,
            "%s_key is not set, and no key could be read from or written to the state directory",
            what);
        return NULL;
    }
    gr_log_self(self, GR_LOG_INFO, "%s_key is not set: using '%s/%s'", what, gr_state_dir(self),
                file);
    return key.ptr;
}

static void add_key(struct gr_self *self, struct rig_keyring *ring, const char *secret, bool named)
{
    struct gr_jwt_key *key = &ring->keys[ring->count];
    unsigned char digest[32];

    *key = (struct gr_jwt_key){.alg = "HS256", .key = gr_str_of(secret)};
    if (named) {
        char *kid = ring->kids[ring->count];
        gr_hmac_sha256(self->host, key->key, GR_STR("greenroom rig kid"), digest);
        gr_hex(self->host, digest, 8, kid);
        key->kid = kid;
    }
    ring->count++;
}

enum gr_err rig_keyring_init(struct gr_self *self, struct rig_keyring *ring, const char *what,
                             const char *current, const char *previous, const char *legacy)
{
    *ring = (struct rig_keyring){.count = 0};
    if (!current)
        current = kept_key(self, what);
    if (!current)
        return GR_ERR_INTERNAL;
    if (!*current) {
        gr_log_self(self, GR_LOG_ERROR, "%s_key is empty", what);
        return GR_ERR_INTERNAL;
    }
    if (strlen(current) < WEAK_BELOW)
        gr_log_self(self, GR_LOG_WARN, "%s_key is short: %d random characters or more are safe",
                    what, WEAK_BELOW);
    add_key(self, ring, current, true);
    if (previous && *previous)
        add_key(self, ring, previous, true);
    add_key(self, ring, legacy && *legacy ? legacy : current, false);
    return GR_OK;
}
