//! What a model id says about the model.

/// Geographies of cross-region inference profiles, in front of the model's own id.
const GEOGRAPHIES: [&str; 9] = ["apac", "au", "ca", "eu", "global", "in", "jp", "us", "us-gov"];

/// The model part of an id: of an ARN that names a model, what it names; `None` if the ARN hides it (application
/// inference profiles, provisioned, custom and imported models, prompts, routers).
pub(super) fn model_part(id: &str) -> Option<&str> {
    if !id.starts_with("arn:") {
        return Some(id);
    }
    // arn:partition:bedrock:region:account:kind/id, where the id may have colons.
    let resource = id.splitn(6, ':').nth(5)?;
    match resource.split_once('/')? {
        ("foundation-model" | "inference-profile", model) if !model.is_empty() => Some(model),
        _ => None,
    }
}

/// Without the geography of a cross-region profile: `us.anthropic.…` → `anthropic.…`.
pub(super) fn without_geography(id: &str) -> Option<&str> {
    let (geography, model) = id.split_once('.')?;
    // A model's id has a provider of its own in front.
    (GEOGRAPHIES.contains(&geography) && model.contains('.')).then_some(model)
}

/// Without the throughput variant behind the version: `…-v2:0:51k` → `…-v2:0`.
pub(super) fn without_throughput(id: &str) -> Option<&str> {
    let (model, throughput) = id.rsplit_once(':')?;
    let digits = throughput.strip_suffix('k')?;
    let version = model.rsplit_once(':')?.1;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (number(digits) && number(version)).then_some(model)
}

/// Without LiteLLM's routing prefixes, which a `base_model` may have.
pub(super) fn without_route(name: &str) -> &str {
    ["bedrock/", "converse/", "invoke/"]
        .iter()
        .fold(name, |name, route| name.strip_prefix(route).unwrap_or(name))
}
