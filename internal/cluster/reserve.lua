-- Takes one event of every bucket, or of none. GCRA: each key holds the theoretical arrival time (tat) in
-- microseconds of Redis' clock. A key that is not there is a full bucket.
-- ARGV: tag, microseconds since a flush (-1: none), then per key: interval in microseconds, burst.
-- Reply: tag, 1 or 0, then per key: remaining, microseconds until one event, microseconds until full.
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local since = tonumber(ARGV[2])
local allowed = 1
local tats, intervals, capacities = {}, {}, {}
for i = 1, #KEYS do
  local interval = tonumber(ARGV[1 + 2 * i])
  local capacity = interval * tonumber(ARGV[2 + 2 * i])
  local stored = redis.call('GET', KEYS[i])
  local tat = now
  if stored then
    tat = tonumber(stored) or (now + capacity) -- unreadable means empty, never full
  elseif since >= 0 then
    tat = now + math.min(math.max(0, math.floor(capacity / 2) - since), capacity - interval)
  end
  -- not before now; not beyond one capacity, so a clock that stepped back locks no client longer than a window
  tats[i] = math.min(math.max(tat, now), now + capacity)
  intervals[i], capacities[i] = interval, capacity
  if tats[i] + interval > now + capacity then allowed = 0 end
end
local reply = {ARGV[1], allowed}
for i = 1, #KEYS do
  if allowed == 1 then
    tats[i] = tats[i] + intervals[i]
    redis.call('SET', KEYS[i], string.format('%.0f', tats[i]), 'PX', math.ceil((tats[i] - now) / 1000))
  end
  local room = now + capacities[i] - tats[i]
  local remaining = math.floor(room / intervals[i])
  local retry = 0
  if remaining == 0 then retry = intervals[i] - room end
  reply[#reply + 1] = remaining
  reply[#reply + 1] = retry
  reply[#reply + 1] = tats[i] - now
end
return reply
