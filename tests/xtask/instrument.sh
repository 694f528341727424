#!/bin/sh
# Compiles one of the workspace's crates, as cargo's RUSTC_WORKSPACE_WRAPPER, so that what is built counts which lines ran.
# Cargo keeps what goes through a wrapper apart, and everything that is not ours is shared with other builds. With counters
# that may lie anywhere, they lie in the file itself: what a program did before it was killed counts too.
exec "$@" -Cinstrument-coverage -Cllvm-args=-runtime-counter-relocation
