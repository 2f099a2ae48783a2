import { scriptOf } from '../../platform/redis/contract.ts';

/**
 * A minute that slides, by second, as in `sliding-window.ts`: one hash for each limit, with the hits of each second
 * under its number, the newest second as `h` and the sum as `n`. What has left the window is subtracted once for each
 * second, so that a call costs a few commands however many calls there are. Time is the time of Redis: the replicas'
 * clocks differ. KEYS: the limits; ARGV: how many hits each may have, -1 for any number.
 * Answers which limit has no room for the longest time (from 1; 0: counted), for how many milliseconds, and each count.
 */
export const countScript = scriptOf(`
local window = 60
local time = redis.call('TIME')
local clock = tonumber(time[1])
local seconds, counts = {}, {}
local full, wait = 0, 0

for i, key in ipairs(KEYS) do
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

  local most = tonumber(ARGV[i])
  if most >= 0 and count >= most then
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
  for i, key in ipairs(KEYS) do
    counts[i] = redis.call('HINCRBY', key, 'n', 1)
    redis.call('HINCRBY', key, seconds[i], 1)
    if counts[i] == 1 then
      redis.call('HSET', key, 'h', seconds[i])
      redis.call('EXPIRE', key, window * 2)
    end
  end
end
return { full, wait, unpack(counts) }
`);
