//! kill -9 in a storm of writes: every acknowledged write is there afterwards, none is half done, everybody who is to be
//! told is told, and no call through the gateway is counted twice. `cargo xtask storm writes` does the same for longer.

use forecourt_it::{TestDatabase, WriteStorm, consistency::assert_none};

/// How often the process is killed.
const KILLS: usize = 10;
/// After how many kills the rows are looked at as they lie there.
const LOOKS: usize = 5;
/// How many write at the same time.
const WRITERS: usize = 6;
const SEED: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_every_acknowledged_write_is_there_and_told_and_none_is_half_done() {
    let database = TestDatabase::new();
    let mut storm = WriteStorm::start(&database, 1, SEED).await;
    storm.write(WRITERS);
    for round in 1..=KILLS {
        // Another number each time, so that the kill meets every kind of write.
        let more = 10 + storm.below(20);
        storm.acknowledges(more).await;
        if round % LOOKS == 0 {
            assert_none(&storm.violations(&database).await, &format!("round {round}"));
            storm.revive(&database, 0).await;
            storm.write(WRITERS);
        } else {
            storm.kill(0);
            storm.revive(&database, 0).await;
        }
    }
    let (told, violations) = storm.violations_once_told(&database).await;
    assert_none(&violations, "in the end");
    let noted = storm.noted();
    assert!(noted.strange.is_empty(), "{:#?}", noted.strange);
    assert!(noted.acknowledged >= 10 * KILLS, "too little was written to mean anything");
    assert!(told.deliveries > 0 && !noted.promised.is_empty(), "nobody was told of anything");
    assert!(told.calls.counted > 0, "no call was counted: {:?}", told.calls);
}
