/* Notifies systemd of the state of the process (Type=notify or notify-reload), see sd_notify(3). */
#pragma once

/* Sends lines such as "READY=1" to $NOTIFY_SOCKET. Does nothing if it is not set. */
void grc_notify(const char *text);
/* Notifies of the begin of a reload, with the time that Type=notify-reload needs. */
void grc_notify_reloading(void);
