#include "cmd/case_upstream.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/format.h"
#include "base/json.h"
#include "base/thread.h"
#include "cmd/cases.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)256 * 1024)
#define REQUEST_BYTES_MAX (16u * 1024 * 1024)
#define PATIENCE_S 10

struct grc_case_upstream {
    int listener;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    json_t *calls;    /* guarded by the lock */
    json_t *received; /* guarded by the lock */
};

/* --- one request --- */

static bool receive(int fd, struct grc_buf *in)
{
    char block[4096];
    ssize_t got;

    do {
        got = recv(fd, block, sizeof(block), 0);
    } while (got < 0 && errno == EINTR);
    return got > 0 && grc_buf_add(in, block, (size_t)got) == GR_OK;
}

static json_t *headers_of(const char *at, const char *end)
{
    json_t *headers = json_object();

    while (at < end) {
        const char *line_end = strstr(at, "\r\n");
        const char *colon = memchr(at, ':', (size_t)(line_end - at));
        char name[128];
        size_t len = colon ? (size_t)(colon - at) : 0;

        if (colon && len < sizeof(name)) {
            for (size_t i = 0; i < len; i++)
                name[i] = (char)tolower((unsigned char)at[i]);
            name[len] = '\0';
            const char *value = colon + 1 + strspn(colon + 1, " \t");
            json_object_set_new_nocheck(headers, name,
                                        json_stringn_nocheck(value, (size_t)(line_end - value)));
        }
        at = line_end + 2;
    }
    return headers;
}

/* Reads a request line, "METHOD /NAME/target HTTP/1.1", into the record. Returns false for anything
 * else. */
static bool read_line(const char *line, json_t *record)
{
    const char *space = strchr(line, ' ');
    const size_t method = space ? (size_t)(space - line) : 0;

    if (!space || space[1] != '/')
        return false;
    const char *name = space + 2;
    const size_t name_len = strcspn(name, "/? \r");
    const char *target = name + name_len;
    const size_t target_len = strcspn(target, " \r");
    json_object_set_new(record, "method", json_stringn_nocheck(line, method));
    json_object_set_new(record, "at", json_stringn_nocheck(name, name_len));
    json_object_set_new(record, "target", json_stringn_nocheck(target, target_len));
    return true;
}

/* Reads a whole request. Returns NULL when there is none. */
static json_t *read_request(int fd)
{
    struct grc_buf in;
    const char *end = NULL;
    json_t *record = NULL;

    grc_buf_init(&in, REQUEST_BYTES_MAX);
    while ((!in.ptr || !(end = strstr(in.ptr, "\r\n\r\n"))) && receive(fd, &in))
        ;
    const char *headers = end ? strstr(in.ptr, "\r\n") + 2 : NULL;
    json_t *fields = end ? headers_of(headers, end + 2) : NULL;
    const char *length = json_string_value(json_object_get(fields, "content-length"));
    const size_t head = end ? (size_t)(end - in.ptr) + 4 : 0;
    const size_t body = length ? strtoull(length, NULL, 10) : 0;
    bool whole = end != NULL;
    while (whole && in.len - head < body)
        whole = receive(fd, &in);
    if (whole) {
        record = json_object();
        json_object_set_new(record, "body", json_stringn_nocheck(in.ptr + head, body));
        json_object_set(record, "headers", fields);
    }
    if (whole && !read_line(in.ptr, record)) {
        json_decref(record);
        record = NULL;
    }
    json_decref(fields);
    grc_buf_done(&in);
    return record;
}

/* --- its answer --- */

/* True when the call has this method and path. Its member "taken" counts the requests that were
 * matched to it. */
static bool is_meant(const json_t *call, const json_t *record, bool exactly)
{
    const char *receives = grc_json_text(call, "receives", "");
    const char *method = grc_json_text(record, "method", "");
    const size_t len = strlen(method);
    const char *target = grc_json_text(record, "target", "");

    if (json_object_get(call, "taken") ||
        strcmp(grc_json_text(call, "at", ""), grc_json_text(record, "at", "")) != 0)
        return false;
    if (!exactly)
        return true;
    const char *wanted = receives + len + 1;
    return strncmp(receives, method, len) == 0 && receives[len] == ' ' &&
           strcspn(wanted, "?") == strcspn(target, "?") &&
           strncmp(wanted, target, strcspn(target, "?")) == 0;
}

/* Finds the call that a request is matched to: one of the same method and path, or else the next
 * one of this upstream. NULL when there is none. */
static json_t *take_call(json_t *calls, const json_t *record, json_int_t *ret_index)
{
    json_t *call;
    size_t i;

    for (int exactly = 1; exactly >= 0; exactly--) {
        json_array_foreach(calls, i, call) {
            if (is_meant(call, record, exactly)) {
                json_object_set_new(call, "taken", json_true());
                *ret_index = (json_int_t)i;
                return call;
            }
        }
    }
    *ret_index = -1;
    return NULL;
}

