#include "plugin/judge_table.h"

#include "base/format.h"
#include "base/json.h"

#include <stdio.h>

#define JSON_DEPTH_MAX 64u

static void write_place(char *text, size_t size, const struct grc_judge_place *place)
{
    size_t len;

    if (place->up)
        write_place(text, size, place->up);
    len = strlen(text);
    if (place->is_row && place->name)
        snprintf(text + len, size - len, "%s %zu (%s): ", place->what, place->row, place->name);
    else if (place->is_row)
        snprintf(text + len, size - len, "%s %zu: ", place->what, place->row);
    else
        snprintf(text + len, size - len, "%s: ", place->what);
}

bool grc_judge_wrong(struct grc_judge *judge, const struct grc_judge_place *place,
                     const char *format, ...)
{
    char where[512] = "";
    char what[512];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    write_place(where, sizeof(where), place);
    return grc_refuse(&judge->reason, "%s: %s%s", judge->file, where, what);
}

static bool is_text(const struct grc_judge *judge, const char *text)
{
    size_t room = grc_module_room(judge->module, text);

    return room > 0 && memchr(text, '\0', room);
}

bool grc_judge_text(struct grc_judge *judge, const struct grc_judge_place *place,
                    const char *member, const char *text, bool required)
{
    if (!text)
        return !required || grc_judge_wrong(judge, place, "%s: found none, wanted a text", member);
    return is_text(judge, text) ||
           grc_judge_wrong(judge, place, "%s: found a pointer out of the plugin, wanted a text",
                           member);
}

bool grc_judge_list(struct grc_judge *judge, const struct grc_judge_place *place,
                    const char *member, const char *const *list)
{
    /* Measured from the first element, since another object may follow the last one. */
    const size_t room = list ? grc_module_room(judge->module, list) / sizeof(*list) : 0;

    for (size_t i = 0; list; i++) {
        if (i >= room)
            return grc_judge_wrong(judge, place, "%s: found no end, wanted GR_LIST()", member);
        if (!list[i])
            break;
        if (!grc_judge_text(judge, place, member, list[i], true))
            return false;
    }
    return true;
}

bool grc_judge_json(struct grc_judge *judge, const struct grc_judge_place *place,
                    const char *member, const char *text)
{
    const char *reason = NULL;

    if (!grc_judge_text(judge, place, member, text, false))
        return false;
    json_t *value = text ? grc_json_parse(gr_str_of(text), JSON_DEPTH_MAX, &reason) : NULL;
    bool good = !text || value;
    json_decref(value);
    return good || grc_judge_wrong(judge, place, "%s: found '%.60s', wanted JSON: %s", member, text,
                                   reason);
}

bool grc_judge_row(const void *rows, size_t room, size_t index, size_t from, void *ret, size_t to)
{
    if (room / from <= index)
        return false;
    memset(ret, 0, to);
    memcpy(ret, (const char *)rows + index * from, from < to ? from : to);
    return true;
}

union any_row {
    struct gr_route route;
    struct gr_option option;
    struct gr_migration migration;
    struct gr_metric metric;
    struct gr_timer timer;
    struct gr_command command;
    struct gr_answer answer;
    unsigned char first[sizeof(void *)];
};

static bool is_end(const union any_row *row, size_t first_size)
{
    static const unsigned char zeros[sizeof(void *)];

    return memcmp(row->first, zeros, first_size) == 0;
}

bool grc_judge_table(struct grc_judge *judge, const struct grc_judge_place *up,
                     const struct grc_judge_kind *kind, const void *rows, size_t from)
{
    struct grc_judge_place place = {.up = up, .what = kind->what, .is_row = true};
    const size_t room = rows ? grc_module_room(judge->module, rows) : 0;
    union any_row row;

    for (; rows && place.row < GRC_JUDGE_ROWS_MAX; place.row++) {
        if (!grc_judge_row(rows, room, place.row, from, &row, kind->size))
            return grc_judge_wrong(judge, &place,
                                   "found the end of the table's memory, wanted GR_END");
        if (is_end(&row, kind->first_size))
            return true;
        if (!kind->check(judge, &place, &row))
            return false;
    }
    return !rows || grc_judge_wrong(judge, &place, "found no end, wanted at most %u rows",
                                    GRC_JUDGE_ROWS_MAX);
}
