//! What of a run goes into the environment of what it starts, and what must not stand among the arguments.

use std::collections::BTreeMap;

use sandglass_core::id::SecretName;

use zeroize::Zeroizing;

use crate::attempt::Attempt;
use crate::bindings::types::ErrorCode;
use crate::capability::process::RUN_VARIABLE;
use crate::capability::{CallError, CallResult};

/// What tells a program which run it is of.
pub(crate) fn about_run(attempt: &Attempt) -> BTreeMap<String, String> {
    let work = &attempt.work;
    [
        ("SANDGLASS_JOB", work.job.to_string()),
        ("SANDGLASS_JOB_ID", work.job_id.to_string()),
        ("SANDGLASS_NAMESPACE", work.namespace.to_string()),
        ("SANDGLASS_ATTEMPT", attempt.number.to_string()),
        ("SANDGLASS_SCHEDULED_AT", attempt.scheduled_at.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The environment of what runs elsewhere: what tells of the run, its secrets, the job's variables and the plugin's, with the
/// values of secrets. What comes later wins.
pub(crate) fn environment(
    attempt: &Attempt,
    given: &[(String, String)],
) -> CallResult<BTreeMap<String, Zeroizing<Vec<u8>>>> {
    let about = about_run(attempt).into_iter().map(|(name, value)| (name, Zeroizing::new(value.into_bytes())));
    let mut env: BTreeMap<String, Zeroizing<Vec<u8>>> = about.collect();
    for (name, value) in secret_variables(attempt, given)? {
        env.insert(name.to_string(), Zeroizing::new(value.to_vec()));
    }
    let given = given.iter().map(|(name, value)| (name, value));
    for (name, value) in attempt.env().iter().chain(given) {
        let filled = attempt.for_process(value.as_bytes())?.unwrap_or_else(|| value.clone().into_bytes());
        env.insert(name.clone(), Zeroizing::new(filled));
    }
    // Last, as it is how what was left running is found again.
    env.insert(RUN_VARIABLE.to_owned(), Zeroizing::new(attempt.run.to_string().into_bytes()));
    Ok(env)
}

/// The secrets that become environment variables, but for those whose variable the job or the plugin sets itself.
pub(crate) fn secret_variables<'a>(
    attempt: &'a Attempt,
    given: &[(String, String)],
) -> CallResult<Vec<(&'a SecretName, &'a [u8])>> {
    let Some(secrets) = attempt.secrets() else { return Ok(Vec::new()) };
    let mut variables = secrets.variables().map_err(|error| attempt.not_put_in(&error))?;
    let is_set = |name: &str| attempt.env().contains_key(name) || given.iter().any(|(other, _)| other == name);
    // The mark by which the run's processes are found is nobody's to set.
    variables.retain(|(name, _)| name.as_str() != RUN_VARIABLE && !is_set(name.as_str()));
    Ok(variables)
}

/// Refuses a secret among a program's arguments, which every user of the machine can read.
pub(crate) fn without_secret(attempt: &Attempt, argument: &str) -> CallResult<()> {
    let Some(held) = attempt.secrets().and_then(|secrets| secrets.first_in(argument.as_bytes())) else { return Ok(()) };
    let name = &held.secret.name;
    Err(CallError::new(
        ErrorCode::Denied,
        format!(
            "the secret {name} would stand among the program's arguments, which every user of the machine can read; \
             write `secrets: [{name}]` in the job and ${name} in the command, or pass it in `env` or `stdin`"
        ),
    ))
}
