//! Connections that a test can break.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sandglass_test_servers::Sshd;

/// A port that leads to a server, until its connections are cut; further ones are let through again.
pub(crate) struct Cable {
    pub(crate) port: u16,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    pub(crate) fn to(server: &Sshd) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let ends = Arc::new(Mutex::new(Vec::new()));
        let (kept, there) = (Arc::clone(&ends), (server.address().to_owned(), server.port()));
        std::thread::spawn(move || {
            for here in listener.incoming().flatten() {
                let Ok(there) = TcpStream::connect((there.0.as_str(), there.1)) else { return };
                for (from, to) in [(&here, &there), (&there, &here)] {
                    let (from, to) = (from.try_clone().expect("a copy"), to.try_clone().expect("a copy"));
                    std::thread::spawn(move || carry(from, to));
                }
                kept.lock().expect("nobody panics").extend([here, there]);
            }
        });
        Self { port, ends }
    }

    /// Cuts the connections that there are.
    pub(crate) fn cut(&self) {
        for end in self.ends.lock().expect("nobody panics").drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut piece = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
