//! What of each kind of thing is quoted, and where it lies.

use super::{
    Column,
    Column::{Flag, Json, Number, Text, Time},
    Noun, Side,
};

const BY_ID: &str = "id = $1";

const fn noun(name: &'static str, table: &'static str, columns: &'static [Column]) -> Noun {
    Noun { name, table, place: BY_ID, columns, sides: &[] }
}

impl Noun {
    /// The same, of which more lies in other tables.
    const fn with(self, sides: &'static [Side]) -> Self {
        Self { sides, ..self }
    }
}

pub(super) const NOUNS: [Noun; 30] = [
    noun(
        "administrator",
        "administrators",
        &[
            Text("username"),
            Text("email"),
            Text("first_name"),
            Text("last_name"),
            Flag("password_one_time"),
            Flag("activated"),
            Flag("active"),
            Text("boundary_id"),
        ],
    )
    .with(&[Side {
        name: "roles",
        table: "administrator_roles",
        key: "administrator_id",
        columns: &[Text("role_id"), Json("scopes")],
        order: "place",
    }]),
    noun("admin_token", "admin_tokens", &[Text("administrator_id"), Text("name"), Time("expires_at")]),
    noun("role", "roles", &[Text("name"), Text("desc"), Json("labels")]).with(&[Side {
        name: "permissions",
        table: "role_policies",
        key: "role_id",
        columns: &[Text("policy_id")],
        order: "place",
    }]),
    noun(
        "permission_policy",
        "permission_policies",
        &[Text("name"), Text("desc"), Json("labels"), Json("document")],
    ),
    noun(
        "portal",
        "portals",
        &[
            Text("name"),
            Text("desc"),
            Json("labels"),
            Text("public_url"),
            Text("domain"),
            Flag("public_access"),
        ],
    ),
    noun("portal_token", "portal_tokens", &[Text("portal_id"), Text("name"), Time("expires_at")]),
    noun(
        "sign_in_option",
        "login_options",
        &[
            Text("portal_id"),
            Text("name"),
            Text("logo"),
            Flag("disable"),
            Text("provider_type"),
            Json("config"),
        ],
    ),
    noun(
        "contact_point",
        "contact_points",
        &[Text("name"), Text("contact_type"), Json("addresses"), Text("url"), Time("gone_at")],
    ),
    noun("gateway_group", "gateway_groups", &[Text("name"), Text("desc"), Json("labels")]),
    noun("instance_token", "instance_tokens", &[Text("gateway_group_id"), Time("last_used_at")]),
    noun(
        "node",
        "gateway_nodes",
        &[Text("name"), Text("gateway_group_id"), Text("token_id"), Text("version"), Text("address")],
    ),
    noun(
        "service",
        "services",
        &[
            Text("gateway_group_id"),
            Text("name"),
            Text("desc"),
            Json("labels"),
            Flag("stream"),
            Flag("enabled"),
            Json("hosts"),
            Text("path_prefix"),
            Flag("strip_path_prefix"),
            Json("upstream"),
            Json("upstreams"),
            Json("plugins"),
            Json("extra"),
            Flag("has_openapi"),
        ],
    ),
    noun(
        "route",
        "routes",
        &[
            Text("gateway_group_id"),
            Text("service_id"),
            Text("name"),
            Text("desc"),
            Json("labels"),
            Json("paths"),
            Json("methods"),
            Json("vars"),
            Number("priority"),
            Json("plugins"),
            Text("upstream_id"),
            Json("timeout"),
            Flag("enable_websocket"),
            Json("extra"),
        ],
    ),
    noun(
        "certificate",
        "certificates",
        &[
            Text("gateway_group_id"),
            Text("certificate_type"),
            Flag("enabled"),
            Json("snis"),
            Text("client_ca"),
            Number("client_depth"),
            Json("labels"),
            Json("extra"),
            Time("not_before"),
            Time("not_after"),
        ],
    ),
    Noun {
        name: "consumer",
        table: "consumers",
        place: "key = $1",
        columns: &[
            Text("gateway_group_id"),
            Text("username"),
            Text("desc"),
            Json("labels"),
            Json("plugins"),
            Json("extra"),
        ],
        sides: &[],
    },
    // Its id is unique within its consumer only: where several have it, none is quoted.
    noun(
        "consumer_credential",
        "consumer_credentials",
        &[Text("consumer_key"), Text("name"), Text("desc"), Json("labels"), Json("auth"), Json("extra")],
    ),
    group_object("global_rule", "kind = 'global_rule' AND id = $1"),
    group_object("stream_route", "kind = 'stream_route' AND id = $1"),
    group_object("plugin_metadata", "kind = 'plugin_metadata' AND id = $1"),
    noun(
        "product",
        "products",
        &[
            Text("portal_id"),
            Text("name"),
            Text("desc"),
            Json("labels"),
            Text("status"),
            Text("visibility"),
            Text("product_type"),
            Json("auth"),
            Flag("subscription_auto_approval"),
            Flag("can_view_unsubscribed"),
            Number("document_operations"),
            Json("server_urls"),
            Text("server_url"),
            Json("notifications"),
        ],
    )
    .with(&[Side {
        name: "linked_gateway_services",
        table: "product_services",
        key: "product_id",
        columns: &[Text("service_id"), Text("gateway_group_id"), Json("linked_hosts")],
        order: "position",
    }]),
    noun(
        "plan",
        "plans",
        &[Text("product_id"), Text("name"), Text("desc"), Json("limits"), Flag("is_default")],
    ),
    noun(
        "dcr_provider",
        "dcr_providers",
        &[
            Text("name"),
            Text("desc"),
            Text("provider_type"),
            Text("issuer"),
            Text("base_url"),
            Json("headers"),
        ],
    ),
    noun(
        "dcr_removal",
        "dcr_removals",
        &[Text("provider_id"), Text("application_id"), Text("client_name"), Text("client_id")],
    ),
    noun(
        "developer",
        "developers",
        &[
            Text("portal_id"),
            Text("name"),
            Text("display_name"),
            Text("username"),
            Text("email"),
            Text("status"),
            Text("provider"),
            Flag("on_hold"),
            Flag("email_verified"),
        ],
    ),
    noun(
        "person",
        "persons",
        &[
            Text("portal_id"),
            Text("name"),
            Text("username"),
            Text("email"),
            Flag("email_verified"),
            Flag("active"),
            Flag("password_one_time"),
        ],
    ),
    noun(
        "application",
        "applications",
        &[
            Text("portal_id"),
            Text("developer_id"),
            Text("name"),
            Text("desc"),
            Json("labels"),
            Json("callback_urls"),
            Json("attributes"),
            Text("status"),
            Text("status_reason"),
        ],
    ),
    noun(
        "credential",
        "credentials",
        &[
            Text("application_id"),
            Text("credential_type"),
            Text("name"),
            Text("desc"),
            Json("labels"),
            Text("version_id"),
        ],
    )
    .with(&[Side {
        name: "oauth_client",
        table: "oauth_clients",
        key: "credential_id",
        columns: &[Text("provider_id"), Text("client_id"), Json("redirect_uris")],
        order: "client_id",
    }]),
    noun(
        "subscription",
        "subscriptions",
        &[
            Text("portal_id"),
            Text("application_id"),
            Text("product_id"),
            Text("plan_id"),
            Text("status"),
            Time("subscribed_at"),
        ],
    ),
    Noun {
        name: "settings",
        table: "settings",
        // What else lies there is none of the log's business.
        place: "key = $1 AND key IN ('system', 'scim')",
        columns: &[Json("value")],
        sides: &[],
    },
    Noun {
        name: "smtp_server",
        table: "settings",
        place: "key = $1 AND key = 'smtp_server'",
        columns: &[Json("value")],
        sides: &[],
    },
];

const fn group_object(name: &'static str, place: &'static str) -> Noun {
    const COLUMNS: &[Column] = &[
        Text("gateway_group_id"),
        Text("name"),
        Text("desc"),
        Json("labels"),
        Text("service_id"),
        Json("plugins"),
        Json("extra"),
    ];
    Noun { name, table: "group_objects", place, columns: COLUMNS, sides: &[] }
}
