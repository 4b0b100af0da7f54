/*
 * Reads the texts and tables of a plugin that may be wrong: no byte outside of the plugin is read.
 * For the sources of core/plugin that judge. Each function returns false when something is wrong,
 * with the message in judge->reason.
 */
#pragma once

#include "plugin/module.h"

#define GRC_JUDGE_ROWS_MAX 4096u

struct grc_judge {
    const char *file;
    const struct grc_module *module;
    const struct gr_abi *abi;
    const struct gr_option *options;
    size_t options_size;
    char *reason;
};

/* The place of a row, for messages: "route 3 (rooms.get)", then "body" and so on. */
struct grc_judge_place {
    const struct grc_judge_place *up;
    const char *what;
    const char *name; /* NULL when it has no name, or an unknown one */
    size_t row;
    bool is_row;
};

typedef bool grc_judge_row_fn(struct grc_judge *judge, const struct grc_judge_place *place,
                              const void *row);

/* A kind of table. The row that ends it has a first member of zero. */
struct grc_judge_kind {
    const char *what;
    size_t size;
    size_t first_size;
    grc_judge_row_fn *check;
};

/* Sets the message "FILE: PLACE: …", and returns false. */
bool grc_judge_wrong(struct grc_judge *judge, const struct grc_judge_place *place,
                     const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Checks a text of the plugin, which may be NULL unless it is required. */
bool grc_judge_text(struct grc_judge *judge, const struct grc_judge_place *place,
                    const char *member, const char *text, bool required);
/* Checks a list of texts that ends with NULL; it may be NULL. */
bool grc_judge_list(struct grc_judge *judge, const struct grc_judge_place *place,
                    const char *member, const char *const *list);
/* Checks a text that has to be JSON; it may be NULL. */
bool grc_judge_json(struct grc_judge *judge, const struct grc_judge_place *place,
                    const char *member, const char *text);
/* Copies the index-th row of a table, which has room bytes, from the plugin's row size to the
 * host's. Returns false when the row is not within the room. */
bool grc_judge_row(const void *rows, size_t room, size_t index, size_t from, void *ret, size_t to);
/* Checks each row of a table, whose rows have the size from in the plugin; rows may be NULL. */
bool grc_judge_table(struct grc_judge *judge, const struct grc_judge_place *up,
                     const struct grc_judge_kind *kind, const void *rows, size_t from);
