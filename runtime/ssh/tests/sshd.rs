//! The client against a real OpenSSH server.
//!
//! Each test starts a server of its own; where there is none they say that they are skipped.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use sandglass_ssh::files::{FileDigest, Files, Kind, Put};
use sandglass_ssh::{Auth, Connection, Ended, Hop, Leftovers, Program, Remote, Sig, SshError};
use sandglass_test_servers::Sshd;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

fn hop(server: &Sshd) -> Hop {
    Hop {
        machine: "web-1".to_owned(),
        host: server.address().to_owned(),
        port: server.port(),
        account: Sshd::account(),
        host_keys: vec![server.host_key().parse().expect("the server's key is one")],
        auth: Auth::Key { key: server.key().into(), passphrase: None },
    }
}

fn program(argv: &[&str]) -> Program {
    Program { argv: argv.iter().map(|word| (*word).to_owned()).collect(), ..Program::default() }
}

fn shell(script: &str) -> Program {
    program(&["sh", "-c", script])
}

#[tokio::test]
async fn a_program_gets_its_words_variables_and_input_and_its_end_is_told() {
    let Some(server) = Sshd::start() else { return };
    let connection = Connection::open(&[hop(&server)]).await.unwrap();
    let mut given = shell("printf '%s|%s|' \"$1\" \"$NAME\"; cat; echo oops >&2; pwd; exit 7");
    given.argv.extend(["sh".to_owned(), "it's $HOME".to_owned()]);
    given.env = vec![("NAME".to_owned(), b"a\nb".to_vec().into())];
    given.cwd = Some("/usr".to_owned());
    let finished = connection.run(&given, &b"input\n"[..], 1 << 10).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&finished.stdout), "it's $HOME|a\nb|input\n/usr\n");
    assert_eq!((finished.stderr.as_slice(), finished.ended), (&b"oops\n"[..], Ended::Exited(7)));
    let killed = connection.run(&shell("kill -KILL $$"), tokio::io::empty(), 10).await.unwrap();
    assert_eq!(killed.ended, Ended::Signalled("KILL".to_owned()));
    let much = connection.run(&shell("yes | head -c 100000"), tokio::io::empty(), 1 << 10).await;
    assert!(matches!(much, Err(SshError::Failed { .. })));
}

#[tokio::test]
async fn much_goes_through_in_both_directions() {
    let Some(server) = Sshd::start() else { return };
    let connection = Connection::open(&[hop(&server)]).await.unwrap();
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|at| (at % 251) as u8).collect();
    let back = connection.run(&program(&["cat"]), bytes.as_slice(), bytes.len()).await.unwrap();
    assert!(back.stdout == bytes, "what came back is not what was sent");
}

