#include "call/select.h"

#include "base/json.h"
#include "call/host.h"

struct selection {
    struct grc_call *call;
    const struct gr_select *select;
    gr_str equals;
    gr_str answer;
    struct grc_buf kept;  /* the part of the answer that was written */
    const char *kept_end; /* the answer has been written or skipped up to here */
    bool changed;
};

/* The value of .equals: a literal, or that of one "{param}". */
static gr_str wanted(struct grc_call *call, const char *equals)
{
    size_t len = strlen(equals);

    if (len > 2 && equals[0] == '{' && equals[len - 1] == '}') {
        gr_str name = {equals + 1, len - 2};

        for (size_t i = 0; i < call->match.param_count; i++) {
            if (gr_str_eq(call->match.params[i].name, name))
                return call->match.params[i].value;
        }
    }
    return gr_str_of(equals);
}

static enum gr_err unreadable(struct selection *selection)
{
    return grc_fail(selection->call, GR_ERR_UPSTREAM_BROKEN,
                    "the upstream's answer cannot be read");
}

/* Parses a part; grc_json_drop() releases it. NULL after it has failed the call. */
static json_t *parse(struct selection *selection, gr_str text, size_t *ret_bytes)
{
    struct grc_call *call = selection->call;
    json_t *value = NULL;
    enum gr_err err = grc_json_parse_within(text, GRC_JSON_DEPTH_MAX, grc_arena_left(&call->arena),
                                            &value, ret_bytes, NULL);

    if (err == GR_ERR_TOO_LARGE)
        (void)grc_fail(call, GR_ERR_UPSTREAM_BROKEN,
                       "the upstream's answer does not fit into the memory of a request");
    else if (err != GR_OK)
        (void)unreadable(selection);
    return value;
}

static bool equals(const struct selection *selection, const json_t *value)
{
    return json_is_string(value) &&
           gr_str_eq(selection->equals,
                     (gr_str){json_string_value(value), json_string_length(value)});
}

/* --- the list --- */

/* The state of writing a list. */
struct list {
    size_t kept;       /* number of elements */
    const char *begin; /* behind its bracket */
};

/* Writes what came up to `end` and was neither written nor left out. */
static enum gr_err write_up_to(struct selection *selection, const char *end)
{
    enum gr_err err =
        grc_buf_add(&selection->kept, selection->kept_end, (size_t)(end - selection->kept_end));

    selection->kept_end = end;
    return err == GR_OK ? GR_OK
                        : grc_fail(selection->call, GR_ERR_NO_MEMORY,
                                   "no memory to filter the upstream's answer");
}

/* An element is left out together with the comma before it. The comma before the first element that
 * stays is left out too. */
static enum gr_err take_element(struct selection *selection, struct list *list, gr_str text,
                                bool keep)
{
    const char *before = list->begin;
    enum gr_err err = GR_OK;

    list->begin = text.ptr + text.len;
    if (!keep) {
        err = write_up_to(selection, before);
        selection->kept_end = list->begin;
        selection->changed = true;
        return err;
    }
    if (list->kept++ == 0 && selection->kept_end == before && selection->changed)
        selection->kept_end = text.ptr;
    return GR_OK;
}

static enum gr_err filter_list(struct selection *selection, gr_str text)
{
    struct grc_json_parts parts;
    struct list list = {0};
    enum gr_err err = GR_OK;
    gr_str name;
    gr_str value;

    if (!grc_json_parts_begin(&parts, text))
        return unreadable(selection);
    list.begin = parts.text.ptr + parts.at;
    while (err == GR_OK && grc_json_parts_next(&parts, &name, &value)) {
        size_t bytes = 0;
        json_t *element = parse(selection, value, &bytes);

        if (!element)
            return selection->call->error.err;
        bool keep = equals(selection, json_object_get(element, selection->select->member));
        grc_json_drop(element, bytes);
        err = take_element(selection, &list, value, keep);
    }
    if (err == GR_OK && parts.broken)
        return unreadable(selection);
    return err;
}

/* --- the whole --- */

/* What is known of the members so far. */
struct members {
    json_t *names; /* of those that came */
    bool matches;  /* the member that the whole answer is judged by has the value */
};

static bool is_array(gr_str text)
{
    struct grc_json_parts parts;

    return grc_json_parts_begin(&parts, text) && !parts.members;
}

static enum gr_err take_member(struct selection *selection, struct members *members, gr_str literal,
                               gr_str text)
{
    const struct gr_select *select = selection->select;
    size_t bytes = 0;
    size_t name_bytes = 0;
    json_t *name = parse(selection, literal, &name_bytes);
    enum gr_err err = GR_OK;

    if (!name)
        return selection->call->error.err;
    const char *key = json_string_value(name);
    if (json_object_get(members->names, key)) {
        err = unreadable(selection);
    } else if (json_object_set_new(members->names, key, json_null()) != 0) {
        err =
            grc_fail(selection->call, GR_ERR_NO_MEMORY, "no memory to read the upstream's answer");
    } else if (select->list && strcmp(select->list, key) == 0 && is_array(text)) {
        err = filter_list(selection, text);
    } else {
        json_t *value = parse(selection, text, &bytes);

        err = value ? GR_OK : selection->call->error.err;
        if (!select->list && strcmp(select->member, key) == 0)
            members->matches = equals(selection, value);
        grc_json_drop(value, bytes);
    }
    grc_json_drop(name, name_bytes);
    return err;
}

static enum gr_err take_members(struct selection *selection, struct members *members)
{
    struct grc_json_parts parts;
    gr_str name;
    gr_str value;
    enum gr_err err = GR_OK;

    if (grc_json_guard(selection->answer, GRC_JSON_DEPTH_MAX, NULL) != GRC_JSON_OK ||
        !grc_json_parts_begin(&parts, selection->answer) || !parts.members)
        return unreadable(selection);
    while (err == GR_OK && grc_json_parts_next(&parts, &name, &value))
        err = take_member(selection, members, name, value);
    if (err == GR_OK && parts.broken)
        return unreadable(selection);
    return err;
}

enum gr_err grc_select(struct grc_call *call, const struct gr_select *select, gr_str answer,
                       gr_str *ret_kept, bool *ret_changed)
{
    struct selection selection = {.call = call,
                                  .select = select,
                                  .equals = wanted(call, select->equals),
                                  .answer = answer,
                                  .kept_end = answer.ptr};
    struct members members = {.names = json_object()};

    grc_buf_init(&selection.kept, answer.len);
    enum gr_err err = members.names ? take_members(&selection, &members)
                                    : grc_fail(call, GR_ERR_NO_MEMORY, "no memory for names");
    json_decref(members.names);
    if (err == GR_OK && !select->list && !members.matches)
        err = grc_fail(call, GR_ERR_NOT_FOUND, "no such %s here", select->member);
    if (err == GR_OK && selection.changed)
        err = write_up_to(&selection, answer.ptr + answer.len);
    if (grc_arena_defer(&call->arena, free, selection.kept.ptr) != GR_OK)
        return grc_fail(call, GR_ERR_NO_MEMORY, "no memory for the reply");
    *ret_kept = grc_buf_view(&selection.kept);
    *ret_changed = selection.changed;
    return err;
}
