//! What exists from the start: the first administrator, the portal `default`, the gateway group `default`.

use forecourt_core::{
    actors::{Caller, Source},
    administrators::{Administrator, StoredPassword},
    events::{Event, EventName},
    gateway_groups::{GatewayGroup, GatewayGroupInput},
    ids::{AdministratorId, EventId, GatewayGroupId, PortalId, RequestId, SignInOptionId},
    portals::{Portal, PortalInput},
    random::Random,
    roles::AssignedRole,
    sign_in_options::SignInOption,
    time::Timestamp,
};
use forecourt_identity::{passwords::Passwords, sealing::Sealer};
use forecourt_store::{Store, Tx};
use serde_json::json;

use crate::{
    Config, Error, audit_logs, master_keys,
    random::OsRandom,
    sync_authority::{self, SyncAuthority},
};

/// What every process on a database has in common.
pub(crate) struct Made {
    /// The key for form tokens.
    pub(crate) csrf_key: Vec<u8>,
    /// What gateway nodes know the control plane by.
    pub(crate) sync_authority: SyncAuthority,
    /// What seals and opens secrets.
    pub(crate) sealer: Sealer,
    /// Whether the first administrator was made just now, with the password of the configuration.
    pub(crate) first_administrator: bool,
}

/// Makes what is missing, and returns what every process needs of it.
pub(crate) async fn run(
    store: &Store,
    passwords: &Passwords,
    config: &Config,
    now: Timestamp,
) -> Result<Made, Error> {
    // Hashing is slow: done before the transaction, so that no other process waits for it.
    let hash = match store.read().administrator_count().await? {
        0 => Some(passwords.hash(&config.admin_password).await?),
        _ => None,
    };
    let mut tx = store.begin().await?;
    let sealer = master_keys::load(&tx, &config.master_key, now).await?;
    let key = match tx.csrf_key().await? {
        Some(key) => key,
        None => make_csrf_key(&tx).await?,
    };
    let sync_authority = sync_authority::load(&tx, &sealer).await?;
    tx.complete_change_log(now).await?;
    // Where several processes start at once, one of them makes the administrator, and its password is the one.
    let mut first = None;
    if let Some(hash) = hash
        && tx.administrator_count().await? == 0
    {
        first = Some(make_first_administrator(&tx, config, hash, now).await?);
    }
    // The events of a start and their record are of one request.
    let caller = Caller::system(Source::CommandLine, RequestId::issue(now, &mut OsRandom));
    offer_passwords(&mut tx, config, &caller, now).await?;
    if tx.gateway_group(&GatewayGroupId::default_group()).await?.is_none() {
        let input = GatewayGroupInput { name: Some("default".into()), ..Default::default() };
        tx.insert_gateway_group(&GatewayGroup::new(GatewayGroupId::default_group(), input, now)?).await?;
    }
    // Only at the very first start: a provider may rename or delete the default portal.
    if tx.all_portals().await?.is_empty() && tx.events_of("portal", "default", 1).await?.is_empty() {
        make_default_portal(&mut tx, &caller, now).await?;
    }
    if let Some(first) = &first {
        // Told last, so that the record of the first start is the one of who was made first.
        let event = EventId::issue(now, &mut OsRandom);
        let name = EventName::AdministratorCreated;
        let event = Event::new(event, now, &caller, name, "administrator", first.id.as_str());
        tx.record(event.with_detail(json!({ "username": first.username })));
    }
    audit_logs::append_bare(&tx, sealer.audit_chain(), &caller, now).await?;
    tx.commit(now).await?;
    Ok(Made { csrf_key: key.into_bytes(), sync_authority, sealer, first_administrator: first.is_some() })
}

