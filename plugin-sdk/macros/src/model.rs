//! The attributes that make a type an action's parameters or its output.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput};

/// Parameters: read strictly, so that a mistyped key is found when the job is saved.
pub(crate) fn params(item: DeriveInput) -> TokenStream {
    let strict = match &item.data {
        Data::Struct(_) => quote!(, deny_unknown_fields),
        // A struct says for its own keys whether others are allowed; an enum of plain names has none.
        Data::Enum(_) | Data::Union(_) => quote!(),
    };
    quote! {
        #[derive(
            ::core::fmt::Debug,
            ::sandglass_plugin::serde::Deserialize,
            ::sandglass_plugin::schemars::JsonSchema,
        )]
        #[serde(crate = "::sandglass_plugin::serde" #strict)]
        #[schemars(crate = "::sandglass_plugin::schemars")]
        #item
    }
}

/// Outputs.
pub(crate) fn output(item: DeriveInput) -> TokenStream {
    quote! {
        #[derive(
            ::core::fmt::Debug,
            ::sandglass_plugin::serde::Serialize,
            ::sandglass_plugin::schemars::JsonSchema,
        )]
        #[serde(crate = "::sandglass_plugin::serde")]
        #[schemars(crate = "::sandglass_plugin::schemars")]
        #item
    }
}
