/* The audit table, and the function that keeps a row of a query. */
#include "rig.h"

#define TEXT_MAX_BYTES 256u

/* Cuts a long text of a client, because the row is kept for months. */
static gr_str beginning(gr_str text)
{
    size_t len = text.len;

    if (len <= TEXT_MAX_BYTES)
        return text;
    len = TEXT_MAX_BYTES;
    while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0u) == 0x80u)
        len--; /* do not cut a UTF-8 character */
    return (gr_str){text.ptr, len};
}

enum gr_err rig_audit(struct gr_call *call, const char *what, gr_str who, gr_str target,
                      const char *outcome)
{
    const struct gr_value params[] = {
        gr_v_int(gr_now_ms(call->host)), gr_v_text(what),    gr_v_str(beginning(who)),
        gr_v_str(beginning(target)),     gr_v_text(outcome), gr_v_str(gr_peer(call)),
        gr_v_str(gr_request_id(call)),
    };

    return gr_store_exec(call,
                         "INSERT INTO rig_audit"
                         " (at_ms, what, who, target, outcome, address, request_id)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                         params, sizeof(params) / sizeof(params[0]));
}

enum gr_err rig_keep_row(void *arg, const struct gr_value *columns, size_t count)
{
    struct rig_text_row *row = arg;
    const size_t room = sizeof(row->text) / sizeof(row->text[0]);

    row->found = true;
    for (size_t i = 0; i < count && i < room; i++) {
        row->number[i] = columns[i].kind == GR_VALUE_INT ? columns[i].i : 0;
        row->text[i] = NULL;
        if (columns[i].kind != GR_VALUE_TEXT)
            continue;
        row->text[i] = gr_copy(row->call, columns[i].s);
        if (!row->text[i])
            return GR_ERR_NO_MEMORY;
    }
    return GR_OK;
}
