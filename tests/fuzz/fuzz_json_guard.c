/* Parses any bytes as JSON. What the guard accepts must be parsed with as little stack as a worker
 * has left, and the values must be those that jansson's own reader finds. */
#include "base/json.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>

#define STACK_BYTES ((size_t)64 * 1024)
#define DEPTH 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned depth_of(const json_t *value)
{
    unsigned deepest = 0;
    const char *key;
    json_t *child;
    size_t index;

    /* jansson iterates through non-const pointers but changes nothing. */
    json_t *container = (json_t *)(uintptr_t)value;
    json_array_foreach(container, index, child) {
        unsigned depth = depth_of(child);
        deepest = depth > deepest ? depth : deepest;
    }
    json_object_foreach(container, key, child) {
        unsigned depth = depth_of(child);
        deepest = depth > deepest ? depth : deepest;
    }
    return json_is_array(value) || json_is_object(value) ? deepest + 1 : 0;
}

/* jansson ignores a NUL byte behind a token. */
static void compare_with_jansson(gr_str text, const json_t *value)
{
    if (text.len == 0 || memchr(text.ptr, 0, text.len) ||
        grc_json_guard(text, DEPTH, NULL) != GRC_JSON_OK)
        return;
    json_t *wanted = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if ((wanted != NULL) != (value != NULL) || (wanted && !json_equal(wanted, value)))
        abort();
    json_decref(wanted);
}

static void *parse(void *arg)
{
    const gr_str *text = arg;
    const char *reason = NULL;
    json_t *value = grc_json_parse(*text, DEPTH, &reason);

    if (!value && !reason)
        abort();
    if (value && depth_of(value) > DEPTH)
        abort();
    compare_with_jansson(*text, value);
    json_decref(value);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gr_str text = {(const char *)data, size};
    pthread_t thread;

    if (!grc_thread_start(&thread, STACK_BYTES, parse, &text))
        abort();
    pthread_join(thread, NULL);
    return 0;
}
