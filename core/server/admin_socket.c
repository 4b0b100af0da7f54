#include "server/admin_socket.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/format.h"
#include "base/log.h"
#include "base/secure.h"
#include "base/siphash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Has a hash of the config directory, since gateways with different configs may share a state
 * directory. */
#define NAME_FORMAT "admin-%016" PRIx64 ".sock"
#define NAME_MAX_BYTES 32u
#define WORD_MAX_BYTES 64u
#define LINE_MAX_BYTES (2u * 1024 * 1024)
#define ANSWER_MAX_BYTES (4u * 1024 * 1024)
#define CLIENT_TIMEOUT_MS 1000

/* The location of a socket: its directory, as a descriptor, and its name. */
struct place {
    int directory;
    char name[NAME_MAX_BYTES];
};

struct grc_admin_socket {
    int fd;
    struct place place;
};

static struct place place_of(const struct grc_settings *settings)
{
    struct grc_siphash hash;
    struct place place = {.directory = open(settings->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    int error = errno; /* of a directory that cannot be opened */
    char *config = realpath(settings->dir, NULL);
    gr_str path = gr_str_of(config ? config : settings->dir);

    grc_siphash_begin_with(&hash, 0, 0); /* a fixed key: all processes must get the same name */
    grc_siphash_add(&hash, path);
    snprintf(place.name, sizeof(place.name), NAME_FORMAT, grc_siphash_end(&hash));
    free(config);
    errno = error;
    return place;
}

/* Makes an address through /proc, into which a directory of any length fits. Returns false if the
 * directory does not exist. */
static bool address_of(const struct place *place, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len = snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "/proc/self/fd/%d/%s",
                       place->directory, place->name);

    return place->directory >= 0 && len > 0 && (size_t)len < sizeof(ret_address->sun_path);
}

static int connect_to(const struct place *place)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (address_of(place, &address) &&
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* --- the gateway's end --- */

/* Removes the socket of a gateway that was killed. Returns false if a running gateway uses it. */
static bool make_room(const struct place *place)
{
    int fd = connect_to(place);

    if (fd >= 0) {
        close(fd);
        errno = EADDRINUSE;
        return false;
    }
    return unlinkat(place->directory, place->name, 0) == 0 || errno == ENOENT;
}

static bool bind_in(const struct place *place, int fd)
{
    struct sockaddr_un address;

    /* The file gets the mode of the descriptor, so other users can never open it. */
    return make_room(place) && address_of(place, &address) && fchmod(fd, 0600) == 0 &&
           bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 8) == 0;
}

struct grc_admin_socket *grc_admin_socket_open(const struct grc_settings *settings)
{
    struct grc_admin_socket *made = calloc(1, sizeof(*made));

    if (!made)
        return NULL;
    if (!grc_directory_make(settings->state_dir))
        grc_debug("state_directory: %s: %s", settings->state_dir, strerror(errno));
    made->place = place_of(settings);
    made->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made->place.directory >= 0 && made->fd >= 0 && bind_in(&made->place, made->fd))
        return made;
    grc_warn("'greenroom status' and 'greenroom reload' cannot reach this gateway: %s/%s: %s",
             settings->state_dir, made->place.name,
             errno == EADDRINUSE ? "another gateway with this config runs" : strerror(errno));
    if (made->fd >= 0)
        close(made->fd);
    if (made->place.directory >= 0)
        close(made->place.directory);
    free(made);
    return NULL;
}

int grc_admin_socket_fd(const struct grc_admin_socket *socket)
{
    return socket ? socket->fd : -1;
}

/* Reads a line without its end. Returns false if the client left, was slow, or wrote too much. */
static bool read_line(int fd, struct grc_buf *line)
{
    char piece[4096];

    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};

        if (poll(&ready, 1, CLIENT_TIMEOUT_MS) != 1)
            return false;
        ssize_t got = read(fd, piece, sizeof(piece));
        if (got <= 0 || grc_buf_add(line, piece, (size_t)got) != GR_OK)
            return false;
        if (piece[got - 1] == '\n') {
            line->ptr[line->len - 1] = '\0';
            return true;
        }
        if (line->len > WORD_MAX_BYTES && !memchr(line->ptr, ' ', WORD_MAX_BYTES))
            return false; /* too long for a word */
    }
}

