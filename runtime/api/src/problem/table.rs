//! The table itself: every kind of failure once, with its class, HTTP status and title.

use serde::{Deserialize, Serialize};

/// What kind of failure it is; decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// What was sent is wrong and stays wrong.
    Invalid,
    /// What was asked for is not there.
    NotFound,
    /// What is there does not permit it.
    Conflict,
    /// Whoever asked may not have it.
    Denied,
    /// It cannot be done now, but perhaps later.
    Unavailable,
    /// A fault of Sandglass. Also what a client takes a class for that it does not know.
    #[serde(other)]
    Internal,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 6] =
        [Self::Invalid, Self::NotFound, Self::Conflict, Self::Denied, Self::Unavailable, Self::Internal];

    /// The exit code of a command that failed so.
    #[must_use]
    pub const fn exit_code(self) -> ExitCode {
        match self {
            Self::Invalid => ExitCode::Invalid,
            Self::NotFound => ExitCode::NotFound,
            Self::Conflict => ExitCode::Conflict,
            Self::Denied => ExitCode::Denied,
            Self::Unavailable => ExitCode::Unavailable,
            Self::Internal => ExitCode::Internal,
        }
    }
}

/// How a command ends. Scripts rely on these numbers: they never change their meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitCode {
    /// Done.
    Done = 0,
    /// What was asked about is not so: a run did not succeed, a check failed.
    NotSo = 1,
    /// The command line was wrong.
    Usage = 2,
    /// [`Class::Invalid`].
    Invalid = 3,
    /// [`Class::NotFound`].
    NotFound = 4,
    /// [`Class::Conflict`].
    Conflict = 5,
    /// [`Class::Denied`].
    Denied = 6,
    /// [`Class::Unavailable`].
    Unavailable = 7,
    /// [`Class::Internal`].
    Internal = 70,
}

