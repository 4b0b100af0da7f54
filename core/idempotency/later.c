#include "idempotency/later.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT_MAX 4096u
#define BYTES_MAX ((size_t)16 * 1024 * 1024)

bool grc_later_init(struct grc_later_list *list)
{
    list->all = calloc(COUNT_MAX, sizeof(*list->all));
    return list->all != NULL;
}

void grc_later_release(struct grc_later *later)
{
    free(later->texts);
    later->texts = NULL;
}

void grc_later_done(struct grc_later_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        grc_later_release(&list->all[i]);
    free(list->all);
}

static gr_str append(char **at, gr_str text)
{
    char *copy = *at;

    if (text.len)
        memcpy(copy, text.ptr, text.len);
    *at += text.len;
    return (gr_str){copy, text.len};
}

/* Copies the answer. Returns false when there is no room for it. */
static bool copy_answer(struct grc_later *later, size_t bytes_left,
                        const struct grc_record_answer *answer)
{
    size_t bytes = answer->content_type.len + answer->headers.len + answer->body.len;
    char *at = bytes <= bytes_left ? malloc(bytes + 1) : NULL;

    if (!at)
        return false;
    later->texts = at;
    later->bytes = bytes;
    later->answer = *answer;
    later->answer.content_type = append(&at, answer->content_type);
    later->answer.headers = append(&at, answer->headers);
    later->answer.body = append(&at, answer->body);
    return true;
}

bool grc_later_add(struct grc_later_list *list, enum grc_later_end end, const char *id,
                   int64_t token, const struct grc_record_answer *answer)
{
    if (list->count == COUNT_MAX)
        return false;
    struct grc_later *later = &list->all[list->count++];
    *later = (struct grc_later){.token = token, .end = end};
    snprintf(later->id, sizeof(later->id), "%s", id);
    if (end == GRC_LATER_ANSWER && !copy_answer(later, BYTES_MAX - list->bytes, answer))
        later->end = GRC_LATER_LOSE;
    list->bytes += later->bytes;
    return true;
}

bool grc_later_take(struct grc_later_list *list, struct grc_later *ret)
{
    if (list->count == 0)
        return false;
    *ret = list->all[--list->count];
    list->bytes -= ret->bytes;
    return true;
}

enum gr_err grc_later_run(const struct grc_later *later, struct grc_store *store)
{
    switch (later->end) {
    case GRC_LATER_RELEASE:
        return grc_record_release(store, later->id, later->token);
    case GRC_LATER_ANSWER:
        return grc_record_answer(store, later->id, later->token, &later->answer);
    case GRC_LATER_LOSE:
        break;
    }
    return grc_record_lose(store, later->id, later->token);
}
