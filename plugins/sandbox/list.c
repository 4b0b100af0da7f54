/* Filters and pages for every list of the API. See struct sb_list. */
#include "sandbox.h"

#include <stdlib.h>

static bool filter_holds(const struct sb_filter *filter, const json_t *row, gr_str wanted)
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
        if (!sb_parse_time(wanted.ptr, &limit_ms) ||
            !sb_parse_time(sb_text(row, filter->member), &value_ms))
            return false;
        return filter->kind == SB_SINCE ? value_ms >= limit_ms : value_ms <= limit_ms;
    }
    return true;
}

/* A parameter that may be repeated selects rows that match one of its values. */
static bool filter_passes(struct gr_call *call, struct sandbox *sb, const struct sb_filter *filter,
                          const json_t *row)
{
    gr_str wanted;
    size_t i = 0;

    for (; gr_query_at(call, filter->query, i, &wanted); i++) {
        if (filter_holds(filter, row, wanted))
            return true;
    }
    if (i == 0 && filter->documented && sb->options->documented_filters)
        return filter_holds(filter, row, gr_str_of(filter->documented));
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

int64_t sb_query_int(struct gr_call *call, const char *name, int64_t fallback)
{
    gr_str value = gr_query(call, name);

    return value.len ? strtoll(value.ptr, NULL, 10) : fallback;
}

static bool selected(struct gr_call *call, struct sandbox *sb, const struct sb_list *list,
                     const json_t *row)
{
    return (!list->keep || list->keep(call, sb, row)) && sb_passes(call, sb, list->filters, row);
}

/* Where to go on: after the row that `start` names. false: there is no such row. */
static bool first_row(struct gr_call *call, json_t *all, void **ret_iter)
{
    gr_str start = gr_query(call, "start");

    *ret_iter = json_object_iter(all);
    if (!start.len)
        return true;
    *ret_iter = json_object_iter_at(all, start.ptr);
    if (!*ret_iter)
        return false;
    *ret_iter = json_object_iter_next(all, *ret_iter);
    return true;
}

enum gr_err sb_reply_list(struct gr_call *call, struct sandbox *sb, const struct sb_list *list)
{
    json_t *all = sb_all(sb, list->collection);
    json_t *items = sb_pack(sb, "[]");
    size_t limit = (size_t)sb_query_int(call, "limit", (int64_t)list->limit_default);
    const char *last = "";
    bool more = false;
    void *iter;

    if (!first_row(call, all, &iter)) {
        json_decref(items);
        return sb_error(call, 400, "Invalid query parameter", "start: no such position");
    }
    for (; iter && !more; iter = json_object_iter_next(all, iter)) {
        const json_t *row = json_object_iter_value(iter);

        if (!selected(call, sb, list, row))
            continue;
        more = json_array_size(items) == limit;
        if (more)
            break;
        sb_append(sb, items, list->view ? list->view(sb, row) : sb_view(sb, row));
        last = json_object_iter_key(iter);
    }
    if (list->last_only_when_more && !more)
        last = "";
    return sb_reply(
        call, sb,
        sb_pack(sb, "{sI so ss}", "limit", (json_int_t)limit, list->items, items, "last", last));
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
