//! The certificate of the administrators' TLS listener: self-signed, made at the first start, kept under `data_dir`.
//!
//! An operator's own certificate goes into the same two files.

use std::{
    fs::{self, File, Permissions},
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use axum_server::tls_rustls::RustlsConfig;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read or written.
    #[error("the certificate file {} cannot be used: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The pair is no certificate and key.
    #[error(
        "{} and admin.key beside it are no certificate and key in PEM: {problem}; delete both to have new ones made",
        .path.display()
    )]
    Unusable {
        /// The certificate.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// None could be made.
    #[error("a self-signed certificate could not be made: {0}")]
    Made(#[from] rcgen::Error),
}

/// The certificate under `data_dir/tls`; made for `host` and this machine's own names where it is missing.
///
/// # Errors
/// When its files cannot be read, written or used.
pub async fn of_administrators(data_dir: &Path, host: &str) -> Result<RustlsConfig, CertificateError> {
    // The first call of the process counts; the provider is the same in all.
    let _first = rustls::crypto::ring::default_provider().install_default();
    let folder = data_dir.join("tls");
    let (certificate, key) = (folder.join("admin.crt"), folder.join("admin.key"));
    if !certificate.exists() || !key.exists() {
        make(&folder, &certificate, &key, host)?;
    }
    let read = |path: &PathBuf| fs::read(path).map_err(|source| file_error(path, source));
    RustlsConfig::from_pem(read(&certificate)?, read(&key)?)
        .await
        .map_err(|error| CertificateError::Unusable { path: certificate, problem: error.to_string() })
}

fn make(folder: &Path, certificate: &Path, key: &Path, host: &str) -> Result<(), CertificateError> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !names.iter().any(|name| name == host) {
        names.push(host.to_owned());
    }
    let made = rcgen::generate_simple_self_signed(names)?;
    fs::create_dir_all(folder).map_err(|source| file_error(folder, source))?;
    // One that is there alone may be an operator's own, or the first of two that a start made which was cut off.
    set_aside(certificate)?;
    set_aside(key)?;
    write(folder, key, &made.signing_key.serialize_pem(), 0o600)?;
    write(folder, certificate, &made.cert.pem(), 0o644)
}

/// Renames a file that cannot be used without its other half, where it is there: `admin.crt` to `admin.crt.alone`.
fn set_aside(path: &Path) -> Result<(), CertificateError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".alone");
    match fs::rename(path, &aside) {
        Ok(()) => {
            tracing::warn!(
                file = %path.display(),
                moved_to = %Path::new(&aside).display(),
                "one of admin.crt and admin.key is there alone: it is set aside, and both are made anew"
            );
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(file_error(path, source)),
    }
}

/// Writes a file, which has its name only once it is whole and on the disk.
fn write(folder: &Path, path: &Path, text: &str, mode: u32) -> Result<(), CertificateError> {
    let written = || -> std::io::Result<()> {
        // Readable by its owner alone, until it may be more.
        let mut draft = tempfile::NamedTempFile::new_in(folder)?;
        draft.write_all(text.as_bytes())?;
        draft.as_file().set_permissions(Permissions::from_mode(mode))?;
        draft.as_file().sync_all()?;
        draft.persist(path)?;
        File::open(folder)?.sync_all()
    };
    written().map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: std::io::Error) -> CertificateError {
    CertificateError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_certificate_is_made_once_and_its_key_is_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        of_administrators(folder.path(), "portal.example.com").await.unwrap();
        let certificate = fs::read(folder.path().join("tls/admin.crt")).unwrap();
        let key = fs::metadata(folder.path().join("tls/admin.key")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
        of_administrators(folder.path(), "portal.example.com").await.unwrap();
        assert_eq!(fs::read(folder.path().join("tls/admin.crt")).unwrap(), certificate);
    }

    #[tokio::test]
    async fn a_certificate_or_a_key_that_is_there_alone_is_set_aside_and_not_written_over() {
        for (name, other) in [("admin.crt", "admin.key"), ("admin.key", "admin.crt")] {
            let folder = tempfile::tempdir().unwrap();
            let tls = folder.path().join("tls");
            fs::create_dir(&tls).unwrap();
            fs::write(tls.join(name), "an operator's own").unwrap();
            of_administrators(folder.path(), "a").await.unwrap();
            let aside = fs::read_to_string(tls.join(format!("{name}.alone"))).unwrap();
            assert_eq!(aside, "an operator's own");
            assert!(!tls.join(format!("{other}.alone")).exists());
            assert_eq!(fs::read_dir(&tls).unwrap().count(), 3, "no draft is left");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_no_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tls")).unwrap();
        fs::write(folder.path().join("tls/admin.crt"), "no").unwrap();
        fs::write(folder.path().join("tls/admin.key"), "no").unwrap();
        let error = of_administrators(folder.path(), "a").await.unwrap_err().to_string();
        assert!(error.contains("tls/admin.crt") && error.contains("delete both"), "{error}");
    }
}
