/* greenroom webhooks: lists, shows and replays deliveries, and pauses targets. Works on the store,
 * so it also works while no gateway runs; a running one sees what is due within a second. */
#include "webhooks.h"

#include <stdio.h>
#include <stdlib.h>

#define USAGE 2 /* exit status: the host prints the usage */
#define COLUMNS 7

static int complain(const char *text)
{
    fprintf(stderr, "greenroom: webhooks: %s\n", text);
    return EXIT_FAILURE;
}

static bool has_flag(const struct gr_call *call, const char *name)
{
    return gr_query(call, name).len > 0;
}

/* Prints JSON, indented. Steals the reference. */
static int print_json(json_t *stolen)
{
    char *text = stolen ? json_dumps(stolen, JSON_INDENT(2)) : NULL;

    json_decref(stolen);
    if (!text)
        return complain("out of memory");
    puts(text);
    free(text);
    return EXIT_SUCCESS;
}

/* --- tables --- */

/* A column: the member of each object that it shows, and its heading. */
struct column {
    const char *member;
    const char *head;
};

/* The text of a member; scratch is for numbers. */
static const char *cell(const json_t *object, const char *member, char scratch[24])
{
    const json_t *value = json_object_get(object, member);

    if (json_is_integer(value)) {
        snprintf(scratch, 24, "%lld", (long long)json_integer_value(value));
        return scratch;
    }
    if (json_is_boolean(value))
        return json_is_true(value) ? "yes" : "no";
    return json_is_string(value) ? json_string_value(value) : "";
}

/* Prints one line; cells are padded except for the last. */
static void print_row(const json_t *object, const struct column *columns, const int *widths)
{
    char scratch[24];

    for (size_t i = 0; columns[i].member; i++) {
        const char *text = object ? cell(object, columns[i].member, scratch) : columns[i].head;

        printf("%-*s%s", columns[i + 1].member ? widths[i] : 0, text,
               columns[i + 1].member ? "  " : "\n");
    }
}

