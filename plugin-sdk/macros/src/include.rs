//! `include_json!`, `include_schema!` and `include_script!`: a file's JSON, schema or script, in as few bytes as it takes.

use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::Value;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitStr, Result, Token};

/// The JSON of a file.
pub(crate) fn json(path: &LitStr) -> Result<TokenStream> {
    let text = read_json(path)?.to_string();
    Ok(expanded(path, &quote!(#text)))
}

/// What `include_schema!` is given: a file, and after a semicolon the definitions that other schemas have too.
pub(crate) struct Schema {
    path: LitStr,
    shared: Punctuated<Ident, Token![,]>,
}

impl Parse for Schema {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let path = input.parse()?;
        let shared = match input.parse::<Option<Token![;]>>()? {
            Some(_) => Punctuated::parse_terminated(input)?,
            None => Punctuated::new(),
        };
        Ok(Self { path, shared })
    }
}

/// The schema of a file, cut around the definitions that other schemas have too: the compiler keeps one of each.
pub(crate) fn schema(Schema { path, shared }: &Schema) -> Result<TokenStream> {
    let Value::Object(mut schema) = read_json(path)? else { return Err(wrong(path, &"a schema is an object")) };
    // Which dialect it is in is said by the interface, and what it is by the action; what its type is called matters to nobody.
    for name in ["$schema", "title", "description"] {
        schema.remove(name);
    }
    schema.values_mut().for_each(without_null_defaults);
    if shared.is_empty() {
        let text = Value::Object(schema).to_string();
        return Ok(expanded(path, &quote!(&[#text])));
    }
    let Some(Value::Object(mut definitions)) = schema.remove("$defs") else {
        return Err(wrong(path, &"the schema has no `$defs`"));
    };
    let text = |name: &str, definition: &Value| format!("{}:{definition}", Value::from(name));
    let mut pieces = Vec::new();
    for name in shared {
        let definition = definitions.remove(&name.to_string());
        let definition = definition.ok_or_else(|| Error::new(name.span(), "the schema has no such definition"))?;
        pieces.extend([",".to_owned(), text(&name.to_string(), &definition)]);
    }
    let own: Vec<String> = definitions.iter().map(|(name, definition)| text(name, definition)).collect();
    let rest = Value::Object(schema).to_string();
    // What stands first has no comma before it.
    if own.is_empty() {
        pieces.remove(0);
    }
    pieces.insert(0, format!("{{\"$defs\":{{{}", own.join(",")));
    pieces.push(format!("}},{}", &rest["{".len()..]));
    serde_json::from_str::<Value>(&pieces.concat()).map_err(|error| wrong(path, &error))?;
    Ok(expanded(path, &quote!(&[#(#pieces),*])))
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
    let text = lines.collect::<Vec<_>>().join("\n");
    Ok(expanded(path, &quote!(#text)))
}

fn file(path: &LitStr) -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join(path.value())
}

fn read_json(path: &LitStr) -> Result<Value> {
    serde_json::from_str(&read(path)?).map_err(|error| wrong(path, &error))
}

fn read(path: &LitStr) -> Result<String> {
    std::fs::read_to_string(file(path)).map_err(|error| wrong(path, &error))
}

fn wrong(path: &LitStr, why: &dyn std::fmt::Display) -> Error {
    Error::new(path.span(), format!("{}: {why}", file(path).display()))
}

/// What a file is made into, and the file's name, so that the compiler knows what the package is made of.
fn expanded(path: &LitStr, made: &TokenStream) -> TokenStream {
    let name = path.value();
    quote! {{
        const _: &str = ::core::include_str!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", #name));
        #made
    }}
}
