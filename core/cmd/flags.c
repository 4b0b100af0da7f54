/* Reads the flags of commands by their rows. */
#include "base/near.h"
#include "cmd/cmd.h"

#include <stdio.h>

const struct grc_flag grc_global_flags[] = {
    {.name = "--config",
     .type = GRC_FLAG_TEXT,
     .value = "DIR",
     .letter = "-c",
     .choices = &grc_choices_files,
     .doc = "Directory with greenroom.json and plugins.d"},
    {.name = "--help",
     .type = GRC_FLAG_SWITCH,
     .letter = "-h",
     .doc = "Print how to use greenroom, or the command before this flag"},
    {.name = "--version",
     .type = GRC_FLAG_SWITCH,
     .doc = "Print the versions of greenroom and its libraries"},
    GRC_FLAG_END,
};

static const struct grc_flag *flag_of(const struct grc_flag *flags, const char *word)
{
    size_t len = strcspn(word, "=");

    for (; flags && flags->name; flags++) {
        if (strlen(flags->name) == len && memcmp(flags->name, word, len) == 0)
            return flags;
        if (flags->letter && strcmp(flags->letter, word) == 0)
            return flags;
    }
    return NULL;
}

/* Returns false if the flag was given too often. */
static bool set_value(const struct grc_flag *flag, void *args, const char *value)
{
    char *slot = (char *)args + flag->offset;

    if (flag->type == GRC_FLAG_TEXT) {
        memcpy(slot, &value, sizeof(value));
        return true;
    }
    struct grc_texts *texts = (struct grc_texts *)(void *)slot;

    if (texts->count == GRC_REPEAT_MAX)
        return false;
    texts->list[texts->count++] = value;
    return true;
}

static void complain_unknown(const struct grc_flag *flags, const char *word)
{
    char name[64];
    struct grc_near near = {.name = name};

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
    for (const struct grc_flag *flag = flags; flag && flag->name; flag++)
        grc_near_try(&near, flag->name);
    if (near.best)
        grc_complain("unknown option '%s', did you mean '%s'?", name, near.best);
    else
        grc_complain("unknown option '%s'", name);
}

/* Returns the number of words read, or 0 after complaining. */
static int take_flag(const struct grc_flag *flags, void *args, char **words)
{
    const struct grc_flag *flag = flag_of(flags, words[0]);
    const char *equals = strchr(words[0], '=');
    const char *value = equals ? equals + 1 : words[1];

    if (!flag) {
        complain_unknown(flags, words[0]);
        return 0;
    }
    if (flag->type == GRC_FLAG_SWITCH) {
        if (equals)
            grc_complain("'%s' takes no value", flag->name);
        else
            memcpy((char *)args + flag->offset, &(bool){true}, sizeof(bool));
        return equals ? 0 : 1;
    }
    if (!value || (!value[0] && flag->type == GRC_FLAG_TEXTS)) {
        grc_complain("'%s' needs a value", words[0]);
        return 0;
    }
    if (!set_value(flag, args, value)) {
        grc_complain("'%s' is given too often", flag->name);
        return 0;
    }
    return equals ? 1 : 2;
}

bool grc_flags_take(const struct grc_flag *flags, void *args, int *count, char **words)
{
    int kept = 0;
    int i = 0;

    while (i < *count && strcmp(words[i], "--") != 0) {
        int taken = 1;

        if (words[i][0] != '-')
            words[kept++] = words[i];
        else
            taken = take_flag(flags, args, words + i);
        if (taken == 0)
            return false;
        i += taken;
    }
    for (i++; i < *count; i++)
        words[kept++] = words[i];
    words[kept] = NULL;
    *count = kept;
    return true;
}
