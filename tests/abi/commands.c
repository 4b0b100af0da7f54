/* A plugin with commands: a new one, and a subcommand of greenroom's "token". */
#include <greenroom/plugin.h>
#include <stdio.h>

struct options {
    const char *greeting;
    const char *key;
};

static const struct gr_option options[] = {
    GR_OPTION(options, greeting, GR_OPT_STRING, "hello", "What to say"),
    GR_OPTION(options, key, GR_OPT_SECRET, NULL, "Never to be shown", .required = true,
              .env = "COMMANDS_KEY"),
    GR_END,
};

static const struct gr_migration migrations[] = {
    {1, "names", "CREATE TABLE commands_name (name TEXT NOT NULL)", NULL},
    GR_END,
};

static enum gr_err count(void *arg, const struct gr_value *columns, size_t count_)
{
    int64_t *number = arg;

    if (count_ == 1)
        *number = columns[0].i;
    return GR_OK;
}

/* `greet NAME` keeps in the store how often it was called. */
static int greet(struct gr_call *call, const void *opts, int argc, char **argv)
{
    const struct options *own = opts;
    const struct gr_value name = gr_v_text(argc > 1 ? argv[1] : "");
    int64_t number = -1;

    if (argc != 2)
        return 2;
    if (gr_store(call, "INSERT INTO commands_name (name) VALUES (?1)", &name, 1, NULL, NULL,
                 NULL) != GR_OK ||
        gr_store(call, "SELECT count(*) FROM commands_name", NULL, 0, count, &number, NULL) !=
            GR_OK)
        return 1;
    printf("%s %s, %d\n", own->greeting, argv[1], (int)number);
    return 0;
}

/* `token greet …` prints its arguments and fails with a status of its own. */
static int token_greet(struct gr_call *call, const void *opts, int argc, char **argv)
{
    int i;

    (void)call;
    (void)opts;
    for (i = 0; i < argc; i++)
        printf("%s\n", argv[i]);
    return 7;
}

static const struct gr_command commands[] = {
    {.name = "greet", .usage = "NAME", .summary = "Greet somebody", .run = greet},
    {.name = "token greet", .usage = "[WORD…]", .summary = "Show words", .run = token_greet},
    GR_END,
};

static enum gr_err init(struct gr_self *self, const void *opts, void **ret_state)
{
    (void)opts;
    (void)ret_state;
    gr_log_self(self, GR_LOG_ERROR, "init must not run for a command");
    return GR_ERR_INTERNAL;
}

static enum gr_err serve(struct gr_call *call)
{
    return gr_reply(call, 200, "text/plain", GR_STR("served"));
}

static const struct gr_route routes[] = {
    GR_GET("/commands", "commands.get", "Answer", .access = GR_ACCESS_OPEN, .handle = serve),
    GR_END,
};

GR_PLUGIN("commands", .version = "1.0.0", .summary = "A plugin with commands", .licence = "MIT",
          .routes = routes, .options = options, .options_size = sizeof(struct options),
          .migrations = migrations, .commands = commands, .init = init)
