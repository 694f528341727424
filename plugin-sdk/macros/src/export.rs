//! `export!`: from a few lines of declaration to the component's exports and its manifest.

use proc_macro2::{Literal, Span, TokenStream};
use quote::quote;
use serde_json::{Map, Value};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitBool, LitStr, Path, Result, Token, braced, bracketed};

/// The capabilities that a manifest may ask for.
const CAPABILITIES: [&str; 10] =
    ["process", "http", "files", "docker", "remote", "secrets", "reveal", "state", "mail", "artifacts"];

/// What `export!` was given.
pub(crate) struct Export {
    name: Option<LitStr>,
    description: Option<LitStr>,
    actions: Vec<Path>,
    /// Those of them that can plan.
    plans: Vec<Path>,
    capabilities: Map<String, Value>,
}

impl Parse for Export {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut export =
            Self { name: None, description: None, actions: Vec::new(), plans: Vec::new(), capabilities: Map::new() };
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![:]>()?;
            match key.to_string().as_str() {
                "name" => export.name = Some(input.parse()?),
                "description" => export.description = Some(input.parse()?),
                "actions" => export.actions = paths(input)?,
                "plans" => export.plans = paths(input)?,
                "capabilities" => export.capabilities = capabilities(input)?,
                _ => return Err(Error::new(key.span(), "expected name, description, actions, plans or capabilities")),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        if export.actions.is_empty() {
            return Err(Error::new(Span::call_site(), "a plugin exports at least one action: `actions: [MyAction]`"));
        }
        Ok(export)
    }
}

fn paths(input: ParseStream<'_>) -> Result<Vec<Path>> {
    let list;
    bracketed!(list in input);
    Ok(Punctuated::<Path, Token![,]>::parse_terminated(&list)?.into_iter().collect())
}

fn capabilities(input: ParseStream<'_>) -> Result<Map<String, Value>> {
    let block;
    braced!(block in input);
    let mut capabilities = Map::new();
    while !block.is_empty() {
        let name: Ident = block.parse()?;
        if !CAPABILITIES.iter().any(|known| name == known) {
            let message = format!("there is no capability `{name}`; there is: {}", CAPABILITIES.join(", "));
            return Err(Error::new(name.span(), message));
        }
        block.parse::<Token![:]>()?;
        capabilities.insert(name.to_string(), grant(&block)?);
        if !block.is_empty() {
            block.parse::<Token![,]>()?;
        }
    }
    Ok(capabilities)
}

/// A list of patterns, `any`, `public`, or `true`.
fn grant(input: ParseStream<'_>) -> Result<Value> {
    if input.peek(syn::token::Bracket) {
        let list;
        bracketed!(list in input);
        let patterns = Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?;
        return Ok(patterns.iter().map(LitStr::value).collect());
    }
    if input.peek(LitBool) {
        return Ok(Value::Bool(input.parse::<LitBool>()?.value));
    }
    let word: Ident = input.parse()?;
    if word == "any" || word == "public" {
        return Ok(Value::String(word.to_string()));
    }
    Err(Error::new(word.span(), "expected a list of patterns, `any`, `public` or `true`"))
}

impl Export {
    /// The exports of the component, and the section with its manifest.
    pub(crate) fn expand(self) -> Result<TokenStream> {
        let manifest = self.manifest()?;
        let length = manifest.len();
        let bytes = Literal::byte_string(manifest.as_bytes());
        let actions = &self.actions;
        let plans = &self.plans;
        let planning = (!plans.is_empty()).then(|| {
            quote! {
                const _: () = {
                    use ::sandglass_plugin::private;

                    static PLANNERS: &[private::Planner] = &[#(private::Planner::of::<#plans>()),*];

                    impl private::PlanningGuest for SandglassExports {
                        fn plan(
                            action: ::std::string::String,
                            params: ::std::string::String,
                        ) -> ::core::result::Result<private::PlanReport, private::Error> {
                            private::plan(PLANNERS, &action, &params)
                        }
                    }
                };

                ::sandglass_plugin::bindings::planner::export!(
                    SandglassExports with_types_in ::sandglass_plugin::bindings::planner
                );
            }
        });
        Ok(quote! {
            #[doc(hidden)]
            struct SandglassExports;

            const _: () = {
                use ::sandglass_plugin::private;

                static ACTIONS: &[private::Entry] = &[#(private::Entry::of::<#actions>()),*];

                impl private::Guest for SandglassExports {
                    fn describe() -> ::std::vec::Vec<private::ActionInfo> {
                        private::describe(ACTIONS)
                    }

                    fn validate(
                        action: ::std::string::String,
                        params: ::std::string::String,
                    ) -> ::core::result::Result<(), ::std::vec::Vec<private::Issue>> {
                        private::validate(ACTIONS, &action, &params)
                    }

                    fn run(
                        request: private::RunRequest,
                    ) -> ::core::result::Result<private::Outcome, private::Failure> {
                        private::run(ACTIONS, &request)
                    }
                }

                #[cfg(target_arch = "wasm32")]
                #[allow(unsafe_code, reason = "naming a link section is how a component gets a custom section")]
                #[unsafe(link_section = "sandglass:manifest")]
                #[used]
                static MANIFEST: [u8; #length] = *#bytes;
            };

            ::sandglass_plugin::bindings::export!(SandglassExports with_types_in ::sandglass_plugin::bindings);
            #planning
        })
    }

    fn manifest(&self) -> Result<String> {
        let package = |variable: &str| std::env::var(variable).unwrap_or_default();
        let name = self.name.as_ref().map_or_else(|| package("CARGO_PKG_NAME"), LitStr::value);
        if !is_plugin_name(&name) {
            let span = self.name.as_ref().map_or_else(Span::call_site, LitStr::span);
            let message =
                format!("{name:?} is no plugin name: small letters, digits and single dashes, a letter first");
            return Err(Error::new(span, message));
        }
        let description = self.description.as_ref().map_or_else(|| package("CARGO_PKG_DESCRIPTION"), LitStr::value);
        let mut manifest = Map::new();
        manifest.insert("name".to_owned(), Value::String(name));
        manifest.insert("version".to_owned(), Value::String(package("CARGO_PKG_VERSION")));
        manifest.insert("description".to_owned(), Value::String(description));
        manifest.insert("capabilities".to_owned(), Value::Object(self.capabilities.clone()));
        Ok(Value::Object(manifest).to_string())
    }
}

/// Kebab case, so that the name is the same word in a job file, a path and a shell.
fn is_plugin_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
