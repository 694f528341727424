//! The macros of `sandglass-plugin`, which re-exports them; see there.

mod export;
mod include;
mod model;

use proc_macro::TokenStream;

/// Exports the actions of a plugin, and embeds its manifest: who it is and which capabilities it asks for.
///
/// ```ignore
/// sandglass_plugin::export! {
///     name: "backup",                       // default: the package's name
///     description: "Packs folders",         // default: the package's description
///     actions: [Pack, Restore],             // the first is what `use: backup` means
///     plans: [Restore],                     // those that can say what a run would do (the feature `plan`)
///     capabilities: { process: ["/usr/bin/tar"], http: public, state: true, files: ["/srv:ro"] },
/// }
/// ```
///
/// A capability's value is a list of patterns, or one of the words `any`, `public` and `true`. The version is the
/// package's. The manifest is a custom section named `sandglass:manifest`, which is read without running the plugin.
#[proc_macro]
pub fn export(input: TokenStream) -> TokenStream {
    let export = syn::parse_macro_input!(input as export::Export);
    export.expand().unwrap_or_else(syn::Error::into_compile_error).into()
}

/// A schema in a file, named from the package's folder, as JSON text without what only makes it readable; see
/// `Action::SCHEMAS`. Definitions that other schemas of the plugin have too are named after a semicolon, and are in the guest
/// once: `include_schema!("src/put.params.json"; Period, Words)`.
#[proc_macro]
pub fn include_schema(input: TokenStream) -> TokenStream {
    let schema = syn::parse_macro_input!(input as include::Schema);
    include::schema(&schema).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// The JSON of a file, named from the package's folder, as text without what only makes it readable, of which the guest
/// carries every byte.
#[proc_macro]
pub fn include_json(input: TokenStream) -> TokenStream {
    let path = syn::parse_macro_input!(input as syn::LitStr);
    include::json(&path).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// A shell script, named from the package's folder, as text without comments of whole lines, empty lines and what lines begin
/// with: of which the guest carries every byte. It has no here-documents.
#[proc_macro]
pub fn include_script(input: TokenStream) -> TokenStream {
    let path = syn::parse_macro_input!(input as syn::LitStr);
    include::script(&path).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a type an action's parameters: derives what reads it from JSON and what describes it as a JSON Schema, without
/// further dependencies. Unknown keys are refused. The attributes of `serde` and `schemars` work as usual.
///
/// A field that selects targets says so with `#[schemars(extend("format" = "targets"))]`, and one that names a single target with
/// `"target"`: whoever saves a job is then told of targets that are not there.
#[proc_macro_attribute]
pub fn params(_attribute: TokenStream, item: TokenStream) -> TokenStream {
    model::params(syn::parse_macro_input!(item)).into()
}

/// Makes a type an action's output: derives what writes it as JSON and what describes it as a JSON Schema, without further
/// dependencies. The attributes of `serde` and `schemars` work as usual.
#[proc_macro_attribute]
pub fn output(_attribute: TokenStream, item: TokenStream) -> TokenStream {
    model::output(syn::parse_macro_input!(item)).into()
}
