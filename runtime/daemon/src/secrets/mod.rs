//! Secrets: sealed before they reach the store, opened only for an attempt that may use them.

mod keyring;
mod uses;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::RotatedKeys;
use sandglass_core::batch::{Batch, Expectation, Write};
use sandglass_core::id::{Namespace, SecretName};
use sandglass_core::secret::{MAX_HOSTS, MAX_SECRETS, MAX_VALUE_BYTES, Secret};
use sandglass_core::spelling::unknown;
use sandglass_core::time::Clock as _;
use sandglass_host::services::SecretValue;
use sandglass_store::{CommitError, Committer, Store};
use tokio::sync::{Mutex, oneshot};

pub(crate) use self::keyring::KeyError;
use self::keyring::{Keyring, Whose};
pub(crate) use self::uses::{Users, missing_secrets, users};
use crate::admission::from_store;
use crate::clock::SystemClock;
use crate::dispatch::effects::Payload;

/// The secrets of all namespaces.
pub(crate) struct Secrets {
    store: Arc<dyn Store>,
    keyring: RwLock<Keyring>,
    /// Held by whoever changes a secret or the keys, so that each sees what the one before did.
    changing: Mutex<()>,
    /// Set before anybody asks; see [`Secrets::connect`].
    committer: OnceLock<Arc<Committer<Payload>>>,
}

/// What a secret is to become.
#[derive(Default)]
pub(crate) struct Change {
    /// A new value; the one there is stays if none.
    pub(crate) value: Option<zeroize::Zeroizing<Vec<u8>>>,
    /// Where it may go; what there is stays if none.
    pub(crate) hosts: Option<Vec<String>>,
    pub(crate) expect: Expectation,
}

impl Secrets {
    /// With the keys in the file at `key_file`, which is made if it is not there.
    pub(crate) fn open(store: Arc<dyn Store>, key_file: PathBuf) -> Result<Self, KeyError> {
        let was_used = store.secrets(None).is_ok_and(|secrets| !secrets.is_empty());
        let keyring = Keyring::open(key_file.clone(), was_used)?;
        if keyring.is_empty() {
            tracing::error!(
                "{} is not there: no secret can be opened or set until it is restored and the daemon started again",
                key_file.display()
            );
        }
        let keyring = RwLock::new(keyring);
        Ok(Self { store, keyring, changing: Mutex::default(), committer: OnceLock::new() })
    }

    /// Lets secrets be written.
    pub(crate) fn connect(&self, committer: Arc<Committer<Payload>>) {
        assert!(self.committer.set(committer).is_ok(), "the committer is connected once");
    }

    fn keys(&self) -> std::sync::RwLockReadGuard<'_, Keyring> {
        self.keyring.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The values of these secrets, for an attempt. Fails with what is wrong and what to do.
    pub(crate) fn values(
        &self,
        namespace: &Namespace,
        names: &BTreeSet<SecretName>,
    ) -> Result<Vec<SecretValue>, String> {
        let value = |name: &SecretName| {
            let read = || {
                let secret = self.store.secret(namespace, name).map_err(|error| error.to_string())?;
                let secret = secret.ok_or_else(|| {
                    format!(
                        "there is no secret {name} in namespace '{namespace}'; `sandglass secret set {name}` sets it"
                    )
                })?;
                let whose = Whose { namespace, name, version: secret.current().number };
                let opened = self.keys().open_sealed(whose, &secret.current().sealed);
                Ok::<_, String>((opened, secret))
            };
            let (opened, secret) = match read()? {
                // It was read just before the keys were changed, and opened just after.
                (Err(KeyError::NoKey { .. }), _) => read()?,
                read => read,
            };
            let value = opened.map_err(|error| format!("the secret {name} cannot be opened: {error}"))?;
            Ok(SecretValue { name: name.clone(), value, hosts: secret.hosts.clone() })
        };
        names.iter().map(value).collect()
    }

