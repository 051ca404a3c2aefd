//! The content security policy of both sites: our own files, and the one style element that carries the
//! page's nonce. Nothing inline, nothing from elsewhere, no frames.

/// The value of `Content-Security-Policy` for a page whose style element carries `nonce`.
pub fn content_security_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
}
