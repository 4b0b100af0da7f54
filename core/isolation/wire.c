#include "isolation/wire.h"

/* The length of a text whose ptr is NULL. */
#define NO_TEXT UINT32_MAX

/* --- writing --- */

static void add(struct grc_wire *wire, const void *bytes, size_t count)
{
    if (wire->err == GR_OK && count > 0)
        wire->err = grc_buf_add(&wire->buf, bytes, count);
}

void grc_wire_begin(struct grc_wire *wire, size_t max_bytes)
{
    const struct grc_frame head = {0, 0, 0};

    grc_buf_init(&wire->buf, max_bytes + sizeof(head));
    wire->err = GR_OK;
    add(wire, &head, sizeof(head));
}

void grc_wire_int(struct grc_wire *wire, int64_t value)
{
    add(wire, &value, sizeof(value));
}

void grc_wire_text(struct grc_wire *wire, gr_str text)
{
    uint32_t len = text.ptr ? (uint32_t)text.len : NO_TEXT;

    if (text.len >= NO_TEXT) {
        wire->err = GR_ERR_TOO_LARGE;
        return;
    }
    add(wire, &len, sizeof(len));
    if (!text.ptr)
        return;
    add(wire, text.ptr, text.len);
    add(wire, "", 1);
}

void grc_wire_pairs(struct grc_wire *wire, const struct gr_pair *pairs, size_t count)
{
    grc_wire_int(wire, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        grc_wire_text(wire, pairs[i].name);
        grc_wire_text(wire, pairs[i].value);
    }
}

gr_str grc_wire_frame(struct grc_wire *wire, enum grc_frame_kind kind, uint32_t id)
{
    struct grc_frame head = {(uint32_t)kind, id, 0};

    if (wire->err != GR_OK)
        return (gr_str){NULL, 0};
    head.size = (uint32_t)(wire->buf.len - sizeof(head));
    memcpy(wire->buf.ptr, &head, sizeof(head));
    return grc_buf_view(&wire->buf);
}

void grc_wire_done(struct grc_wire *wire)
{
    grc_buf_done(&wire->buf);
}

/* --- reading --- */

static bool take(struct grc_unwire *unwire, void *into, size_t count)
{
    if (unwire->broken || (size_t)(unwire->end - unwire->at) < count) {
        unwire->broken = true;
        return false;
    }
    memcpy(into, unwire->at, count);
    unwire->at += count;
    return true;
}

int64_t grc_unwire_int(struct grc_unwire *unwire)
{
    int64_t value = 0;

    return take(unwire, &value, sizeof(value)) ? value : 0;
}

size_t grc_unwire_count(struct grc_unwire *unwire, size_t max)
{
    int64_t count = grc_unwire_int(unwire);

    if (count < 0 || (uint64_t)count > max || count > unwire->end - unwire->at) {
        unwire->broken = true;
        return 0;
    }
    return (size_t)count;
}

gr_str grc_unwire_text(struct grc_unwire *unwire)
{
    uint32_t len = NO_TEXT;

    if (!take(unwire, &len, sizeof(len)) || len == NO_TEXT)
        return (gr_str){NULL, 0};
    const char *text = unwire->at;
    if ((size_t)(unwire->end - text) <= len || text[len] != '\0') {
        unwire->broken = true;
        return (gr_str){NULL, 0};
    }
    unwire->at += (size_t)len + 1;
    return (gr_str){text, len};
}

size_t grc_unwire_pairs(struct grc_unwire *unwire, struct gr_pair *pairs, size_t max)
{
    size_t count = grc_unwire_count(unwire, max);

    for (size_t i = 0; i < count; i++) {
        pairs[i].name = grc_unwire_text(unwire);
        pairs[i].value = grc_unwire_text(unwire);
    }
    return unwire->broken ? 0 : count;
}
