"""State of a breaker in Redis, where all workers see it. ``local`` has the same rules in Python."""

from typing import Any, Final

import orjson
import redis.asyncio

from runs.circuits.protocol import BreakerReply, BreakerRequest, BreakerRules, BreakerVerdict

PREFIX: Final = "llmteam:circuit:"
INDEX: Final = "llmteam:circuits:"
MAX_LISTED: Final = 1_000
KEPT_SECONDS: Final = 900
"""Time for which a breaker nobody uses is remembered beyond its longest cool-down."""

SCRIPT: Final = """
local key, indexes = KEYS[1], {KEYS[2], KEYS[3]}
local rules, request = cjson.decode(ARGV[1]), cjson.decode(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- What is kept: s: and f: outcomes by bucket, c: counted calls and p: the probe until when, numbers by name, and why
-- the last call failed. While it is open what it is about is kept too, and two indexes name it.
local numbers = {trips = 0, open_until = 0, streak = 0, proven_until = 0}
local calls, in_flight, probe, why = {}, 0, nil, ''
local succeeded, failed = 0, 0
local oldest = math.floor((now - rules.window) / rules.bucket)
local kept = redis.call('HGETALL', key)
for i = 1, #kept, 2 do
  local kind, name, value = string.sub(kept[i], 1, 2), string.sub(kept[i], 3), tonumber(kept[i + 1])
  if kind == 's:' or kind == 'f:' then
    if tonumber(name) <= oldest then
      redis.call('HDEL', key, kept[i])
    elseif kind == 's:' then
      succeeded = succeeded + value
    else
      failed = failed + value
    end
  elseif kind == 'c:' or kind == 'p:' then
    if value <= now then
      redis.call('HDEL', key, kept[i])
    elseif kind == 'p:' then
      probe = name
    else
      calls[name], in_flight = true, in_flight + 1
    end
  elseif kept[i] == 'why' then
    why = kept[i + 1]
  elseif kept[i] ~= 'about' then
    numbers[kept[i]] = value
  end
end
if request.why ~= '' then
  why = request.why
  redis.call('HSET', key, 'why', why)
end

local function set(name, value)
  numbers[name] = value
  redis.call('HSET', key, name, string.format('%d', value))
end

local function close()
  redis.call('DEL', key)
  for _, index in ipairs(indexes) do redis.call('ZREM', index, key) end
  numbers = {trips = 0, open_until = 0, streak = 0, proven_until = 0}
  calls, in_flight, probe = {}, 0, nil
  succeeded, failed = 0, 0
end

local opened = 0
local function open(trips)
  close()
  set('trips', trips)
  set('open_until', now + math.min(rules.cooldown * 2 ^ math.min(trips - 1, 32), rules.longest_cooldown))
  set('opened_at', now)
  redis.call('HSET', key, 'why', why, 'about', request.about)
  opened = 1
end

-- What ended.
local good, bad = request.succeeded, request.failed
for _, settled in ipairs(request.settled) do
  local id, outcome = settled[1], settled[2]
  if id == probe then
    redis.call('HDEL', key, 'p:' .. id)
    probe = nil
    if outcome == 's' then
      good = good + 1
      close()
    elseif outcome == 'f' then
      open(numbers.trips + 1)
    end
  elseif calls[id] then
    redis.call('HDEL', key, 'c:' .. id)
    calls[id], in_flight = nil, in_flight - 1
    if outcome == 's' then good = good + 1 elseif outcome == 'f' then bad = bad + 1 end
  end
end
if numbers.trips == 0 and good + bad > 0 then
  local bucket = string.format('%d', math.floor(now / rules.bucket))
  if good > 0 then redis.call('HINCRBY', key, 's:' .. bucket, good) end
  if bad > 0 then redis.call('HINCRBY', key, 'f:' .. bucket, bad) end
  succeeded, failed = succeeded + good, failed + bad
  local total = succeeded + failed
  if bad > 0 and total >= rules.least_calls and failed >= rules.failing_share * total then
    open(1)
  elseif bad > 0 then
    set('streak', 0)
  else
    set('streak', good + (numbers.proven_until > now and numbers.streak or 0))
    set('proven_until', now + rules.proven)
  end
end

-- What goes on.
local lease = string.format('%d', now + rules.lease)
for _, id in ipairs(request.alive) do
  if calls[id] then
    redis.call('HSET', key, 'c:' .. id, lease)
  elseif id == probe then
    redis.call('HSET', key, 'p:' .. id, lease)
  end
end

-- What may begin.
local verdict, granted, wait, known_failed = 'free', request.wanted, 0, 0
if numbers.trips > 0 then
  granted = 0
  if numbers.open_until > now then
    verdict, wait = 'open', numbers.open_until - now
  elseif probe or request.wanted == 0 then
    verdict = 'probed'
  else
    verdict, granted = 'probe', 1
    redis.call('HSET', key, 'p:' .. request.ids[1], lease)
  end
else
  local total = succeeded + failed
  local proven = numbers.streak >= rules.least_calls and numbers.proven_until > now
  if total < rules.least_calls and not proven then
    verdict, known_failed = 'counted', failed
    granted = math.min(request.wanted, math.max(0, rules.unproven_calls - total - in_flight), #request.ids)
    for i = 1, granted do
      redis.call('HSET', key, 'c:' .. request.ids[i], lease)
    end
  end
end
redis.call('PEXPIRE', key, rules.kept)
if numbers.trips == 0 then
  why = ''
else
  for _, index in ipairs(indexes) do
    redis.call('ZADD', index, now + rules.kept, key)
    redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
    redis.call('ZREMRANGEBYRANK', index, 0, -rules.most_listed - 1)
    redis.call('PEXPIRE', index, rules.kept)
  end
end
return {verdict, granted, wait, opened, known_failed, why}
"""


