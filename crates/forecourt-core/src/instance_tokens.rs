//! Tokens with which gateway nodes join their group.

use crate::{
    ids::{GatewayGroupId, InstanceTokenId},
    lists::{Paging, Readable},
    secrets::{PlainSecret, SecretDigest},
    time::Timestamp,
};

/// A secret with which a gateway node joins its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceToken {
    /// Its id.
    pub id: InstanceTokenId,
    /// The group that it opens.
    pub gateway_group_id: GatewayGroupId,
    /// Digest of its secret part.
    pub digest: SecretDigest,
    /// When a node was last let in with it.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which tokens a list shows, newest first.
#[derive(Clone, Debug, Default)]
pub struct InstanceTokenFilter {
    /// Only those of this group.
    pub gateway_group_id: Option<GatewayGroupId>,
    /// Page.
    pub paging: Paging,
    /// Only those of these groups: what the caller may read.
    pub readable: Readable,
}

/// The digest by which the token with this text is found.
///
/// The text is `SECRET.DIGEST`, of which DIGEST names the authority that the node must demand of its control plane; it
/// is no secret and may be left out.
pub fn digest_of_text(text: &str) -> SecretDigest {
    let secret = text.split_once('.').map_or(text, |(secret, _)| secret);
    PlainSecret::presented(secret).digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_secret_with_and_without_what_the_node_pins() {
        let bare = PlainSecret::presented("a7dp-secret").digest();
        assert_eq!(digest_of_text("a7dp-secret"), bare);
        assert_eq!(digest_of_text("a7dp-secret.00ff"), bare);
        assert_ne!(digest_of_text("a7dp-secre.t00ff"), bare);
    }
}
