/* The rate limit of the option calls_per_second. */
#include "faults.h"

bool sb_rate_admits(struct sandbox *sb)
{
    double rate = (double)sb->options->calls_per_second;
    int64_t now_ms = gr_now_ms(sb->host); /* not the clock of the sandbox, which tests advance */

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
