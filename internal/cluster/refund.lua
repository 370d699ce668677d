-- Gives one event back to every bucket, never above its burst. ARGV: per key: interval in microseconds, burst.
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
for i = 1, #KEYS do
  local interval = tonumber(ARGV[2 * i - 1])
  local capacity = interval * tonumber(ARGV[2 * i])
  local stored = redis.call('GET', KEYS[i])
  if stored then
    local tat = math.min(tonumber(stored) or (now + capacity), now + capacity) - interval
    if tat > now then
      redis.call('SET', KEYS[i], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000))
    else
      redis.call('DEL', KEYS[i])
    end
  end
end
return 1
