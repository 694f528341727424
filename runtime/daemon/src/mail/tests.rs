use std::sync::Arc;

use sandglass_core::time::Timestamp;
use sandglass_host::services::{MailError, MailMessage};
use sandglass_store::RedbStore;
use sandglass_test_servers::{Authority, Mechanism, Security, Smtp};
use tempfile::TempDir;

use super::{MailConfig, MailFile, Mailer};
use crate::secrets::Secrets;

fn config(more: &str) -> Result<MailConfig, String> {
    let text = format!("server = 'smtp.example.com'\nfrom = 'Sandglass <jobs@example.com>'\n{more}");
    let file: MailFile = toml::from_str(&text).map_err(|error| error.to_string())?;
    file.check().map_err(|error| error.to_string())
}

fn mail(to: &str) -> MailMessage {
    MailMessage { to: vec![to.to_owned()], cc: Vec::new(), subject: "a".to_owned(), text: "b".to_owned(), html: None }
}

#[test]
fn the_port_follows_from_the_encryption() {
    for (more, port) in [("", 587), ("encryption = 'tls'", 465), ("port = 2525", 2525)] {
        assert_eq!(config(more).unwrap().port, port, "{more}");
    }
    let plain = config("encryption = 'none'").unwrap_err();
    assert!(plain.contains("allow_plain = true"), "{plain}");
    assert_eq!(config("encryption = 'none'\nallow_plain = true").unwrap().port, 25);
}

#[test]
fn mistakes_are_told() {
    for (more, part) in [
        ("user = 'a'", "a user has a password"),
        ("password_secret = 'A'", "a user has a password"),
        ("user = 'a'\npassword_secret = 'A'\npassword_file = '/a'", "in one of password_secret and password_file"),
        ("allow_to = ['example.com']", "it is an address, *@ and a domain"),
        ("allow_to = ['*example.com']", "it is an address, *@ and a domain"),
        ("allow_to = ['*@*']", "it is an address, *@ and a domain"),
        ("encryption = 'ssl'", "unknown variant"),
        ("sever = 'a'", "unknown field"),
        ("encryption = 'none'\nallow_plain = true\nca = '/ca.pem'", "no certificate is looked at"),
    ] {
        let error = config(more).unwrap_err();
        assert!(error.contains(part), "{more}: {error}");
    }
}

#[test]
fn only_those_whom_the_operator_allows_get_mail() {
    let config = config("allow_to = ['*@Example.com', 'boss@other.org']").unwrap();
    for allowed in ["ops@example.com", "Ops <OPS@EXAMPLE.COM>", "boss@other.org"] {
        assert!(config.message(&mail(allowed), Timestamp::EPOCH).is_ok(), "{allowed}");
    }
    for denied in ["ops@sub.example.com", "ops@badexample.com", "you@other.org", "\"x@example.com\"@other.org"] {
        let error = config.message(&mail(denied), Timestamp::EPOCH).unwrap_err();
        assert!(matches!(error, MailError::NotAllowed(_) | MailError::Invalid(_)), "{denied}: {error}");
    }
}

#[test]
fn no_text_can_add_a_header() {
    let config = config("").unwrap();
    for to in ["a@b.c\r\nBcc: x@y.z", "A\r\nBcc: x@y.z <a@b.c>", "a@b.c, x@y.z", "nobody", ""] {
        let message = config.message(&mail(to), Timestamp::EPOCH);
        let headers = message.map(|message| (message.envelope().to().len(), message.formatted()));
        if let Ok((recipients, bytes)) = headers {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(recipients == 1 && !text.contains("\nBcc:"), "{to:?}: {text}");
        }
    }
    let hostile = MailMessage { subject: "a\r\nBcc: x@y.z\r\n\r\nbody".to_owned(), ..mail("a@b.c") };
    let message = config.message(&hostile, Timestamp::EPOCH).unwrap();
    let text = String::from_utf8_lossy(&message.formatted()).into_owned();
    assert!(!text.contains("\nBcc:") && message.envelope().to().len() == 1, "{text}");
    assert!(text.contains("From: Sandglass <jobs@example.com>") || text.contains("From: \"Sandglass\""), "{text}");
}

