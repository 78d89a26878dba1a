-- The steps of rendezvous/store.rs, each done whole by Redis. One list of cases is held against both. Rooms are in
-- rooms.lua, and dispatch.lua comes last.
--
-- Keys, all with an end of their own so that what an instance leaves behind goes by itself:
--   p:ID        place of an id (a lease)          b:ID        slot of the mailbox that an id is in
--   m:SLOT      a mailbox                         h:SLOT:SIDE what is kept for a member who is away
--   mailboxes   slots by their end                w:NETWORK   slots that wait, by their end
--   n:NODE      an instance that lives (a lease)  t:WHO       when a budget of claims, or of failures, is full again
--   held        lists that are kept, by their end  long        slots have four letters while it is there
-- The clock is that of Redis. Answers are lists of words; the first says which answer it is.

local P = 'towline:'
local call = redis.call
local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function place_of(id)
  return call('GET', P .. 'p:' .. id) or ''
end

local function mailbox_of(id)
  local slot = call('GET', P .. 'b:' .. id)
  if not slot then return nil end
  local m = call('HMGET', P .. 'm:' .. slot, 'creator', 'joiner', 'creator_done', 'joiner_done', 'network', 'ends')
  if not m[1] or (m[1] ~= id and m[2] ~= id) then return nil end
  local box = { slot = slot, creator = m[1], joiner = m[2] or '', network = m[5], ends = tonumber(m[6]) }
  box.side = (m[1] == id) and 'c' or 'j'
  box.peer = (m[1] == id) and box.joiner or box.creator
  if box.joiner == '' then box.standing = 'w'
  elseif m[3] and m[4] then box.standing = 'd'
  else box.standing = 'j' end
  return box
end

local function held_of(box, side)
  return P .. 'h:' .. box.slot .. ':' .. side
end

-- Ends the mailbox of an id; gives the words about it.
local function end_of(id)
  local box = mailbox_of(id)
  if not box then return { '', '', '', '' } end
  call('DEL', P .. 'm:' .. box.slot, P .. 'b:' .. box.creator, held_of(box, 'c'), held_of(box, 'j'))
  if box.joiner ~= '' then call('DEL', P .. 'b:' .. box.joiner) end
  call('ZREM', P .. 'mailboxes', box.slot)
  call('ZREM', P .. 'w:' .. box.network, box.slot)
  call('ZREM', P .. 'held', box.slot .. ':c', box.slot .. ':j')
  return { box.side, box.standing, box.peer, box.peer ~= '' and place_of(box.peer) or '' }
end

local ops = {}

