/* Decodes any bytes as percent-encoded text. The result must be valid text, and must be the same
 * after it was encoded and decoded again. */
#include "base/rfc3339.h"
#include "base/uri.h"
#include "base/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(gr_str text)
{
    if (!grc_utf8_valid(text) || grc_utf8_count(text) > text.len)
        abort();
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f)
            abort();
    }
}

static void check_segment(gr_str raw)
{
    struct grc_buf encoded;
    char *once = malloc(raw.len + 1);
    char *twice = malloc(raw.len + 1);
    size_t once_len;
    size_t twice_len;

    if (!once || !twice)
        abort();
    grc_buf_init(&encoded, raw.len * 3 + 1);
    if (grc_uri_decode(raw, false, once, &once_len)) {
        check_text((gr_str){once, once_len});
        if (grc_uri_encode(&encoded, (gr_str){once, once_len}) != GR_OK)
            abort();
        gr_str view = grc_buf_view(&encoded);
        if (view.len && memchr(view.ptr, '/', view.len))
            abort();
        if (!grc_uri_decode(view, true, twice, &twice_len) || twice_len != once_len ||
            memcmp(once, twice, once_len) != 0)
            abort();
    }
    grc_buf_done(&encoded);
    free(once);
    free(twice);
}

static void check_query(gr_str raw)
{
    struct grc_arena arena;
    struct gr_pair *pairs;
    size_t count;

    grc_arena_init(&arena, 1 << 20);
    if (grc_query_parse(&arena, raw, 100, &pairs, &count) == GR_OK) {
        for (size_t i = 0; i < count; i++) {
            check_text(pairs[i].name);
            check_text(pairs[i].value);
            if (pairs[i].value.ptr[pairs[i].value.len] != '\0')
                abort();
        }
        if (count > 100 || pairs[count].name.ptr)
            abort();
    }
    grc_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gr_str raw = {(const char *)data, size};
    int64_t ms;

    check_segment(raw);
    check_query(raw);
    grc_segment_safe(raw);
    grc_rfc3339_parse(raw, &ms);
    return 0;
}
