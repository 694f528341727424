//! What a plugin may ask of the host, and the pure rule that grants or refuses it.
//!
//! What a run may do is the intersection of four layers: what the plugin asks for in its manifest, what the operator's
//! ceiling allows, what the plugin was granted when it was added, and the job's own `grants` where it has any. Anything
//! that one of them does not allow is refused, and the refusal names the layer and the line that would allow it.

mod address;
mod docker;
mod files;
mod http;
mod list;
mod pattern;
mod process;
mod remote;
mod secrets;
mod uses;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use address::{AddressKind, address_kind};
pub use docker::{DockerGrant, DockerPattern, InvalidDockerPattern};
pub use files::{Access, FilesGrant, FolderGrant, InvalidFolderGrant, Mount};
pub use http::{HttpGrant, HttpRequest};
pub use pattern::{HttpPattern, InvalidHttpPattern};
pub use process::{InvalidProgramPattern, ProcessGrant, ProgramPattern, ProgramUse};
pub use remote::{Deed, InvalidRemotePattern, RemoteGrant, RemotePattern, RemoteUse};
pub use secrets::{InvalidSecretPattern, SecretPattern, SecretsGrant, is_one_of};
pub use uses::{Capability, CapabilityUses, Uses};

pub(crate) use pattern::is_name as is_host_name;
pub(crate) use process::segment;

use crate::artifact::ArtifactName;
use crate::id::SecretName;

/// Capabilities asked for or given. What is absent is not asked for, or not given.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Programs that may be started: a list of paths or patterns, or `any`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessGrant>,
    /// Requests that may be sent: a list of patterns, or `public`, or `any`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpGrant>,
    /// Secrets whose values may be put into requests and processes: a list of names, or `any`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SecretsGrant>,
    /// Secrets whose values the plugin itself may read: a list of names, or `any`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reveal: Option<SecretsGrant>,
    /// Folders of the host that may be used: a list, or `any`. Even an empty list gives the run's own folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesGrant>,
    /// Images that may be run, and containers that commands may run in: a list of patterns, or `any`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker: Option<DockerGrant>,
    /// Targets that may be worked on: a list of patterns, or `any`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteGrant>,
    /// The job's own key-value state.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub state: bool,
    /// Mail by the operator's server.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mail: bool,
    /// Files that the run leaves to others, and those of other runs of its namespace.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub artifacts: bool,
}

impl Grants {
    /// Everything: the ceiling of a fresh single-user installation.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            process: Some(ProcessGrant::Any),
            http: Some(HttpGrant::Any),
            files: Some(FilesGrant::Any),
            secrets: Some(SecretsGrant::Any),
            reveal: Some(SecretsGrant::Any),
            docker: Some(DockerGrant::Any),
            remote: Some(RemoteGrant::Any),
            state: true,
            mail: true,
            artifacts: true,
        }
    }

    /// Whether nothing is asked for or given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How a refusal names it.
const MAILING: &str = "sending mail";

/// The layers that a run's grants come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    /// The plugin's manifest did not ask for it.
    Request,
    /// The operator's ceiling does not allow it.
    Ceiling,
    /// The plugin was not granted it.
    Plugin,
    /// The job's own grants leave it out.
    Job,
    /// The secret that would leave is limited to other hosts.
    Secret,
    /// A plan is made of what a run would do.
    Plan,
}

/// What one run may do: the layers, all of which must agree.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EffectiveGrants {
    /// What the plugin's manifest asks for.
    pub request: Grants,
    /// What the operator's configuration allows.
    pub ceiling: Grants,
    /// What the plugin was granted.
    pub plugin: Grants,
    /// What the job limits itself to, if it does.
    pub job: Option<Grants>,
    /// Only looking is allowed: a plan is made of what a run would do.
    pub looks_only: bool,
}

/// A refusal: what was asked, which layer refused it, and the line that would allow it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} is denied: {}{}", layer.why(), layer.remedy(grant))]
pub struct Denial {
    /// What was asked, such as `starting /usr/bin/tar`.
    pub what: String,
    /// The layer that refused it.
    pub layer: Layer,
    /// The line that would allow it.
    pub grant: String,
}

