//! `forecourt audit verify`: goes through the audit log and tells whatever was changed, removed, put in or moved.
//!
//! It only reads, not even the schema is changed, and may run beside servers on the same database.

use forecourt_app::audit_logs::{self, Verified};
use forecourt_store::{Location, Reader};

use crate::{config::Settings, master_key};

/// A place of the log that somebody noted down elsewhere: `NUMBER:HASH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    number: i64,
    hash: String,
}

impl std::str::FromStr for Noted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be NUMBER:HASH, as an earlier verification told it".to_owned();
        let (number, hash) = text.split_once(':').ok_or_else(wrong)?;
        let number = number.parse::<i64>().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| Self { number, hash: hash.to_lowercase() }).ok_or_else(wrong)
    }
}

/// Verifies the log, hands `tell` each line of the report, and gives the last.
///
/// # Errors
/// When something does not fit, or the log cannot be read.
pub async fn verify(
    settings: &Settings,
    noted: Option<&Noted>,
    mut tell: impl FnMut(&str),
) -> Result<String, String> {
    if let Location::Sqlite(path) = settings.location()
        && !path.exists()
    {
        return Err(format!(
            "there is no database {}; say where it is by data_dir or database.url",
            path.display()
        ));
    }
    let reader = Reader::open(&settings.location()).await;
    let reader = reader.map_err(|error| format!("the database cannot be verified: {error}"))?;
    let known = reader.master_key_ids().await.map_err(text)?;
    if known.is_empty() {
        return Err("the database was never used, so there is no audit log in it".to_owned());
    }
    let master_key = master_key::of(settings, &known).map_err(text)?;
    let verified = audit_logs::verify(&reader, &master_key, |finding| tell(&finding.to_string())).await;
    let mut verified = verified.map_err(text)?;
    if let Some(noted) = noted
        && let Some(finding) = differs(&reader, &verified, noted).await?
    {
        tell(&finding);
        verified.findings += 1;
    }
    report(&verified)
}

/// What is wrong with the noted place.
async fn differs(reader: &Reader, verified: &Verified, noted: &Noted) -> Result<Option<String>, String> {
    if noted.number <= verified.pruned {
        return Ok(Some(format!(
            "entry {} was taken away because it is old, so that its hash cannot be compared any more",
            noted.number
        )));
    }
    let found = reader.audit_links(noted.number - 1, 1).await.map_err(text)?;
    let fits = found.first().is_some_and(|link| link.number == noted.number && link.hash == noted.hash);
    Ok((!fits).then(|| format!("entry {} is not the one that was noted: the log was replaced", noted.number)))
}

fn report(verified: &Verified) -> Result<String, String> {
    let Verified { checked, pruned, head, findings } = verified;
    match (findings, head) {
        (0, Some(head)) => {
            let old = match pruned {
                0 => String::new(),
                pruned => format!("; entries up to {pruned} were taken away because they are old"),
            };
            Ok(format!(
                "the audit log is intact: {checked} entries, the end is {}:{}{old}\n",
                head.number, head.hash
            ))
        }
        (0, None) => Ok("the audit log is empty\n".to_owned()),
        (1, _) => Err(format!("the audit log was changed: 1 finding in {checked} entries")),
        (findings, _) => Err(format!("the audit log was changed: {findings} findings in {checked} entries")),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_place_is_a_number_and_a_hash() {
        let hash = "0a".repeat(32);
        let noted: Noted = format!("7:{hash}").parse().unwrap();
        assert_eq!(noted, Noted { number: 7, hash: hash.clone() });
        for wrong in ["", "7", "7:", "0:a", &format!("x:{hash}"), &format!("0:{hash}"), &format!("7:{hash}0")]
        {
            assert!(wrong.parse::<Noted>().is_err(), "{wrong}");
        }
    }
}
