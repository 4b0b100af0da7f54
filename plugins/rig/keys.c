/*
 * Signing keys. The kid of a key is made from the key itself, so that keys can be exchanged
 * without anybody keeping a list of names: the old key moves to ..._previous until its tokens are
 * over. A key that nobody configured is made once and kept in the state directory.
 */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define GENERATED_BYTES 32
#define GENERATED_TEXT (2 * GENERATED_BYTES)
#define WEAK_BELOW 32

static void hex(const unsigned char *bytes, size_t count, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * count] = '\0';
}

/* ------------------------------------------------------------------------------------------ */
/* The state directory                                                                        */

static bool write_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t done = write(fd, text, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        text += done;
        len -= (size_t)done;
    }
    return fsync(fd) == 0;
}

/* Puts a fresh key under path, unless another process was faster: then its key counts. */
static bool make_file(struct gr_self *self, const char *path)
{
    unsigned char bytes[GENERATED_BYTES];
    char text[GENERATED_TEXT + 2];
    char temporary[4096];

    if (snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid()) >=
        (int)sizeof(temporary))
        return false;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    gr_random(self->host, bytes, sizeof(bytes));
    hex(bytes, sizeof(bytes), text);
    text[GENERATED_TEXT] = '\n';
    text[GENERATED_TEXT + 1] = '\0';
    bool ok = write_all(fd, text, GENERATED_TEXT + 1);
    ok = close(fd) == 0 && ok;
    /* link() fails when path exists, rename() would replace it. */
    if (ok && link(temporary, path) != 0)
        ok = errno == EEXIST;
    int reason = errno;
    (void)unlink(temporary);
    errno = reason;
    gr_wipe(self->host, bytes, sizeof(bytes));
    gr_wipe(self->host, text, sizeof(text));
    return ok;
}

/* NULL with errno; ENOENT when there is none yet. */
static char *read_file(const char *path)
{
    struct stat status;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return NULL;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077) == 0) {
        text = calloc(1, GENERATED_TEXT + 1);
        if (text && read(fd, text, GENERATED_TEXT) != GENERATED_TEXT) {
            free(text);
            text = NULL;
        }
    }
    (void)close(fd);
    if (!text)
        errno = EACCES;
    return text;
}

static char *generated_key(struct gr_self *self, const char *what)
{
    const char *dir = gr_state_dir(self);
    char path[4000];

    if (!dir || snprintf(path, sizeof(path), "%s/rig-%s.key", dir, what) >= (int)sizeof(path)) {
        gr_log_self(self, GR_LOG_ERROR, "%s_key is not set and there is no state directory", what);
        return NULL;
    }
    char *text = read_file(path);
    if (!text && errno == ENOENT) {
        if (mkdir(dir, 0700) != 0 && errno != EEXIST)
            gr_log_self(self, GR_LOG_WARN, "cannot make '%s': %s", dir, strerror(errno));
        if (make_file(self, path)) {
            gr_log_self(self, GR_LOG_INFO, "%s_key is not set: using the one made in '%s'", what,
                        path);
            text = read_file(path);
        }
    }
    if (!text)
        gr_log_self(self, GR_LOG_ERROR,
                    "%s_key is not set, and '%s' cannot be used (%s); expected a file of mode 0600",
                    what, path, strerror(errno));
    return text;
}

/* ------------------------------------------------------------------------------------------ */
/* The ring                                                                                   */

static void add_key(struct gr_self *self, struct rig_keyring *ring, const char *secret, bool named)
{
    struct gr_jwt_key *key = &ring->keys[ring->count];
    unsigned char digest[32];

    *key = (struct gr_jwt_key){.alg = "HS256", .key = gr_str_of(secret)};
    if (named) {
        char *kid = ring->kids[ring->count];
        gr_hmac_sha256(self->host, key->key, GR_STR("greenroom rig kid"), digest);
        hex(digest, 8, kid);
        key->kid = kid;
    }
    ring->count++;
}

enum gr_err rig_keyring_init(struct gr_self *self, struct rig_keyring *ring, const char *what,
                             const char *current, const char *previous, const char *legacy)
{
    *ring = (struct rig_keyring){.count = 0};
    if (!current) {
        ring->generated = generated_key(self, what);
        current = ring->generated;
    }
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

void rig_keyring_done(struct gr_self *self, struct rig_keyring *ring)
{
    if (ring->generated) {
        gr_wipe(self->host, ring->generated, strlen(ring->generated));
        free(ring->generated);
    }
    *ring = (struct rig_keyring){.count = 0};
}
