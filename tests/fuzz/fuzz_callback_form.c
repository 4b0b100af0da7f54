/* Sends bodies of the callbacks of an RTMP server to the group that handles them. The first byte of
 * an input selects the callback and the content type; the word KEY is replaced by the key of a
 * stream that exists. */
#include "fuzz/live.h"

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#define CONFIG "{\"store\": \"sqlite:fuzz.db\"}"
#define BODY_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char key[128];
static struct grc_buf body;

/* Copies the text of a member of an answer. The answer has only one member of this name. */
static void member_of(gr_str answer, const char *name, char *ret_text, size_t room)
{
    const char *at = memmem(answer.ptr, answer.len, name, strlen(name));
    const char *from = at ? at + strlen(name) : NULL;
    const char *end = from ? memchr(from, '"', (size_t)(answer.ptr + answer.len - from)) : NULL;

    if (!end || (size_t)(end - from) >= room)
        abort();
    memcpy(ret_text, from, (size_t)(end - from));
    ret_text[end - from] = '\0';
}

static void done(void)
{
    grc_buf_done(&body);
}

/* Makes an account with a stream, and starts a broadcast of it. */
static void start(void)
{
    static const struct live_group groups[] = {
        {"accounts", "{\"config\": {\"bcrypt_cost\": 10}}"},
        {"streams", "{}"},
        {"agents", "{\"config\": {\"allow_unauthenticated_from\": [\"127.0.0.0/8\"]}}"},
        {NULL, NULL}};
    static const char json[] = "Content-Type: application/json\r\n";
    char token[1024];
    char headers[1200];

    (void)live_start(CONFIG, groups);
    grc_buf_init(&body, 4 * BODY_MAX);
    atexit(done);
    (void)live_post("/accounts/", json,
                    GR_STR("{\"username\": \"fuzzer\", \"password\": \"correct horse\","
                           " \"email\": \"f@studio.example\"}"));
    member_of(live_post("/accounts/auth/local", json,
                        GR_STR("{\"username\": \"fuzzer\", \"password\": \"correct horse\"}")),
              "\"token\":\"", token, sizeof(token));
    snprintf(headers, sizeof(headers), "%sAuthorization: Bearer %s\r\n", json, token);
    member_of(live_post("/streams/", headers, GR_STR("{}")), "\"streamKey\":\"", key, sizeof(key));
}

/* Copies the input with the word KEY replaced by the key. */
static gr_str with_key(const char *text, size_t len)
{
    const char *end = text + len;

    grc_buf_clear(&body);
    while (text < end) {
        const char *word = memmem(text, (size_t)(end - text), "KEY", 3);
        const char *stop = word ? word : end;

        if (grc_buf_add(&body, text, (size_t)(stop - text)) != GR_OK ||
            (word && grc_buf_text(&body, key) != GR_OK))
            return (gr_str){"", 0};
        text = word ? word + 3 : end;
    }
    return grc_buf_view(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"/agents/rtmp/on_publish", "/agents/rtmp/on_update",
                                        "/agents/rtmp/on_publish_done", "/agents/rtmp/on_connect"};
    static const char *const types[] = {"Content-Type: application/x-www-form-urlencoded\r\n",
                                        "Content-Type: application/json\r\n", "",
                                        "Content-Type: text/plain\r\n"};

    if (size == 0 || size > BODY_MAX)
        return 0;
    if (!*key)
        start();
    (void)live_post(paths[data[0] & 3], types[data[0] >> 2 & 3],
                    with_key((const char *)data + 1, size - 1));
    return 0;
}
