/* The handlers of the messages, and the rows of their payloads. */
#pragma once

#include "delivery.h"

mini_message_fn mini_on_close;   /* room.c */
mini_message_fn mini_on_upload;  /* room.c */
mini_message_fn mini_on_dump;    /* room.c */
mini_message_fn mini_on_task;    /* task_complete.c */
mini_message_fn mini_on_adjust;  /* adjust.c */
mini_message_fn mini_on_edition; /* adjust.c */

extern const struct gr_field mini_close_payload[];
extern const struct gr_field mini_upload_payload[];
extern const struct gr_field mini_dump_payload[];
extern const struct gr_field mini_task_payload[];
extern const struct gr_field mini_adjust_payload[];
extern const struct gr_field mini_edition_payload[];
