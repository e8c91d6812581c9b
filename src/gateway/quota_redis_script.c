// The Lua scripts that count in Redis, each one step there, whole or not at all.
//
// Keys 1 to 3 are of the tenant: `due`, reservations by the time they must be renewed by; `held`, what each holds, a
// list of counter, amount, "1" for calls at once; `swept`, those that were turned into used, or counted without a
// reservation, so that a settlement that comes late or twice is known, and a reservation that comes after its
// settlement. Then a counter each: a hash of `u`, used, and `r`, reserved. Times are Redis's own, so that servers'
// clocks do not matter.
#include "gateway/quota_redis_internal.h"

// Redis takes no "-0" for a number, and an error in the middle of a script takes nothing back.
#define LUA_MINUS "local function minus(x) return x == '0' and x or '-' .. x end\n"

// What was not renewed is taken as used.
#define LUA_SWEEP                                                                                                      \
    LUA_MINUS                                                                                                          \
    "local due, held, swept = KEYS[1], KEYS[2], KEYS[3]\n"                                                             \
    "local t = redis.call('TIME')\n"                                                                                   \
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"                                                              \
    "for _, old in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, 64)) do\n"                         \
    "  local rec = redis.call('HGET', held, old)\n"                                                                    \
    "  redis.call('ZREM', due, old)\n"                                                                                 \
    "  if rec then\n"                                                                                                  \
    "    redis.call('HDEL', held, old)\n"                                                                              \
    "    if redis.call('HLEN', swept) > 100000 then redis.call('DEL', swept) end\n"                                    \
    "    redis.call('HSET', swept, old, rec)\n"                                                                        \
    "    redis.call('PEXPIRE', swept, 3600000)\n"                                                                      \
    "    rec = cmsgpack.unpack(rec)\n"                                                                                 \
    "    for i = 1, #rec, 3 do\n"                                                                                      \
    "      if redis.call('EXISTS', rec[i]) == 1 then\n"                                                                \
    "        redis.call('HINCRBY', rec[i], 'r', minus(rec[i + 1]))\n"                                                  \
    "        if rec[i + 2] == '0' then redis.call('HINCRBY', rec[i], 'u', rec[i + 1]) end\n"                           \
    "      end\n"                                                                                                      \
    "    end\n"                                                                                                        \
    "  end\n"                                                                                                          \
    "end\n"

// A counter that Redis does not know begins with what the asking server knows.
#define LUA_COUNTER                                                                                                    \
    "local function counter(key, expires, seed)\n"                                                                     \
    "  local c = redis.call('HMGET', key, 'u', 'r')\n"                                                                 \
    "  if c[1] then return tonumber(c[1]), tonumber(c[2]) or 0 end\n"                                                  \
    "  redis.call('HSET', key, 'u', seed, 'r', 0)\n"                                                                   \
    "  if expires ~= '0' then redis.call('PEXPIREAT', key, expires) end\n"                                             \
    "  return tonumber(seed), 0\n"                                                                                     \
    "end\n"                                                                                                            \
    "local function text(x) return string.format('%.0f', x) end\n"

// ARGV: id, ms to live; for each counter its amount, limit (-1: none), expiry, seed, "1" for calls at once.
// Answer: 0 and what was used of each, or which counter refused and what is used of it; a bare 0 for one that was
// settled before it came, over a connection that was thought lost.
static const char k_reserve[] =
    LUA_SWEEP LUA_COUNTER "if redis.call('HEXISTS', swept, ARGV[1]) == 1 then return 0 end\n"
                          "local rec, out = {}, {0}\n"
                          "for i = 1, #KEYS - 3 do\n"
                          "  local key, a = KEYS[3 + i], 2 + (i - 1) * 5\n"
                          "  local u, r = counter(key, ARGV[a + 3], ARGV[a + 4])\n"
                          "  local limit = tonumber(ARGV[a + 2])\n"
                          "  if limit >= 0 and u + r + tonumber(ARGV[a + 1]) > limit then return {i, u + r} end\n"
                          "  out[i + 1] = u + r\n"
                          "  rec[3 * i - 2], rec[3 * i - 1], rec[3 * i] = key, ARGV[a + 1], ARGV[a + 5]\n"
                          "end\n"
                          "for i = 1, #rec, 3 do redis.call('HINCRBY', rec[i], 'r', rec[i + 1]) end\n"
                          "redis.call('HSET', held, ARGV[1], cmsgpack.pack(rec))\n"
                          "redis.call('ZADD', due, now + tonumber(ARGV[2]), ARGV[1])\n"
                          "return out\n";

