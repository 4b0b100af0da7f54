#include "base/log_journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST "PRIORITY="
#define LAST "\nMESSAGE="

/* What a field of the log is called in the journal. */
static const struct {
    const char *key;
    const char *name;
} names[] = {
    {"request_id", "REQUEST_ID"},  {"route", "OPERATION"},   {"group", "GREENROOM_GROUP"},
    {"plugin", "GREENROOM_GROUP"}, {"trace_id", "TRACE_ID"}, {"span_id", "SPAN_ID"},
    {"status", "HTTP_STATUS"},
};

static struct {
    pthread_mutex_t lock; /* of the address, while it is changed or copied */
    struct sockaddr_un address;
    _Atomic int socket; /* -1: there was none yet; it is never closed */
    _Atomic bool used;
} journal = {.lock = PTHREAD_MUTEX_INITIALIZER, .socket = -1};

bool grc_journal_is_stderr(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char found[64];
    struct stat info;

    if (!stream || fstat(STDERR_FILENO, &info) != 0)
        return false;
    snprintf(found, sizeof(found), "%llu:%llu", (unsigned long long)info.st_dev,
             (unsigned long long)info.st_ino);
    return strcmp(stream, found) == 0;
}

static bool address_of(const char *path, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    errno = ENAMETOOLONG;
    return snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "%s", path) <
           (int)sizeof(ret_address->sun_path);
}

static int make_socket(void)
{
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

bool grc_journal_listens(const char *path)
{
    struct sockaddr_un address;
    int fd = address_of(path, &address) ? make_socket() : -1;
    bool listens = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    int error = errno;

    if (fd >= 0)
        close(fd);
    errno = error;
    return listens;
}

void grc_journal_use(const char *path)
{
    struct sockaddr_un address;
    bool fine = path && address_of(path, &address);

    if (fine && atomic_load(&journal.socket) < 0)
        atomic_store(&journal.socket, make_socket());
    if (fine) {
        pthread_mutex_lock(&journal.lock);
        journal.address = address;
        pthread_mutex_unlock(&journal.lock);
    }
    atomic_store(&journal.used, fine && atomic_load(&journal.socket) >= 0);
}

bool grc_journal_used(void)
{
    return atomic_load_explicit(&journal.used, memory_order_relaxed);
}

/* --- writing --- */

static const char *name_of(gr_str key)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (gr_str_eq(gr_str_of(names[i].key), key))
            return names[i].name;
    }
    return NULL;
}

/* A line feed in a value would end its field. Values with control characters are left out. */
static bool is_clean(gr_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.ptr[i] < ' ')
            return false;
    }
    return value.len > 0;
}

static enum gr_err add_field(struct grc_buf *record, const struct grc_log_field *field)
{
    const char *name = name_of(field->key);

    if (name && field->kind == GRC_LOG_INT)
        return grc_buf_format(record, "\n%s=%lld", name, (long long)field->i);
    if (name && field->kind == GRC_LOG_STR && is_clean(field->s))
        return grc_buf_format(record, "\n%s=%.*s", name, (int)field->s.len, field->s.ptr);
    return GR_OK;
}

enum gr_err grc_journal_begin(struct grc_buf *record, enum gr_log_level level,
                              const struct grc_log_field *fields)
{
    static const int priorities[] = {
        [GR_LOG_ERROR] = 3, [GR_LOG_WARN] = 4, [GR_LOG_INFO] = 6, [GR_LOG_DEBUG] = 7};
    enum gr_err err =
        grc_buf_format(record, FIRST "%d\nSYSLOG_IDENTIFIER=greenroom", priorities[level]);

    for (; err == GR_OK && fields && fields->kind != GRC_LOG_END; fields++)
        err = add_field(record, fields);
    return err == GR_OK ? grc_buf_text(record, LAST) : err;
}

/* --- reading --- */

size_t grc_journal_record(gr_str lines)
{
    if (lines.len < sizeof(FIRST) || memcmp(lines.ptr, FIRST, sizeof(FIRST) - 1) != 0)
        return 0;
    const char *end = memmem(lines.ptr, lines.len, "\n\n", 2);
    return end ? (size_t)(end - lines.ptr) + 2 : 0;
}

gr_str grc_journal_line(gr_str record)
{
    const char *last = memmem(record.ptr, record.len, LAST, sizeof(LAST) - 1);
    const char *line = last ? last + sizeof(LAST) - 1 : record.ptr;

    return (gr_str){line, record.len - (size_t)(line - record.ptr) - 1};
}

bool grc_journal_send(gr_str record)
{
    struct sockaddr_un address;
    ssize_t sent;

    if (!grc_journal_used())
        return false;
    pthread_mutex_lock(&journal.lock);
    address = journal.address;
    pthread_mutex_unlock(&journal.lock);
    do
        sent = sendto(atomic_load(&journal.socket), record.ptr, record.len - 1, MSG_NOSIGNAL,
                      (const struct sockaddr *)&address, sizeof(address));
    while (sent < 0 && errno == EINTR);
    return sent >= 0;
}
