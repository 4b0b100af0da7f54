/* Sends any body as a webhook with the right secret. The group must answer, and what it has
 * accepted must be readable. The first byte of an input is 0 when the body is only sent; otherwise
 * the events are listed afterwards. */
#include "fuzz/live.h"

#include <stdlib.h>

#define CONFIG "{\"store\": \"sqlite:fuzz.db\", \"auth\": {\"none\": {\"scopes\": [\"*\"]}}}"
#define BODY_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct live_group groups[] = {
        {"webhooks", "{\"config\": {\"secret\": \"fuzz\", \"keep\": \"1m\"}}"}, {NULL, NULL}};
    static const char list[] =
        "GET /webhooks/events?limit=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static bool started;

    if (size == 0 || size > BODY_MAX)
        return 0;
    if (!started)
        (void)live_start(CONFIG, groups);
    started = true;
    int status = live_status(
        live_post("/webhooks", "X-Webhook-Secret: fuzz\r\nContent-Type: application/json\r\n",
                  (gr_str){(const char *)data + 1, size - 1}));
    if (status != 200 && status != 400)
        abort();
    if (data[0] && live_status(live_send(GR_STR(list), false)) != 200)
        abort();
    return 0;
}
