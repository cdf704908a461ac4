//! The XML of STS's query protocol.

use std::fmt::Write;

use super::error::IdentityError;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// An element of a result.
#[derive(Clone)]
pub(super) enum Element<'a> {
    Text(&'static str, &'a str),
    Group(&'static str, Vec<Element<'a>>),
}

/// The response of `action`.
pub(super) fn response(action: &str, result: &[Element<'_>], request_id: &str) -> String {
    let mut out = format!("<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>");
    for element in result {
        write_element(&mut out, element);
    }
    let _ = write!(
        out,
        "</{action}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    );
    out
}

pub(super) fn error(error: &IdentityError, request_id: &str) -> String {
    let fault = if error.status.is_server_error() {
        "Receiver"
    } else {
        "Sender"
    };
    let mut out = format!("<ErrorResponse xmlns=\"{NAMESPACE}\">");
    let members = vec![
        Element::Text("Type", fault),
        Element::Text("Code", &error.code),
        Element::Text("Message", &error.message),
    ];
    write_element(&mut out, &Element::Group("Error", members));
    write_element(&mut out, &Element::Text("RequestId", request_id));
    out.push_str("</ErrorResponse>");
    out
}

fn write_element(out: &mut String, element: &Element<'_>) {
    match element {
        Element::Text(name, text) => {
            let _ = write!(out, "<{name}>");
            for character in text.chars() {
                match character {
                    '&' => out.push_str("&amp;"),
                    '<' => out.push_str("&lt;"),
                    '>' => out.push_str("&gt;"),
                    other => out.push(other),
                }
            }
            let _ = write!(out, "</{name}>");
        }
        Element::Group(name, members) => {
            let _ = write!(out, "<{name}>");
            for member in members {
                write_element(out, member);
            }
            let _ = write!(out, "</{name}>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_nests_its_result() {
        let result = [Element::Group(
            "Credentials",
            vec![Element::Text("Token", "a&b<c>")],
        )];
        assert_eq!(
            response("AssumeRole", &result, "1-2"),
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
             <Credentials><Token>a&amp;b&lt;c&gt;</Token></Credentials></AssumeRoleResult>\
             <ResponseMetadata><RequestId>1-2</RequestId></ResponseMetadata></AssumeRoleResponse>"
        );
    }

    #[test]
    fn an_error_names_who_is_at_fault() {
        let document = error(&IdentityError::of_code("Throttling", None), "1-2");
        assert_eq!(
            document,
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>1-2</RequestId>\
             </ErrorResponse>"
        );
        let document = error(&IdentityError::of_code("InternalFailure", None), "1-2");
        assert!(document.contains("<Type>Receiver</Type>"), "{document}");
    }
}
