/*
 * Lists and purges the stored events. The list returns each event byte for byte as it was received,
 * without parsing it.
 */
#include "webhooks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A page ends early when its events exceed this size. */
#define PAGE_MAX_BYTES ((size_t)4 * 1024 * 1024)
/* One statement deletes at most this many events, so that a purge does not block other writers for
 * long. */
#define PURGE_BATCH 500

/* Each filter has the same name as a column and as a query parameter. */
static const char *const filters[] = {"type", "room_id", "session_id", NULL};
#define FILTERS_MAX 3

const struct gr_field webhooks_list_query[] = {
    GR_FIELD("type", GR_STRING, "Only events of this type"),
    HMS_QUERY_ROOM,
    HMS_QUERY_SESSION,
    GR_FIELD("limit", GR_INT, "Maximum number of events in the answer", .range = GR_RANGE(1, 100),
             .default_doc = "50"),
    GR_FIELD("start", GR_INT, "Start of the page: `last` of the previous page", .range = GR_MIN(1)),
    GR_END,
};

const struct gr_field webhooks_list_answer[] = {
    GR_FIELD("limit", GR_INT, "Page size used"),
    GR_FIELD("last", GR_STRING, "`start` of the next page; empty on the last page"),
    GR_FIELD("data", GR_ARRAY, "Events as received, newest first",
             .items = GR_ITEM(GR_OBJECT, .fields = webhooks_envelope)),
    GR_END,
};

struct entry {
    struct entry *next;
    const char *body;
    size_t len;
};

struct page {
    struct gr_call *call;
    int64_t limit;
    int64_t seen;
    int64_t last_seq;
    struct entry *first;
    struct entry **end;
    size_t bytes;
    bool more;
};

/* Takes one row (seq, room_id, body). Stops the query when the page is full. */
static enum gr_err take_event(void *arg, const struct gr_value *columns, size_t count)
{
    struct page *page = arg;
    gr_str body = columns[2].s;

    (void)count;
    page->more = page->seen == page->limit || (page->first && page->bytes > PAGE_MAX_BYTES);
    if (page->more)
        return GR_ERR_CANCELLED;
    page->seen++;
    page->last_seq = columns[0].i;
    if (!gr_caller_may(page->call, "room", columns[1].s))
        return GR_OK;
    struct entry *entry = gr_alloc(page->call, sizeof(*entry));
    if (!entry)
        return GR_ERR_NO_MEMORY;
    entry->body = gr_copy(page->call, body);
    if (!entry->body)
        return GR_ERR_NO_MEMORY;
    entry->len = body.len;
    *page->end = entry;
    page->end = &entry->next;
    page->bytes += body.len + 1;
    return GR_OK;
}

/* Returns the condition for the filters of the request and appends their values. */
static const char *add_filters(struct gr_call *call, struct gr_value *values, size_t *count)
{
    const char *where = "seq < ?1";

    for (size_t i = 0; filters[i] && where; i++) {
        gr_str value = gr_query(call, filters[i]);

        if (value.len == 0)
            continue;
        values[(*count)++] = gr_v_str(value);
        where = gr_format(call, "%s AND %s = ?%zu", where, filters[i], *count);
    }
    return where;
}

static enum gr_err read_page(struct gr_call *call, struct page *page, int64_t start)
{
    struct gr_value values[2 + FILTERS_MAX] = {gr_v_int(start), gr_v_int(page->limit + 1)};
    size_t count = 2;
    const char *where = add_filters(call, values, &count);
    const char *sql = where ? gr_format(call,
                                        "SELECT seq, room_id, body FROM webhook_event WHERE %s"
                                        " ORDER BY seq DESC LIMIT ?2",
                                        where)
                            : NULL;

    if (!sql)
        return GR_ERR_NO_MEMORY;
    enum gr_err r = gr_store(call, sql, values, count, take_event, page, NULL);
    return page->more ? GR_OK : r;
}

/* Writes the answer around the stored texts of the events. */
static enum gr_err reply_page(struct gr_call *call, const struct page *page)
{
    char last[24] = "";

    if (page->more)
        snprintf(last, sizeof(last), "%" PRId64, page->last_seq);
    const char *head =
        gr_format(call, "{\"limit\":%" PRId64 ",\"last\":\"%s\",\"data\":[", page->limit, last);
    size_t at = head ? strlen(head) : 0;
    char *text = head ? gr_alloc(call, at + page->bytes + 2) : NULL;
    if (!text)
        return gr_fail(call, GR_ERR_NO_MEMORY, "no memory for the page");
    memcpy(text, head, at + 1);
    for (const struct entry *entry = page->first; entry; entry = entry->next) {
        memcpy(text + at, entry->body, entry->len);
        at += entry->len;
        if (entry->next)
            text[at++] = ',';
    }
    text[at++] = ']';
    text[at++] = '}';
    return gr_reply(call, 200, "application/json", (gr_str){text, at});
}

enum gr_err webhooks_list(struct gr_call *call)
{
    gr_str limit = gr_query(call, "limit");
    gr_str start = gr_query(call, "start");
    struct page page = {.call = call, .limit = limit.len ? strtoll(limit.ptr, NULL, 10) : 50};

    page.end = &page.first;
    enum gr_err r = read_page(call, &page, start.len ? strtoll(start.ptr, NULL, 10) : INT64_MAX);
    if (r == GR_ERR_NO_MEMORY)
        return gr_fail(call, r, "no memory for the page");
    if (r != GR_OK)
        return gr_fail(call, GR_ERR_STORE_DOWN, "the events cannot be read now");
    return reply_page(call, &page);
}

enum gr_err webhooks_purge(struct gr_call *call)
{
    const struct webhooks *webhooks = call->state;
    const struct gr_value values[] = {gr_v_int(gr_store_now_ms(call) - webhooks->options->keep),
                                      gr_v_int(PURGE_BATCH)};
    int64_t gone = 0;

    enum gr_err r = gr_store(call,
                             "DELETE FROM webhook_event WHERE seq IN (SELECT seq FROM webhook_event"
                             " WHERE received_ms < ?1 ORDER BY received_ms LIMIT ?2)",
                             values, 2, NULL, NULL, &gone);
    if (r == GR_OK && gone == PURGE_BATCH)
        gr_timer_wake(call->self, "purge");
    if (r == GR_OK)
        r = webhooks_repair(call);
    return r == GR_OK ? r : gr_fail(call, r, "old events cannot be deleted now");
}
