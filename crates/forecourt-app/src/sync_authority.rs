//! The certificate authority of the sync port: one an installation, made at its first start and kept sealed in the
//! database, so that every process on that database is the same control plane to a node.

use forecourt_core::secrets::SecretDigest;
use forecourt_identity::{
    authority::{self, Pair},
    sealing::Sealer,
};
use forecourt_store::{StoredAuthority, Tx};

use crate::{App, Error, random::OsRandom};

/// The place of the authority's key.
pub const PLACE: &str = "sync_authority";

/// The authority as this process keeps it: its certificate in PEM, and that certificate's digest.
#[derive(Clone, Debug)]
pub(crate) struct SyncAuthority {
    stored: StoredAuthority,
    digest: SecretDigest,
}

/// The authority's certificate, PEM.
pub fn certificate_pem(app: &App) -> &str {
    &app.sync_authority().stored.certificate
}

/// SHA-256 over the DER form of the authority's certificate: 64 lower-case hex digits, by which a node knows it.
pub fn digest(app: &App) -> String {
    app.sync_authority().digest.to_hex()
}

/// A fresh certificate with its key for a process that nodes reach as `names`, host names or IP addresses; the chain
/// ends with the authority's own certificate.
///
/// # Errors
/// When a name is none that a certificate can hold, or the authority's key does not open.
pub fn issue_server(app: &App, names: &[String]) -> Result<Pair, Error> {
    let stored = &app.sync_authority().stored;
    let key = app.sealer().open(&stored.key, PLACE)?;
    Ok(authority::issue_server(&Pair { chain: stored.certificate.clone(), key }, names)?)
}

/// The installation's authority; made where there is none.
pub(crate) async fn load(tx: &Tx, sealer: &Sealer) -> Result<SyncAuthority, Error> {
    let stored = match tx.sync_authority().await? {
        Some(stored) => stored,
        None => {
            let made = authority::make()?;
            let key = sealer.seal(&made.key, PLACE, &mut OsRandom)?;
            let stored = StoredAuthority { certificate: made.chain, key };
            tx.save_sync_authority(&stored).await?;
            stored
        }
    };
    let digest = authority::digest(&stored.certificate)?;
    Ok(SyncAuthority { stored, digest })
}