#[tokio::test]
async fn more_programs_than_a_machine_takes_at_once_wait_for_one_another() {
    let Some(server) = Sshd::start() else { return };
    let connection = Arc::new(Connection::open(&[hop(&server)]).await.unwrap());
    let mut running = tokio::task::JoinSet::new();
    for number in 0..30 {
        let connection = Arc::clone(&connection);
        running.spawn(async move {
            let said = connection.run(&shell(&format!("echo {number}")), tokio::io::empty(), 10).await.unwrap();
            assert_eq!(said.stdout, format!("{number}\n").into_bytes());
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_program_streams_and_stops_when_it_is_told() {
    let Some(server) = Sshd::start() else { return };
    let (stdin, theirs_in) = tokio::io::duplex(64);
    let (stdout, theirs_out) = tokio::io::duplex(64);
    let connection = Arc::new(Connection::open(&[hop(&server)]).await.unwrap());
    let script = "trap 'echo stopped; exit 3' TERM; read x; echo got $x; while :; do sleep 0.05; done";
    let remote = Remote::start(connection, shell(script), theirs_in, theirs_out, tokio::io::sink());
    let (mut stdin, mut lines) = (stdin, BufReader::new(stdout).lines());
    stdin.write_all(b"this\n").await.unwrap();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("got this"));
    remote.signal(Sig::Terminate).await;
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("stopped"));
    assert_eq!(lines.next_line().await.unwrap(), None);
    assert_eq!(remote.ended().await, Ended::Exited(3));
}

#[tokio::test]
async fn a_machine_that_shows_another_key_is_not_talked_to() {
    let Some(server) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let pinned = Hop { host_keys: vec![other.host_key().parse().unwrap()], ..hop(&server) };
    let error = Connection::open(&[pinned]).await.unwrap_err();
    assert!(matches!(&error, SshError::HostKey { shown, .. } if shown.starts_with("ssh-ed25519 SHA256:")), "{error}");
    let unpinned = Hop { host_keys: Vec::new(), ..hop(&server) };
    assert!(matches!(Connection::open(&[unpinned]).await, Err(SshError::HostKey { .. })));
}

#[tokio::test]
async fn an_account_that_is_not_let_in_is_told_what_to_do() {
    let Some(server) = Sshd::start() else { return };
    let Some(other) = Sshd::start() else { return };
    let stranger = Hop { auth: Auth::Key { key: other.key().into(), passphrase: None }, ..hop(&server) };
    let error = Connection::open(&[stranger]).await.unwrap_err();
    assert!(matches!(error, SshError::Refused { .. }) && error.to_string().contains("authorized_keys"), "{error}");
    let no_key = Hop { auth: Auth::Key { key: "secret".to_owned().into(), passphrase: None }, ..hop(&server) };
    let error = Connection::open(&[no_key]).await.unwrap_err().to_string();
    assert!(error.contains("cannot be read") && !error.contains("'secret'"), "{error}");
    let no_agent = Hop { auth: Auth::Agent("/nowhere/agent".into()), ..hop(&server) };
    assert!(Connection::open(&[no_agent]).await.unwrap_err().to_string().contains("/nowhere/agent"));
}

#[tokio::test]
async fn an_agent_lets_an_account_in() {
    let Some(server) = Sshd::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent");
    // It answers by the time that it has gone to the background, and says which process it is.
    let agent = std::process::Command::new("ssh-agent").args(["-s", "-a"]).arg(&socket).output().unwrap();
    let said = String::from_utf8(agent.stdout).unwrap();
    let pid = said.split("SSH_AGENT_PID=").nth(1).and_then(|rest| rest.split(';').next()).expect("it says its process");
    let added =
        std::process::Command::new("ssh-add").env("SSH_AUTH_SOCK", &socket).arg(server.key_file()).output().unwrap();
    assert!(added.status.success(), "{added:?}");
    let entered = Connection::open(&[Hop { auth: Auth::Agent(socket), ..hop(&server) }]).await;
    let ended = std::process::Command::new("ssh-agent").arg("-k").env("SSH_AGENT_PID", pid).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert!(entered.is_ok(), "{entered:?}");
}

#[tokio::test]
async fn a_machine_behind_another_is_reached_through_it() {
    let Some(bastion) = Sshd::start_on("127.0.0.2", "") else { return };
    let Some(server) = Sshd::start() else { return };
    let first = Hop { machine: "bastion".to_owned(), ..hop(&bastion) };
    let connection = Connection::open(&[first.clone(), hop(&server)]).await.unwrap();
    let peer = connection.run(&shell("echo ${SSH_CONNECTION%% *}"), tokio::io::empty(), 100).await.unwrap();
    assert_eq!(peer.stdout, b"127.0.0.1\n");
    let nowhere = Hop { port: 1, ..hop(&server) };
    let error = Connection::open(&[first, nowhere]).await.unwrap_err().to_string();
    assert!(error.contains("web-1") && error.contains("from bastion"), "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_is_told() {
    let Some(mut server) = Sshd::start() else { return };
    let connection = Arc::new(Connection::open(&[hop(&server)]).await.unwrap());
    let (mut stdout, theirs) = tokio::io::duplex(64);
    let same = Arc::clone(&connection);
    let remote = Remote::start(same, shell("echo on; sleep 1000"), tokio::io::empty(), theirs, tokio::io::sink());
    let mut line = [0; 3];
    stdout.read_exact(&mut line).await.unwrap();
    server.kill();
    assert!(matches!(remote.ended().await, Ended::Lost(why) if why.contains("web-1")));
    assert!(connection.run(&shell("true"), tokio::io::empty(), 10).await.unwrap_err().is_passing());
    assert!(Connection::open(&[hop(&server)]).await.unwrap_err().is_passing());
}

#[tokio::test]
async fn what_a_broken_connection_left_running_is_found_by_its_mark_and_ended() {
    let Some(server) = Sshd::start() else { return };
    let way = [hop(&server)];
    let mark = |name: &str| format!("{}-{name}", server.port());
    let begun = async |name: &str, script: &str| {
        let connection = Arc::new(Connection::open(&way).await.unwrap());
        let mut given = shell(&format!("{script}; echo $$; sleep 1000; echo on > /dev/null; sleep 1000"));
        given.env = vec![("MARK".to_owned(), mark(name).into_bytes().into())];
        let (stdout, theirs) = tokio::io::duplex(64);
        let remote = Remote::start(connection, given, tokio::io::empty(), theirs, tokio::io::sink());
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await.unwrap();
        // Its channel and its connection are gone, and it goes on.
        drop(remote);
        line.trim().to_owned()
    };
    let (polite, deaf, other) = (begun("a", ":").await, begun("a", "trap '' TERM").await, begun("b", ":").await);
    let connection = Connection::open(&way).await.unwrap();
    let runs = async |pid: &str| {
        // Whoever should take the end of one that has lost its parent may take its time.
        let state = program(&["ps", "-o", "stat=", "-p", pid]);
        let told = connection.run(&state, tokio::io::empty(), 100).await.unwrap().stdout;
        !matches!(told.first(), None | Some(b'Z'))
    };
    let end = async |name: &str| connection.end_marked(None, &mark(name), Duration::from_secs(1)).await.unwrap();
    assert!(runs(&polite).await && runs(&deaf).await && runs(&other).await);
    assert_eq!(end("a").await, Leftovers::Ended);
    assert_eq!((runs(&polite).await, runs(&deaf).await, runs(&other).await), (false, false, true));
    assert_eq!((end("b").await, runs(&other).await), (Leftovers::Ended, false));
    assert_eq!(end("b").await, Leftovers::NotFound);
}

#[tokio::test]
async fn a_file_appears_whole_or_not_at_all() {
    let Some(server) = Sshd::start() else { return };
    let connection = Connection::open(&[hop(&server)]).await.unwrap();
    let files = Files { connection: &connection, run_as: None };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (path, content) = (at("sub/it's a $file"), b"new\0content\n".as_slice());
    let (digest, length) = FileDigest::of(&mut &*content).await.unwrap();
    let put = Put { mode: Some(0o640), owner: None, make_parents: true };
    let error = files.put(&path, content, digest, &Put::default()).await.unwrap_err().to_string();
    assert!(error.contains("cannot be written"), "{error}");
    files.put(&path, content, digest, &put).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), content);
    let stat = files.stat(&path, true).await.unwrap().unwrap();
    assert_eq!((stat.kind, stat.size, stat.mode, stat.sha256), (Kind::File, length, 0o640, Some(digest.to_string())));
    // The file that is there keeps its mode, and stays as it is if what arrives is not what was sent.
    files.put(&path, content, digest, &Put::default()).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    let error = files.put(&path, &b"other"[..], digest, &Put::default()).await.unwrap_err().to_string();
    assert!(error.contains("not what was sent"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), content);
    assert_eq!(fs::read_dir(folder.path().join("sub")).unwrap().count(), 1, "nothing else is left");
    assert!(
        files.put(&at("sub"), content, digest, &Put::default()).await.unwrap_err().to_string().contains("a folder")
    );
}

#[tokio::test]
async fn files_are_looked_at_moved_and_removed() {
    let Some(server) = Sshd::start() else { return };
    let connection = Connection::open(&[hop(&server)]).await.unwrap();
    let files = Files { connection: &connection, run_as: None };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    assert_eq!(files.stat(&at("none"), false).await.unwrap(), None);
    files.make_dir(&at("a/b"), Some(0o700)).await.unwrap();
    assert_eq!(
        files.stat(&at("a/b"), true).await.unwrap().map(|stat| (stat.kind, stat.mode)),
        Some((Kind::Directory, 0o700))
    );
    fs::write(at("a/file"), "text").unwrap();
    std::os::unix::fs::symlink("/nowhere", at("a/link")).unwrap();
    assert_eq!(files.stat(&at("a/link"), true).await.unwrap().map(|stat| stat.kind), Some(Kind::Symlink));
    assert_eq!(files.read(&at("a/file"), 4).await.unwrap(), b"text");
    assert!(files.read(&at("a/file"), 3).await.is_err());
    assert!(files.read(&at("a/none"), 3).await.unwrap_err().to_string().contains("No such file"));
    files.copy(&at("a/file"), &at("a/kept")).await.unwrap();
    assert!(files.copy(&at("a/file"), &at("a/kept")).await.unwrap_err().to_string().contains("there already"));
    files.rename(&at("a/kept"), &at("a/file")).await.unwrap();
    assert!(files.rename(&at("a/file"), &at("a/b")).await.unwrap_err().to_string().contains("is a folder"));
    assert!(files.remove(&at("a"), false).await.is_err());
    files.remove(&at("a/link"), false).await.unwrap();
    files.remove(&at("a"), true).await.unwrap();
    files.remove(&at("a"), false).await.unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(matches!(files.remove("/", true).await, Err(SshError::Invalid(_))));
}

#[tokio::test]
async fn the_files_of_a_folder_are_looked_at_together() {
    let Some(server) = Sshd::start() else { return };
    let connection = Connection::open(&[hop(&server)]).await.unwrap();
    let files = Files { connection: &connection, run_as: None };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let path = folder.path().to_str().unwrap();
    fs::create_dir(at("sub")).unwrap();
    let odd = "sub/it's a \\ \"$file\"";
    for name in ["-n", odd, "other"] {
        fs::write(at(name), name).unwrap();
    }
    fs::set_permissions(at(odd), fs::Permissions::from_mode(0o750)).unwrap();
    std::os::unix::fs::symlink("/nowhere", at("link")).unwrap();
    let mut found = files.stat_all(path, &["-n", "none", odd, "link", "sub"]).await.unwrap();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let kinds: Vec<_> = found.iter().map(|(name, stat)| (name.as_str(), stat.kind)).collect();
    assert_eq!(kinds, [("-n", Kind::File), ("link", Kind::Symlink), ("sub", Kind::Directory), (odd, Kind::File)]);
    assert_eq!((found[3].1.size, found[3].1.mode), (odd.len() as u64, 0o750));
    let mut digests = files.digest_all(path, &[odd, "-n"]).await.unwrap();
    digests.sort();
    for (name, digest) in &digests {
        assert_eq!(*digest, FileDigest::of(&mut name.as_bytes()).await.unwrap().0.to_string(), "{name}");
    }
    assert_eq!(digests.len(), 2);
    assert!(files.digest_all(path, &["none"]).await.unwrap_err().to_string().contains("No such file"));
    let mut names = files.list(path).await.unwrap();
    names.sort();
    assert_eq!(names, ["-n", "link", "other", odd]);
    files.remove_all(path, &["-n", "link", "none", odd]).await.unwrap();
    assert_eq!(files.list(path).await.unwrap(), ["other"]);
    // A folder that is not there has no files, and a file is no folder.
    let none = at("none").to_str().unwrap().to_owned();
    assert!(files.stat_all(&none, &["a"]).await.unwrap().is_empty() && files.list(&none).await.unwrap().is_empty());
    let other = at("other").to_str().unwrap().to_owned();
    assert!(files.stat_all(&other, &["a"]).await.unwrap_err().to_string().contains("it is no folder"));
}

#[tokio::test]
async fn another_account_is_switched_to() {
    let Some(server) = Sshd::start() else { return };
    if !std::process::Command::new("sudo").args(["-n", "-u", "nobody", "true"]).status().is_ok_and(|it| it.success()) {
        eprintln!("skipped: there is no sudo without a password here");
        return;
    }
    let connection = Connection::open(&[hop(&server)]).await.unwrap();
    let mut as_nobody = shell("id -un; printf %s \"$SECRET\"");
    as_nobody.run_as = Some("nobody".to_owned());
    as_nobody.env = vec![("SECRET".to_owned(), b"x y".to_vec().into())];
    let said = connection.run(&as_nobody, tokio::io::empty(), 100).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "nobody\nx y");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file").to_str().unwrap().to_owned();
    let content = b"x".as_slice();
    let (digest, _) = FileDigest::of(&mut &*content).await.unwrap();
    let files = Files { connection: &connection, run_as: Some("nobody") };
    assert!(
        files.put(&path, content, digest, &Put::default()).await.unwrap_err().to_string().contains("ermission denied")
    );
    let (stdout, theirs) = tokio::io::duplex(64);
    let mut sleeper = shell("echo on; sleep 1000; echo off");
    sleeper.run_as = Some("nobody".to_owned());
    let connection = Arc::new(connection);
    let same = Arc::clone(&connection);
    let remote = Remote::start(same, sleeper, tokio::io::empty(), theirs, tokio::io::sink());
    let mut lines = BufReader::new(stdout).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("on"));
    remote.signal(Sig::Kill).await;
    assert_eq!(lines.next_line().await.unwrap(), None, "its children are gone too");
    assert!(!matches!(remote.ended().await, Ended::Lost(_) | Ended::Exited(0)));
    as_nobody.run_as = Some("nobody2".to_owned());
    let refused = connection.run(&as_nobody, tokio::io::empty(), 100).await.unwrap_err().to_string();
    assert!(refused.contains("was not started") && refused.contains("nobody2"), "{refused}");
}

