//! Containers on real engines. One test for each, as they take seconds to start; its parts say what they are about.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::Duration;

use sandglass_containers::{
    ContainerSpec, Engine, EngineConfig, EngineHost, Error, ExecSpec, How, Mount, MountSource, Owner, PullPolicy,
    Running, Signal, TlsFiles,
};
use sandglass_test_engine::{IMAGE, TestEngine};

const DAEMON: &str = "test-daemon";
const SOON: Duration = Duration::from_secs(60);

struct Bench {
    engine: Engine,
    real: TestEngine,
    is_podman: bool,
}

/// A container under way, with its output.
struct Started {
    running: Running,
    stdout: File,
    stderr: File,
}

fn owner(daemon: &str, start: &str) -> Owner {
    Owner { daemon: daemon.to_owned(), start: start.to_owned() }
}

fn null() -> OwnedFd {
    File::options().read(true).write(true).open("/dev/null").unwrap().into()
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = std::io::pipe().unwrap();
    (read.into(), write.into())
}

fn spec(name: &str, script: &str) -> ContainerSpec {
    ContainerSpec {
        name: name.to_owned(),
        run: format!("run-of-{name}"),
        owner: owner(DAEMON, "now"),
        image: IMAGE.to_owned(),
        args: ["sh", "-c", script].map(str::to_owned).to_vec(),
        network: Some("none".to_owned()),
        ..ContainerSpec::default()
    }
}

impl Bench {
    async fn start(&self, spec: ContainerSpec, stdin: OwnedFd) -> Result<Started, Error> {
        let ((stdout, out), (stderr, err)) = (pipe(), pipe());
        let running = self.engine.start(spec, [stdin, out, err]).await?;
        Ok(Started { running, stdout: stdout.into(), stderr: stderr.into() })
    }

    async fn run(&self, spec: ContainerSpec) -> (How, String, String) {
        self.start(spec, null()).await.unwrap().finish().await
    }

    fn left(&self) -> Vec<String> {
        self.real.containers_with(&format!("sandglass.daemon={DAEMON}")).unwrap()
    }

