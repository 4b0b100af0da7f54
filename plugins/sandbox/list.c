/* Filters and pages of all lists: see struct sb_list. */
#include "sandbox.h"

#include <stdlib.h>

static bool filter_holds(const struct sandbox *sb, const struct sb_filter *filter,
                         const json_t *row, gr_str wanted)
{
    const json_t *value = json_object_get(row, filter->member);
    int64_t limit_ms;
    int64_t value_ms;

    switch (filter->kind) {
    case SB_EQUAL:
        return sb_is(row, filter->member, wanted);
    case SB_BOOLEAN:
        return json_is_true(value) == gr_str_eq(wanted, GR_STR("true"));
    case SB_NUMBER:
        return json_integer_value(value) == strtoll(wanted.ptr, NULL, 10);
    case SB_SINCE:
    case SB_UNTIL:
        if (!gr_time_ms(sb->host, wanted, &limit_ms) ||
            !gr_time_ms(sb->host, gr_str_of(sb_text(row, filter->member)), &value_ms))
            return false;
        return filter->kind == SB_SINCE ? value_ms >= limit_ms : value_ms <= limit_ms;
    }
    return true;
}

/* A repeated parameter selects the rows that match one of its values. */
static bool filter_passes(struct gr_call *call, struct sandbox *sb, const struct sb_filter *filter,
                          const json_t *row)
{
    gr_str wanted;
    size_t i = 0;

    for (; gr_query_at(call, filter->query, i, &wanted); i++) {
        if (filter_holds(sb, filter, row, wanted))
            return true;
    }
    if (i == 0 && filter->documented && sb->options->documented_filters)
        return filter_holds(sb, filter, row, gr_str_of(filter->documented));
    return i == 0;
}

bool sb_passes(struct gr_call *call, struct sandbox *sb, const struct sb_filter *filters,
               const json_t *row)
{
    for (; filters && filters->query; filters++) {
        if (!filter_passes(call, sb, filters, row))
            return false;
    }
    return true;
}

static bool selected(struct gr_call *call, struct sandbox *sb, const struct sb_list *list,
                     const json_t *row)
{
    return (!list->keep || list->keep(call, sb, row)) && sb_passes(call, sb, list->filters, row);
}

/* Returns the keys of all in the order of the list; the caller frees the array. NULL without
 * memory. */
static const char **ordered_keys(json_t *all, bool oldest_first)
{
    size_t count = json_object_size(all);
    const char **keys = malloc((count + 1) * sizeof(*keys));
    size_t at = 0;
    void *iter;

    for (iter = json_object_iter(all); keys && iter; iter = json_object_iter_next(all, iter)) {
        keys[oldest_first ? at : count - 1 - at] = json_object_iter_key(iter);
        at++;
    }
    return keys;
}

/* Finds the index after the row `start` of the query. False when there is no such row. */
static bool first_index(struct gr_call *call, const char *const *keys, size_t count,
                        size_t *ret_index)
{
    gr_str start = gr_query(call, "start");

    *ret_index = 0;
    if (!start.len)
        return true;
    while (*ret_index < count) {
        if (gr_str_eq(gr_str_of(keys[(*ret_index)++]), start))
            return true;
    }
    return false;
}

/* Appends at most limit rows to items, beginning at index. Returns the key of the last one, or "".
 * *ret_more: there are further rows. */
static const char *take_page(struct gr_call *call, struct sandbox *sb, const struct sb_list *list,
                             const char *const *keys, size_t index, size_t limit, json_t *items,
                             bool *ret_more)
{
    const json_t *all = sb_all(sb, list->collection);
    size_t count = json_object_size(all);
    const char *last = "";

    *ret_more = false;
    for (; index < count; index++) {
        const json_t *row = json_object_get(all, keys[index]);

        if (!selected(call, sb, list, row))
            continue;
        *ret_more = json_array_size(items) == limit;
        if (*ret_more)
            break;
        sb_append(sb, items, list->view ? list->view(sb, row) : sb_view(sb, row));
        last = keys[index];
    }
    return last;
}

enum gr_err sb_reply_list(struct gr_call *call, struct sandbox *sb, const struct sb_list *list)
{
    json_t *all = sb_all(sb, list->collection);
    size_t limit = (size_t)sb_query_int(call, "limit", (int64_t)list->limit_default);
    const char **keys = ordered_keys(all, list->oldest_first);
    json_t *items = sb_pack(sb, "[]");
    enum gr_err err;
    const char *last;
    size_t index;
    bool more;

    if (!keys) {
        err = gr_fail(call, GR_ERR_NO_MEMORY, "out of memory");
    } else if (!first_index(call, keys, json_object_size(all), &index)) {
        err = sb_error(call, 400, "Invalid query parameter", "start: no such position");
    } else {
        last = take_page(call, sb, list, keys, index, limit, items, &more);
        if (list->last_only_when_more && !more)
            last = "";
        err = sb_reply(call, sb,
                       sb_pack(sb, "{sI sO ss}", "limit", (json_int_t)limit, list->items, items,
                               "last", last));
    }
    json_decref(items);
    free(keys);
    return err;
}

enum gr_err sb_reply(struct gr_call *call, struct sandbox *sb, json_t *stolen)
{
    if (!stolen || sb->failed) {
        json_decref(stolen);
        return gr_fail(call, GR_ERR_NO_MEMORY, "out of memory");
    }
    return gr_reply_json(call, 200, stolen);
}

enum gr_err sb_reply_row(struct gr_call *call, struct sandbox *sb, const json_t *row)
{
    return sb_reply(call, sb, sb_view(sb, row));
}
