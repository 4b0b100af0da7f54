#include "http/chunks.h"

#include "base/secure.h"

/* The most digits of a size; a larger number than int64_t holds is refused too. */
#define DIGITS_MAX 16u

static enum gr_err take_digit(struct grc_chunks *chunks, char c)
{
    int digit = grc_hex_digit(c);

    if (c == '\r' && chunks->digits > 0) {
        chunks->state = GRC_CHUNKS_SIZE_LF;
        return GR_OK;
    }
    if (digit < 0 || ++chunks->digits > DIGITS_MAX)
        return GR_ERR_BAD_REQUEST;
    chunks->left = chunks->left << 4 | (unsigned)digit;
    return chunks->left > INT64_MAX ? GR_ERR_BAD_REQUEST : GR_OK;
}

static enum gr_err begin_chunk(struct grc_chunks *chunks, const struct grc_buf *body)
{
    chunks->digits = 0;
    chunks->state = chunks->left ? GRC_CHUNKS_DATA : GRC_CHUNKS_END_CR;
    return chunks->left > body->max_bytes - body->len ? GR_ERR_TOO_LARGE : GR_OK;
}

/* Takes one byte that is not data. */
static enum gr_err take_mark(struct grc_chunks *chunks, char c, const struct grc_buf *body)
{
    static const struct {
        char wanted;
        enum grc_chunks_state next;
    } marks[] = {
        [GRC_CHUNKS_SIZE_LF] = {'\n', GRC_CHUNKS_DATA},
        [GRC_CHUNKS_DATA_CR] = {'\r', GRC_CHUNKS_DATA_LF},
        [GRC_CHUNKS_DATA_LF] = {'\n', GRC_CHUNKS_SIZE},
        [GRC_CHUNKS_END_CR] = {'\r', GRC_CHUNKS_END_LF},
        [GRC_CHUNKS_END_LF] = {'\n', GRC_CHUNKS_DONE},
    };
    enum grc_chunks_state state = chunks->state;

    if (state == GRC_CHUNKS_SIZE)
        return take_digit(chunks, c);
    if (c != marks[state].wanted)
        return GR_ERR_BAD_REQUEST;
    if (state == GRC_CHUNKS_SIZE_LF)
        return begin_chunk(chunks, body);
    chunks->state = marks[state].next;
    return GR_OK;
}

enum gr_err grc_chunks_take(struct grc_chunks *chunks, const char *bytes, size_t len,
                            struct grc_buf *body, size_t *ret_used)
{
    enum gr_err err = GR_OK;
    size_t at = 0;

    while (err == GR_OK && at < len && chunks->state != GRC_CHUNKS_DONE) {
        if (chunks->state != GRC_CHUNKS_DATA) {
            err = take_mark(chunks, bytes[at++], body);
            continue;
        }
        size_t count = len - at < chunks->left ? len - at : (size_t)chunks->left;
        err = grc_buf_add(body, bytes + at, count);
        at += count;
        chunks->left -= count;
        if (chunks->left == 0)
            chunks->state = GRC_CHUNKS_DATA_CR;
    }
    *ret_used = at;
    return err;
}
