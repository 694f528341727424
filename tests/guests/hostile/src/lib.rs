//! A plugin whose actions do what a runtime must survive. Each is to be stopped by a limit, or to harm nobody.

mod exhaust;
mod files;
mod flood;
mod misbehave;

use sandglass_plugin::params;

/// How often an action repeats what it does; without it, as often as it takes.
#[params]
struct Times {
    #[serde(default)]
    times: Option<u64>,
}

impl Times {
    fn range(&self) -> std::ops::Range<u64> {
        0..self.times.unwrap_or(u64::MAX)
    }
}

/// Declares an action without ceremony.
macro_rules! action {
    ($type:ident, $name:literal, $description:literal, |$params:pat_param, $context:pat_param| $body:expr) => {
        pub(crate) struct $type;

        impl sandglass_plugin::Action for $type {
            const NAME: &'static str = $name;
            const TITLE: &'static str = $name;
            const DESCRIPTION: &'static str = $description;
            type Params = crate::Times;
            type Output = String;

            fn run(
                $params: Self::Params,
                $context: &sandglass_plugin::Context,
            ) -> Result<sandglass_plugin::Outcome<String>, sandglass_plugin::Failure> {
                $body
            }
        }
    };
}
use action;

sandglass_plugin::export! {
    name: "hostile",
    actions: [
        exhaust::Spin,
        exhaust::Allocate,
        exhaust::Recurse,
        exhaust::FillStack,
        exhaust::LeakHandles,
        exhaust::CallHost,
        flood::WriteOutput,
        flood::WriteErrors,
        flood::WriteLog,
        flood::ReportProgress,
        flood::StoreState,
        flood::HugeResult,
        misbehave::Panic,
        misbehave::Exit,
        misbehave::SleepOn,
        misbehave::BadJson,
        misbehave::LookAround,
        files::BreakOut,
    ],
    capabilities: { state: true, files: any },
}
