//! Deleting things by their names.

use std::fmt::Display;

use sandglass_api::client::ClientError;
use serde::Serialize;

use super::confirm::confirm;
use crate::context::{Context, print, print_json};
use crate::failure::{Failure, Telling};

/// What is deleted, in words.
pub(super) struct Deletion {
    /// What one of them is.
    pub(super) what: &'static str,
    /// What else there is to know before: it ends the question, which is asked first.
    pub(super) before: &'static str,
    /// What else there is to know afterwards.
    pub(super) after: &'static str,
}

impl Deletion {
    /// Of things that leave nothing behind.
    pub(super) const fn of(what: &'static str) -> Self {
        Self { what, before: "?", after: "" }
    }

    /// Asks, unless `yes` says so already, and deletes all that can be deleted with `one`. What cannot keeps none of the
    /// others, and each is told; the first decides about the exit code.
    pub(super) async fn run<N: Display + Serialize>(
        &self,
        names: &[N],
        yes: bool,
        context: &Context,
        one: impl AsyncFn(&N) -> Result<(), ClientError>,
    ) -> Result<(), Failure> {
        let Self { what, before, after } = self;
        let listed = names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        confirm(&format!("Delete {listed}{before}"), yes, "nothing was deleted")?;
        let mut deleted = Vec::new();
        let mut failed = None;
        for name in names {
            match one(name).await {
                Ok(()) if context.is_json() => deleted.push(name),
                Ok(()) => print(&format!("{what} '{name}' is deleted{after}\n"))?,
                Err(error) if names.len() == 1 => return Err(error.into()),
                Err(error) => {
                    let told = Failure::from(error).told(&Telling::of(context));
                    failed = failed.or(Some(told));
                }
            }
        }
        if context.is_json() {
            print_json(&serde_json::json!({ "deleted": deleted }))?;
        }
        failed.map_or(Ok(()), Err)
    }
}
