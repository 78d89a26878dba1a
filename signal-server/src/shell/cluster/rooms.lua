-- The steps of rendezvous/rooms.rs, after those of store.lua.
--
--   r:CODE      a room: owner, network, password (a hash), guess (when its budget of guesses is full again), ends, and
--               m:ID for each member: where it joined, a bar, what it calls itself
--   rooms       codes by their end                v:NETWORK   codes of rooms opened from there, by their end
--   o:ID        codes of rooms that an id is in (a lease, renewed with that of its place)

local function room_ends(code, ends)
  local key = P .. 'r:' .. code
  local network = call('HGET', key, 'network')
  if not network then return end
  local opened = P .. 'v:' .. network
  call('HSET', key, 'ends', ends)
  call('PEXPIREAT', key, ends)
  call('ZADD', P .. 'rooms', ends, code)
  call('ZADD', opened, ends, code)
  if call('PTTL', opened) < 0 then call('PEXPIREAT', opened, ends) else call('PEXPIREAT', opened, ends, 'GT') end
end

local function parted(member)
  local bar = string.find(member, '|', 1, true)
  return string.sub(member, 1, bar - 1), string.sub(member, bar + 1)
end

-- A room, with its members as they are kept.
local function room_of(code)
  local all = call('HGETALL', P .. 'r:' .. code)
  if #all == 0 then return nil end
  local room = { code = code, members = {}, count = 0 }
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 2) == 'm:' then
      local place, name = parted(all[i + 1])
      room.members[string.sub(all[i], 3)] = { place = place, name = name }
      room.count = room.count + 1
    else
      room[all[i]] = all[i + 1]
    end
  end
  room.ends = tonumber(room.ends)
  return room
end

local function take_from(room, id, empty)
  call('HDEL', P .. 'r:' .. room.code, 'm:' .. id)
  call('SREM', P .. 'o:' .. id, room.code)
  room.members[id] = nil
  room.count = room.count - 1
  if room.count == 0 then
    room.ends = math.min(room.ends, now + tonumber(empty))
    room_ends(room.code, room.ends)
  end
end