    /// Waits until no container is left.
    async fn none_left(&self) {
        let gone = async {
            while !self.left().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(SOON, gone).await.expect("a container is left");
    }
}

impl Started {
    /// Waits for some output.
    async fn says(&mut self, word: &str) {
        let mut stdout = self.stdout.try_clone().unwrap();
        let length = word.len();
        let read = tokio::task::spawn_blocking(move || {
            let mut text = vec![0; length];
            stdout.read_exact(&mut text).unwrap();
            text
        });
        let text = tokio::time::timeout(SOON, read).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&text), word);
    }

    async fn finish(self) -> (How, String, String) {
        let Self { running, mut stdout, mut stderr } = self;
        let reading = tokio::task::spawn_blocking(move || {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            stdout.read_to_end(&mut out).unwrap();
            stderr.read_to_end(&mut err).unwrap();
            (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
        });
        let end = tokio::time::timeout(SOON, running.ended()).await.expect("it does not end");
        let (out, err) = reading.await.unwrap();
        (end, out, err)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_do_what_they_should_on_a_real_engine() {
    match TestEngine::start() {
        Ok(real) => all_of_it(real, false).await,
        Err(why) => eprintln!("skipped: containers_do_what_they_should_on_a_real_engine: {why}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_do_what_they_should_on_podman() {
    match TestEngine::start_podman() {
        Ok(real) => all_of_it(real, true).await,
        Err(why) => eprintln!("skipped: containers_do_what_they_should_on_podman: {why}"),
    }
}

async fn all_of_it(real: TestEngine, is_podman: bool) {
    let config = EngineConfig { host: EngineHost::Unix(real.socket()), tls: None };
    let bench = Bench { engine: Engine::connect(&config).unwrap(), real, is_podman };
    bench.engine.ping().await.unwrap();
    images_are_looked_for(&bench).await;
    output_and_exit_codes_arrive(&bench).await;
    much_output_arrives_whole(&bench).await;
    input_is_read_to_its_end(&bench).await;
    what_is_said_holds(&bench).await;
    volumes_are_made_and_stay(&bench).await;
    what_cannot_start_leaves_nothing(&bench).await;
    it_ends_when_it_must(&bench).await;
    what_nobody_holds_is_removed(&bench).await;
    what_was_left_is_swept(&bench).await;
    commands_run_in_containers(&bench).await;
    it_is_reached_over_tls(&bench).await;
    assert_eq!(bench.left(), Vec::<String>::new());
}

async fn images_are_looked_for(bench: &Bench) {
    let pull = |reference: &'static str, policy| bench.engine.pull(reference, policy, None, |_| {});
    let image = pull(IMAGE, PullPolicy::Never).await.unwrap();
    assert!(image.id.starts_with("sha256:") && image.size > 0, "{image:?}");
    assert_eq!(pull(IMAGE, PullPolicy::Missing).await.unwrap(), image);
    let missing = pull("not-there:1", PullPolicy::Never).await.unwrap_err();
    assert!(matches!(&missing, Error::NotFound(why) if why.contains("not-there:1")), "{missing}");
    assert_eq!(bench.engine.find(IMAGE).await, Ok(Some(image)));
    assert_eq!(bench.engine.find("not-there:1").await, Ok(None));
    let unknown = pull("127.0.0.1:1/nothing:1", PullPolicy::Missing).await.unwrap_err();
    assert!(unknown.to_string().contains("pulling 127.0.0.1:1/nothing:1 failed"), "{unknown}");
}

async fn output_and_exit_codes_arrive(bench: &Bench) {
    let (end, out, err) = bench.run(spec("codes", "echo one; echo two >&2; echo three; exit 7")).await;
    assert_eq!((&end, out.as_str(), err.as_str()), (&How::Exited(7), "one\nthree\n", "two\n"));
    let (end, out, _) = bench.run(spec("fast", "true")).await;
    assert_eq!((&end, out.as_str()), (&How::Exited(0), ""));
}

async fn much_output_arrives_whole(bench: &Bench) {
    let (end, out, _) = bench.run(spec("much", "yes 0123456789abcde | head -c 8388608; echo end")).await;
    assert_eq!(end, How::Exited(0));
    assert_eq!(out.len(), (8 << 20) + 4);
    assert!(out.ends_with("end\n"));
}

async fn input_is_read_to_its_end(bench: &Bench) {
    let (stdin, feed) = pipe();
    let started = bench.start(spec("cat", "cat; echo done"), stdin).await.unwrap();
    let text = "line\n".repeat(50_000);
    let feeding =
        tokio::task::spawn_blocking(move || std::io::Write::write_all(&mut File::from(feed), text.as_bytes()));
    let (end, out, _) = started.finish().await;
    feeding.await.unwrap().unwrap();
    assert_eq!(end, How::Exited(0));
    assert_eq!(out.len(), 250_005);
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, b"from a file\n").unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let (_, out, _) = bench.start(spec("file", "cat"), file.into()).await.unwrap().finish().await;
    assert_eq!(out, "from a file\n");
}

async fn what_is_said_holds(bench: &Bench) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in"), "hello").unwrap();
    let mount = |target: &str, read_only| Mount {
        source: MountSource::Folder(folder.path().to_owned()),
        target: target.to_owned(),
        read_only,
    };
    let tmpfs = Mount { source: MountSource::Tmpfs(1 << 20), target: "/scratch".to_owned(), read_only: false };
    let script = "cat /ro/in; echo; touch /ro/new 2>/dev/null || echo read-only; echo $WORD; pwd; id -u; id -g; \
                  touch /scratch/x && echo scratch; \
                  cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true";
    let said = ContainerSpec {
        entrypoint: Some(vec!["sh".to_owned(), "-c".to_owned()]),
        args: vec![script.to_owned()],
        env: vec![("WORD".to_owned(), "a b=c".to_owned())],
        workdir: Some("/tmp".to_owned()),
        user: Some("12:34".to_owned()),
        mounts: vec![mount("/ro", true), mount("/rw", false), tmpfs],
        memory: Some(64 << 20),
        pids: Some(50),
        cpu_millis: Some(500),
        labels: vec![("team".to_owned(), "blue".to_owned())],
        ..spec("said", "")
    };
    let (end, out, err) = bench.run(said).await;
    assert_eq!(end, How::Exited(0), "{out}{err}");
    let expected = "hello\nread-only\na b=c\n/tmp\n12\n34\nscratch\n";
    assert!(out.starts_with(expected), "{out}");
    assert!(out.ends_with("scratch\n67108864\n"), "{out}{err}");
    let writes = ContainerSpec { mounts: vec![mount("/rw", false)], ..spec("rw", "echo new > /rw/out") };
    assert_eq!(bench.run(writes).await.0, How::Exited(0));
    assert_eq!(std::fs::read_to_string(folder.path().join("out")).unwrap(), "new\n");
}

async fn volumes_are_made_and_stay(bench: &Bench) {
    let volume = |read_only| Mount {
        source: MountSource::Volume("orders-data".to_owned()),
        target: "/data".to_owned(),
        read_only,
    };
    let writes = ContainerSpec { mounts: vec![volume(false)], ..spec("writes", "echo kept > /data/file") };
    assert_eq!(bench.run(writes).await.0, How::Exited(0));
    bench.none_left().await;
    let script = "cat /data/file; touch /data/new 2>/dev/null || echo read-only";
    let reads = ContainerSpec { mounts: vec![volume(true)], ..spec("reads", script) };
    assert_eq!(bench.run(reads).await.1, "kept\nread-only\n");
    bench.none_left().await;
    assert!(bench.real.get("/volumes/orders-data").is_ok(), "it is nobody's to remove");
}

async fn what_cannot_start_leaves_nothing(bench: &Bench) {
    let start = |spec| bench.start(spec, null());
    let missing = ContainerSpec { args: vec!["/no/such/program".to_owned()], ..spec("missing", "") };
    let error = start(missing).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("/no/such/program"), "{error}");
    let image = ContainerSpec { image: "not-there:1".to_owned(), ..spec("image", "true") };
    assert!(matches!(start(image).await.map(drop), Err(Error::NotFound(_))));
    if !bench.is_podman {
        // Podman makes a folder that is not there. Whoever asks for one has looked before.
        let folder = MountSource::Folder("/no/such/folder".into());
        let mount = Mount { source: folder, target: "/data".to_owned(), read_only: true };
        let mounts = ContainerSpec { mounts: vec![mount], ..spec("mounts", "true") };
        assert!(start(mounts).await.map(drop).is_err());
    }
    assert_eq!(bench.left(), Vec::<String>::new());
}

async fn it_ends_when_it_must(bench: &Bench) {
    let polite =
        bench.start(spec("polite", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done"), null());
    let mut polite = std::pin::pin!(polite).await.unwrap();
    polite.says("ready\n").await;
    polite.running.stop();
    let (end, out, _) = polite.finish().await;
    assert_eq!((&end, out.as_str()), (&How::Exited(3), "bye\n"));
    let mut rude =
        bench.start(spec("rude", "trap '' TERM; echo ready; while :; do sleep 0.05; done"), null()).await.unwrap();
    rude.says("ready\n").await;
    rude.running.stop();
    rude.running.kill();
    assert_eq!(rude.finish().await.0, How::Exited(137));
    let mut told = bench
        .start(spec("told", "trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done"), null())
        .await
        .unwrap();
    told.says("ready\n").await;
    told.running.signal(Signal::User1).await.unwrap();
    assert_eq!(told.finish().await.0, How::Exited(5));
}

async fn what_nobody_holds_is_removed(bench: &Bench) {
    let mut dropped = bench.start(spec("dropped", "echo ready; sleep 1000"), null()).await.unwrap();
    dropped.says("ready\n").await;
    assert_eq!(bench.left(), ["dropped"]);
    drop(dropped);
    bench.none_left().await;
    // Dropped while it is being started.
    for wait in [0, 1, 5, 20, 80, 200] {
        let starting = bench.start(spec("early", "sleep 1000"), null());
        let _ = tokio::time::timeout(Duration::from_millis(wait), starting).await;
        bench.none_left().await;
    }
}

async fn what_was_left_is_swept(bench: &Bench) {
    let mut live = bench.start(spec("live", "echo ready; sleep 1000"), null()).await.unwrap();
    let left = ContainerSpec { owner: owner(DAEMON, "before"), ..spec("left", "echo ready; sleep 1000") };
    let mut left = bench.start(left, null()).await.unwrap();
    let other = ContainerSpec { owner: owner("other", "before"), ..spec("other", "echo ready; sleep 1000") };
    let mut other = bench.start(other, null()).await.unwrap();
    for started in [&mut live, &mut left, &mut other] {
        started.says("ready\n").await;
    }
    assert_eq!(bench.engine.sweep(&owner(DAEMON, "now")).await, Ok(1));
    assert_eq!(bench.left(), ["live"]);
    assert_eq!(bench.real.containers_with("sandglass.daemon=other").unwrap(), ["other"]);
    for started in [live, left, other] {
        started.running.kill();
        started.finish().await;
    }
}

async fn commands_run_in_containers(bench: &Bench) {
    let mut host = bench.start(spec("host", "echo ready; sleep 1000"), null()).await.unwrap();
    host.says("ready\n").await;
    let exec = async |script: &str, stdin: OwnedFd, container: &str| {
        let ((stdout, out), (stderr, err)) = (pipe(), pipe());
        let spec = ExecSpec {
            container: container.to_owned(),
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: vec![("WORD".to_owned(), "x".to_owned())],
            workdir: Some("/tmp".to_owned()),
            user: Some("12".to_owned()),
        };
        let running = bench.engine.exec(spec, [stdin, out, err]).await?;
        Ok::<_, Error>(Started { running, stdout: stdout.into(), stderr: stderr.into() })
    };
    let (end, out, err) =
        exec("echo $WORD; pwd; id -u; echo err >&2; exit 4", null(), "host").await.unwrap().finish().await;
    assert_eq!((&end, out.as_str(), err.as_str()), (&How::Exited(4), "x\n/tmp\n12\n", "err\n"));
    let (stdin, feed) = pipe();
    let reading = exec("cat", stdin, "host").await.unwrap();
    std::io::Write::write_all(&mut File::from(feed), b"fed").unwrap();
    assert_eq!(reading.finish().await.1, "fed");
    let mut stopped =
        exec("trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done", null(), "host").await.unwrap();
    stopped.says("ready\n").await;
    stopped.running.stop();
    assert_eq!(stopped.finish().await.0, How::Exited(6));
    let mut killed = exec("echo ready; sleep 1000", null(), "host").await.unwrap();
    killed.says("ready\n").await;
    killed.running.kill();
    assert_eq!(killed.finish().await.0, How::Exited(137));
    for name in ["nobody", "../version", "a b"] {
        assert!(exec("true", null(), name).await.map(drop).is_err(), "{name}");
    }
    host.running.kill();
    host.finish().await;
}

async fn it_is_reached_over_tls(bench: &Bench) {
    let Some(tls) = bench.real.tls() else {
        eprintln!(
            "skipped: it_is_reached_over_tls: the engine has no port, or there is no openssl to make certificates"
        );
        return;
    };
    let connect = |ca: &str, client: Option<(&str, &str)>| {
        let at = |name: &str| tls.folder.join(name);
        let files = TlsFiles { ca: at(ca), client: client.map(|(cert, key)| (at(cert), at(key))) };
        let host = EngineHost::Tcp { host: "127.0.0.1".to_owned(), port: tls.port };
        Engine::connect(&EngineConfig { host, tls: Some(files) })
    };
    let client = Some(("client.pem", "client-key.pem"));
    let engine = connect("ca.pem", client).unwrap();
    assert!(!engine.is_local());
    let (stdout, out) = pipe();
    let running = engine.start(spec("tls", "echo over TLS; exit 9"), [null(), out, null()]).await.unwrap();
    assert_eq!(running.ended().await, How::Exited(9));
    let mut text = String::new();
    File::from(stdout).read_to_string(&mut text).unwrap();
    assert_eq!(text, "over TLS\n");
    // Nobody is trusted but the authority, and nobody without a certificate is talked to.
    for stranger in [connect("client.pem", client), connect("ca.pem", None)] {
        assert!(matches!(stranger.unwrap().ping().await, Err(Error::Unreachable { .. })));
    }
    let missing = connect("none.pem", client).map(drop).unwrap_err().to_string();
    assert!(missing.contains("none.pem cannot be used for TLS"), "{missing}");
    assert!(connect("ca.pem", Some(("client.pem", "ca.pem"))).is_err(), "that is no key");
}