static void write_answer(struct grc_buf *out, const json_t *call)
{
    const json_t *answers = json_object_get(call, "answers");
    const json_t *status = json_object_get(answers, "status");
    const int code = !call ? 500 : status ? (int)json_integer_value(status) : 200;
    size_t len = 0;
    char *body = grc_case_body(answers, &len);
    const char *text = body ? body : call ? GRC_CASE_ANSWER : "{}";
    const char *name;
    json_t *value;

    (void)grc_buf_format(out, "HTTP/1.1 %d %s\r\nConnection: close\r\n", code,
                         grc_status_reason(code));
    if (!json_object_get(json_object_get(answers, "headers"), "Content-Type"))
        (void)grc_buf_text(out, "Content-Type: application/json\r\n");
    json_object_foreach(json_object_get(answers, "headers"), name, value)
        (void)grc_buf_format(out, "%s: %s\r\n", name, json_string_value(value));
    if (code == 204)
        (void)grc_buf_text(out, "\r\n");
    else
        (void)grc_buf_format(out, "Content-Length: %zu\r\n\r\n%s", strlen(text), text);
    free(body);
}

static void send_all(int fd, const struct grc_buf *out)
{
    for (size_t sent = 0; sent < out->len;) {
        ssize_t count = send(fd, out->ptr + sent, out->len - sent, MSG_NOSIGNAL);

        if (count < 0 && errno != EINTR)
            return;
        sent += count > 0 ? (size_t)count : 0;
    }
}

static void serve(struct grc_case_upstream *upstream, int fd)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct grc_buf out;
    json_int_t index = -1;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    json_t *record = read_request(fd);
    if (record) {
        grc_buf_init(&out, REQUEST_BYTES_MAX);
        pthread_mutex_lock(&upstream->lock);
        write_answer(&out, take_call(upstream->calls, record, &index));
        json_object_set_new(record, "call", json_integer(index));
        json_array_append_new(upstream->received, record);
        pthread_mutex_unlock(&upstream->lock);
        send_all(fd, &out);
        grc_buf_done(&out);
    }
    close(fd);
}

static void *work(void *arg)
{
    struct grc_case_upstream *upstream = arg;

    for (;;) {
        int fd = accept4(upstream->listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0)
            serve(upstream, fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            return NULL; /* shut down by grc_case_upstream_free() */
    }
}

/* --- life --- */

static bool listen_at(struct grc_case_upstream *upstream)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    upstream->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (upstream->listener < 0 ||
        bind(upstream->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(upstream->listener, 128) != 0 ||
        getsockname(upstream->listener, (struct sockaddr *)&address, &size) != 0)
        return false;
    upstream->port = ntohs(address.sin_port);
    return true;
}

struct grc_case_upstream *grc_case_upstream_new(void)
{
    struct grc_case_upstream *upstream = calloc(1, sizeof(*upstream));

    if (!upstream)
        return NULL;
    upstream->calls = json_array();
    upstream->received = json_array();
    pthread_mutex_init(&upstream->lock, NULL);
    if (listen_at(upstream) && grc_thread_start(&upstream->thread, STACK_BYTES, work, upstream))
        return upstream;
    if (upstream->listener >= 0)
        close(upstream->listener);
    json_decref(upstream->calls);
    json_decref(upstream->received);
    pthread_mutex_destroy(&upstream->lock);
    free(upstream);
    return NULL;
}

char *grc_case_upstream_url(const struct grc_case_upstream *upstream, const char *name)
{
    return grc_format("http://127.0.0.1:%u/%s", upstream->port, name);
}

void grc_case_upstream_expect(struct grc_case_upstream *upstream, const json_t *calls)
{
    pthread_mutex_lock(&upstream->lock);
    json_decref(upstream->calls);
    json_decref(upstream->received);
    upstream->calls = json_deep_copy(calls);
    upstream->received = json_array();
    pthread_mutex_unlock(&upstream->lock);
}

json_t *grc_case_upstream_received(struct grc_case_upstream *upstream)
{
    pthread_mutex_lock(&upstream->lock);
    json_t *received = json_deep_copy(upstream->received);
    pthread_mutex_unlock(&upstream->lock);
    return received;
}

void grc_case_upstream_free(struct grc_case_upstream *upstream)
{
    if (!upstream)
        return;
    shutdown(upstream->listener, SHUT_RDWR);
    pthread_join(upstream->thread, NULL);
    close(upstream->listener);
    json_decref(upstream->calls);
    json_decref(upstream->received);
    pthread_mutex_destroy(&upstream->lock);
    free(upstream);
}