// ARGV: id, "1" to count it without a reservation too; for each counter what was used, expiry, seed.
// Answer: 1 settled, 2 settled after it was swept, 3 counted without a reservation, 0 nothing to do.
static const char k_settle[] =
    LUA_MINUS LUA_COUNTER "local due, held, swept, id = KEYS[1], KEYS[2], KEYS[3], ARGV[1]\n"
                          "local rec = redis.call('HGET', held, id)\n"
                          "if rec then\n"
                          "  redis.call('HDEL', held, id)\n"
                          "  redis.call('ZREM', due, id)\n"
                          "  rec = cmsgpack.unpack(rec)\n"
                          "  for i = 1, #rec, 3 do\n"
                          "    local used = ARGV[i + 2]\n"
                          "    if redis.call('EXISTS', rec[i]) == 1 then\n"
                          "      redis.call('HINCRBY', rec[i], 'r', minus(rec[i + 1]))\n"
                          "      if used ~= '0' then redis.call('HINCRBY', rec[i], 'u', used) end\n"
                          "    end\n"
                          "  end\n"
                          "  return 1\n"
                          "end\n"
                          "rec = redis.call('HGET', swept, id)\n"
                          "if rec == '' then return 0 end\n"
                          "if rec then\n"
                          "  redis.call('HSET', swept, id, '')\n"
                          "  rec = cmsgpack.unpack(rec)\n"
                          "  for i = 1, #rec, 3 do\n"
                          "    local counted = rec[i + 2] == '0' and tonumber(rec[i + 1]) or 0\n"
                          "    if redis.call('EXISTS', rec[i]) == 1 then\n"
                          "      redis.call('HINCRBY', rec[i], 'u', text(tonumber(ARGV[i + 2]) - counted))\n"
                          "    end\n"
                          "  end\n"
                          "  return 2\n"
                          "end\n"
                          "if redis.call('HLEN', swept) > 100000 then redis.call('DEL', swept) end\n"
                          "redis.call('HSET', swept, id, '')\n"
                          "redis.call('PEXPIRE', swept, 3600000)\n"
                          "if ARGV[2] ~= '1' then return 0 end\n"
                          "for i = 1, #KEYS - 3 do\n"
                          "  local a = 2 + (i - 1) * 3\n"
                          "  counter(KEYS[3 + i], ARGV[a + 2], ARGV[a + 3])\n"
                          "  if ARGV[a + 1] ~= '0' then redis.call('HINCRBY', KEYS[3 + i], 'u', ARGV[a + 1]) end\n"
                          "end\n"
                          "return 3\n";

// ARGV: ms to live, ids.
static const char k_renew[] =
    LUA_SWEEP "for i = 2, #ARGV do redis.call('ZADD', due, 'XX', now + tonumber(ARGV[1]), ARGV[i]) end\n"
              "return 0\n";

// A share of a budget: a reservation that grows and shrinks. Key 4 is the counter. ARGV: id, ms to live, limit, expiry,
// seed, used since the last time, given back, wanted, by how much to divide what is left, the question's number: one
// that comes again is only answered again.
// Answer: granted now, used of all, held of all, held by this one.
static const char k_lease[] = LUA_SWEEP LUA_COUNTER
    "local id, key, last = ARGV[1], KEYS[4], 's:' .. ARGV[1]\n"
    "local u, r = counter(key, ARGV[4], ARGV[5])\n"
    "local rec, mine = redis.call('HGET', held, id), 0\n"
    "if rec then mine = tonumber(cmsgpack.unpack(rec)[2]) end\n"
    "local before = redis.call('HGET', key, last)\n"
    "if before then\n"
    "  local number, grant = string.match(before, '(%d+):(%d+)')\n"
    "  if number == ARGV[10] then return {tonumber(grant), u, r, mine} end\n"
    "end\n"
    "local used, back = tonumber(ARGV[6]), tonumber(ARGV[7])\n"
    "local less = math.min(mine, used + back)\n"
    "u, r, mine = u + used, r - less, mine - less\n"
    "local left, want, grant = tonumber(ARGV[3]) - u - r, tonumber(ARGV[8]), 0\n"
    "if want > 0 and left >= want then grant = math.max(want, math.floor(left / tonumber(ARGV[9]))) end\n"
    "r, mine = r + grant, mine + grant\n"
    "redis.call('HSET', key, 'u', text(u), 'r', text(r), last, ARGV[10] .. ':' .. text(grant))\n"
    "if mine > 0 then\n"
    "  redis.call('HSET', held, id, cmsgpack.pack({key, text(mine), '0'}))\n"
    "  redis.call('ZADD', due, now + tonumber(ARGV[2]), id)\n"
    "else\n"
    "  redis.call('HDEL', held, id)\n"
    "  redis.call('ZREM', due, id)\n"
    "end\n"
    "return {grant, u, r, mine}\n";

struct str quota_script_text(enum quota_script script) {
    static const struct str texts[QUOTA_SCRIPTS] = {
        [QUOTA_SCRIPT_RESERVE] = {k_reserve, sizeof k_reserve - 1},
        [QUOTA_SCRIPT_SETTLE] = {k_settle, sizeof k_settle - 1},
        [QUOTA_SCRIPT_RENEW] = {k_renew, sizeof k_renew - 1},
        [QUOTA_SCRIPT_LEASE] = {k_lease, sizeof k_lease - 1},
    };
    return texts[script];
}
