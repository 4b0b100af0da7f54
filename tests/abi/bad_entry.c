/* A plugin with a valid note, whose entry function returns NULL. */
#include "broken.h"

__attribute__((used, aligned(4), section(".note.greenroom"))) static const struct gr_note note = {
    .owner_size = sizeof(GR_NOTE_OWNER),
    .desc_size = sizeof(struct gr_note) - offsetof(struct gr_note, abi),
    .type = GR_NOTE_TYPE,
    .owner = GR_NOTE_OWNER,
    .abi = GR_ABI,
    .name = "broken",
    .version = "1.0.0"};

GR_EXPORT const struct gr_plugin *gr_plugin_entry(void);
GR_EXPORT const struct gr_plugin *gr_plugin_entry(void)
{
    return broken_routes[0].method == GR_METHOD_POST ? (const struct gr_plugin *)"" : NULL;
}
