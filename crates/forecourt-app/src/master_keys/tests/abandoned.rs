//! Changes of the master key that are given up, and the numbers of lists of data keys.

use super::*;

#[tokio::test]
async fn a_change_is_given_up_by_whoever_holds_the_old_key_and_that_one_opens_everything() {
    let ((store, _folder), clock) = (store().await, Moved::new());
    let (old, new) = (master("0a"), master("0b"));
    let before = open(&store, &old, &clock).await.unwrap();
    fill(&before).await;
    let refused = async |own: &MasterKey, id: &str| {
        let error = abandon(&store, own, id, clock.now()).await.unwrap_err();
        assert_eq!(error.code(), "master_key_abandonment");
        error.to_string()
    };
    assert!(refused(&old, &old.id()).await.contains("no change of the master key is going on"));
    rotate(&store, &old, &new, clock.now()).await.unwrap();
    let serving = open(&store, &new, &clock).await.unwrap();
    let mut progress = Resealed::default();
    while progress.rows < 100 {
        assert!(reseal_some(&serving, &mut progress).await.unwrap());
    }
    assert!(left(&store).await > 0, "in the middle of it");
    let wrapped = store.read().key_wrappings().await.unwrap();
    assert!(!abandon(&store, &old, "00000000", clock.now()).await.unwrap(), "it opens nothing");
    assert!(refused(&new, &new.id()).await.contains("give every process"));
    assert!(refused(&old, &old.id()).await.contains("master-key retire"));
    let other = abandon(&store, &master("0c"), &new.id(), clock.now()).await.unwrap_err();
    assert_eq!(other.code(), "other_master_key");
    assert_eq!(store.read().key_wrappings().await.unwrap(), wrapped, "a refusal changes nothing");

    assert!(abandon(&store, &old, &new.id(), clock.now()).await.unwrap());
    assert!(!abandon(&store, &old, &new.id(), clock.now()).await.unwrap(), "once");
    let kept: Vec<_> = wrapped.into_iter().filter(|wrapping| wrapping.master_key == old.id()).collect();
    assert_eq!((kept.len(), store.read().key_wrappings().await.unwrap()), (2, kept));
    assert_eq!(store.read().master_key_id().await.unwrap(), Some(old.id()));
    assert_eq!(open(&store, &new, &clock).await.unwrap_err().code(), "other_master_key");

    // Whoever was started with the key that is gone goes on, also with what is left to do.
    while reseal_some(&serving, &mut progress).await.unwrap() {}
    assert_eq!(left(&store).await, 0);
    let tx = store.begin().await.unwrap();
    leave(&tx, serving.sealer(), ROWS, clock.now()).await;
    tx.commit(clock.now()).await.unwrap();
    let again = open(&store, &old, &clock).await.unwrap();
    for n in [0, 99, 249, ROWS] {
        assert_eq!(token_of(&again, n).await, format!("token-{n}"));
        assert_eq!(token_of(&before, n).await, format!("token-{n}"));
    }
    // The next change is one like any other, and takes away what this one left.
    let third = master("0c");
    assert_eq!(rotate(&store, &old, &third, clock.now()).await.unwrap(), Rotation::Begun);
    reseal_all(&store, &third, clock.now()).await;
    clock.advance(SETTLING_SECONDS);
    assert!(retire(&store, &third, &old.id(), clock.now()).await.unwrap());
    assert_eq!(store.read().data_keys().await.unwrap().len(), 1);
    assert_eq!(token_of(&open(&store, &third, &clock).await.unwrap(), 5).await, "token-5");
}

#[tokio::test]
async fn each_change_of_the_data_keys_gives_their_list_a_higher_number() {
    let ((store, _folder), clock) = (store().await, Moved::new());
    let (old, new) = (master("0a"), master("0b"));
    let mut seen = vec![store.read().data_key_list().await.unwrap().number];
    let mut grows = async |what: &str| {
        let number = store.read().data_key_list().await.unwrap().number;
        assert!(seen.last().is_some_and(|last| *last < number), "{what}: {number} after {seen:?}");
        seen.push(number);
    };
    open(&store, &old, &clock).await.unwrap();
    grows("the first data key").await;
    rotate(&store, &old, &new, clock.now()).await.unwrap();
    grows("a change").await;
    abandon(&store, &old, &new.id(), clock.now()).await.unwrap();
    grows("a change that was given up").await;
    rotate(&store, &old, &new, clock.now()).await.unwrap();
    grows("another change").await;
    reseal_all(&store, &new, clock.now()).await;
    clock.advance(SETTLING_SECONDS);
    reseal_all(&store, &new, clock.now()).await;
    retire(&store, &new, &old.id(), clock.now()).await.unwrap();
    grows("a retirement").await;
    open(&store, &new, &clock).await.unwrap();
    assert_eq!(store.read().data_key_list().await.unwrap().number, *seen.last().unwrap(), "a start is none");
}

/// A process that knows data keys of which the database tells no more: a backup was put in its place.
#[tokio::test]
async fn a_process_whose_database_went_back_seals_nothing_that_would_be_lost() {
    let ((store, _folder), clock) = (store().await, Moved::new());
    let app = open(&store, &master("0a"), &clock).await.unwrap();
    let caller = Caller::system(Source::Job, app.new_request_id());
    drop(app.begin(&caller).await.unwrap());
    app.sealer().learn(1_000, [DataKey::issue(&mut OsRandom)]);
    let refused = app.begin(&caller).await.err().unwrap();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Unavailable, "data_keys_behind"));
    assert!(!reseal_some(&app, &mut Resealed::default()).await.unwrap(), "nor does it look without a pause");
}

#[tokio::test]
async fn a_change_that_was_given_up_is_in_the_audit_log_once_by_the_command_line_without_a_key() {
    let ((store, _folder), clock) = (store().await, Moved::new());
    let (old, new) = (master("0a"), master("0b"));
    open(&store, &old, &clock).await.unwrap();
    rotate(&store, &old, &new, clock.now()).await.unwrap();
    abandon(&store, &old, &new.id(), clock.now()).await.unwrap();
    abandon(&store, &old, &new.id(), clock.now()).await.unwrap();
    let filter = AuditFilter { event_type: Some("AbandonMasterKey".into()), ..AuditFilter::default() };
    let found = store.read().audit_records(&filter).await.unwrap();
    assert_eq!(found.total, 1);
    let record = &found.rows[0].record;
    assert_eq!((record.source.as_str(), record.resource_id.as_str()), ("command_line", new.id().as_str()));
    let told = format!("{record:?}");
    assert!(!told.contains("0a0a0a") && !told.contains("0b0b0b"), "{told}");
    let verified = audit_logs::verify(store.read(), &old, |finding| panic!("{finding}")).await.unwrap();
    assert!(verified.checked >= 2, "the chain goes on over it");
}