impl ExitCode {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// A row of the table.
struct Row {
    code: &'static str,
    class: Class,
    status: u16,
    title: &'static str,
}

macro_rules! table {
    ($( $(#[$doc:meta])* $name:ident: $code:literal, $class:ident, $status:literal, $title:literal; )*) => {
        /// What went wrong, by its stable code. Programs may rely on the code; texts may change.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        pub enum Code {
            $( $(#[$doc])* $name, )*
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[ $( Self::$name, )* ];

            const fn row(self) -> Row {
                match self {
                    $( Self::$name => Row { code: $code, class: Class::$class, status: $status, title: $title }, )*
                }
            }
        }
    };
}

table! {
    /// The request cannot be read: its query, a header or the form of its body.
    BadRequest: "bad_request", Invalid, 400, "The request cannot be read";
    /// The route is there, the method is not.
    MethodNotAllowed: "method_not_allowed", Invalid, 405, "The method is not allowed here";
    /// The body is larger than it may be.
    TooLarge: "too_large", Invalid, 413, "The request is too large";
    /// The job's specification is wrong.
    InvalidJob: "invalid_job", Invalid, 422, "The job is not valid";
    /// The job names a plugin that is not there.
    UnknownPlugin: "unknown_plugin", Invalid, 422, "The job's plugin is not there";
    /// The job names an action that its plugin lacks.
    UnknownAction: "unknown_action", Invalid, 422, "The plugin has no such action";
    /// The notifiers of a namespace are wrong.
    InvalidNotify: "invalid_notify", Invalid, 422, "The notifiers are not valid";
    /// The calendar is wrong.
    InvalidCalendar: "invalid_calendar", Invalid, 422, "The calendar is not valid";
    /// The job template is wrong, or a job that extends it could not be as it says.
    InvalidTemplate: "invalid_template", Invalid, 422, "The template is not valid";
    /// The target is wrong, or does not fit together with the others.
    InvalidTarget: "invalid_target", Invalid, 422, "The target is not valid";
    /// The group of targets is wrong, or does not fit together with the others.
    InvalidGroup: "invalid_group", Invalid, 422, "The group is not valid";
    /// What is to select targets is no selector, or names what is not there.
    InvalidSelector: "invalid_selector", Invalid, 422, "The targets cannot be selected";
    /// The secret is wrong, or there are too many.
    InvalidSecret: "invalid_secret", Invalid, 422, "The secret is not valid";
    /// More fires than one backfill may have.
    BackfillTooLarge: "backfill_too_large", Invalid, 422, "The backfill is too large";
    /// The action's parameters break its schema, or the plugin refuses them.
    InvalidParams: "invalid_params", Invalid, 422, "The action's parameters are not valid";
    /// The bytes are no component, or not one that can be run here.
    InvalidComponent: "invalid_component", Invalid, 422, "The component cannot be used";
    /// A file cannot be read. Only a client says so.
    InvalidFile: "invalid_file", Invalid, 400, "The file cannot be read";
    /// A file or an entry that another program made is in the way. Only a client says so.
    ForeignFile: "foreign_file", Conflict, 409, "Something of another program is in the way";
    /// There is no such route.
    NoRoute: "no_route", NotFound, 404, "There is nothing at this address";
    /// There is no such job.
    JobNotFound: "job_not_found", NotFound, 404, "There is no such job";
    /// There is no such run.
    RunNotFound: "run_not_found", NotFound, 404, "There is no such run";
    /// The run left no such artifact.
    ArtifactNotFound: "artifact_not_found", NotFound, 404, "There is no such artifact";
    /// There is no such plugin.
    PluginNotFound: "plugin_not_found", NotFound, 404, "There is no such plugin";
    /// There is no such calendar.
    CalendarNotFound: "calendar_not_found", NotFound, 404, "There is no such calendar";
    /// The namespace has no notifiers.
    NotifyNotFound: "notify_not_found", NotFound, 404, "The namespace has no notifiers";
    /// There is no such job template.
    TemplateNotFound: "template_not_found", NotFound, 404, "There is no such template";
    /// There is no such secret, or no such version of it.
    SecretNotFound: "secret_not_found", NotFound, 404, "There is no such secret";
    /// There is no such target.
    TargetNotFound: "target_not_found", NotFound, 404, "There is no such target";
    /// There is no such group of targets.
    GroupNotFound: "group_not_found", NotFound, 404, "There is no such group";
    /// Something that a run would need is not there: no plan can be made of it.
    PlanNotFound: "plan_not_found", NotFound, 404, "What the job names is not there";
    /// A job of this name is there already.
    JobExists: "job_exists", Conflict, 409, "A job of this name is there already";
    /// The job is disabled, so it does nothing.
    JobDisabled: "job_disabled", Conflict, 409, "The job is disabled";
    /// Other jobs come after the job, or require it.
    JobInUse: "job_in_use", Conflict, 409, "Other jobs wait for the job";
    /// The run is over, so it cannot be stopped.
    RunOver: "run_over", Conflict, 409, "The run is over";
    /// The run is not over, so it cannot be made again.
    RunGoing: "run_going", Conflict, 409, "The run is not over";
    /// The plugin could not say what a run would do, or the run could not begin.
    PlanFailed: "plan_failed", Conflict, 409, "No plan could be made";
    /// The store was written by a version whose format is not read here. Only a daemon that starts says so.
    StoreFormat: "store_format", Conflict, 409, "The store belongs to another version";
    /// Jobs use the calendar.
    CalendarInUse: "calendar_in_use", Conflict, 409, "The calendar is in use";
    /// Jobs extend the template.
    TemplateInUse: "template_in_use", Conflict, 409, "The template is in use";
    /// Groups name the target, or other targets are reached by way of it.
    TargetInUse: "target_in_use", Conflict, 409, "The target is in use";
    /// Other groups name the group.
    GroupInUse: "group_in_use", Conflict, 409, "The group is in use";
    /// Jobs, notifiers or targets use the secret.
    SecretInUse: "secret_in_use", Conflict, 409, "The secret is in use";
    /// Jobs use the plugin.
    PluginInUse: "plugin_in_use", Conflict, 409, "The plugin is in use";
    /// The plugin came with Sandglass.
    PluginBuiltIn: "plugin_built_in", Conflict, 409, "The plugin came with Sandglass";
    /// The job, calendar, template, target or group has another revision than the request expects. RFC 9110, section 13.1.1, wants 412.
    RevisionConflict: "revision_conflict", Conflict, 412, "It was changed in the meantime";
    /// No token, or one that is not known.
    Unauthenticated: "unauthenticated", Denied, 401, "A valid token is needed";
    /// The token does not allow it.
    Forbidden: "forbidden", Denied, 403, "This is not allowed";
    /// The plugin asks for a capability that nobody granted.
    MissingGrant: "missing_grant", Denied, 403, "A grant is missing";
    /// The daemon is stopping.
    Stopping: "stopping", Unavailable, 503, "The daemon is stopping";
    /// The daemon cannot do it now.
    Unavailable: "unavailable", Unavailable, 503, "The daemon cannot do this now";
    /// A schedule cannot change yet, as many of its fires are overdue and each must leave its record first.
    FiresOverdue: "fires_overdue", Unavailable, 503, "Overdue fires come first";
    /// No daemon could be reached. Only a client says so.
    NoDaemon: "no_daemon", Unavailable, 503, "The daemon cannot be reached";
    /// The keys of secrets cannot be used, or a secret not be opened with them.
    SecretUnreadable: "secret_unreadable", Unavailable, 503, "The secret cannot be opened";
    /// The disk is full.
    StoreFull: "store_full", Unavailable, 507, "The disk is full";
    /// A fault of Sandglass.
    Internal: "internal", Internal, 500, "Sandglass made a mistake";
}

impl Code {
    /// The code in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().code
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn class(self) -> Class {
        self.row().class
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// The failure in a few words, the same for every case of it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().title
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let mut codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let numbers: Vec<u8> = Class::ALL.iter().map(|class| class.exit_code().number()).collect();
        assert_eq!(numbers, [3, 4, 5, 6, 7, 70]);
    }
}
