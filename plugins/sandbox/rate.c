/* How many calls the service takes in a second, as the option calls_per_second says. */
#include "faults.h"

bool sb_rate_admits(struct sandbox *sb)
{
    double rate = (double)sb->options->calls_per_second;
    int64_t now_ms = gr_now_ms(sb->host); /* not the sandbox's own clock, which jumps */

    if (sb->options->calls_per_second == 0)
        return true;
    sb->rate_tokens += (double)(now_ms - sb->rate_ms) * rate / 1000;
    sb->rate_ms = now_ms;
    if (sb->rate_tokens > rate)
        sb->rate_tokens = rate;
    if (sb->rate_tokens < 1)
        return false;
    sb->rate_tokens -= 1;
    return true;
}
