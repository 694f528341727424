//! Mail through the operator's server.

use sandglass_core::capability::Capability;

use super::{CallError, CallResult, clip};
use crate::bindings::mail;
use crate::bindings::types::ErrorCode;
use crate::guest::Guest;
use crate::services::{MailError, MailMessage};

/// The most recipients of one message, and the most bytes of an address.
const RECIPIENTS: usize = 100;
const ADDRESS: usize = 500;
/// The most that a subject may have, in bytes, and each of the two texts.
const SUBJECT: usize = 900;
const TEXT: usize = 1 << 20;

impl Guest {
    /// Guests that are only asked about themselves have the interface but not the grant.
    fn may_mail(&self) -> CallResult<()> {
        self.attempt.work.grants.mail().map_err(|denial| self.attempt.refused(Capability::Mail, &denial))
    }

    /// What is sent of `text`. A mail is read by people and kept by servers, so it is no place for a secret: neither for what
    /// stands for one, nor for a value that came into the text otherwise.
    fn mailed(&self, text: String) -> CallResult<String> {
        if let Some(held) = self.attempt.secrets().and_then(|secrets| secrets.first_in(text.as_bytes())) {
            let message =
                format!("the secret {} may not stand in a mail, as all who read it would see it", held.secret.name);
            return Err(invalid(message));
        }
        Ok(self.attempt.masked(text))
    }
}

fn invalid(message: impl Into<String>) -> CallError {
    CallError::new(ErrorCode::InvalidArgument, message)
}

fn check(message: &mail::Message) -> CallResult<()> {
    let mail::Message { to, cc, subject, text, html } = message;
    if !(1..=RECIPIENTS).contains(&(to.len() + cc.len())) {
        return Err(invalid(format!("a mail has 1 to {RECIPIENTS} recipients")));
    }
    if let Some(long) = to.iter().chain(cc).find(|address| address.len() > ADDRESS) {
        return Err(invalid(format!("'{}' is too long for an address", clip(long.clone(), 50))));
    }
    if subject.len() > SUBJECT {
        return Err(invalid(format!("a subject has at most {SUBJECT} bytes")));
    }
    if text.len() > TEXT || html.as_ref().is_some_and(|html| html.len() > TEXT) {
        return Err(invalid(format!("a mail's text has at most {TEXT} bytes")));
    }
    Ok(())
}

impl mail::Host for Guest {
    async fn send(&mut self, message: mail::Message) -> CallResult<()> {
        self.may_mail()?;
        check(&message)?;
        let message = MailMessage {
            to: message.to,
            cc: message.cc,
            subject: self.mailed(message.subject)?,
            text: self.mailed(message.text)?,
            html: message.html.map(|html| self.mailed(html)).transpose()?,
        };
        let call = self.attempt.services.mail(message);
        match self.attempt.unless_stopped(call).await.ok_or_else(CallError::cancelled)? {
            Ok(()) => {
                self.attempt.used(Capability::Mail);
                Ok(())
            }
            Err(error) => Err(CallError::new(code(&error), error.to_string())),
        }
    }
}

const fn code(error: &MailError) -> ErrorCode {
    match error {
        MailError::NotConfigured => ErrorCode::Unsupported,
        MailError::Invalid(_) | MailError::Rejected(_) => ErrorCode::InvalidArgument,
        MailError::NotAllowed(_) => ErrorCode::Denied,
        MailError::Unavailable(_) => ErrorCode::Unavailable,
    }
}