static void print_table(const json_t *list, const struct column *columns)
{
    int widths[COLUMNS] = {0};
    char scratch[24];
    const json_t *object;
    size_t row;

    for (size_t i = 0; columns[i].member; i++) {
        widths[i] = (int)strlen(columns[i].head);
        json_array_foreach(list, row, object) {
            int width = (int)strlen(cell(object, columns[i].member, scratch));

            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    print_row(NULL, columns, widths);
    json_array_foreach(list, row, object)
        print_row(object, columns, widths);
}

static const struct column delivery_columns[] = {
    {"event_id", "EVENT"},    {"target", "TARGET"}, {"state", "STATE"},
    {"attempts", "ATTEMPTS"}, {"status", "STATUS"}, {"received_at", "RECEIVED"},
    {"type", "TYPE"},         {NULL, NULL},
};
static const struct column target_columns[] = {
    {"name", "TARGET"}, {"paused", "PAUSED"}, {"pending", "PENDING"},
    {"dead", "DEAD"},   {NULL, NULL},
};

/* --- deliveries --- */

static int list_command(struct gr_call *call, const void *options, int argc, char **argv)
{
    const struct webhooks_filter filter = webhooks_filter_of(call);
    json_t *list = NULL;
    const char *last;

    (void)options;
    (void)argv;
    if (argc != 1)
        return USAGE;
    if (webhooks_deliveries_read(call, &filter, webhooks_limit_of(call), "", &list, &last) != GR_OK)
        return complain("the deliveries cannot be read");
    if (has_flag(call, "json"))
        return print_json(list);
    print_table(list, delivery_columns);
    json_decref(list);
    if (*last)
        fputs("greenroom: webhooks: there are more, see --limit\n", stderr);
    return EXIT_SUCCESS;
}

/* Prints an event for a person: its deliveries as a table, and then the event. */
static int print_event(const json_t *event)
{
    print_table(json_object_get(event, "deliveries"), delivery_columns);
    putchar('\n');
    return print_json(json_incref(json_object_get(event, "event")));
}

static int show_command(struct gr_call *call, const void *options, int argc, char **argv)
{
    gr_str text;

    (void)options;
    if (argc != 2)
        return USAGE;
    if (webhooks_event_read(call, argv[1], &text) != GR_OK)
        return complain("the event cannot be read");
    if (!text.ptr)
        return complain("no event has this id");
    /* An event with values that the parser refuses is printed as it is. */
    const json_t *event = gr_parse_json(call, text);
    if (!event || has_flag(call, "json"))
        return puts(text.ptr) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    return print_event(event);
}

static int replay_command(struct gr_call *call, const void *options, int argc, char **argv)
{
    struct webhooks_filter filter = webhooks_filter_of(call);
    int64_t count = 0;

    filter.event_id = argc == 2 ? argv[1] : NULL;
    if (argc > 2 ||
        (argc < 2 && !filter.target && !filter.room_id && !filter.since && !has_flag(call, "all")))
        return USAGE;
    if (webhooks_replay_all(call, options, &filter, &count) != GR_OK)
        return complain("not all deliveries could be chosen");
    if (has_flag(call, "json"))
        return print_json(json_pack("{s:I}", "replayed", (json_int_t)count));
    printf("%lld sent again\n", (long long)count);
    return EXIT_SUCCESS;
}

/* --- targets --- */

static int targets_command(struct gr_call *call, const void *options, int argc, char **argv)
{
    json_t *list = NULL;

    (void)argv;
    if (argc != 1)
        return USAGE;
    if (webhooks_targets_read(call, options, &list) != GR_OK)
        return complain("the targets cannot be read");
    if (has_flag(call, "json"))
        return print_json(list);
    print_table(list, target_columns);
    json_decref(list);
    return EXIT_SUCCESS;
}

static int set_paused(struct gr_call *call, const void *options, int argc, char **argv, bool paused)
{
    bool known = false;

    if (argc != 2)
        return USAGE;
    if (webhooks_set_paused(call, options, argv[1], paused, &known) != GR_OK)
        return complain("the store cannot be written");
    if (!known)
        return complain("the config has no target of this name");
    printf("%s %s\n", argv[1], paused ? "is paused" : "is resumed");
    return EXIT_SUCCESS;
}

static int pause_command(struct gr_call *call, const void *options, int argc, char **argv)
{
    return set_paused(call, options, argc, argv, true);
}

static int resume_command(struct gr_call *call, const void *options, int argc, char **argv)
{
    return set_paused(call, options, argc, argv, false);
}

/* --- rows --- */

#define FIELD_JSON GR_FIELD("json", GR_BOOL, "As JSON")

static const struct gr_field json_flags[] = {FIELD_JSON, GR_END};
static const struct gr_field no_flags[] = {GR_END};
static const struct gr_field list_flags[] = {
    WEBHOOKS_FIELD_STATE,
    WEBHOOKS_FIELDS_FILTER,
    GR_FIELD("limit", GR_INT, "Maximum number of deliveries; 50 by default",
             .range = GR_RANGE(1, 10000)),
    FIELD_JSON,
    GR_END,
};
static const struct gr_field replay_flags[] = {
    WEBHOOKS_FIELDS_FILTER,
    GR_FIELD("all", GR_BOOL, "All that are dead"),
    FIELD_JSON,
    GR_END,
};

const struct gr_command webhooks_commands[] = {
    {.name = "webhooks list",
     .summary = "List deliveries; without --state, those that were given up",
     .run = list_command,
     .flags = list_flags},
    {.name = "webhooks show",
     .usage = "EVENT",
     .summary = "Show an event and its deliveries",
     .run = show_command,
     .flags = json_flags},
    {.name = "webhooks replay",
     .usage = "[EVENT]",
     .summary = "Send again what was given up, or the deliveries of one event",
     .run = replay_command,
     .flags = replay_flags},
    {.name = "webhooks targets",
     .summary = "List the targets and what waits for them",
     .run = targets_command,
     .flags = json_flags},
    {.name = "webhooks pause",
     .usage = "TARGET",
     .summary = "Pause the deliveries to a target, on all gateways",
     .run = pause_command,
     .flags = no_flags},
    {.name = "webhooks resume",
     .usage = "TARGET",
     .summary = "Resume the deliveries to a target",
     .run = resume_command,
     .flags = no_flags},
    GR_END,
};
