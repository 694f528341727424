//! What a container or a command in one is started with, and how that is said to an engine.
//!
//! There is no field for privileged mode, devices, added capabilities or the namespaces of the host.

use std::path::PathBuf;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount as ApiMount, MountBindOptions, MountTmpfsOptions,
    MountType,
};

use crate::engine::{DAEMON_LABEL, RUN_LABEL, START_LABEL};
use crate::error::Error;
use crate::image::with_version;

/// Who may write into memory in a container's file system: everybody, as into `/tmp`. Podman lets nobody unless it is told.
const SCRATCH: i64 = 0o1777;

/// A container. It has no `Debug`, as its environment may hold secrets.
#[derive(Clone, Default)]
pub struct ContainerSpec {
    /// Its name, which no other container may have.
    pub name: String,
    /// The run that it is of.
    pub run: String,
    /// Whose it is.
    pub owner: Owner,
    /// The image's name, with a tag or digest or without.
    pub image: String,
    /// Replaces the image's entry point.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command, unless it is empty.
    pub args: Vec<String>,
    /// Added to the image's environment.
    pub env: Vec<(String, String)>,
    /// Replaces the image's working directory.
    pub workdir: Option<String>,
    /// Replaces the image's user: a name or number, with a group after a colon or without.
    pub user: Option<String>,
    /// What is put into its file system.
    pub mounts: Vec<Mount>,
    /// `none`, `bridge`, or a network that the engine has.
    pub network: Option<String>,
    /// Thousandths of a processor.
    pub cpu_millis: Option<u32>,
    /// The most memory, in bytes. Swap comes not on top of it.
    pub memory: Option<u64>,
    /// The most processes and threads.
    pub pids: Option<u32>,
    /// Labels for people and programs.
    pub labels: Vec<(String, String)>,
}

/// Who starts containers, so that what was left can be told from what is going.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Owner {
    /// Stays the same when the owner starts again.
    pub daemon: String,
    /// Is another after each start.
    pub start: String,
}

/// Something in a container's file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Where it comes from.
    pub source: MountSource,
    /// Where it is in the container: an absolute path.
    pub target: String,
    /// Whether it cannot be written.
    pub read_only: bool,
}

/// Where something in a container's file system comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MountSource {
    /// A folder of the engine's machine.
    Folder(PathBuf),
    /// Memory, with this much room in bytes.
    Tmpfs(u64),
    /// A volume of the engine's, by its name. It is made if there is none, and stays.
    Volume(String),
}

/// A command in a container that is there already.
#[derive(Clone, Default)]
pub struct ExecSpec {
    /// The container's name.
    pub container: String,
    /// The command and its arguments.
    pub argv: Vec<String>,
    /// Added to the container's environment.
    pub env: Vec<(String, String)>,
    /// Replaces the container's working directory.
    pub workdir: Option<String>,
    /// Replaces the container's user.
    pub user: Option<String>,
}

fn invalid(message: String) -> Error {
    Error::Invalid(message)
}

/// Whether `text` can be the name of a container or network.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.len() <= 200
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// `NAME=value`, each.
pub(crate) fn variables(env: Vec<(String, String)>) -> Result<Option<Vec<String>>, Error> {
    if let Some((name, _)) = env.iter().find(|(name, _)| name.is_empty() || name.contains(['=', '\0'])) {
        return Err(invalid(format!("'{}' cannot be the name of an environment variable", name.escape_debug())));
    }
    Ok(Some(env.into_iter().map(|(name, value)| format!("{name}={value}")).collect()))
}

pub(crate) fn check_workdir(workdir: Option<&String>) -> Result<(), Error> {
    match workdir {
        Some(path) if !path.starts_with('/') => {
            Err(invalid(format!("the working directory '{path}' is not absolute, as it must be in a container")))
        }
        _ => Ok(()),
    }
}

impl ContainerSpec {
    fn check(&self) -> Result<(), Error> {
        check_workdir(self.workdir.as_ref())?;
        if let Some(network) = self.network.as_deref().filter(|network| !is_name(network) || *network == "host") {
            let network = network.escape_debug();
            return Err(invalid(format!(
                "the network '{network}' cannot be used: write none, bridge, or the name of a network that the engine has; \
                 those of the host and of other containers are out of reach"
            )));
        }
        for (name, _) in &self.labels {
            if name.is_empty() || name.starts_with("sandglass.") {
                return Err(invalid(format!("the label '{name}' cannot be set: it is empty, or kept for the daemon")));
            }
        }
        for mount in &self.mounts {
            let target = &mount.target;
            if let MountSource::Volume(name) = &mount.source
                && !(is_name(name) && name.len() > 1)
            {
                return Err(invalid(format!(
                    "'{}' is no name of a volume: it has letters, digits, '_', '.' and '-', two at least",
                    name.escape_debug()
                )));
            }
            let is_folder =
                target.starts_with('/') && target.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
            if !is_folder {
                return Err(invalid(format!(
                    "'{target}' is no place to mount at: write an absolute path, not / itself"
                )));
            }
        }
        if self.cpu_millis == Some(0) || self.memory == Some(0) || self.pids == Some(0) {
            return Err(invalid("a limit of nothing would let nothing run: leave it out for no limit".to_owned()));
        }
        Ok(())
    }

