//! Bodies of API products, read into core's input; see `products`.

use forecourt_core::{
    gateway_state::{BasicAuthMethod, JwtAuthMethod, KeyAuthMethod},
    ids::{DcrProviderId, GatewayGroupId, ServiceId},
    products::{LinkedService, ProductAuth, ProductStatus, ProductType, Visibility, changes::ProductInput},
};
use forecourt_http::{bodies::Object, problem::Problem};

use super::notifications;

/// Headers that frame a request, address it, or say who calls: a key in them could not be told apart, or hidden.
const RESERVED_HEADERS: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-consumer-custom-id",
    "x-consumer-username",
    "x-credential-identifier",
];

/// What a create or update gives.
pub(super) fn input(body: Object) -> Result<ProductInput, Problem> {
    Ok(ProductInput {
        product_type: body.word("type", ProductType::from_name, "gateway or external")?,
        name: body.text("name")?,
        desc: body.text("desc")?,
        logo: body.text("logo")?,
        labels: body.text_map("labels")?,
        status: body.word("status", ProductStatus::from_name, "draft or published")?,
        visibility: body.word("visibility", Visibility::from_name, "public or logged_in")?,
        auth: body.object("auth")?.map(auth).transpose()?,
        subscription_auto_approval: body.bool("subscription_auto_approval")?,
        can_view_unsubscribed: body.bool("can_view_unsubscribed")?,
        services: body
            .objects("linked_gateway_services")?
            .map(|links| links.iter().map(link).collect())
            .transpose()?,
        document: body.text("raw_openapi")?,
        server_urls: body.texts("server_urls")?,
        server_url: body.text("server_url")?,
        tags: body.texts("tags")?,
        api_desc: body.text("api_desc")?,
        notifications: notifications::input(&body)?,
    })
}

/// `auth`, closed on both levels, defaults filled in.
fn auth(given: Object) -> Result<ProductAuth, Problem> {
    let aliases = [("key_auth", "key-auth"), ("basic_auth", "basic-auth"), ("jwt_auth", "jwt-auth")];
    let given = given.hyphened(&aliases)?;
    given.closed(&["key-auth", "basic-auth", "dcr", "jwt-auth"])?;
    Ok(ProductAuth {
        key_auth: given.object("key-auth")?.map(key_auth).transpose()?,
        basic_auth: given.object("basic-auth")?.map(basic_auth).transpose()?,
        jwt_auth: given.object("jwt-auth")?.map(jwt_auth).transpose()?,
        dcr: given.object("dcr")?.map(dcr).transpose()?,
    })
}

fn jwt_auth(given: Object) -> Result<JwtAuthMethod, Problem> {
    given.closed(&["hide_credentials"])?;
    Ok(JwtAuthMethod { hide_credentials: given.bool("hide_credentials")?.unwrap_or(false) })
}

fn key_auth(given: Object) -> Result<KeyAuthMethod, Problem> {
    given.closed(&["header", "query", "hide_credentials"])?;
    let header = given.text("header")?.unwrap_or_else(|| "apikey".into());
    if header.len() > 256 || http::HeaderName::try_from(header.as_str()).is_err() {
        return Err(Problem::bad_request("auth.key-auth.header must be a header name, such as apikey"));
    }
    if RESERVED_HEADERS.iter().any(|reserved| header.eq_ignore_ascii_case(reserved)) {
        return Err(Problem::bad_request(format!(
            "auth.key-auth.header must not be {header}: it has a meaning of its own; take one such as apikey"
        )));
    }
    let query = given.text("query")?.unwrap_or_else(|| "apikey".into());
    if !(1..=256).contains(&query.len()) || query.chars().any(char::is_control) {
        return Err(Problem::bad_request("auth.key-auth.query must be 1 to 256 characters"));
    }
    Ok(KeyAuthMethod { header, query, hide_credentials: given.bool("hide_credentials")?.unwrap_or(false) })
}

fn basic_auth(given: Object) -> Result<BasicAuthMethod, Problem> {
    given.closed(&["hide_credentials"])?;
    Ok(BasicAuthMethod { hide_credentials: given.bool("hide_credentials")?.unwrap_or(false) })
}

fn dcr(given: Object) -> Result<DcrProviderId, Problem> {
    given.closed(&["dcr_provider_id"])?;
    let id = given.required_text("dcr_provider_id")?;
    DcrProviderId::parse(&id)
        .ok_or_else(|| Problem::bad_request(format!("auth.dcr.dcr_provider_id {id:?} is not a DCR provider")))
}

fn link(given: &Object) -> Result<LinkedService, Problem> {
    let (group, service) = (given.required_text("gateway_group_id")?, given.required_text("service_id")?);
    let (Some(gateway_group_id), Some(service_id)) =
        (GatewayGroupId::parse(&group), ServiceId::parse(&service))
    else {
        return Err(Problem::bad_request(format!(
            "linked_gateway_services: service {service:?} does not exist in gateway group {group:?}"
        )));
    };
    Ok(LinkedService {
        gateway_group_id,
        service_id,
        linked_hosts: given.texts("linked_hosts")?.unwrap_or_default(),
    })
}
