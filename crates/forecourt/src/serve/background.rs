//! The work of a running Forecourt that nobody waits for.

use std::sync::Arc;

use forecourt_app::App;

use crate::{
    audit_keeping::{self, AuditKeeping},
    config::Settings,
    dcr_removing::{self, Removing},
    delivering::{self, Delivering},
    jobs::Jobs,
    master_key::resealing::{self, Resealing},
    usage_keeping::{self, Keeping},
};

/// All of it. What goes out to others is not there where the settings keep it in.
pub(super) struct Background {
    keeping: Keeping,
    removing: Option<Removing>,
    delivering: Option<Delivering>,
    auditing: AuditKeeping,
    resealing: Resealing,
}

impl Background {
    pub(super) fn start(settings: &Settings, app: &App, jobs: &Arc<Jobs>) -> Self {
        let goes_out = settings.background.outgoing;
        if !goes_out {
            tracing::warn!(
                "background.outgoing is off: no mail is sent, no webhook is called and no OAuth client is changed"
            );
        }
        Self {
            keeping: usage_keeping::start(app.clone(), Arc::clone(jobs)),
            removing: goes_out.then(|| dcr_removing::start(app.clone(), Arc::clone(jobs))),
            delivering: goes_out.then(|| delivering::start(app.clone(), Arc::clone(jobs))),
            auditing: audit_keeping::start(app.clone(), Arc::clone(jobs)),
            resealing: resealing::start(app.clone(), Arc::clone(jobs)),
        }
    }

    /// Ends it; the audit log last, since the others may still do something.
    pub(super) async fn stop(self) {
        let told = async {
            if let Some(delivering) = self.delivering {
                delivering.stop().await;
            }
        };
        let removed = async {
            if let Some(removing) = self.removing {
                removing.stop().await;
            }
        };
        tokio::join!(told, removed);
        self.keeping.stop().await;
        self.resealing.stop().await;
        self.auditing.stop().await;
    }
}
