//! An SSH server.

use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// Where the program is, if not in `PATH`: it wants to be called by its whole path.
const PROGRAM: &str = "/usr/sbin/sshd";
/// How long a server may take until it greets.
const START: Duration = Duration::from_secs(20);
/// How often it is looked for, and how many times.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: u32 = 2000;

/// An OpenSSH server on a free port, with a host key of its own, which lets the account of the test's process in with
/// [`Sshd::key`].
#[derive(Debug)]
pub struct Sshd {
    folder: TempDir,
    has_own_mnt: bool,
    address: String,
    port: u16,
    child: Child,
}

impl Sshd {
    /// Starts one on 127.0.0.1; none if this machine has no SSH server, which is told on standard error.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_on("127.0.0.1", "")
    }

    /// Starts one on an address of this machine, with further lines of configuration.
    ///
    /// # Panics
    ///
    /// If there is a server and it does not start.
    #[must_use]
    pub fn start_on(address: &str, config: &str) -> Option<Self> {
        Self::launch(address, config, false)
    }

    /// Starts one that sees a folder of its own at `/mnt`, as machines of their own would: see [`Sshd::mnt`]. None without
    /// the right to mount, too, which is told on standard error.
    #[must_use]
    pub fn start_apart(address: &str) -> Option<Self> {
        let may_mount = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
        if !may_mount.is_ok_and(|status| status.success()) {
            eprintln!("skipped: this account may mount nothing");
            return None;
        }
        Self::launch(address, "", true)
    }

    fn launch(address: &str, config: &str, has_own_mnt: bool) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            eprintln!("skipped: there is no {PROGRAM}; install openssh-server");
            return None;
        }
        // The folder that it gives up its privileges in.
        let _ = fs::create_dir_all("/run/sshd");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("home")).expect("a folder can be made");
        keygen(&at("host"));
        keygen(&at("key"));
        fs::copy(at("key.pub"), at("authorized_keys")).expect("a file can be copied");
        // Another may take the port between its choice and its use.
        for _ in 0..10 {
            let port = free_port(address);
            let text = format!(
                "Port {port}\nListenAddress {address}\nHostKey {host}\nAuthorizedKeysFile {keys}\nPidFile none\n\
                 StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 PermitRootLogin yes\nAllowTcpForwarding yes\nMaxStartups 300\nSubsystem sftp internal-sftp\n\
                 SetEnv HOME={home}{path}\n{config}\n",
                // What this machine's account does at the start of its shells is no part of a test.
                home = at("home").display(),
                // Machines of their own have programs of their own.
                path = if has_own_mnt { " PATH=/mnt/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" } else { "" },
                host = at("host").display(),
                keys = at("authorized_keys").display(),
            );
            fs::write(at("config"), text).expect("a file can be written");
            let mut command = Command::new(if has_own_mnt { "unshare" } else { PROGRAM });
            if has_own_mnt {
                fs::create_dir_all(at("mnt")).expect("a folder can be made");
                let script = "mount --bind \"$1\" /mnt && shift && exec \"$@\"";
                command.args(["--mount", "sh", "-c", script, "sh"]).arg(at("mnt")).arg(PROGRAM);
            }
            let mut child = command
                .args(["-D", "-e", "-f"])
                .arg(at("config"))
                .stdin(Stdio::null())
                .stderr(fs::File::create(at("log")).expect("a file can be made"))
                .spawn()
                .expect("the server can be started");
            if answers(address, port, &mut child) {
                return Some(Self { folder, has_own_mnt, address: address.to_owned(), port, child });
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        let log = fs::read_to_string(at("log")).unwrap_or_default();
        panic!("the SSH server does not start: {log}");
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its host key, as `known_hosts` has it.
    #[must_use]
    pub fn host_key(&self) -> String {
        read(&self.folder.path().join("host.pub"))
    }

    /// The private key that lets the account in.
    #[must_use]
    pub fn key(&self) -> String {
        read(&self.folder.path().join("key"))
    }

    /// The public part of it.
    #[must_use]
    pub fn public_key(&self) -> String {
        read(&self.folder.path().join("key.pub"))
    }

    /// What it sees at `/mnt`.
    ///
    /// # Panics
    ///
    /// If it was not started apart.
    #[must_use]
    pub fn mnt(&self) -> PathBuf {
        assert!(self.has_own_mnt, "it was not started apart");
        self.folder.path().join("mnt")
    }

    /// The file that the private key is in.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    /// Lets this key in too.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn let_in(&self, public_key: &str) {
        let file = self.folder.path().join("authorized_keys");
        let text = format!("{}\n{public_key}\n", read(&file));
        fs::write(file, text).expect("a file can be written");
    }

    /// The account that the test's process has.
    ///
    /// # Panics
    ///
    /// If the system does not tell.
    #[must_use]
    pub fn account() -> String {
        let told = Command::new("id").arg("-un").output().expect("`id` can be started");
        String::from_utf8_lossy(&told.stdout).trim().to_owned()
    }

    /// Stops listening and breaks all its connections.
    pub fn kill(&mut self) {
        // Its processes for connections are its children, and have sessions of their own.
        let found = Command::new("pgrep").args(["-P", &self.child.id().to_string()]).output();
        let children = found.map(|found| String::from_utf8_lossy(&found.stdout).into_owned()).unwrap_or_default();
        let _ = self.child.kill();
        for child in children.split_whitespace() {
            let _ = Command::new("kill").args(["-KILL", child]).status();
        }
        let _ = self.child.wait();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("the file was written before").trim_end().to_owned() + "\n"
}

fn keygen(path: &Path) {
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(path).status();
    assert!(made.expect("`ssh-keygen` comes with the server").success(), "a key can be made");
}

fn free_port(address: &str) -> u16 {
    let listener = TcpListener::bind((address, 0)).expect("this machine has a free port");
    listener.local_addr().expect("a listener has an address").port()
}

/// Whether it greets; false if it ends instead.
fn answers(address: &str, port: u16, child: &mut Child) -> bool {
    for _ in 0..LOOKS {
        if let Ok(mut stream) = TcpStream::connect((address, port)) {
            let _ = stream.set_read_timeout(Some(START));
            let mut greeting = [0; 4];
            return stream.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-";
        }
        if !matches!(child.try_wait(), Ok(None)) {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    false
}
