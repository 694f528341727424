//! `version`: of this program, and of the daemon if one answers.

use sandglass_api::wire::Version;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::render::table::facts;

#[derive(Serialize)]
struct Versions {
    #[serde(flatten)]
    client: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    daemon: Option<Version>,
}

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    // No daemon is no failure here: this program has a version of its own.
    let versions = Versions { client: Version::current(), daemon: context.client.version().await.ok() };
    context.show(&versions, |context| {
        let daemon = versions.daemon.as_ref();
        facts(
            &[
                ("sandglass", Some(versions.client.version.clone())),
                ("tz database", Some(versions.client.tz_database.clone())),
                ("API", Some(versions.client.api.clone())),
                ("daemon", Some(daemon.map_or_else(|| "not reached".to_owned(), |version| version.version.clone()))),
                ("its tz database", daemon.map(|version| version.tz_database.clone())),
            ],
            context.paint,
        )
    })
}