impl Layer {
    const fn why(self) -> &'static str {
        match self {
            Self::Request => "the plugin's manifest does not ask for it",
            Self::Ceiling => "the daemon's configuration does not allow it to any plugin",
            Self::Plugin => "the plugin was not granted it when it was added",
            Self::Job => "the job's own grants leave it out",
            Self::Secret => "the secret is limited to other hosts",
            Self::Plan => "a plan is being made, which touches nothing",
        }
    }

    /// Who may allow it, and with which line.
    fn remedy(self, grant: &str) -> String {
        let who = match self {
            Self::Request => "the plugin's author",
            Self::Ceiling => "the daemon's operator",
            Self::Plugin => "whoever adds plugins",
            Self::Job => "the job's owner",
            Self::Secret => "whoever sets secrets",
            Self::Plan => return String::new(),
        };
        format!("; {who} may allow it with `{grant}`")
    }
}

impl EffectiveGrants {
    fn layers(&self) -> impl Iterator<Item = (Layer, &Grants)> {
        let job = self.job.iter().map(|grants| (Layer::Job, grants));
        [(Layer::Request, &self.request), (Layer::Ceiling, &self.ceiling), (Layer::Plugin, &self.plugin)]
            .into_iter()
            .chain(job)
    }

    /// Whether something may be done that is more than looking.
    ///
    /// # Errors
    ///
    /// If only looking is allowed.
    pub fn acting(&self, what: impl FnOnce() -> String) -> Result<(), Denial> {
        if self.looks_only { Err(Denial { what: what(), layer: Layer::Plan, grant: String::new() }) } else { Ok(()) }
    }

    /// Whether any program at all may be started: else the interface is not linked.
    #[must_use]
    pub fn any_process(&self) -> bool {
        self.layers().all(|(_, grants)| grants.process.is_some())
    }

    /// Whether the job's state may be used: else the interface is not linked.
    #[must_use]
    pub fn state(&self) -> bool {
        self.layers().all(|(_, grants)| grants.state)
    }

    /// Whether this may be done on a target. Which accounts may be switched to there is the target's to say besides.
    ///
    /// # Errors
    ///
    /// If a layer does not allow it.
    pub fn remote(&self, wanted: &RemoteUse<'_>) -> Result<(), Denial> {
        if wanted.deed.is_act() {
            self.acting(|| wanted.to_string())?;
        }
        let allows = |grants: &Grants| grants.remote.as_ref().is_some_and(|grant| grant.allows(wanted));
        match self.layers().find(|(_, grants)| !allows(grants)) {
            None => Ok(()),
            Some((layer, _)) => Err(Denial { what: wanted.to_string(), layer, grant: wanted.grant() }),
        }
    }

    /// Whether mail may be sent. To whom is the operator's to say, in the daemon's configuration.
    ///
    /// # Errors
    ///
    /// If a layer does not allow it.
    pub fn mail(&self) -> Result<(), Denial> {
        self.acting(|| MAILING.to_owned())?;
        match self.layers().find(|(_, grants)| !grants.mail) {
            None => Ok(()),
            Some((layer, _)) => Err(Denial { what: MAILING.to_owned(), layer, grant: "mail: true".to_owned() }),
        }
    }

    /// Whether the run may leave a file to others.
    ///
    /// # Errors
    ///
    /// If a layer does not allow it.
    pub fn publish(&self, name: &ArtifactName) -> Result<(), Denial> {
        let what = || format!("publishing the artifact {name}");
        self.acting(what)?;
        self.artifacts(what)
    }

    /// Whether the run may use what other runs of its namespace left.
    ///
    /// # Errors
    ///
    /// If a layer does not allow it.
    pub fn fetch(&self) -> Result<(), Denial> {
        self.artifacts(|| "fetching artifacts".to_owned())
    }

    fn artifacts(&self, what: impl FnOnce() -> String) -> Result<(), Denial> {
        match self.layers().find(|(_, grants)| !grants.artifacts) {
            None => Ok(()),
            Some((layer, _)) => Err(Denial { what: what(), layer, grant: "artifacts: true".to_owned() }),
        }
    }

