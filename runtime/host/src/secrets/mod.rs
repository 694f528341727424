//! The secrets of one attempt: what stands for them in the guest, and where their values are put in its place.
//!
//! A guest holds placeholders, texts that are different in every attempt. The host puts the value in where a placeholder
//! leaves the sandbox: in a request, in the environment or the input of a process. What comes back the other way, the
//! run's output and result, has the values masked.

mod mask;

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use sandglass_core::capability::{Denial, Layer, is_one_of};
use sandglass_core::id::SecretName;
use sandglass_core::output::OutputStream;
use serde_json::Value;

use self::mask::{Masks, Stream};
use crate::attempt::lock;
use crate::services::SecretValue;

/// What placeholders begin with. Letters, digits and dashes pass through addresses, headers and JSON as they are.
const PREFIX: &str = "sgl-secret-";
/// The bytes of chance in a placeholder.
const CHANCE: usize = 16;
/// The most bytes that a text can end with of a placeholder, without all of it.
pub(crate) const LONGEST_BEGUN: usize = PREFIX.len() + 2 * CHANCE - 1;

/// The automaton whose size goes with that of its patterns: the fastest takes a thousand times as much as a long value.
const SMALL: AhoCorasickKind = AhoCorasickKind::ContiguousNFA;

/// The secrets of one attempt.
pub(crate) struct RunSecrets {
    held: Vec<Held>,
    /// Finds placeholders; the pattern's number is the place in `held`.
    finder: AhoCorasick,
    masks: Masks,
    streams: Mutex<[Stream; 4]>,
    /// How often a value was put in.
    put_in: AtomicU32,
}

/// One secret.
pub(crate) struct Held {
    pub(crate) secret: SecretValue,
    pub(crate) placeholder: String,
    /// It has an environment variable in processes.
    in_env: bool,
}

/// Why a value cannot be put in the place of its placeholder.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NotPutIn {
    /// The secret is meant for other hosts.
    #[error("{}", other_host(name, hosts, host.as_deref()))]
    OtherHost {
        /// Which.
        name: SecretName,
        /// The hosts it is meant for.
        hosts: String,
        /// The host it would have been sent to, unless that is a secret too.
        host: Option<String>,
    },
    /// The secret is meant for requests alone.
    #[error("{}", no_process(.0))]
    NoProcess(SecretName),
    /// The value cannot stand there.
    #[error("the value of the secret {0} cannot stand here: {1}")]
    Unfit(SecretName, &'static str),
}

impl NotPutIn {
    /// The same without the host, which the value of a secret named.
    pub(crate) fn without_host(self) -> Self {
        match self {
            Self::OtherHost { name, hosts, .. } => Self::OtherHost { name, hosts, host: None },
            other => other,
        }
    }

    /// The refusal that it is, if it is one.
    pub(crate) fn denial(&self) -> Option<Denial> {
        match self {
            Self::OtherHost { name, hosts, host } => Some(other_host(name, hosts, host.as_deref())),
            Self::NoProcess(name) => Some(no_process(name)),
            Self::Unfit(..) => None,
        }
    }
}

fn other_host(name: &SecretName, hosts: &str, host: Option<&str>) -> Denial {
    let host = host.unwrap_or("an address that is a secret");
    Denial {
        what: format!("sending the secret {name}, which is for {hosts} alone, to {host}"),
        layer: Layer::Secret,
        grant: format!("sandglass secret set {name} --keep-value --host …"),
    }
}

fn no_process(name: &SecretName) -> Denial {
    Denial {
        what: format!("giving the secret {name}, which may be sent to its hosts alone, to a process"),
        layer: Layer::Secret,
        grant: format!("sandglass secret set {name} --keep-value --any-host"),
    }
}

impl fmt::Debug for RunSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.held.iter().map(|held| &held.secret.name)).finish()
    }
}

