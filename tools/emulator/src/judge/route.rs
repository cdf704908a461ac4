//! Which operation a raw path is.

use hyper::Method;
use serde::{Deserialize, Serialize};

use crate::percent;

/// An operation that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiOperation {
    /// One JSON answer, in the form common to all models.
    Converse,
    /// The same as an event stream.
    ConverseStream,
    /// One answer in the model's own form.
    Invoke,
    /// The same as an event stream.
    InvokeWithResponseStream,
    /// Tokens of a request that is not run.
    CountTokens,
}

/// A request that is one of the operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The model id, percent-decoded once.
    pub(crate) model: String,
    /// The operation.
    pub(crate) operation: ApiOperation,
}

/// Route of a method and a raw path (no query): `/model/{one segment}/{operation}` by POST, under `base_path`.
pub(crate) fn find(method: &Method, path: &str, base_path: &str) -> Option<Route> {
    let mut segments = path.strip_prefix(base_path)?.strip_prefix("/model/")?.split('/');
    let model = percent::decode(segments.next()?)?;
    let operation = match segments.next()? {
        "converse" => ApiOperation::Converse,
        "converse-stream" => ApiOperation::ConverseStream,
        "invoke" => ApiOperation::Invoke,
        "invoke-with-response-stream" => ApiOperation::InvokeWithResponseStream,
        "count-tokens" => ApiOperation::CountTokens,
        _ => return None,
    };
    let ends_here = segments.next().is_none();
    (ends_here && method == Method::POST && !model.is_empty()).then_some(Route { model, operation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_decoded_once() {
        let route = find(&Method::POST, "/model/a%3A0%252F/converse", "").unwrap();
        assert_eq!(
            route,
            Route {
                model: "a:0%2F".to_owned(),
                operation: ApiOperation::Converse
            }
        );
    }

    #[test]
    fn a_base_path_comes_first() {
        assert!(find(&Method::POST, "/base/model/a/invoke", "/base").is_some());
        assert!(find(&Method::POST, "/model/a/invoke", "/base").is_none());
    }

    #[test]
    fn everything_else_is_no_operation() {
        for path in [
            "",
            "/",
            "/model",
            "/model//converse",
            "/model/a",
            "/model/a/b/converse",
            "/model/a/nope",
        ] {
            assert_eq!(find(&Method::POST, path, ""), None, "{path}");
        }
        for path in [
            "/model/a/converse/",
            "/model/a%3/converse",
            "/model/a%/converse",
            "/model/%ff/converse",
        ] {
            assert_eq!(find(&Method::POST, path, ""), None, "{path}");
        }
        assert_eq!(find(&Method::GET, "/model/a/converse", ""), None);
    }
}