    /// How it is said to an engine.
    pub(crate) fn into_body(self, has_stdin: bool) -> Result<ContainerCreateBody, Error> {
        self.check()?;
        let host = self.host_config();
        let own = [(DAEMON_LABEL, self.owner.daemon), (START_LABEL, self.owner.start), (RUN_LABEL, self.run)];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        Ok(ContainerCreateBody {
            image: Some(with_version(&self.image)?),
            entrypoint: self.entrypoint,
            cmd: (!self.args.is_empty()).then_some(self.args),
            env: variables(self.env)?,
            working_dir: self.workdir,
            user: self.user,
            labels: Some(self.labels.into_iter().chain(own).collect()),
            attach_stdin: Some(has_stdin),
            open_stdin: Some(has_stdin),
            stdin_once: Some(has_stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(false),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        })
    }

    fn host_config(&self) -> HostConfig {
        let memory = self.memory.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        HostConfig {
            memory,
            memory_swap: memory,
            nano_cpus: self.cpu_millis.map(|millis| i64::from(millis) * 1_000_000),
            pids_limit: self.pids.map(i64::from),
            mounts: Some(self.mounts.iter().map(api_mount).collect()),
            network_mode: self.network.clone(),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            privileged: Some(false),
            auto_remove: Some(false),
            // The output is the run's; the engine would keep it a second time, and without bounds.
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            ..HostConfig::default()
        }
    }
}

fn api_mount(mount: &Mount) -> ApiMount {
    let common =
        ApiMount { target: Some(mount.target.clone()), read_only: Some(mount.read_only), ..ApiMount::default() };
    match &mount.source {
        MountSource::Folder(path) => ApiMount {
            typ: Some(MountType::BIND),
            source: Some(path.to_string_lossy().into_owned()),
            bind_options: Some(MountBindOptions { create_mountpoint: Some(false), ..MountBindOptions::default() }),
            ..common
        },
        MountSource::Volume(name) => ApiMount { typ: Some(MountType::VOLUME), source: Some(name.clone()), ..common },
        MountSource::Tmpfs(bytes) => {
            let size_bytes = Some(i64::try_from(*bytes).unwrap_or(i64::MAX));
            ApiMount {
                typ: Some(MountType::TMPFS),
                tmpfs_options: Some(MountTmpfsOptions {
                    size_bytes,
                    mode: Some(SCRATCH),
                    ..MountTmpfsOptions::default()
                }),
                ..common
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(spec: ContainerSpec) -> String {
        let spec = ContainerSpec { image: "alpine".to_owned(), ..spec };
        spec.into_body(false).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn what_would_leave_the_container_cannot_be_said() {
        for network in ["host", "container:other", "ns:/proc/1/ns/net", "", "a b"] {
            let refusal = refused(ContainerSpec { network: Some(network.to_owned()), ..ContainerSpec::default() });
            assert!(refusal.contains("cannot be used"), "{refusal}");
        }
        let label = ("sandglass.run".to_owned(), String::new());
        assert!(
            refused(ContainerSpec { labels: vec![label], ..ContainerSpec::default() }).contains("kept for the daemon")
        );
        for target in ["/", "data", "/a/../b", "/a/"] {
            let mount = Mount { source: MountSource::Tmpfs(1), target: target.to_owned(), read_only: false };
            let refusal = refused(ContainerSpec { mounts: vec![mount], ..ContainerSpec::default() });
            assert!(refusal.contains("no place"), "{refusal}");
        }
        for name in ["", "a", "/etc", "a/b", "..", "-a b"] {
            let source = MountSource::Volume(name.to_owned());
            let mount = Mount { source, target: "/data".to_owned(), read_only: false };
            let refusal = refused(ContainerSpec { mounts: vec![mount], ..ContainerSpec::default() });
            assert!(refusal.contains("no name of a volume"), "{refusal}");
        }
        assert!(refused(ContainerSpec { memory: Some(0), ..ContainerSpec::default() }).contains("nothing"));
        let body = ContainerSpec { image: "alpine".to_owned(), ..ContainerSpec::default() }.into_body(false).unwrap();
        let host = body.host_config.unwrap();
        assert_eq!(host.security_opt.unwrap(), ["no-new-privileges"]);
        assert_eq!((host.privileged, host.cap_add, host.devices, host.pid_mode), (Some(false), None, None, None));
    }
}