/// What a server hears in base64 if it is `jobs` with the password `correct-horse`.
const PLAIN: &[&str] = &["AGpvYnMAY29ycmVjdC1ob3JzZQ=="];
const LOGIN: &[&str] = &["am9icw==", "Y29ycmVjdC1ob3JzZQ=="];

/// Sends a mail to `server` as `jobs` with `password`, trusting the authority if there is one.
async fn send(server: &Smtp, encryption: &str, ca: Option<&str>, password: &str) -> Result<(), MailError> {
    send_this(mail("ops@example.com"), server, encryption, ca, password).await
}

async fn send_this(
    mail: MailMessage,
    server: &Smtp,
    encryption: &str,
    ca: Option<&str>,
    password: &str,
) -> Result<(), MailError> {
    let folder = TempDir::new().unwrap();
    let (password_file, ca_file) = (folder.path().join("password"), folder.path().join("ca.pem"));
    std::fs::write(&password_file, format!("{password}\n")).unwrap();
    let mut text = format!(
        "server = '127.0.0.1'\nport = {}\nencryption = '{encryption}'\nuser = 'jobs'\npassword_file = '{}'\n\
         from = 'Sandglass <jobs@example.com>'\n",
        server.port(),
        password_file.display()
    );
    if let Some(ca) = ca {
        std::fs::write(&ca_file, ca).unwrap();
        text.push_str(&format!("ca = '{}'\n", ca_file.display()));
    }
    let config = toml::from_str::<MailFile>(&text).unwrap().check().unwrap();
    let store = Arc::new(RedbStore::in_memory().unwrap());
    let secrets = Secrets::open(store, folder.path().join("secrets.key")).unwrap();
    Mailer::new(config, Arc::new(secrets)).send(mail).await
}

#[tokio::test]
async fn a_recipient_whom_the_server_refuses_keeps_the_mail_from_nobody_else() {
    let authority = Authority::new();
    let server = Smtp::start(&authority.sign(&["127.0.0.1"]), Security::Tls, Mechanism::Plain, PLAIN);
    let send = async |to: &[&str]| {
        let to = to.iter().map(ToString::to_string).collect();
        let mail = MailMessage { to, cc: vec!["boss@example.com".to_owned()], ..mail("") };
        send_this(mail, &server, "tls", Some(&authority.certificate()), "correct-horse").await
    };
    let error = send(&["ops@example.com", "nobody@example.com"]).await.unwrap_err();
    let told = error.to_string();
    assert!(matches!(error, MailError::Rejected(_)), "{told}");
    assert!(told.contains("nobody@example.com: ") && told.contains("no such user here"), "{told}");
    assert!(told.starts_with("2 of 3 recipients have the mail; not nobody@") && !told.contains("ops@"), "{told}");
    assert_eq!(server.recipients(), ["<ops@example.com>", "<boss@example.com>"]);
    assert_eq!(server.mails().len(), 1);
    send(&["ops@example.com"]).await.unwrap();
    assert_eq!((server.recipients().len(), server.mails().len()), (4, 2));
    // Where one may get it later, nobody has it before: they would get it again.
    let later = send(&["nobody@example.com", "ops@example.com", "later@example.com"]).await.unwrap_err();
    assert!(matches!(later, MailError::Unavailable(_)), "{later}");
    assert_eq!(server.mails().len(), 2);
    let spam = MailMessage { subject: "unwanted".to_owned(), cc: vec!["boss@example.com".to_owned()], ..mail("a@b.c") };
    let unwanted = send_this(spam, &server, "tls", Some(&authority.certificate()), "correct-horse").await.unwrap_err();
    assert!(unwanted.to_string().contains("554") && matches!(unwanted, MailError::Rejected(_)), "{unwanted}");
    assert_eq!((server.mails().len(), server.unwanted()), (2, 1), "it was offered more than once");
    let ca = authority.certificate();
    let nobody = send_this(mail("nobody@example.com"), &server, "tls", Some(&ca), "correct-horse");
    let told = nobody.await.unwrap_err().to_string();
    assert!(told.contains("refused the mail for nobody@example.com: ") && told.contains("no such user"), "{told}");
}