impl RunSecrets {
    /// For an attempt that uses these; those in `in_env` have environment variables.
    ///
    /// # Errors
    ///
    /// If the operating system gives no chance.
    pub(crate) fn new(secrets: Vec<SecretValue>, in_env: &[SecretName]) -> Result<Self, String> {
        let mut held = Vec::with_capacity(secrets.len());
        for secret in secrets {
            let mut chance = [0; CHANCE];
            getrandom::fill(&mut chance).map_err(|error| format!("no placeholder can be made: {error}"))?;
            let digits: String = chance.iter().map(|byte| format!("{byte:02x}")).collect();
            let in_env = in_env.contains(&secret.name);
            held.push(Held { placeholder: format!("{PREFIX}{digits}"), in_env, secret });
        }
        let placeholders = held.iter().map(|held| &held.placeholder);
        let finder = AhoCorasick::builder().kind(Some(SMALL)).build(placeholders).map_err(|error| error.to_string())?;
        let masks = Masks::of(held.iter().map(|held| &*held.secret.value))?;
        Ok(Self { held, finder, masks, streams: Mutex::default(), put_in: AtomicU32::new(0) })
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> &[Held] {
        &self.held
    }

    /// Finds placeholders, also when these secrets are gone.
    pub(crate) fn finder(&self) -> AhoCorasick {
        self.finder.clone()
    }

    /// The first secret whose placeholder is in `text`.
    pub(crate) fn first_in(&self, text: &[u8]) -> Option<&Held> {
        self.finder.find(text).map(|found| &self.held[found.pattern()])
    }

    /// `text` with the values, each as `value` writes it, in the place of placeholders; none if there are none in it.
    pub(crate) fn put_in(
        &self,
        text: &[u8],
        mut value: impl FnMut(&Held, &mut Vec<u8>) -> Result<(), NotPutIn>,
    ) -> Result<Option<Vec<u8>>, NotPutIn> {
        let (mut filled, mut end) = (Vec::new(), 0);
        for found in self.finder.find_iter(text) {
            filled.extend_from_slice(&text[end..found.start()]);
            value(&self.held[found.pattern()], &mut filled)?;
            self.put_in.fetch_add(1, Ordering::Relaxed);
            end = found.end();
        }
        if end == 0 {
            return Ok(None);
        }
        filled.extend_from_slice(&text[end..]);
        Ok(Some(filled))
    }

    /// How often a value was put in the place of its placeholder, or into an environment.
    pub(crate) fn put_in_count(&self) -> u32 {
        self.put_in.load(Ordering::Relaxed)
    }

    /// `text` for a process, with the values in the place of placeholders.
    ///
    /// # Errors
    ///
    /// If one of the secrets is meant for requests alone.
    pub(crate) fn for_process(&self, text: &[u8]) -> Result<Option<Vec<u8>>, NotPutIn> {
        self.put_in(text, |held, filled| {
            filled.extend_from_slice(held.for_process()?);
            Ok(())
        })
    }

    /// `text` with the values, as they are, for a request to `host`.
    ///
    /// # Errors
    ///
    /// If a secret is meant for other hosts.
    pub(crate) fn for_host(&self, text: &[u8], host: &str) -> Result<Option<Vec<u8>>, NotPutIn> {
        self.put_in(text, |held, filled| {
            filled.extend_from_slice(held.for_host(host)?);
            Ok(())
        })
    }

    /// The environment variables that processes have: their names and values.
    ///
    /// # Errors
    ///
    /// If a value cannot be one, or is meant for requests alone.
    pub(crate) fn variables(&self) -> Result<Vec<(&SecretName, &[u8])>, NotPutIn> {
        let in_env = self.held.iter().filter(|held| held.in_env);
        in_env
            .map(|held| {
                let value = held.for_process()?;
                if value.contains(&0) {
                    let why = "it holds a zero byte, which no environment variable can";
                    return Err(NotPutIn::Unfit(held.secret.name.clone(), why));
                }
                self.put_in.fetch_add(1, Ordering::Relaxed);
                Ok((&held.secret.name, value))
            })
            .collect()
    }

    /// `bytes` with all values masked, also where one was cut off.
    pub(crate) fn masked(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.masks.apply_cut(&bytes).unwrap_or(bytes)
    }

    /// Masks all values in the texts of `value`, and numbers that hold one; names stay, and it stays JSON.
    pub(crate) fn mask_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(masked) = self.masks.apply_cut(text.as_bytes()) {
                    *text = String::from_utf8_lossy(&masked).into_owned();
                }
            }
            Value::Number(number) => {
                if let Some(masked) = self.masks.apply(number.to_string().as_bytes()) {
                    *value = String::from_utf8_lossy(&masked).into_owned().into();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_json(item)),
            Value::Object(entries) => entries.values_mut().for_each(|entry| self.mask_json(entry)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The next piece of `stream` with all values masked. The beginning of what may be a value waits for its end.
    pub(crate) fn masked_piece(&self, stream: OutputStream, bytes: Vec<u8>) -> Vec<u8> {
        if stream == OutputStream::Log {
            // Lines are JSON, of which each text was masked.
            return bytes;
        }
        lock(&self.streams)[stream as usize].push(&self.masks, bytes)
    }

    /// What is left of `stream` at its end.
    pub(crate) fn rest_of(&self, stream: OutputStream) -> Vec<u8> {
        lock(&self.streams)[stream as usize].finish(&self.masks)
    }
}

impl Held {
    fn for_process(&self) -> Result<&[u8], NotPutIn> {
        match self.secret.hosts.is_empty() {
            true => Ok(&self.secret.value),
            false => Err(NotPutIn::NoProcess(self.secret.name.clone())),
        }
    }

    /// The value for a request to `host`.
    ///
    /// # Errors
    ///
    /// If the secret is meant for other hosts.
    pub(crate) fn for_host(&self, host: &str) -> Result<&[u8], NotPutIn> {
        let SecretValue { name, hosts, value } = &self.secret;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if hosts.is_empty() || is_one_of(host, hosts) {
            return Ok(value);
        }
        Err(NotPutIn::OtherHost { name: name.clone(), hosts: hosts.join(", "), host: Some(host.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> RunSecrets {
        let secret = |name: &str, value: &str, hosts: &[&str]| SecretValue {
            name: name.parse().unwrap(),
            value: value.as_bytes().to_vec().into(),
            hosts: hosts.iter().map(ToString::to_string).collect(),
        };
        let all = vec![secret("A", "alpha-alpha", &[]), secret("B", "beta-beta", &["api.example.com"])];
        RunSecrets::new(all, &["A".parse().unwrap()]).unwrap()
    }

    #[test]
    fn values_take_the_place_of_placeholders_where_they_may_go() {
        let secrets = secrets();
        let [a, b] = secrets.all() else { panic!("there are two") };
        let text = format!("x {} y", a.placeholder);
        assert_eq!(secrets.for_process(text.as_bytes()), Ok(Some(b"x alpha-alpha y".to_vec())));
        assert_eq!(secrets.for_process(b"nothing"), Ok(None));
        assert_eq!(secrets.for_process(b.placeholder.as_bytes()), Err(NotPutIn::NoProcess("B".parse().unwrap())));
        assert_eq!(b.for_host("api.example.com"), Ok(&b"beta-beta"[..]));
        assert!(b.for_host("evil.example.com").unwrap_err().to_string().contains("api.example.com alone"));
        let variables = secrets.variables().unwrap();
        assert_eq!(variables, [(&"A".parse().unwrap(), &b"alpha-alpha"[..])]);
        assert!(!format!("{secrets:?}").contains("alpha"));
    }

    #[test]
    fn json_stays_json_whatever_is_masked() {
        let secret = |name: &str, value: &str| SecretValue {
            name: name.parse().unwrap(),
            value: value.as_bytes().to_vec().into(),
            hosts: Vec::new(),
        };
        let secrets = RunSecrets::new(vec![secret("A", "12345678"), secret("B", "warnings")], &[]).unwrap();
        let mut value = serde_json::json!({ "id": 123456789, "warnings": ["a warnings", 1], "n": null });
        secrets.mask_json(&mut value);
        assert_eq!(value, serde_json::json!({ "id": "***9", "warnings": ["a ***", 1], "n": null }));
    }

    #[test]
    fn every_attempt_has_placeholders_of_its_own() {
        let placeholder = |secrets: &RunSecrets| secrets.all()[0].placeholder.clone();
        assert_ne!(placeholder(&secrets()), placeholder(&secrets()));
    }
}