    /// Sets a secret, or changes where it may go.
    pub(crate) async fn set(
        &self,
        namespace: &Namespace,
        name: &SecretName,
        change: Change,
    ) -> Result<Arc<Secret>, Problem> {
        let _changing = self.changing.lock().await;
        let old = self.store.secret(namespace, name).map_err(|error| from_store(&error))?;
        expected(namespace, name, change.expect, old.as_deref())?;
        check(&change)?;
        if old.is_none()
            && self.store.secrets(Some(namespace)).map_err(|error| from_store(&error))?.len() >= MAX_SECRETS
        {
            let detail = format!("namespace '{namespace}' has {MAX_SECRETS} secrets, which is as many as it may have");
            return Err(Problem::new(Code::InvalidSecret, detail).with_hint("delete some that nothing uses"));
        }
        let secret = match (change.value, old.as_deref()) {
            (Some(value), old) => {
                let whose = Whose { namespace, name, version: Secret::next_version(old) };
                let sealed = self.keys().seal(whose, &value).map_err(|error| from_keys(&error))?;
                Secret::set(old, namespace, name, sealed, change.hosts, SystemClock.now())
            }
            (None, Some(old)) => {
                let hosts = change.hosts.unwrap_or_else(|| old.hosts.clone());
                Secret { revision: old.revision + 1, hosts, ..old.clone() }
            }
            (None, None) => return Err(self.no_secret(namespace, name)),
        };
        self.put(vec![Arc::new(secret)]).await?.pop().ok_or_else(|| Problem::new(Code::Internal, "nothing was put"))
    }

    /// Sets a secret to the value of an earlier version, as a new version.
    pub(crate) async fn roll_back(
        &self,
        namespace: &Namespace,
        name: &SecretName,
        version: u64,
        expect: Expectation,
    ) -> Result<Arc<Secret>, Problem> {
        let value = {
            let _changing = self.changing.lock().await;
            let secret = self.found(namespace, name)?;
            let kept = secret.versions.iter().find(|kept| kept.number == version).ok_or_else(|| {
                let kept: Vec<String> = secret.versions.iter().map(|kept| kept.number.to_string()).collect();
                let detail = format!("the secret {name} has no version {version} any more, or has not had it");
                let hint = format!("the versions that are kept: {}", kept.join(", "));
                Problem::new(Code::SecretNotFound, detail).with_hint(&hint)
            })?;
            let whose = Whose { namespace, name, version };
            self.keys().open_sealed(whose, &kept.sealed).map_err(|error| from_keys(&error))?
        };
        self.set(namespace, name, Change { value: Some(value), hosts: None, expect }).await
    }

    /// Forgets a secret with all its versions.
    pub(crate) async fn delete(
        &self,
        namespace: &Namespace,
        name: &SecretName,
        expect: Expectation,
    ) -> Result<(), Problem> {
        let _changing = self.changing.lock().await;
        let secret = self.found(namespace, name)?;
        expected(namespace, name, expect, Some(&secret))?;
        let write = Write::DeleteSecret { namespace: namespace.clone(), name: name.clone(), revision: secret.revision };
        self.commit(vec![write]).await
    }

    /// Makes a new key and seals everything anew with it; then the old key is forgotten. If it is interrupted or fails, both
    /// keys are still there, and doing it again ends it.
    pub(crate) async fn rotate_keys(&self) -> Result<RotatedKeys, Problem> {
        let _changing = self.changing.lock().await;
        self.change_keys(Keyring::begin_rotation)?;
        let secrets = self.store.secrets(None).map_err(|error| from_store(&error))?;
        let mut rotated = RotatedKeys { secrets: secrets.len() as u64, versions: 0 };
        for secret in secrets {
            rotated.versions += secret.versions.len() as u64;
            let resealed = {
                let keys = self.keys();
                secret.resealed(|version| {
                    let whose = Whose { namespace: &secret.namespace, name: &secret.name, version: version.number };
                    keys.seal(whose, &keys.open_sealed(whose, &version.sealed)?)
                })
            };
            let resealed = resealed.map_err(|error| {
                let detail = format!("the secret {} in namespace '{}': {error}", secret.name, secret.namespace);
                Problem::new(Code::SecretUnreadable, detail).with_hint("set or delete it, then rotate the keys again")
            })?;
            self.put(vec![Arc::new(resealed)]).await?;
        }
        self.change_keys(Keyring::forget_old)?;
        Ok(rotated)
    }

