//! The operation that a path names.

use hyper::Method;
use serde::{Deserialize, Serialize};

use crate::percent;

/// An operation that the emulator supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiOperation {
    /// One JSON response, in the form common to all models.
    Converse,
    /// The same, as an event stream.
    ConverseStream,
    /// One response, in the model's own form.
    Invoke,
    /// The same, as an event stream.
    InvokeWithResponseStream,
    /// The tokens of a request, without running it.
    CountTokens,
}

/// The model and the operation that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelRoute {
    /// The model id, percent-decoded.
    pub(crate) model: String,
    pub(crate) operation: ApiOperation,
}

/// The route of `POST {base_path}/model/{model id}/{operation}`. `path` has no query, and is not
/// decoded.
pub(crate) fn find(method: &Method, path: &str, base_path: &str) -> Option<ModelRoute> {
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
    let is_last = segments.next().is_none();
    (is_last && method == Method::POST && !model.is_empty()).then_some(ModelRoute { model, operation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_id_is_one_segment_and_is_decoded_once() {
        let route = find(&Method::POST, "/model/a%3A0%252F/converse", "").unwrap();
        assert_eq!(
            route,
            ModelRoute {
                model: "a:0%2F".to_owned(),
                operation: ApiOperation::Converse
            }
        );
    }

    #[test]
    fn a_base_path_precedes_the_route() {
        assert!(find(&Method::POST, "/base/model/a/invoke", "/base").is_some());
        assert!(find(&Method::POST, "/model/a/invoke", "/base").is_none());
    }

    #[test]
    fn other_paths_and_methods_name_no_operation() {
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
