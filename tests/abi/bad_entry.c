/* A valid note, and an entry that returns nothing. */
#include "broken.h"

__attribute__((used, aligned(4), section(".note.greenroom"))) static const struct gr_note note = {
    sizeof(GR_NOTE_OWNER),
    sizeof(struct gr_abi) + 48,
    GR_NOTE_TYPE,
    GR_NOTE_OWNER,
    GR_ABI,
    "broken"};

GR_EXPORT const struct gr_plugin *gr_plugin_entry(void);
GR_EXPORT const struct gr_plugin *gr_plugin_entry(void)
{
    return broken_routes[0].method == GR_METHOD_POST ? (const struct gr_plugin *)"" : NULL;
}
