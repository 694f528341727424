use proptest::prelude::*;

use super::*;

fn read(text: &str) -> LabelExpression {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn fault(text: &str) -> String {
    text.parse::<LabelExpression>().expect_err(text).to_string()
}

fn target(labels: &serde_json::Value) -> TargetSpec {
    let spec = serde_json::json!({
        "name": "web-1", "address": "10.0.0.5", "account": "deploy", "agent": "/run/agent.sock", "labels": labels,
        "host_key": format!("SHA256:{}", "A".repeat(43)),
    });
    serde_json::from_value(spec).unwrap()
}

#[test]
fn expressions_select_by_labels() {
    let target = target(&serde_json::json!({ "role": "web", "zone": "eu", "note": "two words", "n": "or" }));
    for yes in [
        "role == web",
        "role",
        "role != db",
        "rack != b7",
        "not rack",
        "role in (db, web)",
        "role==web and zone!=us",
        "role == db or zone == eu",
        "role == db and zone == us or zone == eu",
        "not (role == db or zone == us)",
        "not not role",
        "name == web-1 and platform == linux and account == deploy",
        "note == 'two words'",
        "n == \"or\"",
    ] {
        assert!(read(yes).selects(&target), "{yes}");
    }
    for no in ["role == db", "rack", "rack == b7", "rack in (b7)", "not role", "role and (zone == us or rack)"] {
        assert!(!read(no).selects(&target), "{no}");
    }
}

#[test]
fn an_expression_shows_itself_in_one_way() {
    for (written, shown) in [
        ("role==web", "role == web"),
        ("  ( ( role ) ) ", "role"),
        ("a and (b and c) or (d)", "a and (b and c) or d"),
        ("(a or b) and not (c and d)", "(a or b) and not (c and d)"),
        ("not (a == 'x')", "not a == x"),
        ("a in ('b c',\"d\\\"e\",  f)", "a in (\"b c\", \"d\\\"e\", f)"),
        ("a == 'in' and b == ''", "a == \"in\" and b == \"\""),
        ("a == ünï/x:1@y", "a == ünï/x:1@y"),
    ] {
        assert_eq!(read(written).to_string(), shown);
        assert_eq!(read(shown), read(written));
    }
}

#[test]
fn mistakes_have_their_column() {
    for (text, says) in [
        ("", "column 1: expected a label, found the end"),
        ("role = web", "column 6: '=' alone means nothing: write '=='"),
        ("role !web", "column 6: '!' alone"),
        ("role ==", "column 8: expected a value, found the end"),
        ("role == and", "column 9: expected a value, found 'and': put it in quotes"),
        ("role == web zone == eu", "column 13: 'zone' cannot follow here: put 'and' or 'or' before it"),
        ("role == web)", "column 12: ')' cannot follow here: no bracket is open"),
        ("(role == web", "column 13: expected ')', found the end"),
        ("role in web", "column 9: expected '(' and values after 'in', found 'web'"),
        ("role in (web db)", "column 14: expected ',' or ')', found 'db'"),
        ("role in ()", "column 10: expected a value, found ')'"),
        ("role == \"web", "column 9: the quote is not closed"),
        ("role == \"a\\n\"", "column 11: a backslash"),
        ("role == 'a\nb'", "column 11: a value cannot have control characters"),
        ("role == web && zone", "column 13: '&' cannot stand here"),
        ("and", "column 1: expected a label, found 'and'"),
        ("-a == b", "column 1: expected a label, found '-a'"),
        ("'role' == web", "column 1: expected a label, found the value \"role\""),
        ("ä == ö ,", "column 1: expected a label"),
    ] {
        assert!(fault(text).contains(says), "{text}: {}", fault(text));
    }
}

#[test]
fn length_and_depth_are_bounded() {
    assert!(fault(&"a".repeat(MAX_EXPRESSION_BYTES + 1)).contains("too long"));
    // What would be too long once it is shown is refused, as it could not be read again.
    let short = format!("a in ({})", vec!["b"; 480].join(","));
    assert!(short.len() < MAX_EXPRESSION_BYTES && fault(&short).contains("too long"));
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(nested(MAX_DEPTH).parse::<LabelExpression>().is_ok());
    assert!(fault(&nested(MAX_DEPTH + 1)).contains("nested too deeply"));
    assert!(fault(&"(".repeat(MAX_EXPRESSION_BYTES)).contains("nested too deeply"));
    assert!(fault(&"not ".repeat(200)).contains("nested too deeply"));
}

fn node() -> impl Strategy<Value = Node> {
    let label = "[a-z][a-z0-9._-]{0,6}".prop_filter("a word of the grammar", |text| !RESERVED.contains(&text.as_str()));
    let value = "[a-z\"'\\\\ ()=!,ü/:@.-]{0,6}|and|or|not|in";
    let test = prop_oneof![
        label.clone().prop_map(Node::Has),
        (label.clone(), value).prop_map(|(label, value)| Node::Is(label, value)),
        (label.clone(), value).prop_map(|(label, value)| Node::IsNot(label, value)),
        (label, prop::collection::vec(value, 1..4)).prop_map(|(label, values)| Node::In(label, values)),
    ];
    test.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|node| Node::Not(Box::new(node))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Node::All),
            prop::collection::vec(inner, 2..4).prop_map(Node::Any),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_shown_reads_as_the_same(node in node()) {
        let expression = LabelExpression(node);
        let shown = expression.to_string();
        prop_assume!(shown.len() <= MAX_EXPRESSION_BYTES);
        prop_assert_eq!(shown.parse::<LabelExpression>(), Ok(expression));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-c()=!,\"'\\\\ andorti]{0,60}|\\PC{0,60}") {
        if let Ok(expression) = text.parse::<LabelExpression>() {
            prop_assert_eq!(expression.to_string().parse::<LabelExpression>(), Ok(expression));
        }
    }
}
