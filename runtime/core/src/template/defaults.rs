//! What a notifier's action says by itself.
//!
//! Where an action's schema gives a parameter a default that is a template of what notifications have, a notifier that
//! leaves the parameter out says this. So a plugin has words of its own for what it tells, and no template has to be written
//! in a job. Other defaults are the plugin's own to fill in.

use std::borrow::Cow;

use chrono_tz::Tz;
use minijinja::Environment;
use serde_json::{Map, Value};

use super::{MAX_SOURCE, MAX_TEMPLATES, check, engine, holds_template, places};

/// `with`, and of every parameter of `schema` that it leaves out the default, if that is a template of nothing but what
/// notifications have. A plugin's default can name no secret, as nobody allowed it to.
#[must_use]
pub fn with_defaults<'a>(with: &'a Map<String, Value>, schema: &Value) -> Cow<'a, Map<String, Value>> {
    let mut filled = Cow::Borrowed(with);
    let Some(parameters) = schema.get("properties").and_then(Value::as_object) else { return filled };
    let environment = engine::environment(Tz::UTC);
    let mut left = MAX_SOURCE;
    for (name, parameter) in parameters.iter().take(MAX_TEMPLATES) {
        let default = parameter.get("default").filter(|default| holds_template(default));
        let Some(default) = default.filter(|_| !with.contains_key(name)) else { continue };
        if tells_of_a_notification(&environment, default, &mut left) {
            filled.to_mut().insert(name.clone(), default.clone());
        }
    }
    filled
}

/// Whether every template in `default` is one, and names only what notifications have; `left` is how many bytes may still
/// be looked at.
fn tells_of_a_notification(environment: &Environment<'_>, default: &Value, left: &mut usize) -> bool {
    let mut is_so = true;
    places::in_value("", default, &mut |_, text| {
        let Some(rest) = left.checked_sub(text.len()).filter(|_| is_so) else {
            is_so = false;
            return;
        };
        *left = rest;
        let names = engine::Shape::of(text).and_then(|_| engine::names(environment, text));
        is_so = names.is_ok_and(|names| names.iter().all(|name| check::known_of_notice(name).is_ok()));
    });
    is_so
}

#[cfg(test)]
mod tests {
    use super::with_defaults;
    use serde_json::{Value, json};

    fn filled(with: &Value, properties: &Value) -> Value {
        let schema = json!({ "type": "object", "properties": properties });
        Value::Object(with_defaults(with.as_object().unwrap(), &schema).into_owned())
    }

    #[test]
    fn what_is_left_out_says_what_the_action_says() {
        let properties = json!({
            "url": { "type": "string" },
            "text": { "default": "{{ notification.summary }}" },
            "fields": { "default": { "Run": "{{ run.id }}" } },
            "timeout": { "default": "30s" },
        });
        let all = json!({ "url": "x", "text": "{{ notification.summary }}", "fields": { "Run": "{{ run.id }}" } });
        assert_eq!(filled(&json!({ "url": "x" }), &properties), all);
        let own = json!({ "text": null, "fields": {} });
        assert_eq!(filled(&own, &properties), own);
    }

    #[test]
    fn a_default_can_take_nothing_but_what_is_told() {
        for text in ["{{ secret.TOKEN }}", "{{ params.a }}", "{{ run.nothing }}", "{{ broken", "{% set a = 1 %}"] {
            assert_eq!(filled(&json!({}), &json!({ "text": { "default": text } })), json!({}), "{text}");
            let deep = json!({ "text": { "default": { "a": ["{{ run.id }}", text] } } });
            assert_eq!(filled(&json!({}), &deep), json!({}), "{text}");
        }
        let long = format!("{{{{ run.id }}}}{}", " ".repeat(super::MAX_SOURCE));
        assert_eq!(filled(&json!({}), &json!({ "text": { "default": long } })), json!({}));
        assert_eq!(filled(&json!({}), &json!(null)), json!({}));
    }
}
