//! The form of a product, new or edited: from what was typed to a [`ProductInput`] and back.

use axum::extract::Path;
use forecourt_app::{dcr_providers, gateway_groups, impacts, products, services};
use forecourt_core::{
    dcr_providers::DcrProviderFilter,
    gateway_groups::GatewayGroupFilter,
    gateway_state::{BasicAuthMethod, JwtAuthMethod, KeyAuthMethod},
    ids::{DcrProviderId, ProductId},
    products::{
        ExternalOffer, GatewayOffer, LinkedService, Offer, Product, ProductAuth, ProductStatus, ProductType,
        Visibility, changes::ProductInput,
    },
    services::{Service, ServiceFilter},
};

use super::{super::DOCUMENT_FORM, Answer, Console, kind, known, rows, told};
use crate::{
    developer::products::Choice,
    display::Reference,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    provider::products::ProductForm,
};

type PostedProduct = Posted<DOCUMENT_FORM>;

/// The word that a refusal begins with, and the field that it stands beside.
const FIELDS: &[(&str, &str)] = &[
    ("name", "name"),
    ("desc", "desc"),
    ("labels", "labels"),
    ("auth", "auth"),
    ("linked_gateway_services", "services"),
    ("raw_openapi", "document"),
    ("server_urls", "servers"),
];

/// Name and query parameter of a key where the form leaves them empty.
const KEY_DEFAULT: &str = "apikey";

pub(in super::super) async fn blank(console: Console, asked: Asked) -> Answer {
    let product_type = ProductType::from_name(asked.text("kind")).unwrap_or(ProductType::Gateway);
    let form = Form::new().with("visibility", Visibility::Public.name());
    let form = match product_type {
        ProductType::Gateway => form
            .with("auth", "key_auth")
            .with("subscription_approval", "true")
            .with("can_view_unsubscribed", "true"),
        ProductType::External => form,
    };
    let view = view(&console, None, product_type, form).await?;
    console.visit.show(&view)
}

pub(in super::super) async fn filled(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    let product = known(&console, &id).await?;
    let form = stored(&product);
    let view = view(&console, Some(&product), product.product_type(), form).await?;
    console.visit.show(&view)
}

pub(in super::super) async fn create(console: Console, posted: PostedProduct) -> Answer {
    let product_type = ProductType::from_name(posted.text("kind")).unwrap_or(ProductType::Gateway);
    let portal = console.portal()?.clone();
    let input = match input(&console, &posted, product_type, None).await? {
        Ok(input) => ProductInput { product_type: Some(product_type), ..input },
        Err(form) => return console.visit.show_refused(&view(&console, None, product_type, form).await?),
    };
    match products::create(console.app(), &console.caller, &portal, input).await {
        Ok(detail) => {
            let link = provider::product(portal.as_str(), detail.product.id.as_str());
            let text = console.say("flash.product_created", &[("name", &detail.product.name)]);
            Ok(console.visit.done(&link, &text))
        }
        Err(error) => {
            let form = posted.refused(error, FIELDS)?;
            console.visit.show_refused(&view(&console, None, product_type, form).await?)
        }
    }
}

pub(in super::super) async fn save(
    console: Console,
    Path((_, id)): Path<(String, String)>,
    posted: PostedProduct,
) -> Answer {
    let product = known(&console, &id).await?;
    let product_type = product.product_type();
    let input = match input(&console, &posted, product_type, Some(&product)).await? {
        Ok(input) => input,
        Err(form) => {
            return console.visit.show_refused(&view(&console, Some(&product), product_type, form).await?);
        }
    };
    let portal = console.portal()?;
    match products::update(console.app(), &console.caller, &product.id, Some(portal), input).await {
        Ok(updated) => {
            let link = provider::product(portal.as_str(), product.id.as_str());
            Ok(told(&console, &link, &console.say("flash.saved", &[]), updated.warning))
        }
        Err(error) => {
            let form = posted.refused(error, FIELDS)?;
            console.visit.show_refused(&view(&console, Some(&product), product_type, form).await?)
        }
    }
}

