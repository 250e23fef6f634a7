-- One change: all is checked, then all is written. Nothing after the first write can fail, because Redis keeps what a
-- script that broke off had written.
--
-- KEYS   1 counters, 2 events, 3 attempt, 4 lease, then records: the expected ones, those to put, those to drop.
-- ARGV   1 run id and replication id of the server (`run/replication`), 2 '1' if the change begins that line of history, 3 time in tests, 4 skew, 5 not_after,
--        6 lease token or '', 7 forget up to or '', 8 expectations, 9 puts, 10 drops, 11 prefix of indexes, 12 channel;
--        then two for each expectation ('absent' | 'version' | 'live', version), one for each put, one for each event.
-- Reply  {code, number}: 1 done (first event), 2 conflict (which expectation, from 1), 3 fenced, 4 late, 5 rolled back
--        (1: the link is to an earlier line);
--        {6, why} refused, {7, why} unreadable. In all of these but 1 nothing of the change was written.
-- Numbers are doubles here: exact up to 2^53, which microseconds reach in the year 2255.

local FORMAT, REMEMBERED, MOST_FORGOTTEN = 1, 10000000, 1000

local function unreadable(what, format)
  error({code = 7, why = what .. ' has format ' .. format .. '; this version reads format ' .. FORMAT})
end

-- The tenant's counters.
local meta = {version = 0, seq = 0, high = 0, records = 0, events = 0, skew = 0, line = ARGV[1]}
local found = redis.call('GET', KEYS[1])

-- A record without its body; false if there is none. Each is read once.
local heads = {}
local function head(key)
  if heads[key] ~= nil then return heads[key] end
  local bytes = redis.call('GETRANGE', key, 0, 370)
  if bytes == '' then
    heads[key] = false
    return false
  end
  if string.byte(bytes) ~= FORMAT then unreadable('a record', string.byte(bytes)) end
  local version, flags = struct.unpack('>I8B', bytes, 2)
  local head, pos = {version = version, rows = {}}, 11
  if flags % 2 == 1 then
    head.live_until = struct.unpack('>i8', bytes, pos)
    pos = pos + 8
  end
  if flags >= 2 then pos = pos + 8 end
  pos = pos + 16
  for i = 0, string.byte(bytes, pos) - 1 do
    head.rows[i + 1] = string.sub(bytes, pos + 1 + i * 41, pos + 41 + i * 41)
  end
  heads[key] = head
  return head
end

-- The rows that a record to put brings along.
local function rows_of(bytes)
  local flags, rows = string.byte(bytes, 10), {}
  local pos = 11 + 16 + (flags % 2) * 8 + (flags >= 2 and 8 or 0)
  for i = 0, string.byte(bytes, pos) - 1 do
    rows[i + 1] = string.sub(bytes, pos + 1 + i * 41, pos + 41 + i * 41)
  end
  return rows
end

local function has(rows, row)
  for _, other in ipairs(rows) do
    if other == row then return true end
  end
  return false
end

-- A row is list and owner, which name the index, and sort, with which its member begins.
local checked = {}
local function index_of(row)
  local key = ARGV[11] .. string.sub(row, 1, 33)
  if not checked[key] then
    redis.call('ZCARD', key)
    checked[key] = true
  end
  return key
end