#[tokio::test]
async fn a_mail_goes_encrypted_to_a_server_that_is_trusted() {
    let authority = Authority::new();
    let certificate = authority.sign(&["127.0.0.1"]);
    for (security, encryption) in [(Security::Starttls, "starttls"), (Security::Tls, "tls")] {
        for (mechanism, logins) in [(Mechanism::Plain, PLAIN), (Mechanism::Login, LOGIN)] {
            let server = Smtp::start(&certificate, security, mechanism, logins);
            send(&server, encryption, Some(&authority.certificate()), "correct-horse").await.unwrap();
            assert!(server.mails()[0].contains("Subject: a"), "{:?}", server.mails());
            let clear = server.clear();
            let greets = |line: &String| line.starts_with("EHLO ") || line == "STARTTLS";
            assert!(clear.iter().all(greets) && clear.is_empty() == (security == Security::Tls), "{clear:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_told_nothing() {
    let authority = Authority::new();
    let other = Authority::new().certificate();
    for (security, encryption) in [(Security::Starttls, "starttls"), (Security::Tls, "tls")] {
        for (certificate, ca, part) in [
            (authority.sign(&["127.0.0.1"]), None, "UnknownIssuer"),
            (authority.sign(&["127.0.0.1"]), Some(other.clone()), "invalid peer certificate"),
            (authority.sign(&["mail.example"]), Some(authority.certificate()), "not valid for name"),
            (authority.sign_expired(&["127.0.0.1"]), Some(authority.certificate()), "expired"),
            (authority.sign(&["127.0.0.1"]), Some("nothing".to_owned()), "holds no certificate in PEM"),
        ] {
            let server = Smtp::start(&certificate, security, Mechanism::Plain, PLAIN);
            let error = send(&server, encryption, ca.as_deref(), "correct-horse").await.unwrap_err();
            assert!(error.to_string().contains(part), "{encryption}: {part:?} is missing: {error}");
            assert!(server.mails().is_empty());
        }
    }
}

#[tokio::test]
async fn nothing_goes_in_clear_to_a_server_without_encryption() {
    let authority = Authority::new();
    let server = Smtp::start(&authority.sign(&["127.0.0.1"]), Security::Plain, Mechanism::Plain, PLAIN);
    let error = send(&server, "starttls", Some(&authority.certificate()), "correct-horse").await.unwrap_err();
    assert!(error.to_string().contains("STARTTLS is not supported"), "{error}");
    let clear = server.clear();
    assert!(
        server.mails().is_empty() && clear.iter().all(|line| line.starts_with("EHLO ") || line == "QUIT"),
        "{clear:?}"
    );
    // One that answers nothing that is TLS ends the conversation too.
    let error = send(&server, "tls", Some(&authority.certificate()), "correct-horse").await.unwrap_err();
    assert!(matches!(error, MailError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let authority = Authority::new();
    let certificate = authority.sign(&["127.0.0.1"]);
    for (mechanism, logins) in [(Mechanism::Plain, PLAIN), (Mechanism::Login, LOGIN)] {
        let server = Smtp::start(&certificate, Security::Starttls, mechanism, logins);
        let error = send(&server, "starttls", Some(&authority.certificate()), "battery-staple").await.unwrap_err();
        assert!(matches!(error, MailError::Rejected(_)) && error.to_string().contains("535"), "{error}");
        assert!(!error.to_string().contains("battery-staple") && server.mails().is_empty(), "{error}");
    }
}
