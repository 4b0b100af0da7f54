/*
 * Reads config files. A key is a row: name, type, default, bounds, doc string. The rows of an
 * object fill a struct, and the messages, the JSON schema and the reference are made from the same
 * rows. Used by one thread at a time.
 *
 * Reading goes on after a problem, so that all problems are reported. A value of a secret key or
 * from the environment is never shown.
 */
#pragma once

#include "base/buf.h"
#include "config/keep.h"
#include "config/settings.h"

enum grc_setting_type {
    GRC_SETTING_BOOL = 1, /* bool */
    GRC_SETTING_INT,      /* int64_t */
    GRC_SETTING_MS,       /* int64_t */
    GRC_SETTING_BYTES,    /* int64_t */
    GRC_SETTING_STRING,   /* const char * */
    GRC_SETTING_SECRET,   /* const char *; in the file also {"file": "PATH"} */
    GRC_SETTING_CHOICE,   /* an enum: 1 for the first of .values, 2 for the second … */
    GRC_SETTING_FLAG,     /* bool: false for the first of .values, true for the second */
    GRC_SETTING_LIST,     /* const char *const *, NULL-terminated */
    GRC_SETTING_JSON,     /* const json_t *, expanded */
    GRC_SETTING_RAW,      /* const json_t *, an object as in the file, to be read by rows later */
    GRC_SETTING_OBJECT,   /* .keys, in the struct at .offset */
    GRC_SETTING_MAP,      /* an object with free names: .map, .keys describe each value */
    GRC_SETTING_CUSTOM,   /* .read and .schema */
    GRC_SETTING_NOTE,     /* accepted and ignored */
};

struct grc_setting;

/* The place of a value in the file. */
struct grc_path {
    const struct grc_path *up;
    const char *name; /* NULL: an element of an array */
    size_t index;
};

/* One reading. */
struct grc_reader {
    const char *where; /* starts each message */
    const char *joint; /* between where and the path: ": ", or "." when where ends in a path */
    const char *dir;   /* relative file names start here */
    grc_report_fn *report;
    void *arg;
    struct grc_keep *keep;
    const json_t *root; /* the whole file, for rows that depend on others; may be NULL */
    bool idle;          /* no group is enabled, so no credential is needed */
    size_t problems;
    bool unset_ok;       /* a missing variable leaves its key unset */
    bool plain;          /* the texts were expanded before */
    bool unwritten;      /* the value is the default of its row */
    const char *literal; /* the variable that the value came from; it is not expanded or shown */
};

/* Where the elements of a GRC_SETTING_MAP go. */
struct grc_map {
    size_t element_size;
    size_t count_offset; /* size_t beside the array's pointer, which is at the row's offset */
    size_t name_offset;  /* const char * in the element */
    const char *more;    /* what names may have beside letters, digits, '_', '-', '.'; or NULL */
    /* Returns false when variables may be missing in the element of that name. May be NULL. */
    bool (*needed)(const struct grc_reader *reader, const char *name);
};

/* Turns a text into another one in the keep; returns NULL when it is wrong. */
typedef const char *grc_convert_fn(struct grc_reader *reader, const char *text);
/* Checks an expanded JSON value, reports what is wrong with it. */
typedef void grc_check_fn(struct grc_reader *reader, const struct grc_path *path,
                          const struct grc_setting *key, const json_t *value);
/* Checks the file that a value names, and reports what is wrong with it. */
typedef void grc_verify_fn(struct grc_reader *reader, const struct grc_path *path,
                           const char *file);
/* Reads the value of a GRC_SETTING_CUSTOM into base. */
typedef void grc_read_fn(struct grc_reader *reader, const struct grc_path *path,
                         const struct grc_setting *key, const json_t *value, void *base);

/* A row. A table ends with a row without a name. */
struct grc_setting {
    const char *name;
    enum grc_setting_type type;
    const char *fallback; /* as in the file, without quotes; NULL: required, or .optional */
    size_t offset;
    const char *doc;
    bool optional;                /* may be absent or null */
    const struct gr_range *range; /* of numbers in the base unit; of the length of strings */
    const char *const *values;
    grc_verify_fn *verify; /* of strings that name files, after .convert */
    const char *env;       /* overrides the file */
    const char *expected;  /* instead of the generated phrase: "an http or https URL" */
    const struct grc_setting *keys;
    const struct grc_map *map;
    const struct gr_field *json; /* shape of a GRC_SETTING_JSON, for .check */
    grc_convert_fn *convert;
    grc_check_fn *check;
    grc_read_fn *read;
    const char *schema; /* JSON text of a GRC_SETTING_CUSTOM's schema */
};
#define GRC_SETTING(struct_, name_, member_, type_, fallback_, ...)                                \
    {                                                                                              \
        .name = (name_), .type = (type_), .fallback = (fallback_),                                 \
        .offset = offsetof(struct struct_, member_), .doc = __VA_ARGS__                            \
    }
#define GRC_SETTING_END                                                                            \
    {                                                                                              \
        0                                                                                          \
    }