/* The answer to "WORD" or "WORD JSON"; NULL if it is malformed. */
static json_t *answer_line(char *line, grc_admin_answer_fn *answer, void *arg)
{
    char *space = strchr(line, ' ');
    json_t *details = NULL;

    if (space) {
        *space = '\0';
        details = json_loads(space + 1, 0, NULL);
        if (!details)
            return NULL;
    }
    json_t *object = answer(arg, line, details);
    json_decref(details);
    return object;
}

static void write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        text += sent;
        len -= (size_t)sent;
    }
}

/* Only the gateway's user and root may ask, even if the file's mode was changed. */
static bool may_ask(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void serve_client(int fd, grc_admin_answer_fn *answer, void *arg)
{
    const struct timeval timeout = {.tv_sec = CLIENT_TIMEOUT_MS / 1000};
    struct grc_buf line;
    json_t *object = NULL;

    if (!may_ask(fd) || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0)
        return;
    grc_buf_init(&line, LINE_MAX_BYTES);
    if (read_line(fd, &line))
        object = answer_line(line.ptr, answer, arg);
    if (line.ptr)
        grc_wipe(line.ptr, line.cap); /* it may have a credential */
    grc_buf_done(&line);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    if (text)
        write_all(fd, text, strlen(text));
    free(text);
    json_decref(object);
}

void grc_admin_socket_serve(struct grc_admin_socket *socket, grc_admin_answer_fn *answer, void *arg)
{
    int fd = socket ? accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC) : -1;

    if (fd < 0)
        return;
    serve_client(fd, answer, arg);
    close(fd);
}

void grc_admin_socket_close(struct grc_admin_socket *socket)
{
    if (!socket)
        return;
    unlinkat(socket->place.directory, socket->place.name, 0);
    close(socket->fd);
    close(socket->place.directory);
    free(socket);
}

/* --- the other end --- */

static char *reason_of(const struct grc_settings *settings, int error)
{
    bool none = error == ENOENT || error == ECONNREFUSED;

    return grc_format("%s: %s (its socket would be in %s)", settings->dir,
                      none ? "no gateway runs with this config" : strerror(error),
                      settings->state_dir);
}

static json_t *read_answer(int fd)
{
    struct grc_buf buf;
    char piece[4096];
    json_t *answer = NULL;
    enum gr_err err = GR_OK;
    ssize_t got;

    grc_buf_init(&buf, ANSWER_MAX_BYTES);
    do {
        got = read(fd, piece, sizeof(piece));
        if (got > 0)
            err = grc_buf_add(&buf, piece, (size_t)got);
    } while (got > 0 && err == GR_OK);
    if (got == 0 && buf.ptr)
        answer = json_loadb(buf.ptr, buf.len, 0, NULL);
    grc_buf_done(&buf);
    return answer;
}

/* Writes "WORD\n" or "WORD JSON\n". false without memory. */
static bool send_question(int fd, const char *word, const json_t *details)
{
    char *json = details ? json_dumps(details, JSON_COMPACT) : NULL;
    char *line =
        details && !json ? NULL : grc_format("%s%s%s\n", word, json ? " " : "", json ? json : "");

    if (line)
        write_all(fd, line, strlen(line));
    if (json)
        grc_wipe(json, strlen(json));
    if (line)
        grc_wipe(line, strlen(line));
    free(json);
    free(line);
    return line != NULL;
}

json_t *grc_admin_socket_ask(const struct grc_settings *settings, const char *word,
                             const json_t *details, char **ret_reason)
{
    struct place place = place_of(settings);
    int fd = place.directory >= 0 ? connect_to(&place) : -1;
    int error = errno;

    if (place.directory >= 0)
        close(place.directory);
    if (fd < 0) {
        *ret_reason = reason_of(settings, error);
        return NULL;
    }
    json_t *answer = send_question(fd, word, details) ? read_answer(fd) : NULL;
    if (!answer)
        *ret_reason = reason_of(settings, EPROTO);
    close(fd);
    return answer;
}
