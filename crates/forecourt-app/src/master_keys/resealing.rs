//! Sealing anew, under the newest data key, what older ones sealed: row by row, some in a transaction.
//!
//! Invariant: a row changes in nothing but its sealed texts, so that gateways hear of nothing. Whoever stops goes on
//! where rows are left, since these say themselves under which key they are sealed.

use forecourt_core::{
    gateway_state::Resource,
    ids::{
        CertificateId, ContactPointId, CredentialId, DcrProviderId, DeliveryId, ServiceId, SignInOptionId,
    },
    secrets::KeptSecret,
    time::Timestamp,
};
use forecourt_identity::sealing::Sealer;
use forecourt_store::{Reader, SEALED_COLUMNS, SealedColumn, SealedRow, Store};
use serde_json::Value;

use super::is_settled;
use crate::{Error, external_sign_ins, random::OsRandom, sealing, sync_authority};

/// How many rows one transaction changes at most, so that others get their turn to write.
const ROWS: u64 = 100;

/// How far a pass over all columns is.
#[derive(Debug, Default)]
pub struct Resealed {
    key: String,
    column: usize,
    after: Option<Vec<String>>,
    /// How many rows were sealed anew.
    pub rows: u64,
    /// How many could not be: their texts do not open.
    pub left: u64,
}

impl Resealed {
    /// Turns to what the data key `key` sealed.
    fn begin(&mut self, key: &str) {
        *self = Self { key: key.to_owned(), rows: self.rows, ..Self::default() };
    }
}

/// Seals some rows anew, and tells whether there may be more.
///
/// # Errors
/// Where the database cannot be read or written; what was committed before stays.
pub async fn reseal(
    store: &Store,
    sealer: &Sealer,
    progress: &mut Resealed,
    now: Timestamp,
) -> Result<bool, Error> {
    let mut keys = store.read().data_keys().await?;
    let Some(newest) = keys.pop() else { return Ok(false) };
    if newest.id != sealer.key_id() {
        // Another process has just made one, which has yet to be learned.
        return Ok(true);
    }
    // More than one, where a change of the master key was given up and another one was begun.
    keys.retain(|key| key.unused_since.is_none());
    let place = keys.iter().position(|key| key.id == progress.key).unwrap_or_default();
    let Some(old) = keys.get(place) else { return Ok(false) };
    if progress.key != old.id {
        progress.begin(&old.id);
    }
    let Some(column) = SEALED_COLUMNS.get(progress.column) else {
        // What was sealed under the old one before there was a newer may not be committed yet.
        let is_settled = is_settled(&newest, now);
        if is_settled && finish(store, &old.id, progress, now).await? {
            return Ok(true);
        }
        // There is nothing more to do for this one now.
        match keys.get(place + 1) {
            Some(next) => progress.begin(&next.id),
            None if is_settled => progress.begin(""),
            None => {}
        }
        return Ok(place + 1 < keys.len());
    };
    let tx = store.begin().await?;
    let rows = tx.rows_sealed_under(column, &old.id, progress.after.as_deref(), ROWS).await?;
    let mut changed = 0;
    for row in &rows {
        match anew(sealer, column, row, &old.id) {
            Some(text) => {
                tx.replace_sealed(column, row, text).await?;
                changed += 1;
            }
            None => progress.left += 1,
        }
    }
    tx.commit(now).await?;
    progress.rows += changed;
    match rows.last() {
        Some(last) if rows.len() as u64 == ROWS => progress.after = Some(last.key.clone()),
        _ => {
            progress.column += 1;
            progress.after = None;
        }
    }
    Ok(true)
}

/// Ends a pass over all columns, and tells whether there is more to do but for what does not open.
async fn finish(store: &Store, old: &str, progress: &mut Resealed, now: Timestamp) -> Result<bool, Error> {
    let tx = store.begin().await?;
    let named: u64 = naming(&tx, old).await?.iter().map(|(_, rows)| *rows).sum();
    if named == 0 {
        // Nobody seals under it any more: this holds for good.
        tx.note_unused_data_key(old, now).await?;
        tx.commit(now).await?;
        return Ok(true);
    }
    if named > progress.left {
        // Committed behind this pass.
        progress.begin(old);
        return Ok(true);
    }
    tracing::warn!(
        data_key = old,
        rows = named,
        "some secrets do not open and keep their data key; write them anew"
    );
    Ok(false)
}

/// How many rows name the data key `id`, by table and column; only where some do.
pub(super) async fn naming(read: &Reader, id: &str) -> Result<Vec<(String, u64)>, Error> {
    let mut named = Vec::new();
    for column in &SEALED_COLUMNS {
        match read.count_sealed_under(column, id).await? {
            0 => {}
            rows => named.push((format!("{}.{}", column.table, column.column), rows)),
        }
    }
    Ok(named)
}

/// The text of a row with all that the key `old` sealed sealed under the newest; `None` where something does not open.
fn anew(sealer: &Sealer, column: &SealedColumn, row: &SealedRow, old: &str) -> Option<String> {
    let begins = format!("v1.{old}.");
    let mut text = row.text.clone();
    for (sealed, place) in sealed_in(column, row)?.into_iter().filter(|(text, _)| text.starts_with(&begins)) {
        let secret = sealer.open(&KeptSecret::Sealed(sealed.clone()), &place);
        let anew = secret.and_then(|secret| sealer.seal(&secret, &place, &mut OsRandom));
        match anew {
            // Nonces make each text the only one of its kind: nothing else is replaced.
            Ok(KeptSecret::Sealed(anew)) => text = text.replace(&sealed, &anew),
            Ok(KeptSecret::Clear(_)) => return None,
            Err(error) => {
                tracing::error!(secret.place = place, error.cause = %error, "a kept secret cannot be sealed anew");
                return None;
            }
        }
    }
    (!text.contains(&format!("\"{begins}"))).then_some(text)
}