    /// Whether the run may use the secret called `name`, which its job names.
    ///
    /// # Errors
    ///
    /// If a layer does not allow it.
    pub fn secret(&self, name: &SecretName) -> Result<(), Denial> {
        let allows = |grants: &Grants| grants.secrets.as_ref().is_some_and(|grant| grant.allows(name));
        match self.naming_layers().find(|(_, grants)| !allows(grants)) {
            None => Ok(()),
            Some((layer, _)) => {
                let (what, grant) = (format!("using the secret {name}"), format!("secrets: [{name}]"));
                Err(Denial { what, layer, grant })
            }
        }
    }

    /// Whether the plugin may read the value of the secret called `name`.
    ///
    /// # Errors
    ///
    /// If a layer does not allow it.
    pub fn reveal(&self, name: &SecretName) -> Result<(), Denial> {
        self.secret(name)?;
        let allows = |grants: &Grants| grants.reveal.as_ref().is_some_and(|grant| grant.allows(name));
        match self.layers().find(|(_, grants)| !allows(grants)) {
            None => Ok(()),
            Some((layer, _)) => {
                let (what, grant) = (format!("reading the secret {name}"), format!("reveal: [{name}]"));
                Err(Denial { what, layer, grant })
            }
        }
    }

    /// The layers that have a say about secrets. A job names those it uses where it uses them, so its grants count only if
    /// they speak of secrets.
    fn naming_layers(&self) -> impl Iterator<Item = (Layer, &Grants)> {
        self.layers().filter(|(layer, grants)| *layer != Layer::Job || grants.secrets.is_some())
    }

    /// Whether the program may be started.
    ///
    /// # Errors
    ///
    /// If a layer does not allow it.
    pub fn program(&self, program: &ProgramUse<'_>) -> Result<(), Denial> {
        self.acting(|| program.to_string())?;
        let allows = |grants: &Grants| grants.process.as_ref().is_some_and(|grant| grant.allows(program));
        let Some((layer, grants)) = self.layers().find(|(_, grants)| !allows(grants)) else { return Ok(()) };
        let (what, grant) = program.refused_by(grants.process.as_ref());
        Err(Denial { what, layer, grant })
    }

    /// Whether a layer looks at the arguments of the program: then it matters by which name the program is called.
    #[must_use]
    pub fn looks_at_args(&self, program: &ProgramUse<'_>) -> bool {
        self.layers().any(|(_, grants)| grants.process.as_ref().is_some_and(|grant| grant.looks_at_args(program)))
    }

    /// Whether the program may be started if its file has the right digest. If so, and [`EffectiveGrants::program`] refuses it
    /// without one, its file is to be looked into.
    #[must_use]
    pub fn may_start(&self, program: &ProgramUse<'_>) -> bool {
        let may = |grants: &Grants| grants.process.as_ref().is_some_and(|grant| grant.may_allow(program));
        !self.looks_only && self.layers().all(|(_, grants)| may(grants))
    }

