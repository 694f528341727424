//! Actions that use up what there is: fuel, memory, stack, handles, the host's patience.

use std::hint::black_box;
use std::time::Duration;

use sandglass_plugin::bindings::sandglass::plugin::run_context;
use sandglass_plugin::{Outcome, serde_json};

use crate::action;

action!(Spin, "spin", "Computes for ever.", |params, _| {
    let mut sum = 0_u64;
    for round in params.range() {
        sum = black_box(sum.wrapping_mul(31).wrapping_add(round));
    }
    Ok(Outcome::output(sum.to_string()))
});

action!(Allocate, "allocate", "Takes memory, a mebibyte at a time, and touches all of it.", |params, _| {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    for round in params.range() {
        blocks.push(black_box(vec![u8::try_from(round % 251 + 1).unwrap_or(1); 1024 * 1024]));
    }
    Ok(Outcome::output(blocks.len().to_string()))
});

action!(Recurse, "recurse", "Calls itself until the engine's stack ends.", |params, _| {
    Ok(Outcome::output(descend(params.times.unwrap_or(u64::MAX)).to_string()))
});

/// Keeps nothing in memory, so that it is the engine's own stack that ends; and cannot be made a loop.
#[inline(never)]
fn descend(left: u64) -> u64 {
    if left == 0 { 1 } else { (descend(left - 1) ^ left).rotate_left(7).wrapping_mul(31) }
}

action!(FillStack, "fill-stack", "Calls itself until the stack in its memory ends.", |params, _| {
    Ok(Outcome::output(descend_with_frames(params.times.unwrap_or(u64::MAX)).to_string()))
});

#[inline(never)]
fn descend_with_frames(left: u64) -> u64 {
    let frame = black_box([left; 64]);
    if left == 0 { 0 } else { descend_with_frames(left - 1).wrapping_add(black_box(frame)[3]) }
}

action!(LeakHandles, "leak-handles", "Takes handles of the host and keeps them.", |params, _| {
    let mut handles = Vec::new();
    for _ in params.range() {
        handles.push(run_context::subscribe_cancel());
    }
    Ok(Outcome::output(handles.len().to_string()))
});

action!(CallHost, "call-host", "Calls the host without end.", |params, context| {
    let mut answers = 0_u64;
    for _ in params.range() {
        answers += u64::from(context.cancelled().is_none());
        answers += context.remaining().unwrap_or(Duration::ZERO).as_secs() & 1;
    }
    Ok(Outcome::output(serde_json::json!(answers).to_string()))
});
