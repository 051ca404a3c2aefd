//! Certificates that upstreams are shown: given inline with their key, or named by the id of one of their group.
//!
//! Invariant: a service's row holds what its nodes are shown, chain and key, sealed for that service; a certificate
//! that is named there and changes is put into every service that names it, in the same write.

use forecourt_core::{
    certificates::{Certificate, CertificateRefusal},
    gateway_state::CertificatePair,
    ids::{CertificateId, GatewayGroupId, ServiceId},
    secrets::PlainSecret,
    services::upstreams::{Upstream, settings::ClientCertificate},
    text::Invalid,
};
use forecourt_identity::certificates;

use crate::{App, Error, sealing, services, writes::Write};

const CHAIN: &str = "upstream.tls.client_cert";
const KEY: &str = "upstream.tls.client_key";
const ID: &str = "upstream.tls.client_cert_id";

/// Puts into `upstream` of the service `id` what its nodes are shown, where its settings say that they are. `key` is
/// the one that was given; without one the key of `before` stays, where it fits.
pub(crate) async fn show(
    write: &Write<'_>,
    (group, id): (&GatewayGroupId, &ServiceId),
    upstream: &mut Upstream,
    key: Option<PlainSecret>,
    before: Option<&Upstream>,
) -> Result<(), Error> {
    // The key of a certificate that was named is not one that was given here.
    let inline = |before: &&Upstream| {
        matches!(before.settings.client_certificate(), Some(ClientCertificate::Chain(_)))
    };
    let kept = before.filter(inline).and_then(|before| before.shown.as_ref());
    upstream.shown = match (upstream.settings.client_certificate(), key) {
        (Some(ClientCertificate::Chain(chain)), key) => Some(given(write, id, chain, key, kept).await?),
        (Some(ClientCertificate::Named(_)), Some(_)) => {
            let problem = "stands beside client_cert_id: the certificate that this names has a key";
            return Err(Invalid::new(KEY, problem).into());
        }
        (Some(ClientCertificate::Named(certificate)), None) => {
            Some(copied(write.app(), &named(write, group, certificate).await?, id).await?)
        }
        (None, Some(_)) => {
            return Err(Invalid::new(KEY, "needs client_cert: the certificate of this key").into());
        }
        (None, None) => None,
    };
    Ok(())
}

/// The pair that was given inline. One that has expired is taken only while it is the one that was there before.
async fn given(
    write: &Write<'_>,
    id: &ServiceId,
    chain: &str,
    key: Option<PlainSecret>,
    kept: Option<&CertificatePair>,
) -> Result<CertificatePair, Error> {
    let (app, context) = (write.app(), sealing::of_service(id));
    let key = match (key, kept) {
        (Some(key), _) => key,
        (None, Some(kept)) => app.opened(&kept.key, &context).await?,
        (None, None) => return Err(Invalid::new(KEY, "is required with client_cert").into()),
    };
    let facts = certificates::read(chain, &key).map_err(|problem| {
        let member = if problem.is_of_key() { KEY } else { CHAIN };
        CertificateRefusal::Unusable { member: member.into(), problem: problem.to_string() }
    })?;
    if facts.not_after <= write.now && kept.is_none_or(|kept| kept.chain != chain) {
        let problem = format!("has expired on {}: give one that is valid", facts.not_after_text);
        return Err(Invalid::new(CHAIN, problem).into());
    }
    Ok(CertificatePair { chain: chain.to_owned(), key: sealing::seal(app, &key, &context)? })
}

/// The certificate that an upstream of this group names.
async fn named(write: &Write<'_>, group: &GatewayGroupId, id: &CertificateId) -> Result<Certificate, Error> {
    let certificate = write.certificate(id).await?.filter(|found| found.gateway_group_id == *group);
    let certificate = certificate.ok_or_else(|| {
        Invalid::new(ID, format!("must be the id of a certificate of this gateway group; {id:?} is none"))
    })?;
    if !certificate.enabled {
        let problem = format!("names the certificate {id:?}, which has status 0: give it status 1 first");
        return Err(Invalid::new(ID, problem).into());
    }
    Ok(certificate)
}

/// The first chain of `certificate` with its key, sealed for the service `id`.
async fn copied(app: &App, certificate: &Certificate, id: &ServiceId) -> Result<CertificatePair, Error> {
    let first = certificate.pairs.first().ok_or_else(|| CertificateRefusal::KeyMissing(KEY.into()))?;
    let key = app.opened(&first.key, &sealing::of_certificate(&certificate.id)).await?;
    let key = sealing::seal(app, &key, &sealing::of_service(id))?;
    Ok(CertificatePair { chain: first.chain.clone(), key })
}

/// Has every upstream that names `certificate` show what it is now.
pub(crate) async fn show_anew(write: &mut Write<'_>, certificate: &Certificate) -> Result<(), Error> {
    for mut service in write.services_showing_certificate(certificate).await? {
        let shown = copied(write.app(), certificate, &service.id).await?;
        for upstream in service.every_upstream() {
            if upstream.settings.client_certificate()
                == Some(&ClientCertificate::Named(certificate.id.clone()))
            {
                upstream.shown = Some(shown.clone());
            }
        }
        write.save_service(&service).await?;
        services::announce(write, &service);
    }
    Ok(())
}
