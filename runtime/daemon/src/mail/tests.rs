use sandglass_core::time::Timestamp;
use sandglass_host::services::{MailError, MailMessage};

use super::{MailConfig, MailFile};

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
