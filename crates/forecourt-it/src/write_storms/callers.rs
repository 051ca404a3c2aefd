//! Callers of the gateways of a storm's processes, and what must be true of the calls that are counted of them.
//!
//! Each life of a process, from its start to its kill, has a key of its own. So what is counted of a life is held against
//! what was answered in it, and a call that was counted twice does not hide behind one that another kill lost.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Method;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{
    Faces, Seeded,
    grounds::{CALLED, one_running},
    locked,
};
use crate::{Answer, consistency::Violation, deadlines::eventually};

/// How many call at the same time.
pub(super) const CALLERS: usize = 2;
/// How often each of them calls at most.
const PACE: Duration = Duration::from_millis(20);
/// How many calls are made before a process is stopped that loses none.
const LAST_CALLS: usize = 10;

/// Calls of all lives together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Those that were answered.
    pub answered: u64,
    /// Those that were under way when a process was killed.
    pub unanswered: u64,
    /// Those that the control plane counted, answered or not.
    pub counted: u64,
    /// How many fewer were counted than answered, in those lives where they were fewer: what kills lost at least.
    pub lost: u64,
}

/// What callers met, by the id of the key that they had in a life.
#[derive(Debug, Default)]
pub(super) struct CallLedger {
    lives: BTreeMap<String, Life>,
    /// Answers that nothing explains, and how often they came.
    strange: BTreeMap<String, usize>,
}

/// What happened in one life.
#[derive(Debug, Default)]
struct Life {
    begun: u64,
    answered: u64,
    counted: u64,
    /// It ended by a stop, which delivers everything.
    was_stopped: bool,
}

impl CallLedger {
    fn begin(&mut self, key: &str) {
        self.lives.entry(key.to_owned()).or_default().begun += 1;
    }

    fn end(&mut self, key: &str, answer: Result<Answer, String>) {
        match answer {
            Ok(answer) if answer.status == 200 => {
                self.lives.entry(key.to_owned()).or_default().answered += 1;
            }
            Ok(answer) => {
                let told = format!("{} {}", answer.status, answer.text());
                *self.strange.entry(told).or_default() += 1;
            }
            // Its process was killed.
            Err(_) => {}
        }
    }

    /// The gateway did not know the key yet: it counts no such call.
    fn was_refused(&mut self, key: &str) {
        self.lives.entry(key.to_owned()).or_default().begun -= 1;
    }

    /// The life with this key ended by a stop.
    pub(super) fn was_stopped(&mut self, key: &str) {
        self.lives.entry(key.to_owned()).or_default().was_stopped = true;
    }

    /// Notes what is counted by key when nobody calls, and tells what cannot be.
    pub(super) fn count(&mut self, counted: &BTreeMap<String, u64>) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut add = |check: &'static str, row: String, problem: String| {
            violations.push(Violation { check, row, problem });
        };
        for key in counted.keys().filter(|key| !self.lives.contains_key(*key)) {
            add("counted of nobody", format!("credentials {key}"), "no caller ever had it".into());
        }
        for (key, life) in &mut self.lives {
            let calls = counted.get(key).copied().unwrap_or_default();
            let row = || format!("credentials {key}");
            if calls > life.begun {
                let problem = format!("{calls} calls are counted, and only {} were made", life.begun);
                add("counted twice", row(), problem);
            }
            if calls < life.counted {
                add(
                    "counted call lost",
                    row(),
                    format!("{calls} are counted, and once were {}", life.counted),
                );
            }
            if life.was_stopped && calls < life.answered {
                let problem = format!("{calls} calls are counted, and {} were answered", life.answered);
                add("call lost in a stop", row(), problem);
            }
            life.counted = calls;
        }
        for (told, times) in &self.strange {
            add("call refused", told.clone(), format!("{times} times"));
        }
        violations
    }

    /// All lives together, as they were counted last.
    pub(super) fn calls(&self) -> Calls {
        let strange: usize = self.strange.values().sum();
        let begun: u64 = self.lives.values().map(|life| life.begun).sum();
        let answered = self.lives.values().map(|life| life.answered).sum();
        Calls {
            answered,
            unanswered: begun.saturating_sub(answered).saturating_sub(strange as u64),
            counted: self.lives.values().map(|life| life.counted).sum(),
            lost: self.lives.values().map(|life| life.answered.saturating_sub(life.counted)).sum(),
        }
    }
}

/// Calls whichever process runs until told to stop.
pub(super) async fn call(
    ledger: Arc<Mutex<CallLedger>>,
    faces: watch::Receiver<Vec<Option<Faces>>>,
    stop: Arc<AtomicBool>,
    mut random: Seeded,
) {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.load(Ordering::SeqCst) {
        pace.tick().await;
        if let Some(one) = one_running(&faces, &stop, &mut random).await {
            call_once(&ledger, &one).await;
        }
    }
}

/// Calls until the gateway knows the key: on a busy machine it hears of it a moment after who made it was answered.
pub(super) async fn call_first(ledger: &Mutex<CallLedger>, faces: &Faces) {
    eventually("the gateway knows the key", || async {
        locked(ledger).begin(&faces.key);
        let answer = faces.caller.get(CALLED).await;
        if answer.status == 401 {
            locked(ledger).was_refused(&faces.key);
            return None;
        }
        locked(ledger).end(&faces.key, Ok(answer));
        Some(())
    })
    .await;
}

/// Makes the calls that a stop must not lose.
pub(super) async fn call_last(ledger: &Mutex<CallLedger>, faces: &Faces) {
    for _ in 0..LAST_CALLS {
        call_once(ledger, faces).await;
    }
}

async fn call_once(ledger: &Mutex<CallLedger>, faces: &Faces) {
    locked(ledger).begin(&faces.key);
    let answer = faces.caller.try_send(Method::GET, CALLED, None).await;
    locked(ledger).end(&faces.key, answer);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checks that find something when so many calls of the key are counted.
    fn found(ledger: &mut CallLedger, calls: u64) -> Vec<&'static str> {
        let counted = BTreeMap::from([("crd_1".to_owned(), calls)]);
        ledger.count(&counted).into_iter().map(|violation| violation.check).collect()
    }

    /// A life of four calls, of which three were answered.
    fn ledger() -> CallLedger {
        let life = Life { begun: 4, answered: 3, ..Life::default() };
        CallLedger { lives: BTreeMap::from([("crd_1".to_owned(), life)]), strange: BTreeMap::new() }
    }

    #[test]
    fn a_call_may_be_lost_in_a_kill_and_is_never_counted_twice() {
        for calls in 0..=4 {
            assert!(found(&mut ledger(), calls).is_empty(), "{calls}");
        }
        assert_eq!(found(&mut ledger(), 5), ["counted twice"]);
        let mut ledger = ledger();
        found(&mut ledger, 2);
        assert_eq!(ledger.calls(), Calls { answered: 3, unanswered: 1, counted: 2, lost: 1 });
        assert_eq!(found(&mut ledger, 1), ["counted call lost"]);
        let others = BTreeMap::from([("crd_2".to_owned(), 1), ("crd_1".to_owned(), 3)]);
        let violations = ledger.count(&others);
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].check, "counted of nobody");
    }

    #[test]
    fn a_stop_loses_no_call() {
        let mut ledger = ledger();
        ledger.was_stopped("crd_1");
        assert_eq!(found(&mut ledger, 2), ["call lost in a stop"]);
        assert!(found(&mut ledger, 3).is_empty());
    }
}
