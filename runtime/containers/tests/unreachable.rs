//! Engines that are not there, or say nothing that helps.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandglass_containers::{
    ContainerSpec, Duplex, Engine, EngineConfig, EngineHost, Error, Obstacle, ObstacleKind, Opening, PullPolicy, Way,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

fn engine(socket: &Path) -> Engine {
    Engine::connect(&EngineConfig { host: EngineHost::Unix(socket.to_owned()), tls: None }).unwrap()
}

/// An engine that answers every connection with `answer` once it was asked something, and nothing more.
fn answering(socket: &Path, answer: &'static [u8]) -> Engine {
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(say(stream, answer));
        }
    });
    engine(socket)
}

async fn say(mut stream: UnixStream, answer: &[u8]) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await;
    let _ = stream.write_all(answer).await;
}

#[tokio::test]
async fn who_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("none.sock");
    let error = engine(&socket).ping().await.unwrap_err().to_string();
    assert!(error.contains(&*socket.to_string_lossy()) && error.contains("start the engine"), "{error}");
    let error = engine(&socket).pull("alpine", PullPolicy::Missing, None, |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let refused = EngineHost::Tcp { host: "127.0.0.1".to_owned(), port: 1 };
    let engine = Engine::connect(&EngineConfig { host: refused, tls: None }).unwrap();
    assert!(engine.ping().await.unwrap_err().to_string().contains("tcp://127.0.0.1:1"));
}

#[tokio::test]
async fn who_says_nothing_is_given_up_on() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("mute.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let error = engine(&socket).ping().await.unwrap_err();
    assert!(matches!(error, Error::Slow { .. }), "{error}");
}

#[tokio::test]
async fn who_talks_nonsense_fails_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let answers: [&[u8]; 4] = [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{{{",
        b"HTTP/1.1 500 Oh\r\ncontent-length: 21\r\n\r\n{\"message\":\"no room\"}",
    ];
    for (place, answer) in answers.into_iter().enumerate() {
        let engine = answering(&folder.path().join(format!("{place}.sock")), answer);
        let spec = ContainerSpec { name: "a".to_owned(), image: "alpine".to_owned(), ..ContainerSpec::default() };
        let null = || OwnedFd::from(File::options().read(true).write(true).open("/dev/null").unwrap());
        assert!(engine.pull("alpine", PullPolicy::Missing, None, |_| {}).await.is_err());
        assert!(engine.start(spec, [null(), null(), null()]).await.map(drop).is_err());
    }
    let error =
        answering(&folder.path().join("room.sock"), answers[3]).pull("a", PullPolicy::Never, None, |_| {}).await;
    assert!(error.unwrap_err().to_string().contains("no room"));
}

/// Leads to a socket, unless there is an obstacle.
struct ToSocket(Result<PathBuf, Obstacle>);

impl Way for ToSocket {
    fn open(self: Arc<Self>) -> Opening {
        Box::pin(async move {
            let stream = UnixStream::connect(self.0.clone()?).await.unwrap();
            Ok(Box::new(stream) as Box<dyn Duplex>)
        })
    }
}

#[tokio::test]
async fn what_is_in_a_way_is_told_in_the_words_of_who_opens_it() {
    let obstacle = Obstacle { kind: ObstacleKind::Refused, message: "web-1 does not let deploy in".to_owned() };
    let engine = Engine::through(Arc::new(ToSocket(Err(obstacle.clone()))), "web-1").unwrap();
    assert_eq!(engine.ping().await, Err(Error::Way(obstacle)));
    assert!(!engine.is_local());
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let _listening = answering(&socket, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK");
    Engine::through(Arc::new(ToSocket(Ok(socket))), "web-1").unwrap().ping().await.unwrap();
    // One that breaks off is no matter of our configuration.
    let socket = folder.path().join("broken.sock");
    let _listening = answering(&socket, b"");
    let error = Engine::through(Arc::new(ToSocket(Ok(socket))), "web-1").unwrap().ping().await.unwrap_err().to_string();
    assert!(error.contains("whether it still runs there") && !error.contains("sandglass.toml"), "{error}");
}
