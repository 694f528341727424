//! What an action writes through `tracing` reaches the run's log.
#![allow(missing_docs, reason = "a test exports nothing to be documented")]

use sandglass_plugin::serde_json::json;
use sandglass_plugin::testing::{Host, Level};
use sandglass_plugin::{Action, Context, Failure, Outcome, params, tracing};

#[params]
struct Params {}

struct Talk;

impl Action for Talk {
    const NAME: &'static str = "talk";
    const TITLE: &'static str = "Talk";
    const DESCRIPTION: &'static str = "Talks.";
    type Params = Params;
    type Output = ();

    fn run(_params: Params, _context: &Context) -> Result<Outcome<()>, Failure> {
        let _span = tracing::info_span!("unseen").entered();
        tracing::error!(count = 3, name = "a \"b\"", ok = true, "it {} well", "went");
        Ok(Outcome::done())
    }
}

#[test]
fn events_keep_their_fields() {
    let host = Host::new();
    host.run::<Talk>(json!({})).expect("talking does not fail");
    let line = host.logs().pop().expect("one line was written");
    assert_eq!((line.level, line.message.as_str()), (Level::Error, "it went well"));
    let fields: Vec<(&str, &str)> = line.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(fields, [("count", "3"), ("name", r#""a \"b\"""#), ("ok", "true")]);
}
