/*
 * The scripts of the shared cache, which its server executes each as one step. An answer is a hash
 * (gen, stale, value) that expires when it may not be served any more. It counts only while "gen"
 * is the generation of its path, a number that a write replaces by another random one: a generation
 * that the server has lost makes what depended on it a miss. The lease of an answer names its
 * generation and holder, or "-" for a while in which every gateway asks its upstream itself.
 *
 * A key of another type than expected, or with a text that none of these scripts writes, counts as
 * absent and is replaced.
 */
#pragma once

#define GRC_REMOTE_GET                                                                             \
    "local function get(key)\n"                                                                    \
    "  local got = redis.pcall('GET', key)\n"                                                      \
    "  if type(got) == 'table' then redis.call('DEL', key) return nil end\n"                       \
    "  return got or nil\n"                                                                        \
    "end\n"

/* Verdicts of GRC_REMOTE_LOOK. */
#define GRC_REMOTE_SAYS_SAME 1
#define GRC_REMOTE_SAYS_KEPT 2
#define GRC_REMOTE_SAYS_LEADS 3
#define GRC_REMOTE_SAYS_HELD 4
#define GRC_REMOTE_SAYS_ALONE 5

/*
 * KEYS: answer, generation, lease. ARGV: a generation for a path without one, how long generations
 * are kept (ms), the generation of the copy that the gateway has ("" without one), the holder of a
 * lease to take ("" for none), how long a lease lasts (ms), whether a late answer is wanted (0, 1).
 * Returns the verdict, the generation, how long the answer is kept yet (ms), and the answer.
 */
#define GRC_REMOTE_LOOK                                                                            \
    GRC_REMOTE_GET                                                                                 \
    "local gen = get(KEYS[2])\n"                                                                   \
    "if not gen or #gen > 15 or not string.match(gen, '^[1-9]%d*$') then\n"                        \
    "  gen = ARGV[1]\n"                                                                            \
    "  redis.call('SET', KEYS[2], gen, 'PX', ARGV[2])\n"                                           \
    "end\n"                                                                                        \
    "local number = tonumber(gen)\n"                                                               \
    "if gen == ARGV[3] then return {1, number, 0, ''} end\n"                                       \
    "local value, left = '', 0\n"                                                                  \
    "local kept = redis.pcall('HMGET', KEYS[1], 'gen', 'stale', 'value')\n"                        \
    "if kept.err then\n"                                                                           \
    "  redis.call('DEL', KEYS[1])\n"                                                               \
    "elseif kept[1] == gen and kept[3] then\n"                                                     \
    "  value, left = kept[3], redis.call('PTTL', KEYS[1])\n"                                       \
    "  if left > (tonumber(kept[2]) or left) then return {2, number, left, value} end\n"           \
    "  if ARGV[6] == '0' then value = '' end\n"                                                    \
    "elseif kept[1] then\n"                                                                        \
    "  redis.call('DEL', KEYS[1])\n"                                                               \
    "end\n"                                                                                        \
    "local lease = get(KEYS[3])\n"                                                                 \
    "if lease == gen .. ' -' then return {5, number, left, value} end\n"                           \
    "if lease and string.sub(lease, 1, #gen + 1) == gen .. ' ' then\n"                             \
    "  return {4, number, left, value}\n"                                                          \
    "end\n"                                                                                        \
    "if ARGV[4] == '' then return {5, number, left, value} end\n"                                  \
    "redis.call('SET', KEYS[3], gen .. ' ' .. ARGV[4], 'PX', ARGV[5])\n"                           \
    "return {3, number, left, value}\n"

/*
 * KEYS: answer, generation, lease. ARGV: the generation under which the upstream was asked, how
 * long the answer is kept (ms), for how long of that it is late (ms), the answer, how long
 * generations are kept (ms), the holder of the lease ("" for none). An answer from before a write
 * is not kept.
 */
#define GRC_REMOTE_KEEP                                                                            \
    GRC_REMOTE_GET                                                                                 \
    "local fits = get(KEYS[2]) == ARGV[1]\n"                                                       \
    "if fits then\n"                                                                               \
    "  redis.call('DEL', KEYS[1])\n"                                                               \
    "  redis.call('HSET', KEYS[1], 'gen', ARGV[1], 'stale', ARGV[3], 'value', ARGV[4])\n"          \
    "  redis.call('PEXPIRE', KEYS[1], ARGV[2])\n"                                                  \
    "  redis.call('PEXPIRE', KEYS[2], ARGV[5])\n"                                                  \
    "end\n"                                                                                        \
    "if ARGV[6] ~= '' and get(KEYS[3]) == ARGV[1] .. ' ' .. ARGV[6] then\n"                        \
    "  redis.call('DEL', KEYS[3])\n"                                                               \
    "end\n"                                                                                        \
    "return {fits and 1 or 0}\n"

/* Ends a lease without an answer. KEYS: lease. ARGV: generation, holder, for how long every gateway
 * is to ask its upstream itself (ms; 0: another one may take the lease). */
#define GRC_REMOTE_END                                                                             \
    GRC_REMOTE_GET                                                                                 \
    "if get(KEYS[1]) == ARGV[1] .. ' ' .. ARGV[2] then\n"                                          \
    "  if ARGV[3] == '0' then redis.call('DEL', KEYS[1])\n"                                        \
    "  else redis.call('SET', KEYS[1], ARGV[1] .. ' -', 'PX', ARGV[3]) end\n"                      \
    "end\n"                                                                                        \
    "return {1}\n"

/* A write has ended. KEYS: generation. ARGV: the new one, how long generations are kept (ms). */
#define GRC_REMOTE_WROTE                                                                           \
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"                                         \
    "return {1}\n"