async fn view(
    console: &Console,
    product: Option<&Product>,
    product_type: ProductType,
    form: Form,
) -> Result<ProductForm, Failed> {
    let portal = console.portal()?.as_str();
    let services = match product_type {
        ProductType::Gateway => offered(console, product.map(|product| &product.id)).await?,
        ProductType::External => Vec::new(),
    };
    let choice = |(group, service): (String, Service)| {
        let prefix = service.path_prefix.as_deref().unwrap_or("/");
        Choice::new(service.id.as_str(), service.name).hint(format!("{group} · {prefix}"))
    };
    Ok(ProductForm {
        product: product.map(|product| {
            Reference::new(product.name.clone(), provider::product(portal, product.id.as_str()))
        }),
        kind: kind(product_type),
        services: services.into_iter().map(choice).collect(),
        providers: providers(console, product).await?,
        locked: product.is_some_and(|product| product.status == ProductStatus::Published),
        form,
        action: match product {
            Some(product) => provider::edit_product(portal, product.id.as_str()),
            None => provider::new_product(portal),
        },
    })
}

/// The DCR providers whose tokens gateways can verify and that may be seen, by name; and the one that the product has,
/// by its id where it may not, so that saving keeps it.
async fn providers(console: &Console, product: Option<&Product>) -> Result<Vec<Choice>, Failed> {
    let filter = DcrProviderFilter::default();
    let mut found = dcr_providers::administered(console.app(), &console.caller, &filter).await?.rows;
    found.retain(|provider| !provider.issuer.is_empty());
    found.sort_by_key(|provider| provider.name.to_lowercase());
    let mut choices: Vec<_> =
        found.into_iter().map(|provider| Choice::new(provider.id.as_str(), provider.name)).collect();
    let current = product.and_then(Product::gateway_offer).and_then(|offer| offer.auth.dcr.as_ref());
    if let Some(current) = current.filter(|id| !choices.iter().any(|known| known.value == id.as_str())) {
        choices.push(Choice::new(current.as_str(), current.as_str()));
    }
    Ok(choices)
}

/// The services that `product` has or could have, each with its group's name.
async fn offered(console: &Console, product: Option<&ProductId>) -> Result<Vec<(String, Service)>, Failed> {
    let (app, caller) = (console.app(), &console.caller);
    let groups = gateway_groups::list(app, caller, GatewayGroupFilter::default()).await?.rows;
    let mut all = Vec::new();
    for group in groups {
        let filter = ServiceFilter { gateway_group_id: Some(group.id), ..Default::default() };
        let services = services::list(app, caller, filter).await?.rows;
        all.extend(services.into_iter().map(|service| (group.name.clone(), service)));
    }
    let ids: Vec<_> = all.iter().map(|(_, service)| service.id.clone()).collect();
    let owners = impacts::owners_of_services(app, caller, &ids).await?;
    all.retain(|(_, service)| owners.get(&service.id).is_none_or(|owner| Some(&owner.product_id) == product));
    Ok(all)
}

/// What the form shows of a stored product.
fn stored(product: &Product) -> Form {
    let form = Form::new()
        .with("name", &product.name)
        .with("desc", &product.desc)
        .with("labels", rows::labels_text(&product.labels))
        .with("visibility", product.visibility.name());
    match &product.offer {
        Offer::Gateway(offer) => stored_gateway(form, offer),
        Offer::External(ExternalOffer { document, server_urls, .. }) => {
            form.with("servers", server_urls.join("\n")).with("document", document)
        }
    }
}

fn stored_gateway(mut form: Form, offer: &GatewayOffer) -> Form {
    for link in &offer.services {
        form = form.with("services", link.service_id.as_str());
    }
    let mut hides = false;
    if let Some(key) = &offer.auth.key_auth {
        form = form.with("auth", "key_auth").with("key_header", &key.header).with("key_query", &key.query);
        hides = key.hide_credentials;
    }
    if let Some(basic) = &offer.auth.basic_auth {
        form = form.with("auth", "basic_auth");
        hides |= basic.hide_credentials;
    }
    if let Some(jwt) = &offer.auth.jwt_auth {
        form = form.with("auth", "jwt_auth");
        hides |= jwt.hide_credentials;
    }
    if let Some(provider) = &offer.auth.dcr {
        form = form.with("dcr_provider", provider.as_str());
    }
    let ticks = [
        ("hide_credentials", hides),
        ("subscription_approval", !offer.subscription_auto_approval),
        ("can_view_unsubscribed", offer.can_view_unsubscribed),
    ];
    ticks.into_iter().filter(|(_, ticked)| *ticked).fold(form, |form, (name, _)| form.with(name, "true"))
}

