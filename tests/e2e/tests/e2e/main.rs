//! The real binary, used as its users use it. Each test has a daemon, a data directory and files of its own.

mod api;
mod bad_input;
mod command_line;
mod crash;
mod dependencies;
mod disk_full;
mod docker;
mod editing;
mod export;
mod extends;
mod follow;
mod holds;
mod life;
mod main_job;
mod no_start;
mod notify;
mod notify_services;
mod people;
mod plugins;
mod retention;
mod retries;
mod schedules;
mod scripts;
mod secrets;
mod shell;
mod templates;
