//! A container engine of a test's own: `dockerd`, or Podman's service, on a socket in a folder that goes with it, and one small
//! image.
//!
//! It needs root and the packages `docker.io` or `podman`, and `busybox-static`. Where they are not to be had,
//! [`TestEngine::start`] says so, and the test says that it is skipped.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// The image that every engine has: busybox and nothing else.
pub const IMAGE: &str = "sandglass-test:1";

/// How often the engine is looked at until it answers, or has ended, and the pause in between.
const LOOKS: u32 = 3000;
const PAUSE: Duration = Duration::from_millis(20);
/// How long it may take over an answer.
const ANSWER: Duration = Duration::from_secs(60);
const BUSYBOX: [&str; 2] = ["/bin/busybox", "/usr/bin/busybox"];
/// What the image's programs are called.
const APPLETS: [&str; 17] = [
    "sh", "cat", "echo", "env", "false", "head", "id", "kill", "ls", "mount", "printf", "pwd", "sleep", "touch",
    "true", "wc", "yes",
];

/// A running engine. It ends with this, its containers with it.
pub struct TestEngine {
    engine: Child,
    folder: TempDir,
    /// None where no certificates could be made.
    tls: Option<Tls>,
    /// Whether its containers would outlive it.
    leaves_containers: bool,
}

/// How the engine is reached over TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// The folder with `ca.pem`, and `client.pem` with `client-key.pem`, without which the engine talks to nobody.
    pub folder: PathBuf,
}

impl TestEngine {
    /// Starts Docker's engine and waits until it answers.
    ///
    /// # Errors
    ///
    /// If this machine cannot have one, and why.
    pub fn start() -> Result<Self, String> {
        let folder = folder()?;
        let at = |name: &str| folder.path().join(name);
        // It is told to end should this process be killed.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none"]);
        command.arg("-H").arg(format!("unix://{}", at("socket").display()));
        for (flag, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
            command.arg(flag).arg(at(name));
        }
        let tls = certificates(folder.path());
        if let Some(tls) = &tls {
            command.arg("-H").arg(format!("tcp://127.0.0.1:{}", tls.port)).arg("--tlsverify");
            for (flag, name) in [("--tlscacert", "ca.pem"), ("--tlscert", "server.pem"), ("--tlskey", "server-key.pem")]
            {
                command.arg(flag).arg(at(name));
            }
        }
        Self::launch("dockerd", command, folder, tls)
    }

