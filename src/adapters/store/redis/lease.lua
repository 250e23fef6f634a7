-- Takes or renews a lease.
--
-- KEYS   1 counters, 2 lease.   ARGV   1 time in tests, 2 skew, 3 holder, 4 for how long, in microseconds.
-- Reply  {1, token, until} or {0}: another holds it; {7, why}: unreadable.
-- Tokens follow the time, so that one that a lost server gave is not given again.

local meta, skew, high = redis.call('GET', KEYS[1]), tonumber(ARGV[2]), 0
if meta then
  if string.byte(meta) ~= 1 then return {7, "the tenant's counters have format " .. string.byte(meta)} end
  local _, _, shown, _, _, kept = struct.unpack('>I8I8I8I8I8I8', meta, 2)
  skew, high = math.max(skew, kept), shown
end
local now
if ARGV[1] ~= '' then
  now = tonumber(ARGV[1])
else
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
now = math.max(now + skew, high)

local token, held = 0, redis.call('GET', KEYS[2])
if held then
  if string.byte(held) ~= 1 then return {7, 'a lease has format ' .. string.byte(held)} end
  local _, last, till = struct.unpack('>BI8I8', held)
  token = last
  if string.sub(held, 18) ~= ARGV[3] then
    if till > now then return {0} end
    token = math.max(last + 1, now)
  end
else
  token = now
end
local till = now + tonumber(ARGV[4])
redis.call('SET', KEYS[2], struct.pack('>BI8I8', 1, token, till) .. ARGV[3])
return {1, token, till}