/* The source of a value. */
enum grc_origin { GRC_ORIGIN_FILE = 1, GRC_ORIGIN_VARIABLE, GRC_ORIGIN_DEFAULT };
/* A value that is about to be read, with its variables not replaced. */
struct grc_note {
    const struct grc_reader *reader;
    const struct grc_path *path;
    const struct grc_setting *key;
    enum grc_origin origin;
    const json_t *value;
};
typedef void grc_note_fn(void *arg, const struct grc_note *note);
/* Calls note for each value that is read from now on; for objects and maps, for their members. NULL
 * ends it. For commands that show a config, on the thread that reads it. */
void grc_setting_note_set(grc_note_fn *note, void *arg);
/* Appends a path such as "server.listen[0]", truncated if there is no room. */
void grc_path_write(struct grc_buf *buf, const struct grc_path *path);

/* Reads an object (NULL: all defaults) into base, which the caller has zeroed. */
void grc_setting_rows_read(struct grc_reader *reader, const struct grc_path *path,
                           const struct grc_setting *keys, const json_t *object, void *base);
/* Reports one problem at a path. */
void grc_reader_problem(struct grc_reader *reader, const struct grc_path *path, const char *format,
                        ...) __attribute__((format(printf, 3, 4)));
/* Logs a warning about a path, unless this reading reports nothing. */
void grc_reader_warn(const struct grc_reader *reader, const struct grc_path *path,
                     const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Reports "expected …, found …". expected NULL stands for the row's own phrase. */
void grc_reader_expected(struct grc_reader *reader, const struct grc_path *path,
                         const struct grc_setting *key, const char *expected, const json_t *found);
/* Expands the text of a JSON string into the keep. Returns false after it has reported a problem.
 * *ret_text is NULL if the text has a variable that is unset, where that is allowed. */
bool grc_reader_text(struct grc_reader *reader, const struct grc_path *path, const json_t *string,
                     bool secret, const char **ret_text);
/* Reads a list of texts into a NULL-terminated array in the keep, at the place of the setting. The
 * texts for which good() is false, and other elements, are reported. */
struct grc_list_item {
    bool (*good)(const struct grc_setting *key, const char *text);
    /* What an element has to be. NULL: what the setting says; an element whose variable is unset,
     * where that is allowed, is then left out. */
    const char *expected;
};
void grc_reader_list(struct grc_reader *reader, const struct grc_path *path,
                     const struct grc_setting *key, const struct grc_list_item *of,
                     const json_t *value, void *base);
/* Returns a copy of a value with every string in it expanded, as a new reference; NULL without
 * memory. Problems are reported. */
json_t *grc_reader_expand(struct grc_reader *reader, const struct grc_path *path,
                          const json_t *value);
/* As grc_reader_text(), with the content of a secret file of at most 64 KiB. */
bool grc_reader_secret_file(struct grc_reader *reader, const struct grc_path *path,
                            const json_t *name, const char **ret_text);
/* Returns the path in the keep, a relative one taken from reader->dir. NULL without memory. */
const char *grc_reader_file(struct grc_reader *reader, const char *path);
/* Parses a config file of at most 4 MiB. Returns NULL after it has reported a problem, a syntax
 * error as "FILE:LINE:COLUMN: …". The caller releases the value with grc_json_wipe(). */
json_t *grc_reader_parse(struct grc_reader *reader, const char *file);
/* As grc_reader_parse(), for a text with text[len] = '\0'. Its comments are overwritten by blanks.
 */
json_t *grc_reader_parse_text(struct grc_reader *reader, char *text, size_t len);

/* Writes what a row expects, such as "an integer from 1 to 4096", cut to size. */
void grc_setting_expected(const struct grc_setting *key, char *ret_text, size_t size);
/* Turns a text from outside of the file into JSON for the row: a list is comma-separated or JSON,
 * an object is JSON, anything else is a string. New reference; NULL when the text does not fit. */
json_t *grc_setting_parse(const struct grc_setting *key, const char *text);
/* The default of a row as JSON, not expanded. New reference; NULL when it has none. */
json_t *grc_setting_fallback(const struct grc_setting *key);
/* JSON schema (draft 2020-12) of an object with these rows. New reference or NULL. */
json_t *grc_setting_rows_schema(const struct grc_setting *keys);
/* Calls visit for every row that holds a value, those of members after each other; prefix is "" or
 * "server.". */
typedef void grc_setting_visit_fn(void *arg, const char *prefix, const struct grc_setting *key);
void grc_setting_rows_visit(const char *prefix, const struct grc_setting *keys,
                            grc_setting_visit_fn *visit, void *arg);
/* Those of greenroom.json, and of a file in plugins.d. */
void grc_settings_visit(grc_setting_visit_fn *visit, void *arg);
void grc_plugin_file_visit(grc_setting_visit_fn *visit, void *arg);
/* Rows of a markdown table: key, type, default, meaning. prefix: "" or "server.". */
enum gr_err grc_setting_rows_markdown(struct grc_buf *buf, const char *prefix,
                                      const struct grc_setting *keys);
