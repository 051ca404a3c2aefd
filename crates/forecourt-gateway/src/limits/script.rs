//! What the shared counters do in one step, with the server's own clock: the same as `counters.rs` and `local.rs`.
//!
//! One key for each limit of one application and product; all of them carry the same hash tag, so that a cluster keeps
//! them together. A key of a quota holds its window's number `w` and its calls `n`; one of a sliding window holds the
//! calls of each step. The answer: 1 or 0 (counted or not), then for each limit its calls and the microseconds until
//! the first of them stop to count.

use forecourt_core::gateway_state::PlanLimit;

use super::{
    local::Verdict,
    plan::{Plan, Room},
    resp::Value,
};

/// The script.
pub(super) const SCRIPT: &str = r"
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local function text(number) return string.format('%.0f', number) end
local admitted, limits = 1, {}
for i, key in ipairs(KEYS) do
  local window, count = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local length = window * 1000000
  local limit = { used = 0, quota = window >= 3600 }
  if limit.quota then
    limit.at = math.floor(now / length)
    limit.free = (limit.at + 1) * length
    local kept = redis.call('HMGET', key, 'w', 'n')
    if kept[1] == text(limit.at) then limit.used = tonumber(kept[2]) end
  else
    local step = length / 16
    limit.at = math.floor(now / step)
    local oldest = limit.at
    local kept = redis.call('HGETALL', key)
    for j = 1, #kept, 2 do
      local at = tonumber(kept[j])
      if at < limit.at - 16 then
        redis.call('HDEL', key, kept[j])
      else
        limit.used = limit.used + tonumber(kept[j + 1])
        oldest = math.min(oldest, at)
      end
    end
    limit.free = (oldest + 17) * step
  end
  if limit.used >= count then admitted = 0 end
  limits[i] = limit
end
local answer = { admitted }
for i, key in ipairs(KEYS) do
  local limit = limits[i]
  if admitted == 1 then
    limit.used = limit.used + 1
    if limit.quota then
      redis.call('HSET', key, 'w', text(limit.at), 'n', text(limit.used))
      redis.call('PEXPIRE', key, text(math.ceil((limit.free - now) / 1000) + 1000))
    else
      redis.call('HINCRBY', key, text(limit.at), 1)
      redis.call('PEXPIRE', key, text(tonumber(ARGV[2 * i - 1]) * 1100 + 1000))
    end
  end
  answer[#answer + 1] = limit.used
  answer[#answer + 1] = limit.free - now
end
return answer
";

/// The arguments of `EVALSHA` for one call.
pub(super) fn arguments(sha: &str, application: &str, product: &str, plan: &Plan) -> Vec<String> {
    let mut arguments = vec!["EVALSHA".to_owned(), sha.to_owned(), plan.limits.len().to_string()];
    for PlanLimit { window_seconds, .. } in &plan.limits {
        arguments.push(format!("forecourt:limits:{{{application}/{product}}}:{window_seconds}"));
    }
    for PlanLimit { count, window_seconds } in &plan.limits {
        arguments.extend([window_seconds.to_string(), count.to_string()]);
    }
    arguments
}

/// What the script answered; `None`: it is not its answer.
pub(super) fn verdict(plan: &Plan, answer: &Value) -> Option<Verdict> {
    let Value::Array(items) = answer else { return None };
    let mut numbers = items.iter().map(|item| match item {
        Value::Integer(number) => Some(*number),
        _ => None,
    });
    let admitted = numbers.next()?? == 1;
    let mut rooms = Vec::with_capacity(plan.limits.len());
    for limit in &plan.limits {
        let (used, wait) = (numbers.next()??, numbers.next()??);
        let remaining = limit.count.saturating_sub(u64::try_from(used).ok()?);
        rooms.push(Room { remaining, wait: wait.max(1) });
    }
    Some(Verdict { admitted, rooms })
}