    /// Starts Podman's service, as root, and waits until it answers.
    ///
    /// # Errors
    ///
    /// If this machine cannot have one, and why.
    pub fn start_podman() -> Result<Self, String> {
        let folder = folder()?;
        let at = |name: &str| folder.path().join(name);
        // Its own limits may be more than this machine allows; locks of its own are in nobody's way.
        let limits = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
        let text = format!("{limits}[engine]\nlock_type = \"file\"\nexit_command_delay = 5\n");
        fs::write(at("containers.conf"), text).map_err(|error| error.to_string())?;
        let mut command = Command::new("setpriv");
        command.env("CONTAINERS_CONF", at("containers.conf"));
        command.args(["--pdeathsig", "TERM", "podman", "--storage-driver=vfs", "--cgroup-manager=cgroupfs"]);
        command.args(["--events-backend=none", "--log-level=info"]);
        for (flag, name) in [("--root", "data"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            command.arg(flag).arg(at(name));
        }
        command.args(["system", "service", "--time=0"]).arg(format!("unix://{}", at("socket").display()));
        let mut started = Self::launch("podman", command, folder, None)?;
        started.leaves_containers = true;
        Ok(started)
    }

    fn launch(program: &str, mut command: Command, folder: TempDir, tls: Option<Tls>) -> Result<Self, String> {
        let busybox = BUSYBOX.iter().map(Path::new).find(|path| path.exists());
        let busybox = busybox.ok_or("there is no busybox; install busybox-static")?;
        let is_root = fs::metadata("/proc/self").is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0);
        if !is_root {
            return Err("an engine is started by root alone".to_owned());
        }
        let log = fs::File::create(folder.path().join("log")).map_err(|error| error.to_string())?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let engine =
            command.spawn().map_err(|error| format!("no engine starts: {error}; install the package of {program}"))?;
        let mut started = Self { engine, folder, tls, leaves_containers: false };
        started.wait_for_answer()?;
        started.add_image(busybox).map_err(|error| format!("the engine takes no image: {error}"))?;
        Ok(started)
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// How it is reached over TLS; none where `openssl` is missing.
    #[must_use]
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// What the engine answers to a request without a body: its JSON.
    ///
    /// # Errors
    ///
    /// If it does not answer, or not with success.
    pub fn get(&self, path: &str) -> io::Result<String> {
        self.request("GET", path, &[])
    }

    /// The names of all its containers that have a label, running or not.
    ///
    /// # Errors
    ///
    /// If the engine does not answer.
    pub fn containers_with(&self, label: &str) -> io::Result<Vec<String>> {
        let filter = format!("%7B%22label%22%3A%5B%22{label}%22%5D%7D");
        let listed = self.get(&format!("/containers/json?all=true&filters={filter}"))?;
        let names = listed.split("\"Names\":[\"/").skip(1);
        Ok(names.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect())
    }

    fn wait_for_answer(&mut self) -> Result<(), String> {
        let mut looks = 0;
        while self.get("/_ping").is_err() {
            looks += 1;
            let ended = self.engine.try_wait().ok().flatten();
            if ended.is_some() || looks == LOOKS {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                let last = log.lines().rev().take(5).collect::<Vec<_>>().join("\n");
                return Err(format!("the engine does not come up:\n{last}"));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn add_image(&self, busybox: &Path) -> io::Result<()> {
        let root = self.folder.path().join("image");
        for folder in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
            fs::create_dir_all(root.join(folder))?;
        }
        fs::copy(busybox, root.join("bin/busybox"))?;
        for name in APPLETS {
            symlink("busybox", root.join("bin").join(name))?;
        }
        let packed = Command::new("tar").arg("-c").arg("-C").arg(&root).arg(".").output()?;
        let (repository, tag) = IMAGE.split_once(':').unwrap_or((IMAGE, "latest"));
        let path = format!("/images/create?fromSrc=-&repo={repository}&tag={tag}");
        self.request("POST", &path, &packed.stdout)?;
        // Podman hears nothing of the tag.
        if self.get(&format!("/images/{IMAGE}/json")).is_err() {
            self.request("POST", &format!("/images/{repository}:latest/tag?repo={repository}&tag={tag}"), &[])?;
        }
        Ok(())
    }

    /// Removes a container, running or not.
    ///
    /// # Errors
    ///
    /// If the engine does not answer, or not with success.
    pub fn remove(&self, container: &str) -> io::Result<()> {
        self.request("DELETE", &format!("/containers/{container}?force=true&v=true"), &[]).map(drop)
    }

    fn request(&self, method: &str, path: &str, body: &[u8]) -> io::Result<String> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(ANSWER))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        if answer.starts_with("HTTP/1.1 2") { Ok(answer) } else { Err(io::Error::other(answer)) }
    }
}

fn folder() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(|error| format!("there is no room for an engine: {error}"))
}

/// An authority of the engine's own, a certificate for it and one for its clients.
fn certificates(folder: &Path) -> Option<Tls> {
    let openssl = |args: &str| {
        let mut command = Command::new("openssl");
        command.args(args.split(' ')).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success()).then_some(())
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca-key.pem -out ca.pem -subj /CN=authority -days 2"))?;
    for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
        let extensions = format!("subjectAltName=IP:127.0.0.1\nextendedKeyUsage={usage}\n");
        fs::write(folder.join("extensions"), extensions).ok()?;
        openssl(&format!("req {key} -keyout {name}-key.pem -out {name}.csr -subj /CN={name}"))?;
        let signed = format!("x509 -req -in {name}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out {name}.pem");
        openssl(&format!("{signed} -days 2 -extfile extensions"))?;
    }
    let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    Some(Tls { port, folder: folder.to_owned() })
}

impl Drop for TestEngine {
    fn drop(&mut self) {
        if self.leaves_containers {
            for container in self.containers_with("sandglass.daemon").unwrap_or_default() {
                let _ = self.remove(&container);
            }
        }
        let _ = Command::new("kill").arg(self.engine.id().to_string()).status();
        if !comes_to_be(|| !matches!(self.engine.try_wait(), Ok(None))) {
            let _ = self.engine.kill();
            let _ = self.engine.wait();
        }
        if self.leaves_containers {
            // What watched over commands in containers stays for some seconds, and writes into the folder at its end.
            comes_to_be(|| !is_named_by_a_program(self.folder.path()));
        }
    }
}

/// Waits for a fact; false if it does not come to be.
fn comes_to_be(mut is_so: impl FnMut() -> bool) -> bool {
    for _ in 0..LOOKS {
        if is_so() {
            return true;
        }
        std::thread::sleep(PAUSE);
    }
    false
}

/// Whether the command line of a running program names `folder`.
fn is_named_by_a_program(folder: &Path) -> bool {
    let name = folder.as_os_str().as_encoded_bytes();
    let lines = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut lines = lines.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| line.windows(name.len()).any(|part| part == name))
}
