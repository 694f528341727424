//! `include_json!`: a file's JSON in as few bytes as it takes.

use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::Value;
use syn::{Error, LitStr, Result};

/// The text of the file, and its name, so that the compiler knows what the package is made of.
pub(crate) fn json(path: &LitStr) -> Result<TokenStream> {
    let name = path.value();
    let file = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join(&name);
    let wrong = |why: String| Error::new(path.span(), format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
    let mut value: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    // Which dialect a schema is in is said by the interface, and what its type is called matters to nobody.
    if value.get("$schema").is_some()
        && let Some(schema) = value.as_object_mut()
    {
        schema.remove("$schema");
        schema.remove("title");
    }
    let compact = value.to_string();
    Ok(quote! {{
        const _: &str = ::core::include_str!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", #name));
        #compact
    }})
}
