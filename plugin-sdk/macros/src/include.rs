//! `include_json!` and `include_script!`: a file's JSON, or script, in as few bytes as it takes.

use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::Value;
use syn::{Error, LitStr, Result};

/// The JSON of a file.
pub(crate) fn json(path: &LitStr) -> Result<TokenStream> {
    let text = read(path)?;
    let mut value: Value = serde_json::from_str(&text).map_err(|error| wrong(path, &error))?;
    // Which dialect a schema is in is said by the interface, and what its type is called matters to nobody.
    if value.get("$schema").is_some()
        && let Some(schema) = value.as_object_mut()
    {
        schema.remove("$schema");
        schema.remove("title");
        without_null_defaults(&mut value);
    }
    Ok(expanded(path, &value.to_string()))
}

/// What may be left out is nothing by default, which needs no words.
fn without_null_defaults(schema: &mut Value) {
    if let Some(map) = schema.as_object_mut() {
        map.retain(|key, value| key != "default" || !value.is_null());
        map.values_mut().for_each(without_null_defaults);
    } else if let Some(list) = schema.as_array_mut() {
        list.iter_mut().for_each(without_null_defaults);
    }
}

/// The script of a file.
pub(crate) fn script(path: &LitStr) -> Result<TokenStream> {
    let text = read(path)?;
    let lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(expanded(path, &lines.collect::<Vec<_>>().join("\n")))
}

fn file(path: &LitStr) -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join(path.value())
}

fn read(path: &LitStr) -> Result<String> {
    std::fs::read_to_string(file(path)).map_err(|error| wrong(path, &error))
}

fn wrong(path: &LitStr, why: &dyn std::fmt::Display) -> Error {
    Error::new(path.span(), format!("{}: {why}", file(path).display()))
}

/// The text, and the file's name, so that the compiler knows what the package is made of.
fn expanded(path: &LitStr, text: &str) -> TokenStream {
    let name = path.value();
    quote! {{
        const _: &str = ::core::include_str!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", #name));
        #text
    }}
}
