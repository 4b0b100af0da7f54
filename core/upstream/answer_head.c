#include "upstream/answer_head.h"

#include "base/field.h"
#include "upstream/headers.h"

void grc_answer_head_begin(struct grc_answer_head *head, struct grc_arena *arena, bool reads_caches)
{
    *head = (struct grc_answer_head){
        .arena = arena, .reads_caches = reads_caches, .freshness = {.max_age_s = -1}};
}

static bool copy_text(struct grc_arena *arena, gr_str text, gr_str *ret_copy)
{
    char *copy = grc_arena_copy(arena, text);

    if (copy)
        *ret_copy = (gr_str){copy, text.len};
    return copy != NULL;
}

/* Keeps a header. One that finds no room or no memory is left out, and the answer is still used. */
static bool keep(struct grc_answer_head *head, const struct gr_pair *pair)
{
    struct gr_pair copy;

    if (head->count >= GRC_ANSWER_HEADERS_MAX)
        return false;
    if (!head->pairs)
        head->pairs = grc_arena_alloc(head->arena, GRC_ANSWER_HEADERS_MAX * sizeof(*head->pairs));
    if (!head->pairs || !copy_text(head->arena, pair->name, &copy.name) ||
        !copy_text(head->arena, pair->value, &copy.value))
        return false;
    head->pairs[head->count++] = copy;
    return true;
}

void grc_answer_head_take(struct grc_answer_head *head, const struct gr_pair *pair)
{
    if (!pair || !grc_header_passable(pair)) {
        head->freshness.forbidden = true; /* it may have been a header that forbids caching */
        return;
    }
    switch (grc_header_incoming(pair->name)) {
    case GRC_HEADER_TYPE:
        (void)copy_text(head->arena, pair->value, &head->type);
        return;
    case GRC_HEADER_ENCODING:
        head->encoded = !grc_field_is(pair->value, "identity");
        return;
    case GRC_HEADER_RETRY_AFTER:
        if (keep(head, pair))
            head->retry_after = head->pairs[head->count - 1].value;
        return;
    case GRC_HEADER_PASS:
        (void)keep(head, pair);
        return;
    case GRC_HEADER_DROP:
    default:
        if (head->reads_caches)
            grc_header_freshness(pair, &head->freshness);
    }
}

int64_t grc_answer_head_retry_after_s(const struct grc_answer_head *head)
{
    return head->retry_after.ptr ? grc_header_seconds(head->retry_after) : -1;
}

void grc_answer_head_give(const struct grc_answer_head *head, struct grc_exchange *exchange)
{
    exchange->answer_type = head->type;
    exchange->retry_after = head->retry_after;
    exchange->answer_headers = head->pairs;
    exchange->answer_header_count = head->count;
    exchange->freshness = head->freshness;
}