class SharedStates:
    """The breakers of all tenants and hosts."""

    def __init__(self, rules: BreakerRules, client: "redis.asyncio.Redis") -> None:
        self._rules = orjson.dumps(_numbers(rules))
        self._script = client.register_script(SCRIPT)

    async def ask(self, key: str, request: BreakerRequest, about: str = "") -> BreakerReply:
        """Take in what ended at one host, then say what may begin.

        Args:
            key: ``tenant:what``.
            request: What ended, and what is asked for.
            about: What people are told of it while it is open.

        Raises:
            redis.RedisError: Redis is away.
        """
        report = orjson.dumps(
            {
                "succeeded": request.succeeded,
                "failed": request.failed,
                "settled": request.settled,
                "alive": request.alive,
                "wanted": request.wanted,
                "ids": request.ids,
                "why": request.why,
                "about": about,
            }
        )
        indexes = [open_circuits(key.partition(":")[0]), open_circuits()]
        answer: Any = await self._script(keys=[PREFIX + key, *indexes], args=[self._rules, report])
        verdict, granted, wait_ms, opened, failed, why = answer
        return BreakerReply(
            BreakerVerdict(verdict.decode()), int(granted), int(wait_ms), bool(opened), int(failed), why.decode()
        )


def open_circuits(tenant: str = "") -> str:
    """Name the index of a tenant's open circuits; without a tenant, of all."""
    return f"{INDEX}{tenant or 'all'}"


def _numbers(rules: BreakerRules) -> dict[str, float]:
    longest_ms = rules.cooldown_ms(64)
    return {
        "window": round(rules.window_seconds * 1000),
        "bucket": rules.bucket_ms,
        "least_calls": rules.least_calls,
        "failing_share": rules.failing_share,
        "cooldown": round(rules.cooldown_seconds * 1000),
        "longest_cooldown": longest_ms,
        "unproven_calls": rules.unproven_calls,
        "proven": round(rules.proven_seconds * 1000),
        "lease": round(rules.lease_seconds * 1000),
        "most_listed": MAX_LISTED,
        "kept": longest_ms + KEPT_SECONDS * 1000,
    }
