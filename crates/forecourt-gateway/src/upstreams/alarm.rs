//! The time limit of an upstream connection's answers.
//!
//! A new timer for each request is put among all others under a lock, and taken out again. One that stays with its
//! connection is only told that its time is later now.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use tokio::time::{Instant, Sleep, sleep};

/// A timer that is used again; made when it is first needed.
#[derive(Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// What `work` gives; `None`: it took longer than `limit`, and may be waited for again.
    pub(crate) async fn within<T>(
        &mut self,
        limit: Duration,
        mut work: Pin<&mut impl Future<Output = T>>,
    ) -> Option<T> {
        let alarm = match &mut self.0 {
            Some(alarm) => {
                alarm.as_mut().reset(Instant::now() + limit);
                alarm
            }
            none => none.insert(Box::pin(sleep(limit))),
        };
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => alarm.as_mut().poll(cx).map(|()| None),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        pin::pin,
        time::{Duration, Instant},
    };

    use super::Alarm;

    #[tokio::test]
    async fn an_alarm_goes_off_each_time_after_the_limit_that_was_given_last() {
        let mut alarm = Alarm::default();
        let hour = Duration::from_secs(3_600);
        let short = Duration::from_millis(20);
        assert_eq!(alarm.within(hour, pin!(ready(1))).await, Some(1));
        for _ in 0..2 {
            let begun = Instant::now();
            assert_eq!(alarm.within(short, pin!(pending::<u8>())).await, None);
            assert!((short..hour / 60).contains(&begun.elapsed()));
        }
        assert_eq!(alarm.within(hour, pin!(ready(2))).await, Some(2));
    }
}
