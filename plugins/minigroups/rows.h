/* Helpers for reading rows and for JSON that is kept as text. */
#pragma once

#include "classes.h"

#include <jansson.h>

/* Takes the columns of a row one after another, text copied into call memory. */
struct mg_row {
    struct gr_call *call;
    const struct gr_value *columns;
    size_t count;
    size_t next;
    bool failed; /* a column was missing, or there was no memory */
};

const char *mg_row_text(struct mg_row *row);
struct mg_num mg_row_num(struct mg_row *row);
int64_t mg_row_int(struct mg_row *row);

/* JSON text in call memory; NULL without memory. */
const char *mg_json_text(struct gr_call *call, const json_t *value);
/* A new reference to what text says; NULL for NULL or text that is not JSON. */
json_t *mg_json_load(const char *text);
/* Text of the object in text with one member set; NULL without memory. */
const char *mg_json_set(struct gr_call *call, const char *text, gr_str name, const json_t *value);