-- id, place, lease
function ops.arrive(a)
  local before = call('SET', P .. 'p:' .. a[1], a[2], 'PX', a[3], 'GET') or ''
  if before == a[2] then before = '' end
  local box = mailbox_of(a[1])
  if not box then return { 'arrived', before, '', '', '', '', '' } end
  local answer = { 'arrived', before, box.side, box.slot, tostring(box.ends - now), box.standing, box.peer }
  local key = held_of(box, box.side)
  for _, notice in ipairs(call('LRANGE', key, 0, -1)) do answer[#answer + 1] = notice end
  call('DEL', key)
  call('ZREM', P .. 'held', box.slot .. ':' .. box.side)
  return answer
end

-- lease, then id and place of each
function ops.renew(a)
  local answer = { 'renewed' }
  for i = 2, #a, 2 do
    local before = place_of(a[i])
    if before == '' or before == a[i + 1] then
      call('SET', P .. 'p:' .. a[i], a[i + 1], 'PX', a[1])
      call('PEXPIRE', P .. 'o:' .. a[i], a[1])
    else
      answer[#answer + 1] = a[i]
    end
  end
  return answer
end

-- ids
function ops.find(a)
  local answer = { 'found' }
  for i = 1, #a do
    local place = place_of(a[i])
    if place ~= '' then
      answer[#answer + 1] = a[i]
      answer[#answer + 1] = place
    end
  end
  return answer
end

-- node, lease, others
function ops.beat(a)
  call('SET', P .. 'n:' .. a[1], '1', 'PX', a[2])
  local answer = { 'beaten' }
  for i = 3, #a do
    if call('EXISTS', P .. 'n:' .. a[i]) == 0 then answer[#answer + 1] = a[i] end
  end
  return answer
end

-- creator, network, life, waiting at most, mailboxes at most, long from, then slots: short and long by turns
function ops.open(a)
  local box = mailbox_of(a[1])
  if box and box.standing == 'w' then
    return { 'opened', box.slot, tostring(box.ends - now), 'before' }
  end
  if box then end_of(a[1]) end
  local waiting, all = P .. 'w:' .. a[2], P .. 'mailboxes'
  call('ZREMRANGEBYSCORE', waiting, '-inf', now)
  call('ZREMRANGEBYSCORE', all, '-inf', now)
  if call('ZCARD', waiting) >= tonumber(a[4]) then return { 'network' } end
  local count = call('ZCARD', all)
  if count >= tonumber(a[5]) then return { 'taken' } end
  local is_long = count >= tonumber(a[6]) or call('EXISTS', P .. 'long') == 1
  local first = is_long and 8 or 7
  for i = first, #a, 2 do
    local key = P .. 'm:' .. a[i]
    if call('EXISTS', key) == 0 then
      local ends = now + tonumber(a[3])
      call('HSET', key, 'creator', a[1], 'network', a[2], 'ends', ends)
      call('PEXPIREAT', key, ends)
      call('SET', P .. 'b:' .. a[1], a[i], 'PXAT', ends)
      call('ZADD', all, ends, a[i])
      call('ZADD', waiting, ends, a[i])
      call('PEXPIREAT', waiting, ends)
      return { 'opened', a[i], a[3], 'now' }
    end
  end
  return { 'taken' }
end

-- Takes one token of each budget, or none of any. The words from the first on are whose budget it is, tokens of a full
-- one, and the time for one to come back. A budget is the moment when it is full again.
local function pays(a, first)
  local after = {}
  for i = first, #a, 3 do
    local full = math.max(tonumber(call('GET', P .. 't:' .. a[i]) or '0'), now) + tonumber(a[i + 2])
    if full - now > tonumber(a[i + 1]) * tonumber(a[i + 2]) then return false end
    after[#after + 1] = { P .. 't:' .. a[i], full }
  end
  for _, budget in ipairs(after) do call('SET', budget[1], budget[2], 'PXAT', budget[2]) end
  return true
end

-- whose budget, tokens, time for one, and so on
function ops.give_back(a)
  for i = 1, #a, 3 do
    local key = P .. 't:' .. a[i]
    local full = tonumber(call('GET', key) or '0') - tonumber(a[i + 2])
    if full > now then call('SET', key, full, 'PXAT', full) else call('DEL', key) end
  end
  return { 'given_back' }
end

-- tokens of a full budget, time for one, how long slots are long when it is empty
function ops.count_failure(a)
  if not pays({ 'failures', a[1], a[2] }, 1) then call('SET', P .. 'long', '1', 'PX', a[3]) end
  return { 'counted' }
end

-- slot, joiner, paid?, least time for the exchange, tolls
function ops.claim(a)
  if a[3] == 'paid' and not pays(a, 5) then a[3] = 'not_paid' end
  local key = P .. 'm:' .. a[1]
  local m = call('HMGET', key, 'creator', 'joiner', 'network', 'ends')
  if not m[1] or m[2] or m[1] == a[2] or a[3] ~= 'paid' then return { 'not_claimed' } end
  local ended = end_of(a[2])
  local ends = math.max(tonumber(m[4]), now + tonumber(a[4]))
  call('HSET', key, 'joiner', a[2], 'ends', ends)
  call('PEXPIREAT', key, ends)
  call('SET', P .. 'b:' .. m[1], a[1], 'PXAT', ends)
  call('SET', P .. 'b:' .. a[2], a[1], 'PXAT', ends)
  call('ZADD', P .. 'mailboxes', ends, a[1])
  call('ZREM', P .. 'w:' .. m[3], a[1])
  return { 'claimed', m[1], place_of(m[1]), tostring(ends - now), ended[1], ended[2], ended[3], ended[4] }
end

-- member
function ops.done(a)
  local box = mailbox_of(a[1])
  if not box or box.standing ~= 'j' then return { 'noted' } end
  call('HSET', P .. 'm:' .. box.slot, box.side == 'c' and 'creator_done' or 'joiner_done', '1')
  if mailbox_of(a[1]).standing ~= 'd' then return { 'noted' } end
  return { 'both', box.peer, place_of(box.peer) }
end

-- member
function ops.leave(a)
  local ended = end_of(a[1])
  return { 'ended', ended[1], ended[2], ended[3], ended[4] }
end

-- from, to, notice, messages at most, bytes at most, lists at most
function ops.pass(a)
  local box = mailbox_of(a[1])
  if not box or box.standing == 'w' or box.peer ~= a[2] then return { 'not_passed' } end
  local place = place_of(a[2])
  if place ~= '' then return { 'pass_on', place } end
  local side = box.side == 'c' and 'j' or 'c'
  local key, name = held_of(box, side), box.slot .. ':' .. side
  local held, bytes = call('LRANGE', key, 0, -1), #a[3]
  for _, notice in ipairs(held) do bytes = bytes + #notice end
  call('ZREMRANGEBYSCORE', P .. 'held', '-inf', now)
  if #held >= tonumber(a[4]) or bytes > tonumber(a[5])
    or (#held == 0 and call('ZCARD', P .. 'held') >= tonumber(a[6])) then
    return { 'not_passed' }
  end
  call('RPUSH', key, a[3])
  call('PEXPIREAT', key, box.ends)
  call('ZADD', P .. 'held', box.ends, name)
  return { 'kept' }
end
