/* A plugin with one text that tells the version of its code, which tests replace in the file. It
 * has everything that a reload has to undo: state, a timer, an option, a metric and
 * constructors. */
#include <greenroom/plugin.h>

#include <jansson.h>
#include <stdlib.h>

/* It is volatile so that the compiler makes no copies, and the text is read from this one place. */
static const volatile char code[] = "code-000000";

struct options {
    const char *word;
};

struct state {
    char *text;
};

static const struct gr_option option_rows[] = {
    GR_OPTION(options, word, GR_OPT_STRING, "none", "A word to give back"),
    GR_END,
};

static enum gr_err tell(struct gr_call *call)
{
    const struct state *state = call->state;
    char text[sizeof(code)];

    for (size_t i = 0; i < sizeof(code); i++)
        text[i] = code[i];
    gr_metric_add(call->self, "told_total", NULL, 1);
    return gr_reply_json(call, 200, json_pack("{s:s, s:s}", "code", text, "state", state->text));
}

static enum gr_err tick(struct gr_call *call)
{
    gr_metric_add(call->self, "ticks_total", NULL, 1);
    return GR_OK;
}

static const struct gr_route routes[] = {
    GR_GET("/reload", "reload.tell", "Tell which code runs", .access = GR_ACCESS_OPEN,
           .handle = tell),
    GR_END,
};

static const struct gr_timer timers[] = {{.name = "tick", .interval_ms = 5, .run = tick}, GR_END};

static const struct gr_metric metrics[] = {
    {"told_total", GR_COUNTER, "Answers", NULL},
    {"ticks_total", GR_COUNTER, "Runs of the timer", NULL},
    GR_END,
};

static enum gr_err init(struct gr_self *self, const void *arg, void **ret_state)
{
    const struct options *options = arg;
    struct state *state = calloc(1, sizeof(*state));

    (void)self;
    if (!state)
        return GR_ERR_NO_MEMORY;
    state->text = strdup(options->word);
    *ret_state = state;
    return state->text ? GR_OK : GR_ERR_NO_MEMORY;
}

static void fini(struct gr_self *self, void *arg)
{
    struct state *state = arg;

    (void)self;
    free(state->text);
    free(state);
}

GR_PLUGIN("reload", .version = "1.0.0", .summary = "Tells which code runs", .licence = "MIT",
          .routes = routes, .options = option_rows, .options_size = sizeof(struct options),
          .timers = timers, .metrics = metrics, .init = init, .fini = fini)