-- A room without those who are where they joined no longer.
local function pruned(code, empty)
  local room = room_of(code)
  if not room then return nil end
  local gone = {}
  for id, member in pairs(room.members) do
    if place_of(id) ~= member.place then gone[#gone + 1] = id end
  end
  for _, id in ipairs(gone) do take_from(room, id, empty) end
  return room
end

-- Puts the room into an answer, without those at instances that do not live.
local function tell(answer, room, asker)
  answer[#answer + 1] = room.owner
  answer[#answer + 1] = tostring(room.ends - now)
  for id, member in pairs(room.members) do
    local node = string.sub(member.place, 1, 16)
    if node == asker or call('EXISTS', P .. 'n:' .. node) == 1 then
      answer[#answer + 1] = id
      answer[#answer + 1] = member.place
      answer[#answer + 1] = member.name
    end
  end
  return answer
end

local function put_in(code, id, place, name, lease)
  call('HSET', P .. 'r:' .. code, 'm:' .. id, place .. '|' .. name)
  call('SADD', P .. 'o:' .. id, code)
  call('PEXPIRE', P .. 'o:' .. id, lease)
end

-- Codes of the rooms that an id is in.
local function rooms_of(id)
  local codes = {}
  for _, code in ipairs(call('SMEMBERS', P .. 'o:' .. id)) do
    if call('HEXISTS', P .. 'r:' .. code, 'm:' .. id) == 1 then
      codes[#codes + 1] = code
    else
      call('SREM', P .. 'o:' .. id, code)
    end
  end
  table.sort(codes)
  return codes
end

-- Whether an id is at this place, which it is from now on if it was nowhere.
local function is_at(id, place, lease)
  local at = place_of(id)
  if at == '' then call('SET', P .. 'p:' .. id, place, 'PX', lease) end
  return at == '' or at == place
end

-- Takes an id out of a room where it is from this place; puts who remains into the answer.
local function leave(answer, code, id, place, empty)
  local room = room_of(code)
  if not room or not room.members[id] or room.members[id].place ~= place then return end
  take_from(room, id, empty)
  answer[#answer + 1] = code
  answer[#answer + 1] = tostring(room.count)
  for other, member in pairs(room.members) do
    answer[#answer + 1] = other
    answer[#answer + 1] = member.place
  end
end

-- id, place, how long an empty room is kept
function ops.depart(a)
  if place_of(a[1]) == a[2] then call('DEL', P .. 'p:' .. a[1]) end
  local answer = { 'departed' }
  for _, code in ipairs(rooms_of(a[1])) do leave(answer, code, a[1], a[2], a[3]) end
  return answer
end

-- code, owner, name, place, network, rooms at most, of the owner at most, of a network at most, life, lease
function ops.room_open(a)
  local key, opened = P .. 'r:' .. a[1], P .. 'v:' .. a[5]
  if not is_at(a[2], a[4], a[10]) then return { 'room_elsewhere' } end
  if #rooms_of(a[2]) >= tonumber(a[7]) then return { 'room_too_many' } end
  call('ZREMRANGEBYSCORE', P .. 'rooms', '-inf', now)
  call('ZREMRANGEBYSCORE', opened, '-inf', now)
  if call('ZCARD', P .. 'rooms') >= tonumber(a[6]) or call('EXISTS', key) == 1 then return { 'room_taken' } end
  if call('ZCARD', opened) >= tonumber(a[8]) then return { 'room_network' } end
  call('HSET', key, 'owner', a[2], 'network', a[5])
  room_ends(a[1], now + tonumber(a[9]))
  put_in(a[1], a[2], a[4], a[3], a[10])
  return { 'room_opened' }
end

-- code, sender, hash of the password or nothing, life
function ops.room_lock(a)
  local key = P .. 'r:' .. a[1]
  if call('HGET', key, 'owner') ~= a[2] or call('HEXISTS', key, 'm:' .. a[2]) == 0 then return { 'room_not_locked' } end
  if a[3] == '' then call('HDEL', key, 'password') else call('HSET', key, 'password', a[3]) end
  room_ends(a[1], now + tonumber(a[4]))
  return { 'room_locked' }
end

-- code, id, name, place, hash of what was shown, paid?, rooms of the id at most, life, lease, empty, members at most,
-- guesses at most, time for one to come back, tolls
function ops.room_join(a)
  if a[6] == 'paid' and not pays(a, 14) then a[6] = 'not_paid' end
  local key = P .. 'r:' .. a[1]
  if not is_at(a[2], a[4], a[9]) then return { 'room_elsewhere' } end
  if #rooms_of(a[2]) >= tonumber(a[7]) then return { 'room_too_many' } end
  local room = pruned(a[1], a[10])
  if not room or a[6] ~= 'paid' then return { 'room_not_let_in' } end
  if room.password then
    -- Strings that are equal are one in Lua: this comparison takes the same time in every case.
    local full = math.max(tonumber(room.guess or '0'), now) + tonumber(a[13])
    local enough = full - now <= tonumber(a[12]) * tonumber(a[13])
    if not enough then return { 'room_not_let_in' } end
    if room.password ~= a[5] then
      call('HSET', key, 'guess', full)
      return { 'room_not_let_in' }
    end
  end
  local inside = room.members[a[2]]
  local entered = (inside and inside.place == a[4]) and 'before' or 'now'
  if not inside and room.count >= tonumber(a[11]) then return { 'room_full' } end
  room.ends = now + tonumber(a[8])
  room_ends(a[1], room.ends)
  if entered == 'now' then
    put_in(a[1], a[2], a[4], a[3], a[9])
    room.members[a[2]] = { place = a[4], name = a[3] }
  end
  return tell({ 'room_joined', entered }, room, string.sub(a[4], 1, 16))
end

-- code, member, place, empty
function ops.room_leave(a)
  local answer = { 'room_out' }
  leave(answer, a[1], a[2], a[3], a[4])
  return answer
end

-- code, the instance that asks, empty
function ops.room_look(a)
  local room = pruned(a[1], a[3])
  if not room then return { 'room_seen' } end
  return tell({ 'room_seen' }, room, a[2])
end

-- code, life
function ops.room_touch(a)
  room_ends(a[1], now + tonumber(a[2]))
  return { 'room_touched' }
end

-- from, to, life
function ops.room_meet(a)
  if a[1] == a[2] then return { 'room_not_met' } end
  -- Who has arrived elsewhere since it joined is inside no more, and says nothing there.
  local function inside(code, id)
    local member = call('HGET', P .. 'r:' .. code, 'm:' .. id)
    local place = member and parted(member)
    return place and place == place_of(id) and place
  end
  for _, code in ipairs(rooms_of(a[1])) do
    local place = inside(code, a[1]) and inside(code, a[2])
    if place then
      room_ends(code, now + tonumber(a[3]))
      return { 'room_met', code, place }
    end
  end
  return { 'room_not_met' }
end
