//! The Developer Portal site, one file per noun: the pages' contexts here, what fills them in `handlers`.

pub mod account;
pub mod applications;
pub mod credentials;
mod handlers;
pub mod home;
pub mod hub;
pub mod person_links;
pub mod products;
pub mod sign_in;
pub mod subscriptions;

use crate::samples::{AnySample, of};

pub use handlers::router;

/// Every sample of this site's own pages.
pub fn samples() -> Vec<AnySample> {
    [
        of::<home::Home>(),
        of::<hub::Hub>(),
        of::<products::ProductPage>(),
        of::<applications::ApplicationList>(),
        of::<applications::ApplicationForm>(),
        of::<applications::ApplicationPage>(),
        of::<credentials::CredentialForm>(),
        of::<credentials::SecretShown>(),
        of::<subscriptions::Subscribe>(),
        of::<crate::plans::ChoosePlan>(),
        of::<sign_in::SignIn>(),
        of::<sign_in::SignUp>(),
        of::<sign_in::FirstPassword>(),
        of::<sign_in::Pending>(),
        of::<sign_in::SignedOut>(),
        of::<person_links::WaitingForMail>(),
        of::<person_links::Verification>(),
        of::<person_links::ResetRequest>(),
        of::<person_links::NewPassword>(),
        of::<person_links::UnknownLink>(),
        of::<account::Account>(),
        of::<account::PasswordChange>(),
        of::<account::Sessions>(),
    ]
    .concat()
}
