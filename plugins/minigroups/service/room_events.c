#include "room_events.h"

#include "calls.h"

static void release(void *json)
{
    json_decref(json);
}

static const json_t *read_page(struct gr_call *call, const char *room, const char *type,
                               const char *after)
{
    const struct gr_pair params[] = {{GR_STR("room"), gr_str_of(room)}, {{NULL, 0}, {NULL, 0}}};
    struct gr_pair query[] = {{GR_STR("type"), gr_str_of(type)},
                              {GR_STR("limit"), GR_STR("100")},
                              {GR_STR("last_occurred_at"), gr_str_of(after)},
                              {{NULL, 0}, {NULL, 0}}};
    const struct mini_request request = {.service = MINI_EVENT,
                                         .method = GR_METHOD_GET,
                                         .path = "/api/v1/rooms/{room}/events",
                                         .params = params,
                                         .query = query};
    struct mini_answer answer;

    if (!after)
        query[2].name.ptr = NULL;
    if (!mini_service_calls(call, &request, &answer, 1) || !json_is_array(answer.json))
        return NULL;
    return answer.json;
}

const json_t *mini_room_events(struct gr_call *call, const char *room, const char *type,
                               unsigned pages_max)
{
    json_t *all = json_array();
    const char *after = NULL;

    if (!all || gr_defer(call, release, all) != GR_OK)
        return NULL;
    for (unsigned page_no = 0; page_no < pages_max; page_no++) {
        const json_t *page = read_page(call, room, type, after);
        size_t count = json_array_size(page);

        if (!page)
            return NULL;
        if (count == 0)
            break;
        for (size_t i = 0; i < count; i++)
            json_array_append(all, json_array_get(page, i));
        const json_t *at = json_object_get(json_array_get(page, count - 1), "occurred_at");
        after = gr_format(call, "%lld", (long long)json_integer_value(at));
        if (!after)
            return NULL;
    }
    return all;
}