/// A socket whose other end says back what it is told, until it is told no more.
fn echoing(path: &std::path::Path) {
    let listener = tokio::net::UnixListener::bind(path).expect("a socket can be made");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
}

/// Whether all that is written comes back, and then the end.
async fn comes_back(stream: sandglass_ssh::Stream) {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let (mut read, mut write) = tokio::io::split(stream);
    let sending = async {
        write.write_all(&bytes).await.expect("the stream is open");
        write.shutdown().await.expect("the stream is open");
    };
    let mut back = Vec::new();
    let (_, read) = tokio::join!(sending, read.read_to_end(&mut back));
    read.expect("the stream ends in order");
    assert!(back == bytes, "{} bytes came back", back.len());
}

#[tokio::test]
async fn streams_lead_to_sockets_and_programs() {
    let Some(server) = Sshd::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("echo.sock");
    echoing(&socket);
    let socket = socket.to_str().unwrap();
    let connection = Arc::new(Connection::open(&[hop(&server)]).await.unwrap());
    comes_back(connection.socket(socket).await.unwrap().unwrap()).await;
    comes_back(connection.stream(program(&["cat"]))).await;
    assert!(connection.socket("/nowhere.sock").await.unwrap().is_none());
    // More than a server takes of programs, as they are none.
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(connection.socket(socket).await.unwrap().unwrap());
    }
    // A stream keeps its connection.
    let stream = streams.pop().unwrap();
    drop((streams, connection));
    comes_back(stream).await;
    let Some(closed) = Sshd::start_on("127.0.0.1", "AllowStreamLocalForwarding no") else { return };
    let connection = Arc::new(Connection::open(&[hop(&closed)]).await.unwrap());
    assert!(connection.socket(socket).await.unwrap().is_none());
    let mut said = String::new();
    let mut unknown = connection.stream(program(&["/no/such/program"]));
    unknown.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "");
}

#[tokio::test]
async fn a_stream_whose_connection_breaks_fails_and_does_not_end() {
    let Some(mut server) = Sshd::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("echo.sock");
    echoing(&socket);
    let connection = Arc::new(Connection::open(&[hop(&server)]).await.unwrap());
    let streams = [
        connection.socket(socket.to_str().unwrap()).await.unwrap().unwrap(),
        connection.stream(program(&["sh", "-c", "echo begun; exec sleep 1000"])),
    ];
    let [mut to_socket, mut of_program] = streams;
    to_socket.write_all(b"begun\n").await.unwrap();
    for stream in [&mut to_socket, &mut of_program] {
        let mut begun = [0; 6];
        stream.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"begun\n");
    }
    server.kill();
    for mut stream in [to_socket, of_program] {
        let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}
