//! Developers, applications, credentials and subscriptions in bulk, as the use cases would have written them.

use forecourt_core::{
    applications::{Application, ApplicationInput},
    credentials::{Credential, CredentialInput, CredentialVersion},
    developers::Developer,
    gateway_state::{CredentialSecret, Resource, Scope},
    ids::{
        ApplicationId, CredentialId, CredentialVersionId, DeveloperId, DeveloperName, PortalId, ProductId,
        SubscriptionId,
    },
    random::Random,
    secrets::SecretDigest,
    subscriptions::{Subscription, SubscriptionStatus},
    time::Timestamp,
};
use forecourt_it::TestDatabase;
use forecourt_store::{Location, Store, Tx};

use crate::{APPLICATIONS, APPLICATIONS_EACH, Made, SUBSCRIPTIONS_EACH};

/// Applications of one write.
const AT_ONCE: usize = 500;

/// Numbers that look random and are the same in each run (xorshift64*).
struct Dice(u64);

impl Random for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            *byte = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8;
        }
    }
}

/// Writes them all; developers are called `developer-0` and so on.
pub(crate) async fn fill(database: &TestDatabase, made: &Made) {
    let location = match database.url() {
        url if url.is_empty() => Location::Sqlite(database.folder().join("forecourt.db")),
        url => Location::Postgres(url),
    };
    let store = Store::open(&location).await.unwrap();
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut dice = Dice(0x5eed);
    let first = Timestamp::from_seconds(i64::try_from(seconds).unwrap() - APPLICATIONS as i64);
    for piece in (0..APPLICATIONS).collect::<Vec<_>>().chunks(AT_ONCE) {
        let mut tx = store.begin().await.unwrap();
        let mut developer = None;
        for number in piece {
            let now = first.plus_seconds(*number as i64);
            if number % APPLICATIONS_EACH == 0 {
                let name = DeveloperName::known(format!("developer-{}", number / APPLICATIONS_EACH));
                let id = DeveloperId::issue(now, &mut dice);
                let made = Developer::from_front_end(id, PortalId::known(made.portal.as_str()), name, now);
                tx.insert_developer(&made).await.unwrap();
                developer = Some(made);
            }
            add(&mut tx, developer.as_ref().unwrap(), *number, made, now, &mut dice).await;
        }
        tx.commit(first).await.unwrap();
    }
}

/// One application with a credential and its subscriptions.
async fn add(
    tx: &mut Tx,
    developer: &Developer,
    number: usize,
    made: &Made,
    now: Timestamp,
    dice: &mut Dice,
) {
    let scope = Scope::Portal(developer.portal_id.clone());
    let labels = [("env", ["prod", "test"][number % 2]), ("team", ["a", "b", "c"][number % 3])];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let input = ApplicationInput {
        name: Some(format!("application {number}")),
        labels: Some(labels),
        ..Default::default()
    };
    let application = Application::new(ApplicationId::issue(now, dice), developer, input, now).unwrap();
    tx.insert_application(&application).await.unwrap();
    tx.put(scope.clone(), Resource::Application(application.gateway_state(developer)));
    let version = CredentialVersion {
        id: CredentialVersionId::issue(now, dice),
        secret: CredentialSecret::KeyAuth { digest: SecretDigest::of(format!("key {number}").as_bytes()) },
        created_at: now,
    };
    let input = CredentialInput { name: Some("production".to_owned()), ..Default::default() };
    let id = CredentialId::issue(now, dice);
    let credential = Credential::new(id, application.id.clone(), input, version, now).unwrap();
    tx.insert_credential(&credential).await.unwrap();
    tx.put(scope.clone(), Resource::Credential(credential.gateway_state()));
    for step in 0..SUBSCRIPTIONS_EACH {
        let product = &made.products[(number + step * 2) % made.products.len()];
        let subscription = Subscription {
            id: SubscriptionId::issue(now, dice),
            portal_id: developer.portal_id.clone(),
            application_id: application.id.clone(),
            product_id: ProductId::known(product.as_str()),
            plan_id: None,
            status: SubscriptionStatus::Subscribed,
            subscribed_at: Some(now),
            created_at: now,
        };
        tx.insert_subscription(&subscription).await.unwrap();
        tx.put(scope.clone(), Resource::Grant(subscription.grant()));
    }
}