    fn change_keys(&self, change: impl FnOnce(&mut Keyring) -> Result<(), KeyError>) -> Result<(), Problem> {
        let mut keyring = self.keyring.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut keyring).map_err(|error| from_keys(&error))
    }

    /// The secret, or what to say if there is none.
    pub(crate) fn found(&self, namespace: &Namespace, name: &SecretName) -> Result<Arc<Secret>, Problem> {
        let found = self.store.secret(namespace, name).map_err(|error| from_store(&error))?;
        found.ok_or_else(|| self.no_secret(namespace, name))
    }

    fn no_secret(&self, namespace: &Namespace, name: &SecretName) -> Problem {
        let kept = self.store.secrets(Some(namespace)).unwrap_or_default();
        let names: Vec<&str> = kept.iter().map(|secret| secret.name.as_str()).collect();
        let detail = format!("{} in namespace '{namespace}'", unknown("secret", name.as_str(), &names));
        Problem::new(Code::SecretNotFound, detail).with_hint(format!("`sandglass secret set {name}` sets it"))
    }

    async fn put(&self, secrets: Vec<Arc<Secret>>) -> Result<Vec<Arc<Secret>>, Problem> {
        self.commit(secrets.iter().map(|secret| Write::PutSecret(Arc::clone(secret))).collect()).await?;
        Ok(secrets)
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), Problem> {
        let stopping = || Problem::new(Code::Stopping, "the daemon is stopping");
        let (sender, receiver) = oneshot::channel();
        let committer = self.committer.get().ok_or_else(stopping)?;
        committer.submit(Batch { writes }, Payload::Asked(sender)).map_err(|_| stopping())?;
        match receiver.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(CommitError::Conflict(conflict))) => {
                Err(Problem::new(Code::RevisionConflict, conflict.kind.to_string()))
            }
            Ok(Err(CommitError::Store { cause, .. })) => Err(from_store(&cause)),
            Err(_) => Err(stopping()),
        }
    }
}

fn expected(
    namespace: &Namespace,
    name: &SecretName,
    expect: Expectation,
    found: Option<&Secret>,
) -> Result<(), Problem> {
    let revision = found.map_or(0, |secret| secret.revision);
    if expect.holds(revision) {
        return Ok(());
    }
    let at = if revision == 0 { "not there".to_owned() } else { format!("at revision {revision}") };
    let detail = format!("the secret {name} in namespace '{namespace}' is {at}");
    Err(Problem::new(Code::RevisionConflict, detail))
}

fn check(change: &Change) -> Result<(), Problem> {
    let wrong = |detail: String| Err(Problem::new(Code::InvalidSecret, detail));
    if let Some(value) = &change.value {
        if value.is_empty() {
            return wrong("the value is empty".to_owned());
        }
        if value.len() > MAX_VALUE_BYTES {
            let most = MAX_VALUE_BYTES >> 10;
            return wrong(format!("the value has {} bytes; a secret has at most {most} KiB", value.len()));
        }
    }
    let hosts = change.hosts.as_deref().unwrap_or_default();
    if hosts.len() > MAX_HOSTS {
        return wrong(format!("{} hosts are too many: {MAX_HOSTS} are allowed; a `*` stands for many", hosts.len()));
    }
    let is_host = |host: &String| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'*' | b'_');
        let is_name = (1..=253).contains(&host.len()) && host.bytes().all(fits);
        is_name || host.parse::<std::net::Ipv6Addr>().is_ok()
    };
    match hosts.iter().find(|host| !is_host(host)) {
        Some(host) => {
            let host: String = host.chars().take(100).collect();
            wrong(format!(
                "'{host}' is no host: write its name alone, without port or scheme, such as api.example.com or *.example.com"
            ))
        }
        None => Ok(()),
    }
}

fn from_keys(error: &KeyError) -> Problem {
    Problem::new(Code::SecretUnreadable, error.to_string())
}
