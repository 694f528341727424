//! Failures as RFC 9457 problem documents, and the one table from failure to class, HTTP status, code and exit code.

mod table;

use std::fmt;

use serde::{Deserialize, Serialize};

use sandglass_core::capability::Denial;
use sandglass_core::event::Refusal;
use sandglass_core::target::FleetPart;

pub use table::{Class, Code, ExitCode};

use crate::jobfile::JobFileError;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A failure as the API tells it (RFC 9457).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// Names the kind of problem: `urn:sandglass:problem:CODE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, for people.
    #[serde(default)]
    pub detail: String,
    /// The stable code.
    pub code: String,
    /// What kind of failure it is.
    pub class: Class,
    /// What to do next, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The faults one by one, if the request's body had them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
}

/// One fault in a request's body.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) to the faulty value.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
    /// Where it is in the text of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What to do about it, for people, if that is not the problem's hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A place in a text. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Problem {
    /// A problem of the kind `code`; `detail` says what happened this time.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:sandglass:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            code: code.as_str().to_owned(),
            class: code.class(),
            hint: None,
            errors: Vec::new(),
        }
    }

    /// With what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With one more fault: a JSON Pointer and what is wrong there.
    #[must_use]
    pub fn with_fault(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(Fault { pointer: pointer.into(), message: message.into(), position: None, hint: None });
        self
    }

    /// Whether the problem is of the kind `code`.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.code == code.as_str()
    }

    /// The exit code of a command that failed with it.
    #[must_use]
    pub const fn exit_code(&self) -> ExitCode {
        self.class.exit_code()
    }

    /// What the faults of a job in a request's body come to.
    #[must_use]
    pub fn from_job_errors(errors: &[JobFileError]) -> Self {
        let detail = match errors {
            [] => "the job is not valid".to_owned(),
            [only] => only.message.clone(),
            [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
        };
        let mut problem = Self::new(Code::InvalidJob, detail);
        problem.hint = errors.iter().find_map(|error| error.hint.clone());
        problem.errors = errors
            .iter()
            .map(|error| Fault {
                pointer: error.pointer.clone(),
                message: error.message.clone(),
                position: Some(error.position),
                hint: None,
            })
            .collect();
        problem
    }

    /// What a job lacks that would be denied at every run. Empty if nothing is missing.
    #[must_use]
    pub fn from_denials(denials: &[Denial]) -> Option<Self> {
        let first = denials.first()?;
        let mut problem = Self::new(Code::MissingGrant, first.to_string())
            .with_hint(format!("the grant that is missing: {}", first.grant));
        for denial in denials {
            problem = problem.with_fault("/action/use", denial.to_string());
        }
        Some(problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.detail.is_empty() { &self.title } else { &self.detail })
    }
}

impl std::error::Error for Problem {}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (code, hint) = match &refusal {
            Refusal::NoJob { .. } => (Code::JobNotFound, Some("`sandglass job list` shows the jobs there are")),
            Refusal::NoJobTagged { .. } => (Code::JobNotFound, Some("`sandglass job list -o wide` shows the tags")),
            Refusal::Disabled { .. } => (Code::JobDisabled, None),
            Refusal::NoParameter { .. } | Refusal::MissingParameter { .. } => {
                (Code::InvalidParams, Some("`sandglass job show NAME` shows the parameters that a job declares"))
            }
            Refusal::NoUpstream { .. } => (Code::InvalidJob, Some("`sandglass job list` shows the jobs there are")),
            Refusal::Circle { .. } => (Code::InvalidJob, None),
            Refusal::JobInUse { .. } => (Code::JobInUse, None),
            Refusal::NoActiveRun(_) => (Code::RunOver, None),
            Refusal::NoPlugin(_) => (Code::PluginNotFound, Some("`sandglass plugin list` shows the plugins there are")),
            Refusal::NoCalendar { .. } => {
                (Code::CalendarNotFound, Some("`sandglass calendar list` shows the calendars there are"))
            }
            Refusal::TooManyCalendars { .. } => (Code::InvalidCalendar, None),
            Refusal::CalendarInUse { .. } => (Code::CalendarInUse, None),
            Refusal::NoNotify(_) => (Code::NotifyNotFound, Some("`sandglass namespace notify set FILE` saves some")),
            Refusal::PluginNotifies { .. } => {
                (Code::PluginInUse, Some("`sandglass namespace notify show` shows the notifiers of a namespace"))
            }
            Refusal::NoTemplate { .. } => {
                (Code::TemplateNotFound, Some("`sandglass template list` shows the templates there are"))
            }
            Refusal::TooManyTemplates { .. } | Refusal::TemplateBreaks { .. } => (Code::InvalidTemplate, None),
            Refusal::TemplateInUse { .. } => (Code::TemplateInUse, None),
            Refusal::NoTarget { what: FleetPart::Target(_), .. } => {
                (Code::TargetNotFound, Some("`sandglass target list` shows the targets there are"))
            }
            Refusal::NoTarget { what: FleetPart::Group(_), .. } => {
                (Code::GroupNotFound, Some("`sandglass group list` shows the groups there are"))
            }
            Refusal::TargetInUse { what: FleetPart::Target(_), .. } => (Code::TargetInUse, None),
            Refusal::TargetInUse { what: FleetPart::Group(_), .. } => (Code::GroupInUse, None),
            Refusal::Fleet(error) => (if error.is_of_group() { Code::InvalidGroup } else { Code::InvalidTarget }, None),
            Refusal::RevisionConflict { .. }
            | Refusal::CalendarConflict { .. }
            | Refusal::NotifyConflict { .. }
            | Refusal::TargetConflict { .. }
            | Refusal::TemplateConflict { .. }
            | Refusal::TemplateMoved { .. } => (Code::RevisionConflict, None),
            Refusal::PluginInUse { .. } | Refusal::PluginLacks { .. } => (Code::PluginInUse, None),
            Refusal::BackfillTooLarge { .. } | Refusal::BackfillTooLong { .. } => (Code::BackfillTooLarge, None),
            Refusal::Overdue { .. } => (Code::FiresOverdue, None),
            Refusal::BuiltIn(_) => (Code::PluginBuiltIn, None),
            Refusal::Stopping => (Code::Stopping, Some("wait until it is up again and repeat the command")),
        };
        let problem = Self::new(code, refusal.to_string());
        match hint {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_an_rfc_9457_document() {
        let problem = Problem::new(Code::InvalidParams, "the command is empty")
            .with_fault("/action/with/command", "the command is empty")
            .with_hint("write a command");
        insta::assert_snapshot!(serde_json::to_string_pretty(&problem).unwrap(), @r#"
        {
          "type": "urn:sandglass:problem:invalid_params",
          "title": "The action's parameters are not valid",
          "status": 422,
          "detail": "the command is empty",
          "code": "invalid_params",
          "class": "invalid",
          "hint": "write a command",
          "errors": [
            {
              "pointer": "/action/with/command",
              "message": "the command is empty"
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_class_of_the_future_is_internal() {
        let text = r#"{"type":"x","title":"t","status":418,"code":"teapot","class":"brewing"}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        assert_eq!(problem.exit_code(), ExitCode::Internal);
        assert_eq!(problem.to_string(), "t");
    }

    #[test]
    fn refusals_have_their_rows() {
        let refusal = Refusal::NoJob { namespace: "default".parse().unwrap(), name: "a".parse().unwrap() };
        let problem = Problem::from(refusal);
        assert_eq!((problem.status, problem.exit_code().number()), (404, 4));
        assert_eq!(problem.detail, "there is no job 'a' in namespace 'default'");
    }
}
