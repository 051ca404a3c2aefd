//! What the things are called now that records name by their ids.

/// Something that records name, and that is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedObject {
    /// What sort of thing: the word of its events, such as `product`.
    pub noun: String,
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The portal or the gateway group that it is in; empty where it is in none.
    pub place: String,
    /// The developer of an application, the service of a route; empty elsewhere.
    pub parent: String,
}
