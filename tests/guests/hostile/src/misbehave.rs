//! Actions that break off, do not listen, or look where they have no business.

use std::time::Duration;

use sandglass_plugin::{Failure, Outcome};

use crate::action;

action!(Panic, "panic", "Panics.", |_, _| panic!("on purpose"));

action!(Exit, "exit", "Leaves through the system's door and claims success.", |_, _| std::process::exit(0));

action!(SleepOn, "sleep-on", "Sleeps for as many seconds, an hour by default, and does not listen.", |params, _| {
    std::thread::sleep(Duration::from_secs(params.times.unwrap_or(3600)));
    Ok(Outcome::done())
});

action!(BadJson, "bad-code", "Fails with a code and a message that nobody can read.", |_, _| {
    Err(Failure::new("\u{0}\u{1b}[31m\n".repeat(1000), "\u{202e}\u{7}".repeat(100_000)))
});

// No sockets: a C library that Debian packages for this target has none. Guests in other languages import them.
action!(LookAround, "look-around", "Tells what it can see of the machine: environment, arguments, files.", |_, _| {
    let environment: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
    let arguments: Vec<String> = std::env::args().collect();
    let files = ["/", ".", "/etc/passwd", "/proc/self/environ"];
    let seen: Vec<&str> = files.into_iter().filter(|path| std::fs::metadata(path).is_ok()).collect();
    Ok(Outcome::output(format!("environment {environment:?}, arguments {arguments:?}, files {seen:?}")))
});
