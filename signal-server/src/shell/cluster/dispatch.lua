-- Does the step that the first word names.
local op = table.remove(ARGV, 1)
return ops[op](ARGV)
