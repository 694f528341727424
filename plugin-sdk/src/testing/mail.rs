//! Mail in tests: what is sent is kept.

use crate::Error;
use crate::mail::Message;
use crate::testing::{Host, with};

#[derive(Default)]
pub(crate) struct Script {
    sent: Vec<Message>,
    refusal: Option<Error>,
}

impl Host {
    /// Refuses every mail.
    #[must_use]
    pub fn refuse_mail(self, refusal: Error) -> Self {
        self.script.borrow_mut().mail.refusal = Some(refusal);
        self
    }

    /// The mails that actions sent.
    #[must_use]
    pub fn mails(&self) -> Vec<Message> {
        self.script.borrow().mail.sent.clone()
    }
}

pub(crate) fn send(message: &Message) -> Result<(), Error> {
    with(|script| match &script.mail.refusal {
        Some(refusal) => Err(refusal.clone()),
        None => {
            script.mail.sent.push(message.clone());
            Ok(())
        }
    })
}
