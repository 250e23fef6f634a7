-- A page of an index with its records, of one moment.
--
-- KEYS   1 counters, 2 index.   ARGV   1 from, 2 to (as ZRANGEBYLEX has them), 3 at most, 4 prefix of records.
-- Reply  {counters, seconds, microseconds, members, records}.

local members = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local keys = {}
for i, member in ipairs(members) do keys[i] = ARGV[4] .. string.sub(member, 9) end
local time = redis.call('TIME')
local records = #keys > 0 and redis.call('MGET', unpack(keys)) or {}
return {redis.call('GET', KEYS[1]), time[1], time[2], members, records}
