//! A row as it stands on a node's disk: `["credential",REVISION,{…}]`, or `["credential",REVISION,null,"KEY"]` for one
//! that was deleted.
//!
//! The kind comes first, so that the body is read straight into its type: a million rows are read in a second, where
//! reading them as the stream has them, with the kind among the members, takes several.

use std::fmt;

use forecourt_core::gateway_state::{Kind, Resource};
use forecourt_wire::changes::Change;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, SeqAccess, Visitor},
    ser::SerializeSeq,
};

/// A row to be written.
pub(crate) struct Written<'a>(pub(crate) &'a Change);

/// A row that was read.
pub(crate) struct Read(pub(crate) Change);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let change = self.0;
        let mut row = serializer.serialize_seq(None)?;
        row.serialize_element(change.kind.name())?;
        row.serialize_element(&change.revision)?;
        match &change.resource {
            None => {
                row.serialize_element(&())?;
                row.serialize_element(&change.key)?;
            }
            Some(Resource::Service(state)) => row.serialize_element(state)?,
            Some(Resource::Route(state)) => row.serialize_element(state)?,
            Some(Resource::Certificate(state)) => row.serialize_element(state)?,
            Some(Resource::Consumer(state)) => row.serialize_element(state)?,
            Some(Resource::GlobalRule(state)) => row.serialize_element(state)?,
            Some(Resource::Product(state)) => row.serialize_element(state)?,
            Some(Resource::Application(state)) => row.serialize_element(state)?,
            Some(Resource::Credential(state)) => row.serialize_element(state)?,
            Some(Resource::Grant(state)) => row.serialize_element(state)?,
        }
        row.end()
    }
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Read;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a row: kind, revision, body")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<Read, A::Error> {
        let short = || A::Error::custom("a row is too short");
        let kind: Kind = row.next_element()?.ok_or_else(short)?;
        let revision: i64 = row.next_element()?.ok_or_else(short)?;
        let resource = row.next_element_seed(BodyOf(kind))?.ok_or_else(short)?;
        let key = match &resource {
            Some(resource) => resource.key(),
            None => row.next_element()?.ok_or_else(short)?,
        };
        while row.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Read(Change { revision, kind, key, resource }))
    }
}

struct BodyOf(Kind);

impl<'de> DeserializeSeed<'de> for BodyOf {
    type Value = Option<Resource>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        Ok(match self.0 {
            Kind::Service => Option::deserialize(from)?.map(Resource::Service),
            Kind::Route => Option::deserialize(from)?.map(Resource::Route),
            Kind::Certificate => Option::deserialize(from)?.map(Resource::Certificate),
            Kind::Consumer => Option::deserialize(from)?.map(Resource::Consumer),
            Kind::GlobalRule => Option::deserialize(from)?.map(Resource::GlobalRule),
            Kind::Product => Option::deserialize(from)?.map(Resource::Product),
            Kind::Application => Option::deserialize(from)?.map(Resource::Application),
            Kind::Credential => Option::deserialize(from)?.map(Resource::Credential),
            Kind::Grant => Option::deserialize(from)?.map(Resource::Grant),
        })
    }
}