/// Makes the administrators' built-in sign-in option, and enables it where the configuration says so.
async fn offer_passwords(tx: &mut Tx, config: &Config, caller: &Caller, now: Timestamp) -> Result<(), Error> {
    match tx.built_in_sign_in(None).await? {
        None => {
            let option = SignInOption::built_in(SignInOptionId::administrators(), None, now);
            tx.insert_sign_in_option(&option).await?;
        }
        Some(option) if option.disable && config.enable_passwords => {
            let option = SignInOption { disable: false, updated_at: now, ..option };
            tx.save_sign_in_option(&option).await?;
            let event = EventId::issue(now, &mut OsRandom);
            let name = EventName::SignInOptionUpdated;
            tx.record(Event::new(event, now, caller, name, "sign_in_option", option.id.as_str()));
        }
        Some(_) => {}
    }
    Ok(())
}

async fn make_csrf_key(tx: &Tx) -> Result<String, Error> {
    let mut bytes = [0u8; 32];
    OsRandom.fill(&mut bytes);
    let key: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    tx.save_csrf_key(key.clone()).await?;
    Ok(key)
}

async fn make_first_administrator(
    tx: &Tx,
    config: &Config,
    hash: String,
    now: Timestamp,
) -> Result<Administrator, Error> {
    let username = config.admin_username.clone();
    let first = Administrator {
        password: Some(StoredPassword { hash, one_time: true }),
        activated: true,
        initial: true,
        ..Administrator::new(AdministratorId::issue(now, &mut OsRandom), username, now)
    };
    tx.insert_administrator(&first).await?;
    tx.save_assigned_roles(&first.id, &[AssignedRole::super_admin()]).await?;
    tx.date_built_in_permissions(now).await?;
    Ok(first)
}

async fn make_default_portal(tx: &mut Tx, caller: &Caller, now: Timestamp) -> Result<(), Error> {
    let input = PortalInput { name: Some(Portal::DEFAULT_NAME.into()), ..Default::default() };
    let portal = Portal::new(PortalId::issue(now, &mut OsRandom), input, now)?;
    tx.insert_portal(&portal).await?;
    let option = SignInOptionId::issue(now, &mut OsRandom);
    let option = SignInOption::built_in(option, Some(portal.id.clone()), now);
    tx.insert_sign_in_option(&option).await?;
    let event = EventId::issue(now, &mut OsRandom);
    // Recorded under the name, so that a later start knows that it was made once.
    tx.record(
        Event::new(event, now, caller, EventName::PortalCreated, "portal", Portal::DEFAULT_NAME)
            .of_portal(&portal.id),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use forecourt_core::{audit_logs::AuditFilter, time::Timestamp};
    use forecourt_store::{Location, Store};

    use crate::{App, Config, authentication};

    #[tokio::test]
    async fn of_processes_that_start_at_once_the_one_whose_password_holds_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("forecourt.db"));
        let stores = [Store::open(&location).await.unwrap(), Store::open(&location).await.unwrap()];
        let defaults = Config::default();
        let open = async |password: &str, store: &Store| {
            let store = store.clone();
            let config = Config { admin_password: password.into(), ..defaults.clone() };
            let clock = Arc::new(|| Timestamp::from_seconds(1_786_060_800));
            (App::open(store, &config, clock).await.unwrap(), password.to_owned())
        };
        let (one, other) = tokio::join!(open("the first one", &stores[0]), open("the other one", &stores[1]));
        let made: Vec<_> =
            [&one, &other].into_iter().filter(|(app, _)| app.made_first_administrator()).collect();
        let [(_, password)] = made.as_slice() else { panic!("{} of them", made.len()) };
        let (app, _) = open("a later one", &stores[0]).await;
        assert!(!app.made_first_administrator());
        authentication::by_password(&app, None, "admin", password).await.unwrap();

        let made = AuditFilter { event_type: Some("CreateUser".into()), ..AuditFilter::default() };
        let made = stores[0].read().audit_records(&made).await.unwrap();
        let [logged] = made.rows.as_slice() else { panic!("{} records", made.total) };
        assert_eq!(logged.record.source, "command_line");
        let told = format!("{:?}", logged.record);
        assert!(told.contains("administrator_created") && told.contains("\"admin\""), "{told}");
    }
}
