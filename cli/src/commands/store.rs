//! `store`: what can be done with all that the daemon keeps.

use sandglass_api::wire::StoreSize;

use crate::context::{Context, print, print_json};
use crate::failure::Failure;
use crate::render::amount::bytes;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Give space that is no longer used back to the file system
    #[command(
        after_help = "The daemon does nothing else meanwhile, which takes seconds for a store of gigabytes: what is due then \
                            starts late, and runs that are going go on. Output is not part of it; it takes no more space than it has."
    )]
    Compact,
    /// Read all that is kept and compare it with its checksums; the daemon does nothing else meanwhile
    Check,
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::Compact => {
            let size = context.client.compact_store().await?;
            let StoreSize { before_bytes, after_bytes } = size;
            context
                .show(&size, |_| format!("the store takes {}; it took {}\n", bytes(after_bytes), bytes(before_bytes)))
        }
        Command::Check => {
            context.client.check_store().await?;
            if context.is_json() {
                return print_json(&serde_json::json!({ "damaged": false }));
            }
            print("the store is in order\n")
        }
    }
}