/// The sealed texts of a row, each with its place; `None`: the row cannot be read.
fn sealed_in(column: &SealedColumn, row: &SealedRow) -> Option<Vec<(String, String)>> {
    if column.table == "gateway_resources" {
        let resource: Resource = serde_json::from_str(&row.text).ok()?;
        let found = sealing::secrets_of(&resource).into_iter().filter_map(|(place, kept)| match kept {
            KeptSecret::Sealed(text) => Some((text.clone(), place)),
            KeptSecret::Clear(_) => None,
        });
        return Some(found.collect());
    }
    let value: Value = serde_json::from_str(&row.text).ok()?;
    let mut found = Vec::new();
    collect("", &value, &mut found);
    let placed = found.into_iter().map(|(member, text)| Some((text.to_owned(), place(column, row, member)?)));
    placed.collect()
}

/// Every sealed text below `value`, with the nearest member's name that it has.
fn collect<'a>(member: &'a str, value: &'a Value, into: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::Object(members) => match members.get("sealed") {
            Some(Value::String(text)) if members.len() == 1 => into.push((member, text)),
            _ => members.iter().for_each(|(name, value)| collect(name, value, into)),
        },
        Value::Array(items) => items.iter().for_each(|value| collect(member, value, into)),
        _ => {}
    }
}

/// Where a sealed text of `row` belongs that stands in the member `member`.
fn place(column: &SealedColumn, row: &SealedRow, member: &str) -> Option<String> {
    let first = row.key.first()?.as_str();
    let name = |n: usize| row.names.get(n).map(String::as_str);
    Some(match (column.table, column.column) {
        ("settings", _) => match first {
            "smtp_server" => sealing::OF_SMTP_SERVER.to_owned(),
            "sync_authority" => sync_authority::PLACE.to_owned(),
            "username_salts" => sealing::OF_USERNAME_SALTS.to_owned(),
            "audit_chain" => sealing::OF_AUDIT_CHAIN.to_owned(),
            _ => return None,
        },
        ("certificates", _) => sealing::of_certificate(&CertificateId::known(first)),
        ("services", _) => sealing::of_service(&ServiceId::known(first)),
        // The key is the group and the user name, as in the place.
        ("consumers", _) => format!("consumer/{first}"),
        ("consumer_credentials", _) => format!("consumer/{first}/{}", row.key.get(1)?),
        ("credentials", _) => sealing::of_credential(&CredentialId::known(first)),
        ("dcr_providers", _) => sealing::of_dcr_header(&DcrProviderId::known(first), member),
        ("dcr_removals", "departed_provider") => {
            sealing::of_dcr_header(&DcrProviderId::known(name(0)?), member)
        }
        ("contact_points", _) => sealing::of_contact_point(&ContactPointId::known(first)),
        ("deliveries", _) => sealing::of_delivery(&DeliveryId::known(first)),
        ("login_options", _) => sealing::of_sign_in_option(&SignInOptionId::known(first), member),
        ("pending_sign_ins", _) => external_sign_ins::place_of(first),
        ("oauth_clients" | "dcr_removals", _) => {
            sealing::of_oauth_client(&DcrProviderId::known(name(0)?), name(1)?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use forecourt_identity::sealing::MasterKey;

    use super::*;

    #[test]
    fn every_sealed_column_has_a_place_for_its_texts() {
        for column in SEALED_COLUMNS.iter().filter(|column| column.table != "gateway_resources") {
            let key = if column.table == "settings" { "smtp_server" } else { "x" };
            let row = SealedRow {
                key: vec![key.into(), "y".into()],
                names: vec!["p".into(), "c".into()],
                text: String::new(),
            };
            assert!(place(column, &row, "member").is_some(), "{column:?}");
        }
    }

    #[test]
    fn what_names_no_old_key_stays_as_it_is_to_the_byte() {
        let old = Sealer::new(&MasterKey::issue(&mut OsRandom));
        let id = old.key_id();
        let column = SEALED_COLUMNS.iter().find(|column| column.table == "dcr_providers").unwrap();
        let place = sealing::of_dcr_header(&DcrProviderId::known("dcr_1"), "X-Key");
        let secret = forecourt_core::secrets::PlainSecret::presented("hunter2");
        let KeptSecret::Sealed(text) = old.seal(&secret, &place, &mut OsRandom).unwrap() else { panic!() };
        let row = |text: String| SealedRow { key: vec!["dcr_1".into()], names: Vec::new(), text };
        let body = format!("{{ \"X-Key\" : {{\"sealed\":\"{text}\"}}, \"b\":1, \"a\":2}}");
        let fresh = forecourt_identity::sealing::DataKey::issue(&mut OsRandom);
        old.learn(1, [fresh.clone()]);
        let changed = anew(&old, column, &row(body.clone()), &id).unwrap();
        let (head, rest) = changed.split_at(24);
        assert!(body.starts_with(head) && rest.ends_with("\"}, \"b\":1, \"a\":2}"), "{changed}");
        let found = sealed_in(column, &row(changed)).unwrap();
        assert!(found[0].0.starts_with(&format!("v1.{}.", fresh.id())));
        let opened = old.open(&KeptSecret::Sealed(found[0].0.clone()), &place).unwrap();
        assert_eq!(opened.reveal(), "hunter2");
        // One that was moved here does not open, and stays.
        let moved = row(body.replace("X-Key", "X-Other"));
        assert_eq!(anew(&old, column, &moved, &id), None);
    }
}
