/* Tells systemd (Type=notify or notify-reload) how the process is doing; sd_notify(3) says how. */
#pragma once

/* Sends the text, lines such as "READY=1", to $NOTIFY_SOCKET. Without one it does nothing. */
void grc_notify(const char *text);
/* The line that begins a reload, with the time that Type=notify-reload wants. */
void grc_notify_reloading(void);
