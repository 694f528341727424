//! `status`: how the daemon is doing.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono_tz::Tz;
use sandglass_core::run::StateName;

use crate::context::Context;
use crate::failure::Failure;
use crate::render::amount;
use crate::render::table::facts;

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let status = context.client.status().await?;
    let zone = status.timezone.map_or(Tz::UTC, |zone| zone.0);
    context.show(&status, |context| {
        let paint = context.paint;
        let by_state = |counts: &BTreeMap<String, u64>| {
            let there = counts.iter().filter(|(_, count)| **count > 0).map(|(name, count)| {
                let name = StateName::parse(name).map_or_else(|| name.clone(), |state| paint.state(state));
                format!("{count} {name}")
            });
            let there: Vec<String> = there.collect();
            (!there.is_empty()).then(|| there.join(", "))
        };
        let runs = by_state(&status.runs).unwrap_or_else(|| "none yet".to_owned());
        let next = status.next_fire_at.map(|at| amount::instant(at, context.now, zone));
        facts(
            &[
                ("daemon", Some(format!("{} {} at {}", paint.green("up"), status.version, context.client.endpoint()))),
                ("up for", Some(up_for(status.uptime_seconds))),
                ("listens at", status.listen.clone()),
                ("data", status.data_dir.clone()),
                ("store", Some(amount::bytes(status.store_bytes))),
                ("jobs", Some(status.jobs.to_string())),
                ("plugins", Some(status.plugins.to_string())),
                ("runs", Some(runs)),
                ("notifications", by_state(&status.notifications)),
                ("next fire", Some(next.unwrap_or_else(|| "-".to_owned()))),
                ("timezone", status.timezone.map(|zone| zone.to_string())),
                ("tz database", Some(status.tz_database.clone())),
            ],
            paint,
        )
    })
}

fn up_for(seconds: u64) -> String {
    match seconds {
        0 => "less than a second".to_owned(),
        seconds => amount::duration(Duration::from_secs(seconds)),
    }
}
