import { scriptOf } from '../../platform/redis/contract.ts';

/** Calls under way of a replica count for so long without a word of it: it may have been killed. */
const leaseSeconds = 15;
/** How often each says again what it has under way, in milliseconds. */
export const sayAgainMs = 5_000;

/**
 * A minute that slides, by second, as in `sliding-window.ts`: one hash for each limit, with the hits of each second
 * under its number, the newest second as `h` and the sum as `n`. What has left the window is subtracted once for each
 * second, so that a call costs a few commands however many calls there are. Time is the time of Redis: the replicas'
 * clocks differ. Calls under way are one hash for each ceiling: of each replica how many it has, and when it said so; what
 * was said too long ago is that of a replica that is gone.
 * KEYS: the limits, then the ceilings; ARGV: how many limits there are, who asks, how many hits each limit may have, and of each ceiling how many calls it may have and how many whoever asks has with this one.
 * Answers which has no room, from 1 (0: counted): a ceiling, or the limit that has none for the longest time, then for how
 * many milliseconds, and each count.
 */
export const countScript = scriptWith(`
local window = 60
local time = redis.call('TIME')
local clock = tonumber(time[1])
local seconds, counts = {}, {}
local full, wait = 0, 0
local limits, self = tonumber(ARGV[1]), ARGV[2]

for i = limits + 1, #KEYS do
  local at = limits + 3 + (i - limits - 1) * 2
  local sum = tonumber(ARGV[at + 1])
  local said = redis.call('HGETALL', KEYS[i])
  for f = 1, #said, 2 do
    local calls, when = string.match(said[f + 1], '^(%d+) (%d+)$')
    if said[f] ~= self then
      if math.abs(clock - tonumber(when)) > LEASE then redis.call('HDEL', KEYS[i], said[f])
      else sum = sum + tonumber(calls) end
    end
  end
  if sum > tonumber(ARGV[at]) then
    local none = { i, 0 }
    for n = 1, limits do none[n + 2] = 0 end
    return none
  end
end

for i = 1, limits do
  local key = KEYS[i]
  local head = redis.call('HMGET', key, 'h', 'n')
  local newest, count = tonumber(head[1]), tonumber(head[2]) or 0
  local now = clock
  if newest and now < newest then
    if newest - now > window then
      redis.call('DEL', key)
      redis.call('HSET', key, 'h', now, 'n', count, now, count)
      redis.call('EXPIRE', key, window * 2)
    else
      now = newest
    end
  elseif newest and now > newest then
    local old = {}
    for second = newest - window, math.min(newest, now - window - 1) do old[#old + 1] = second end
    if #old > 0 then
      for _, hits in ipairs(redis.call('HMGET', key, unpack(old))) do
        count = count - (tonumber(hits) or 0)
      end
      redis.call('HDEL', key, unpack(old))
    end
    redis.call('HSET', key, 'h', now, 'n', count)
    redis.call('EXPIRE', key, window * 2)
  end
  seconds[i], counts[i] = now, count

  local most = tonumber(ARGV[i + 2])
  if count >= most then
    local all = {}
    for second = now - window, now do all[#all + 1] = second end
    local left, free = count, now
    for at, hits in ipairs(redis.call('HMGET', key, unpack(all))) do
      left = left - (tonumber(hits) or 0)
      free = all[at] + window + 1
      if left < most then break end
    end
    local ms = math.max(1, (free - now) * 1000 - math.floor(tonumber(time[2]) / 1000))
    if ms > wait then full, wait = i, ms end
  end
end

if full == 0 then
  for i = 1, limits do
    local key = KEYS[i]
    counts[i] = redis.call('HINCRBY', key, 'n', 1)
    redis.call('HINCRBY', key, seconds[i], 1)
    if counts[i] == 1 then
      redis.call('HSET', key, 'h', seconds[i])
      redis.call('EXPIRE', key, window * 2)
    end
  end
  for i = limits + 1, #KEYS do
    redis.call('HSET', KEYS[i], self, ARGV[limits + 4 + (i - limits - 1) * 2] .. ' ' .. clock)
    redis.call('EXPIRE', KEYS[i], LEASE)
  end
end
return { full, wait, unpack(counts) }
`);

/** Notes how many calls a replica has under way. KEYS: ceilings; ARGV: who it is, and how many of each. */
export const tellScript = scriptWith(`
local clock = redis.call('TIME')[1]
for i, key in ipairs(KEYS) do
  local calls = ARGV[i + 1]
  if calls == '0' then redis.call('HDEL', key, ARGV[1])
  else
    redis.call('HSET', key, ARGV[1], calls .. ' ' .. clock)
    redis.call('EXPIRE', key, LEASE)
  end
end
`);

function scriptWith(text: string) {
  return scriptOf(text.replaceAll('LEASE', String(leaseSeconds)));
}
