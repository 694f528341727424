//! Deleting things by their names.

use std::fmt::Display;

use sandglass_api::client::ClientError;
use sandglass_api::problem::{Code, Problem};
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

    /// Asks, unless `yes` says so already, and deletes all that can be deleted with `one`, in whatever order it takes. What
    /// cannot keeps none of the others, and each is told; the first decides about the exit code.
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
        let (mut deleted, mut rest): (Vec<&N>, Vec<&N>) = (Vec::new(), names.iter().collect());
        let failed = loop {
            let mut failed = Vec::new();
            for name in &rest {
                match one(name).await {
                    Ok(()) => {
                        deleted.push(name);
                        if !context.is_json() {
                            print(&format!("{what} '{name}' is deleted{after}\n"))?;
                        }
                    }
                    Err(ClientError::Refused(problem)) if names.len() > 1 && !is_of_us(&problem) => {
                        failed.push((*name, problem));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            // What one that is deleted by now stood in the way of may be deleted now.
            if failed.is_empty() || failed.len() == rest.len() {
                break failed;
            }
            rest = failed.into_iter().map(|(name, _)| name).collect();
        };
        if context.is_json() {
            print_json(&serde_json::json!({ "deleted": deleted }))?;
        }
        let told = failed.into_iter().map(|(_, problem)| Failure::Problem(problem).told(&Telling::of(context)));
        told.collect::<Vec<_>>().into_iter().next().map_or(Ok(()), Err)
    }
}

/// Whether a problem is with whoever asks, whatever that is for.
fn is_of_us(problem: &Problem) -> bool {
    problem.is(Code::Unauthenticated) || problem.is(Code::Forbidden) || problem.is(Code::Stopping)
}
