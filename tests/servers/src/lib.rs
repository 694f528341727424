//! Real servers for tests: each is started by the test that needs it, on addresses of this machine, and stopped when it is
//! dropped. Where one cannot be had, whoever asks for it says so and skips the test by name.

mod certificates;
mod https;
mod smtp;
mod sshd;

pub use certificates::{Authority, Certificate};
pub use https::{Answer, Https};
pub use smtp::{Mechanism, Security, Smtp};
pub use sshd::Sshd;
