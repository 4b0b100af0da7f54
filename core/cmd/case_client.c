#include "cmd/case_client.h"

#include "base/format.h"
#include "cmd/cases.h"
#include "upstream/http1_answer.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX (16u * 1024 * 1024)
#define PATIENCE_S 60

static bool has_header(const json_t *headers, const char *wanted)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)headers, name, value) {
        if (strcasecmp(name, wanted) == 0)
            return true;
    }
    return false;
}

static enum gr_err write_request(struct grc_buf *out, const json_t *one, unsigned port)
{
    const char *send = json_string_value(json_object_get(one, "send"));
    const json_t *headers = json_object_get(one, "headers");
    size_t len = 0;
    char *body = grc_case_body(one, &len);
    const char *name;
    json_t *value;

    (void)grc_buf_format(out, "%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n", send,
                         port);
    json_object_foreach((json_t *)(uintptr_t)headers, name, value)
        (void)grc_buf_format(out, "%s: %s\r\n", name, json_string_value(value));
    if (body && !has_header(headers, "Content-Type"))
        (void)grc_buf_text(out, "Content-Type: application/json\r\n");
    if (body || strncmp(send, "GET ", 4) != 0)
        (void)grc_buf_format(out, "Content-Length: %zu\r\n", len);
    (void)grc_buf_text(out, "\r\n");
    enum gr_err err = grc_buf_add(out, body ? body : "", len);
    free(body);
    return err;
}

static bool exchange(int fd, const struct grc_buf *out, struct grc_http1_answer *answer)
{
    enum grc_http1_end end = GRC_HTTP1_MORE;
    char block[4096];

    for (size_t sent = 0; sent < out->len;) {
        ssize_t count = send(fd, out->ptr + sent, out->len - sent, MSG_NOSIGNAL);

        if (count < 0 && errno != EINTR)
            return false;
        sent += count > 0 ? (size_t)count : 0;
    }
    while (end == GRC_HTTP1_MORE) {
        ssize_t got = recv(fd, block, sizeof(block), 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || (got > 0 && grc_buf_add(answer->in, block, (size_t)got) != GR_OK))
            return false;
        end = got == 0 ? grc_http1_answer_closed(answer) : grc_http1_answer_read(answer);
    }
    errno = 0;
    return end == GRC_HTTP1_WHOLE;
}

/* Called for each field of the answer's head. arg is the object "headers". */
static void keep_field(void *arg, const struct gr_pair *pair)
{
    char name[128];
    size_t len = pair->name.len < sizeof(name) ? pair->name.len : sizeof(name) - 1;

    for (size_t i = 0; i < len; i++)
        name[i] = (char)tolower((unsigned char)pair->name.ptr[i]);
    name[len] = '\0';
    json_object_set_new_nocheck(arg, name, json_stringn_nocheck(pair->value.ptr, pair->value.len));
}

static int connect_to(unsigned port)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

json_t *grc_case_send(unsigned port, const json_t *one, char **ret_reason)
{
    json_t *headers = json_object();
    json_t *result = NULL;
    struct grc_buf out;
    struct grc_buf in;

    grc_buf_init(&out, ANSWER_BYTES_MAX);
    grc_buf_init(&in, ANSWER_BYTES_MAX + GRC_HTTP1_HEAD_MAX);
    struct grc_http1_answer answer = {
        .in = &in, .body_max = ANSWER_BYTES_MAX, .fields = {keep_field, headers}};
    answer.to_head = strncmp(json_string_value(json_object_get(one, "send")), "HEAD ", 5) == 0;
    grc_http1_answer_begin(&answer);
    int fd = connect_to(port);
    if (fd >= 0 && write_request(&out, one, port) == GR_OK && exchange(fd, &out, &answer))
        result = json_pack("{s:i,s:O,s:o}", "status", answer.status, "headers", headers, "body",
                           json_stringn_nocheck(in.ptr + answer.body_at, answer.body_len));
    else
        *ret_reason = grc_format("no whole answer came: %s",
                                 errno ? strerror(errno)
                                       : (answer.reason ? answer.reason : "the connection ended"));
    if (fd >= 0)
        close(fd);
    grc_buf_done(&out);
    grc_buf_done(&in);
    json_decref(headers);
    return result;
}
