//! The demonstration's jobs and the folder that one of them packs.

use std::path::Path;
use std::time::Duration;

use sandglass_core::spec::JobSpec;
use sandglass_core::time::Timestamp;

/// The jobs, each with what it shows.
pub(super) fn prepare(folder: &Path, webhook: &str, now: Timestamp) -> std::io::Result<Vec<(JobSpec, &'static str)>> {
    let documents = folder.join("documents");
    std::fs::create_dir_all(documents.join("letters"))?;
    std::fs::write(documents.join("inventory.csv"), "item,count\nhourglass,3\nsand,1000000\n")?;
    for number in 1..=3 {
        let text = format!("Letter {number}\n\n{}", "All is well, the sand runs.\n".repeat(200 * number));
        std::fs::write(documents.join(format!("letters/letter-{number}.txt")), text)?;
    }
    // Far enough ahead that all jobs are saved before the first fires.
    let soon = |millis: u64| now.after(Duration::from_millis(millis)).to_string();
    let backup = serde_json::json!({
        "name": "backup",
        "triggers": [{ "at": soon(2500) }],
        "action": { "use": "shell", "with": {
            "command": "tar -czf backup.tar.gz documents && tar -tzf backup.tar.gz && ls -l backup.tar.gz" } },
        "working_dir": folder,
        "timeout": "1m",
        "grants": { "process": ["/bin/*", "/usr/bin/*"] },
    });
    let webhook = serde_json::json!({
        "name": "webhook",
        "triggers": [{ "at": soon(3000) }],
        "action": { "use": "http", "with": {
            "method": "POST", "url": webhook, "json": { "text": "the sand runs" }, "expected_status": ["2xx"] } },
        "grants": { "http": [format!("POST {webhook}")] },
    });
    let tick = serde_json::json!({
        "name": "tick",
        "triggers": [{ "every": "2s" }],
        "action": { "use": "shell", "with": { "command": "echo \"tick of run $SANDGLASS_RUN_ID\"" } },
    });
    let read = |value| serde_json::from_value(value).expect("the demonstration's own jobs are valid");
    Ok(vec![
        (read(backup), "packs a real folder with tar, once"),
        (read(webhook), "posts to a server on this machine, which its grant names"),
        (read(tick), "every two seconds"),
    ])
}

/// How many runs of a job the demonstration waits for.
pub(super) fn runs_wanted(name: &str) -> usize {
    if name == "tick" { 3 } else { 1 }
}