local function run()
  if found then
    if string.byte(found) ~= FORMAT then unreadable("the tenant's counters", string.byte(found)) end
    meta.version, meta.seq, meta.high, meta.records, meta.events, meta.skew = struct.unpack('>I8I8I8I8I8I8', found, 2)
    meta.line = string.sub(found, 50)
  elseif redis.call('EXISTS', KEYS[2]) == 1 then
    redis.call('XLEN', KEYS[2])
    return {7, 'the counters of the tenant are gone, its events are not'}
  end

  -- The time: the server's, and where that was set back, on from the highest shown.
  local now
  if ARGV[3] ~= '' then
    now = tonumber(ARGV[3])
  else
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  end
  local own = now
  meta.skew = math.max(meta.skew, tonumber(ARGV[4]))
  now = now + meta.skew
  if now < meta.high then
    meta.skew = meta.skew + meta.high - now
    now = meta.high
  end

  local before = redis.call('GET', KEYS[3])
  if before then
    local code, at, number = struct.unpack('>BI8I8', before)
    if own < at + REMEMBERED then return {code, number} end
  end
  local function remember(code, number)
    redis.call('SET', KEYS[3], struct.pack('>BI8I8', code, own, number), 'PX', 11000)
    return {code, number}
  end

  -- A connection outlives a change of roles: the server may have been a replica since the link was made.
  local id = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x*)') or ''
  if (string.match(ARGV[1], '^[^/]*/') or '') .. id ~= ARGV[1] then return {5, 1} end
  if meta.line ~= ARGV[1] and ARGV[2] ~= '1' then return {5, 0} end
  if now >= tonumber(ARGV[5]) then return {4, 0} end
  if ARGV[6] ~= '' then
    local held = redis.call('GET', KEYS[4])
    if not held then return remember(3, 0) end
    if string.byte(held) ~= FORMAT then unreadable('a lease', string.byte(held)) end
    local _, token, till = struct.unpack('>BI8I8', held)
    if token ~= tonumber(ARGV[6]) or till <= now then return remember(3, 0) end
  end
  local expects, puts, drops = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
  for i = 1, expects do
    local record, how = head(KEYS[4 + i]), ARGV[11 + 2 * i]
    local holds
    if how == 'absent' then
      holds = not record
    else
      holds = record and record.version == tonumber(ARGV[12 + 2 * i])
      if holds and how == 'live' and record.live_until then holds = now < record.live_until end
    end
    if not holds then return remember(2, i) end
  end

  -- What is to be written, and whether it can be.
  local first_put, first_drop = 4 + expects, 4 + expects + puts
  local first_value, first_event = 12 + 2 * expects, 12 + 2 * expects + puts
  local add, remove = {}, {}
  for i = 1, puts do
    local key = KEYS[first_put + i]
    local new, old = rows_of(ARGV[first_value + i]), head(key)
    local id = string.sub(key, -41)
    old = old and old.rows or {}
    for _, row in ipairs(new) do
      if not has(old, row) then add[#add + 1] = {index_of(row), string.sub(row, 34) .. id} end
    end
    for _, row in ipairs(old) do
      if not has(new, row) then remove[#remove + 1] = {index_of(row), string.sub(row, 34) .. id} end
    end
  end
  for i = 1, drops do
    local key = KEYS[first_drop + i]
    local old = head(key)
    for _, row in ipairs(old and old.rows or {}) do
      remove[#remove + 1] = {index_of(row), string.sub(row, 34) .. string.sub(key, -41)}
    end
  end
  local events = #ARGV - first_event
  local forget = ARGV[7] ~= '' and tonumber(ARGV[7]) or 0
  local first_kept = meta.seq + 1 - meta.events
  local forgotten = math.max(0, forget + 1 - first_kept)
  if forget > meta.seq then
    return {6, string.format("events up to %.0f can't be dropped: the last one is %.0f", forget, meta.seq)}
  end
  if forgotten > MOST_FORGOTTEN then
    return {6, string.format("%.0f events can't be dropped at once, at most %d", forgotten, MOST_FORGOTTEN)}
  end
  redis.call('XLEN', KEYS[2])

  -- The first write is the one that can be refused: for want of memory, or because a number is taken.
  local first = meta.seq + 1
  for i = 1, events do
    meta.seq = meta.seq + 1
    redis.call('XADD', KEYS[2], string.format('%.0f-0', meta.seq), 'e', ARGV[first_event + i])
  end
  local reply = remember(1, first)
  -- Versions follow the time, so that none is used again on a server that has forgotten the last ones.
  meta.version = math.max(meta.version, now)
  for i = 1, puts do
    local key, value = KEYS[first_put + i], ARGV[first_value + i]
    meta.version = meta.version + 1
    redis.call('SET', key, string.sub(value, 1, 1) .. struct.pack('>I8', meta.version) .. string.sub(value, 10))
    if not heads[key] then meta.records = meta.records + 1 end
  end
  for i = 1, drops do
    meta.records = meta.records - redis.call('DEL', KEYS[first_drop + i])
  end
  for _, row in ipairs(remove) do redis.call('ZREM', row[1], row[2]) end
  for _, row in ipairs(add) do redis.call('ZADD', row[1], 0, row[2]) end
  if forgotten > 0 then redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f-0', forget + 1)) end
  meta.events = meta.events + events - forgotten
  if ARGV[2] == '1' then meta.line = ARGV[1] end
  redis.call('SET', KEYS[1], struct.pack('>BI8I8I8I8I8I8', FORMAT, meta.version, meta.seq, now, meta.records,
    meta.events, meta.skew) .. meta.line)
  redis.pcall('PUBLISH', ARGV[12], '')
  return reply
end

local ok, reply = pcall(run)
if ok then return reply end
if type(reply) == 'table' and reply.code then return {reply.code, reply.why} end
if type(reply) == 'table' then return reply end
return redis.error_reply(reply)