    /// Whether a process may be given the environment variable `name`. Where only some programs may be started, a variable
    /// that makes one of them run other code would undo that.
    ///
    /// # Errors
    ///
    /// If the variable does that and a layer names programs.
    pub fn variable(&self, name: &str) -> Result<(), Denial> {
        let naming = self.layers().find(|(_, grants)| grants.process != Some(ProcessGrant::Any));
        match naming {
            Some((layer, _)) if process::subverts(name) => Err(Denial {
                what: format!("giving a process the variable {name}, with which it could run any other program,"),
                layer,
                grant: "process: any".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether `request` may be sent, as far as its text tells. Each address that its host resolves to must then pass
    /// [`EffectiveGrants::address`].
    ///
    /// # Errors
    ///
    /// If a layer does not allow it.
    pub fn http(&self, request: &HttpRequest<'_>) -> Result<(), Denial> {
        if !request.only_reads() {
            self.acting(|| format!("sending {request}"))?;
        }
        for (layer, grants) in self.layers() {
            if !grants.http.as_ref().is_some_and(|grant| grant.allows(request)) {
                return Err(Denial { what: format!("sending {request}"), layer, grant: request.grant() });
            }
        }
        Ok(())
    }

    /// Whether any request to the server of `request` may be sent, whatever its method and path.
    ///
    /// # Errors
    ///
    /// If a layer allows none.
    pub fn http_server(&self, request: &HttpRequest<'_>) -> Result<(), Denial> {
        let refusing =
            self.layers().find(|(_, grants)| !grants.http.as_ref().is_some_and(|grant| grant.reaches(request)));
        match refusing {
            Some((layer, _)) => {
                let origin = request.origin();
                let grant = format!("http: [\"{origin}/*\"]");
                Err(Denial { what: format!("choosing certificates for {origin}"), layer, grant })
            }
            None => Ok(()),
        }
    }

    /// Whether `request`, already allowed by its text, may be sent to `address`.
    ///
    /// A public address may be reached. A special one (loopback, private, link-local, …) only if the plugin's grant or
    /// the job's names that host or address literally, the operator's ceiling is `any` or names it too, and the job does
    /// not limit itself to `public`. That the plugin asks for `public`, or was granted it, does not count against the
    /// address: it says what the plugin does by itself, and the job's owner may name more of his own.
    ///
    /// # Errors
    ///
    /// If the address is special and no grant names it.
    pub fn address(&self, request: &HttpRequest<'_>, address: std::net::IpAddr) -> Result<(), Denial> {
        let kind = address_kind(address);
        if kind == AddressKind::Public {
            return Ok(());
        }
        let names = |grants: &Grants| grants.http.as_ref().is_some_and(|grant| grant.names(request, address));
        let ceiling = self.ceiling.http == Some(HttpGrant::Any) || names(&self.ceiling);
        let limited = self.job.as_ref().is_some_and(|job| job.http == Some(HttpGrant::Public));
        let given = names(&self.plugin) || self.job.as_ref().is_some_and(names);
        if ceiling && given && !limited {
            return Ok(());
        }
        Err(Denial {
            what: format!("sending {request} to {address} ({kind} address)"),
            layer: if ceiling { Layer::Job } else { Layer::Ceiling },
            grant: request.grant(),
        })
    }

    /// What the plugin asks for as a whole and a layer above it does not give at all: the reasons to refuse a job when it
    /// is saved rather than when it runs.
    #[must_use]
    pub fn missing(&self) -> Vec<Denial> {
        let mut missing = Vec::new();
        let mut check = |what: &str, asked: bool, given: &dyn Fn(&Grants) -> bool, grant: String| {
            let refusing = self.layers().skip(1).find(|(_, grants)| !given(grants));
            if let (true, Some((layer, _))) = (asked, refusing) {
                missing.push(Denial { what: what.to_owned(), layer, grant });
            }
        };
        let process = self.request.process.as_ref();
        let http = self.request.http.as_ref();
        let line = |name: &str, grant: Option<serde_json::Value>| format!("{name}: {}", grant.unwrap_or_default());
        check(
            "starting processes",
            process.is_some(),
            &|grants| grants.process.is_some(),
            line("process", process.and_then(|grant| serde_json::to_value(grant).ok())),
        );
        check(
            "sending HTTP requests",
            http.is_some(),
            &|grants| grants.http.is_some(),
            line("http", http.and_then(|grant| serde_json::to_value(grant).ok())),
        );
        let docker = self.request.docker.as_ref();
        check(
            docker::RUNNING,
            docker.is_some(),
            &|grants| grants.docker.is_some(),
            line("docker", docker.and_then(|grant| serde_json::to_value(grant).ok())),
        );
        let remote = self.request.remote.as_ref();
        // A plugin that also runs containers here is used without any targets, so what it lacks is refused where it is used.
        check(
            "working on targets",
            remote.is_some() && docker.is_none(),
            &|grants| grants.remote.is_some(),
            line("remote", remote.and_then(|grant| serde_json::to_value(grant).ok())),
        );
        check("keeping state", self.request.state, &|grants| grants.state, "state: true".to_owned());
        missing.extend(self.missing_folders());
        // A plugin that tells by mail and otherwise is used for either, so what a job leaves out is refused where it is used.
        let refusing = self.layers().skip(1).find(|(layer, grants)| *layer != Layer::Job && !grants.mail);
        if let (true, Some((layer, _))) = (self.request.mail, refusing) {
            missing.push(Denial { what: MAILING.to_owned(), layer, grant: "mail: true".to_owned() });
        }
        missing
    }
}

#[cfg(test)]
mod tests;