/// What was typed, or the form with what could not be read.
async fn input(
    console: &Console,
    posted: &PostedProduct,
    product_type: ProductType,
    product: Option<&Product>,
) -> Result<Result<ProductInput, Form>, Failed> {
    let labels = match rows::read_labels(posted.text("labels")) {
        Ok(labels) => labels,
        Err(line) => {
            let sentence = console.say("error.label_line", &[("line", &line)]);
            return Ok(Err(rows::refused_field(posted, "labels", sentence)));
        }
    };
    let common = ProductInput {
        name: Some(posted.text("name").trim().to_owned()),
        desc: Some(posted.text("desc").to_owned()),
        labels: Some(labels),
        visibility: Visibility::from_name(posted.text("visibility")),
        ..Default::default()
    };
    if product_type == ProductType::External {
        let servers = rows::lines(posted.text("servers"));
        return Ok(Ok(ProductInput {
            document: Some(posted.text("document").to_owned()),
            server_urls: (!servers.is_empty()).then_some(servers),
            ..common
        }));
    }
    let links = match links(console, posted, product).await? {
        Ok(links) => links,
        Err(form) => return Ok(Err(form)),
    };
    // While it is published the form has no such fields: they stay as they are.
    let locked = product.is_some_and(|product| product.status == ProductStatus::Published);
    Ok(Ok(ProductInput {
        auth: (!locked).then(|| auth(posted)),
        services: Some(links),
        subscription_auto_approval: Some(!posted.ticked("subscription_approval")),
        can_view_unsubscribed: Some(posted.ticked("can_view_unsubscribed")),
        ..common
    }))
}

fn auth(posted: &PostedProduct) -> ProductAuth {
    let chosen = posted.texts("auth");
    let hide_credentials = posted.ticked("hide_credentials");
    let chose = |method: &str| chosen.iter().any(|own| own == method);
    let or_default = |name: &str| posted.given(name).unwrap_or(KEY_DEFAULT).trim().to_owned();
    ProductAuth {
        key_auth: chose("key_auth").then(|| KeyAuthMethod {
            header: or_default("key_header"),
            query: or_default("key_query"),
            hide_credentials,
        }),
        basic_auth: chose("basic_auth").then_some(BasicAuthMethod { hide_credentials }),
        jwt_auth: chose("jwt_auth").then_some(JwtAuthMethod { hide_credentials }),
        dcr: posted.given("dcr_provider").and_then(DcrProviderId::parse),
    }
}

/// The chosen services with their groups; one that is linked already keeps its hosts.
async fn links(
    console: &Console,
    posted: &PostedProduct,
    product: Option<&Product>,
) -> Result<Result<Vec<LinkedService>, Form>, Failed> {
    let offered = offered(console, product.map(|product| &product.id)).await?;
    let present =
        product.and_then(Product::gateway_offer).map(|offer| offer.services.as_slice()).unwrap_or_default();
    // What the form could not show stays: it cannot have been unticked.
    let is_hidden = |link: &&LinkedService| !offered.iter().any(|(_, service)| service.id == link.service_id);
    let mut links: Vec<_> = present.iter().filter(is_hidden).cloned().collect();
    for id in posted.texts("services") {
        let Some((_, service)) = offered.iter().find(|(_, service)| service.id.as_str() == id) else {
            let sentence = console.say("error.service_gone", &[]);
            return Ok(Err(rows::refused_field(posted, "services", sentence)));
        };
        let kept = present.iter().find(|link| link.service_id == service.id);
        links.push(LinkedService {
            gateway_group_id: service.gateway_group_id.clone(),
            service_id: service.id.clone(),
            linked_hosts: kept.map(|link| link.linked_hosts.clone()).unwrap_or_default(),
        });
    }
    Ok(Ok(links))
}
