//! What a directory asks first (RFC 7644 §4): what is supported, which resources there are, and their schema.

use axum::extract::Path;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Directory, Service,
    answers::{Answer, Refusal, answer, list},
    attributes::{self, USER},
    lists::{self, Parameters},
};

/// What is supported (RFC 7643 §5).
pub(super) async fn configuration(_: Directory, service: Service, asked: Parameters) -> Answer {
    asked.unfiltered()?;
    let unsupported = || json!({ "supported": false });
    let mut configuration = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": lists::MOST },
        "changePassword": unsupported(),
        "sort": unsupported(),
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token that the settings of SCIM show once",
            "primary": true,
        }],
    });
    placed(&mut configuration, &service, "ServiceProviderConfig", "/ServiceProviderConfig");
    Ok(answer(StatusCode::OK, &configuration))
}

/// Which resources there are (RFC 7643 §6).
pub(super) async fn resource_types(_: Directory, service: Service, asked: Parameters) -> Answer {
    asked.unfiltered()?;
    Ok(list(1, 1, vec![user_type(&service)]))
}

/// One sort of resource.
pub(super) async fn resource_type(_: Directory, service: Service, Path(id): Path<String>) -> Answer {
    if id == "User" { Ok(answer(StatusCode::OK, &user_type(&service))) } else { Err(Refusal::not_found()) }
}

fn user_type(service: &Service) -> Value {
    let mut described = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User",
        "name": "User",
        "description": service.about(),
        "endpoint": "/Users",
        "schema": USER,
    });
    placed(&mut described, service, "ResourceType", "/ResourceTypes/User");
    described
}

/// The schemas of resources (RFC 7643 §7).
pub(super) async fn schemas(_: Directory, service: Service, asked: Parameters) -> Answer {
    asked.unfiltered()?;
    Ok(list(1, 1, vec![user_schema(&service)]))
}

/// One schema.
pub(super) async fn schema(_: Directory, service: Service, Path(id): Path<String>) -> Answer {
    if id == USER { Ok(answer(StatusCode::OK, &user_schema(&service))) } else { Err(Refusal::not_found()) }
}

fn user_schema(service: &Service) -> Value {
    let mut schema = attributes::schema(service.about());
    placed(&mut schema, service, "Schema", &format!("/Schemas/{USER}"));
    schema
}

/// Adds where a description lies.
fn placed(described: &mut Value, service: &Service, kind: &str, path: &str) {
    if let Some(members) = described.as_object_mut() {
        members.insert("meta".into(), json!({ "resourceType": kind, "location": service.at(path) }));
    }
}
