#include "cmd/plugin_file.h"

#include "config/source.h"

#include <stdlib.h>

/* The place of "enabled" in the text, or where it can be inserted. */
struct spot {
    size_t at;
    size_t len;
    bool found;
    bool alone; /* nothing stands between the place and the end of the object */
};

/* Comments count as blanks here, and stay in the written text. */
static enum gr_err find_spot(gr_str text, struct spot *ret_spot)
{
    char *clean = malloc(text.len + 1);
    struct grc_source_member member;
    size_t at = 0;

    if (!clean)
        return GR_ERR_NO_MEMORY;
    memcpy(clean, text.ptr, text.len);
    clean[text.len] = '\0';
    if (!grc_source_clean(clean, text.len, &at)) {
        free(clean);
        return GR_ERR_INVALID;
    }
    size_t object = strspn(clean, " \t\r\n");
    bool found = grc_source_member((gr_str){clean, text.len}, object, "enabled", &member);
    *ret_spot = (struct spot){
        .at = member.value,
        .len = found ? member.end - member.value : 0,
        .found = found,
        .alone = !found && clean[member.value + strspn(clean + member.value, " \t\r\n")] == '}',
    };
    free(clean);
    return GR_OK;
}

enum gr_err grc_enabled_set(struct grc_buf *buf, gr_str text, bool enabled)
{
    const char *word = enabled ? "true" : "false";
    struct spot spot;
    enum gr_err err = find_spot(text, &spot);

    if (err == GR_OK)
        err = grc_buf_add(buf, text.ptr, spot.at);
    if (err == GR_OK && spot.found)
        err = grc_buf_text(buf, word);
    else if (err == GR_OK)
        err = grc_buf_format(buf, "\n  \"enabled\": %s%s", word, spot.alone ? "\n" : ",");
    size_t next = spot.at + spot.len;
    return err == GR_OK ? grc_buf_add(buf, text.ptr + next, text.len - next) : err;
}
