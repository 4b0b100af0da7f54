/*
 * The scripts that run in the server, which executes each as one step. They use its clock alone, so
 * the clocks of the gateways do not matter. Both return whole numbers.
 */
#pragma once

/*
 * A bucket. ARGV: tokens a second, size, tokens wanted. Returns the number granted and the
 * thousandths of tokens left. A bucket that nothing was taken from is not stored, and one that has
 * filled up again expires. A clock that was set back gives no tokens for that time.
 */
#define GRC_SHARED_TAKE                                                                            \
    "local t = redis.call('TIME')\n"                                                               \
    "local now = t[1] * 1000000 + t[2]\n"                                                          \
    "local rate, size = ARGV[1] / 1000000, tonumber(ARGV[2])\n"                                    \
    "local old = redis.call('HMGET', KEYS[1], 'tokens', 'at')\n"                                   \
    "local left = tonumber(old[1]) or size\n"                                                      \
    "left = math.min(size, left + math.max(0, now - (tonumber(old[2]) or now)) * rate)\n"          \
    "local got = math.min(tonumber(ARGV[3]), math.floor(left))\n"                                  \
    "if got > 0 then\n"                                                                            \
    "  left = left - got\n"                                                                        \
    "  redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', left),\n"                       \
    "             'at', string.format('%.0f', now))\n"                                             \
    "  redis.call('PEXPIRE', KEYS[1], math.ceil((size - left) / rate / 1000) + 1000)\n"            \
    "end\n"                                                                                        \
    "return {got, math.floor(left * 1000)}\n"

/*
 * The shares of a number in use: a hash with a field for each gateway, "SHARE UNTIL_MS". ARGV: this
 * gateway, its uses now, the share wanted, the limit, how long the share is valid (ms). Returns the
 * share, and the places that no gateway has. The call sets an absolute number, so repeating it
 * changes nothing.
 */
#define GRC_SHARED_HOLD                                                                            \
    "local t = redis.call('TIME')\n"                                                               \
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"                                          \
    "local others = 0\n"                                                                           \
    "local all = redis.call('HGETALL', KEYS[1])\n"                                                 \
    "for i = 1, #all, 2 do\n"                                                                      \
    "  if all[i] ~= ARGV[1] then\n"                                                                \
    "    local share, till = string.match(all[i + 1], '^(%d+) (%d+)$')\n"                          \
    "    if share and tonumber(till) > now then others = others + share\n"                         \
    "    else redis.call('HDEL', KEYS[1], all[i]) end\n"                                           \
    "  end\n"                                                                                      \
    "end\n"                                                                                        \
    "local free = math.max(0, ARGV[4] - others)\n"                                                 \
    "local share = math.max(tonumber(ARGV[2]), math.min(tonumber(ARGV[3]), free))\n"               \
    "if share > 0 then\n"                                                                          \
    "  redis.call('HSET', KEYS[1], ARGV[1], string.format('%d %.0f', share, now + ARGV[5]))\n"     \
    "  redis.call('PEXPIRE', KEYS[1], ARGV[5])\n"                                                  \
    "else\n"                                                                                       \
    "  redis.call('HDEL', KEYS[1], ARGV[1])\n"                                                     \
    "end\n"                                                                                        \
    "return {share, math.max(0, free - share)}\n"
