#include "upstream/answer.h"

#include <stdlib.h>

/* Appends a NUL-terminated copy at *at. */
static gr_str put(char **at, gr_str text)
{
    gr_str copy = {*at, text.len};

    if (text.len)
        memcpy(*at, text.ptr, text.len);
    (*at)[text.len] = '\0';
    *at += text.len + 1;
    return copy;
}

static size_t text_bytes(const struct grc_exchange *exchange)
{
    size_t bytes = exchange->answer.len + exchange->answer_type.len + exchange->retry_after.len + 3;

    for (size_t i = 0; i < exchange->answer_header_count; i++)
        bytes += exchange->answer_headers[i].name.len + exchange->answer_headers[i].value.len + 2;
    return bytes;
}

struct grc_answer *grc_answer_new(const struct grc_exchange *exchange)
{
    size_t count = exchange->answer_header_count;
    size_t bytes = sizeof(struct grc_answer) + count * sizeof(struct gr_pair);
    size_t texts = text_bytes(exchange);
    struct grc_answer *answer = malloc(bytes + texts);

    if (!answer)
        return NULL;
    *answer = (struct grc_answer){.err = exchange->err, .status = exchange->status};
    atomic_init(&answer->refs, 1);
    answer->bytes = bytes + texts;
    answer->headers = (struct gr_pair *)(answer + 1);
    answer->header_count = count;
    char *at = (char *)(answer->headers + count);
    for (size_t i = 0; i < count; i++) {
        answer->headers[i].name = put(&at, exchange->answer_headers[i].name);
        answer->headers[i].value = put(&at, exchange->answer_headers[i].value);
    }
    answer->type = put(&at, exchange->answer_type);
    answer->retry_after = put(&at, exchange->retry_after);
    answer->body = put(&at, exchange->answer);
    return answer;
}

struct grc_answer *grc_answer_ref(struct grc_answer *answer)
{
    atomic_fetch_add_explicit(&answer->refs, 1, memory_order_relaxed);
    return answer;
}

void grc_answer_unref(struct grc_answer *answer)
{
    if (answer && atomic_fetch_sub_explicit(&answer->refs, 1, memory_order_acq_rel) == 1)
        free(answer);
}

static void let_go(void *answer)
{
    grc_answer_unref(answer);
}

void grc_answer_give(struct grc_answer *stolen, struct grc_exchange *exchange, bool with_headers)
{
    if (grc_arena_defer(exchange->arena, let_go, stolen) != GR_OK) {
        exchange->err = GR_ERR_NO_MEMORY;
        return;
    }
    exchange->err = stolen->err;
    exchange->status = stolen->status;
    exchange->answer = stolen->body;
    exchange->answer_type = stolen->type;
    if (!with_headers)
        return;
    exchange->retry_after = stolen->retry_after;
    exchange->answer_headers = stolen->headers;
    exchange->answer_header_count = stolen->header_count;
}
