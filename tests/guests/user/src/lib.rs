//! A plugin as a user writes one: it counts the words of a text and remembers the sum over all runs of the job.

use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::{Action, Context, Failure, Issue, Outcome, log, output, params, state};

/// What the job gives.
#[params]
struct Params {
    /// The text whose words are counted.
    text: String,
    /// Fails when the text has fewer words than this.
    #[serde(default)]
    at_least: u64,
}

/// What the run keeps.
#[output]
struct Output {
    /// Words in this run's text.
    words: u64,
    /// Words in the texts of all runs of the job.
    total: u64,
}

struct CountWords;

impl Action for CountWords {
    const NAME: &'static str = "count";
    const TITLE: &'static str = "Count words";
    const DESCRIPTION: &'static str = "Counts the words of a text and remembers the sum.";
    type Params = Params;
    type Output = Output;

    fn examples() -> Vec<Value> {
        vec![json!({ "text": "to be or not to be" })]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        if params.at_least > 1_000_000 {
            return vec![Issue::at("/at_least", "no text here has a million words")];
        }
        Vec::new()
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<Output>, Failure> {
        let words = params.text.split_whitespace().count() as u64;
        log::info!("{words} words in run {} of {}", context.run().run_id, context.run().job_name);
        context.progress(words, Some(words));
        if words < params.at_least {
            return Err(Failure::new("too-short", format!("{words} words are fewer than {}", params.at_least))
                .never_retry()
                .detail(json!({ "words": words })));
        }
        let total = state::read::<u64>("total")?.unwrap_or(0) + words;
        state::write("total", &total)?;
        Ok(Outcome::output(Output { words, total })
            .with_summary(format!("{words} words, {total} so far"))
            .changed(true))
    }
}

sandglass_plugin::export! {
    name: "words",
    description: "Counts words and remembers the sum",
    actions: [CountWords],
    capabilities: { state: true },
}

#[cfg(test)]
mod tests {
    use super::CountWords;
    use sandglass_plugin::serde_json::json;
    use sandglass_plugin::testing::Host;

    #[test]
    fn counts_and_remembers() {
        let host = Host::new().with_state("total", b"4");
        let outcome = host.run::<CountWords>(json!({ "text": "to be or not" })).expect("four words are enough");
        assert_eq!(outcome.output, Some(json!({ "words": 4, "total": 8 })));
        assert_eq!(host.state("total").as_deref(), Some(b"8".as_slice()));
        assert_eq!(host.logs().len(), 1);
    }

    #[test]
    fn fails_when_there_are_too_few() {
        let host = Host::new();
        let failure =
            host.run::<CountWords>(json!({ "text": "one", "at_least": 2 })).expect_err("one is fewer than two");
        assert_eq!(failure.code, "too-short");
        assert_eq!(host.state("total"), None);
    }
}
