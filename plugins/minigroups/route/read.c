/* Reads a minigroup, gets its download URL, saves the caller's position. */
#include "access.h"
#include "base/problem.h"
#include "base/state.h"
#include "handlers.h"
#include "requests.h"

#define POSITION_MAX_S 86400

static enum gr_err read_keys(struct gr_call *call, const char *name,
                             struct mini_property_names *keys)
{
    size_t count = 0;
    const struct gr_pair *query = gr_query_all(call, &count);

    keys->names = gr_alloc(call, (count + 1) * sizeof(*keys->names));
    keys->indexes = gr_alloc(call, (count + 1) * sizeof(*keys->indexes));
    if (!keys->names || !keys->indexes)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory for the query");
    if (!mini_property_names_parse(query, count, name, keys))
        return mini_fail(call, MINI_BAD_QUERY,
                         gr_format(call, "%s: expected %s[]=NAME or %s[0]=NAME", name, name, name));
    for (size_t i = 0; i < keys->count; i++) {
        json_t *text = json_stringn(keys->names[i].ptr, keys->names[i].len);

        json_decref(text);
        if (!text && keys->names[i].len)
            return mini_fail(call, MINI_BAD_QUERY, gr_format(call, "%s: not UTF-8", name));
    }
    return GR_OK;
}

/* The caller's saved position and properties. */
static enum gr_err load_mine(struct gr_call *call, const struct mini_class *row,
                             const char **ret_properties, struct mini_num *ret_position)
{
    enum gr_err err = mini_account_load(call, gr_caller(call), ret_properties);

    if (err == GR_OK || err == GR_ERR_NOT_FOUND)
        err = mini_position_load(call, row->id, gr_caller(call), ret_position);
    return mini_fail_store(call, err);
}

static void release(void *json)
{
    json_decref(json);
}

/* Keeps a reference until the call ends. */
static const json_t *keep(struct gr_call *call, json_t *json)
{
    return gr_defer(call, release, json) == GR_OK ? json : NULL;
}

enum gr_err mini_read(struct gr_call *call)
{
    struct mini_recordings recordings = {NULL, 0};
    struct mini_property_names class_keys = {0};
    struct mini_property_names account_keys = {0};
    const char *mine = NULL;
    struct mini_class row;
    struct mini_view view;
    struct mini_num position;
    enum gr_err err = read_keys(call, "class_keys", &class_keys);

    if (err == GR_OK)
        err = read_keys(call, "account_keys", &account_keys);
    if (err == GR_OK)
        err = mini_load_class(call, "read", &row);
    if (err == GR_OK)
        err = mini_view_load(call, &row, &recordings, &view);
    if (err == GR_OK)
        err = load_mine(call, &row, &mine, &position);
    if (err != GR_OK)
        return err;
    view.position = position;
    view.properties = keep(call, mini_properties_pick(row.properties, &class_keys));
    view.account_properties = keep(call, mini_properties_pick(mine, &account_keys));
    if (!view.properties || !view.account_properties)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory for properties");
    return gr_reply_json(call, 200, mini_response_read(&row, &view));
}

/* --- download --- */

enum gr_err mini_download(struct gr_call *call)
{
    const struct mini_options *options = mini_state_of(call)->options;
    struct mini_recordings recordings = {NULL, 0};
    struct mini_class row;
    enum gr_err err = mini_load_class(call, "download", &row);

    if (err == GR_OK)
        err = mini_fail_store(call, mini_recordings_load(call, row.id, &recordings));
    if (err != GR_OK)
        return err;
    bool ready = recordings.count > 0;
    for (size_t i = 0; i < recordings.count; i++)
        ready = ready && recordings.list[i].transcoded_ms.set;
    if (!ready)
        return mini_fail(call, MINI_NO_RECORDING, "Minigroup recordings were not transcoded");
    /* The storage service names the set "webinar" for minigroups, too. */
    const char *set = gr_format(call, "ms.webinar.%s::%s", row.audience, row.scope);
    const char *segment = set ? gr_segment(call, gr_str_of(set)) : NULL;
    const char *backend = gr_segment(call, gr_str_of(options->storage_backend));
    size_t base = strlen(options->storage_url);
    while (base && options->storage_url[base - 1] == '/')
        base--;
    const char *url = segment && backend
                          ? gr_format(call, "%.*s/api/v2/backends/%s/sets/%s/objects/mp4",
                                      (int)base, options->storage_url, backend, segment)
                          : NULL;
    if (!url)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory for the URL");
    return gr_reply_json(call, 200, json_pack("{s:s}", "url", url));
}

/* --- position --- */

enum gr_err mini_save_position(struct gr_call *call)
{
    int64_t position = mini_member_num(gr_json(call), "position").value;
    struct mini_class row;
    enum gr_err err = mini_load_class(call, "read", &row);

    if (err != GR_OK)
        return err;
    if (position > POSITION_MAX_S)
        position = POSITION_MAX_S;
    err = mini_position_save(call, row.id, gr_caller(call), position);
    if (err != GR_OK)
        return mini_fail_store(call, err);
    return mini_reply_empty(call, 201);
}
