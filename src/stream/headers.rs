//! What the client is told about its request, under LiteLLM's header names.

use crate::encoding::decimal::{push_decimal, push_thousandths};
use crate::pricing::{Cost, PicoUsd};
use crate::stream::{Account, Course};
use crate::time::UnixTime;

/// Every header of ours has this prefix, and an answer brings none with it.
pub const PREFIX: &str = "x-litellm-";

impl Account {
    /// The headers that the answer gets at `now`. What it cost is among them once the answer is complete and priced.
    pub fn headers(&self, now: UnixTime) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("x-litellm-call-id", self.client.call_id.clone()),
            (
                "x-litellm-response-duration-ms",
                decimal(now.milliseconds_since(self.started)),
            ),
        ];
        let Course::Departed { plan, .. } = &self.course else {
            return headers;
        };
        headers.push(("x-litellm-model-group", plan.model.name.clone()));
        headers.push((
            "x-litellm-attempted-retries",
            decimal(plan.attempted().saturating_sub(1)),
        ));
        if let Some(deployment) = plan.attempt() {
            headers.push(("x-litellm-model-id", deployment.id.clone()));
            headers.push(("x-litellm-model-region", deployment.region.clone()));
            headers.push(("x-litellm-model-api-base", deployment.endpoint.clone()));
        }
        let mut overhead = String::new();
        push_thousandths(&mut overhead, self.overhead());
        headers.push(("x-litellm-overhead-duration-ms", overhead));
        if let Some(cost) = self.settled.as_ref().and_then(|settled| settled.cost.as_ref()) {
            headers.extend(parts(cost));
        }
        // A name comes from the configuration and could hold what no header can.
        headers.retain(|(_, value)| value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
        headers
    }

    /// Whether the answer's headers may wait for its body, so that they can tell its cost: an answer that is one document.
    pub fn may_wait(&self) -> bool {
        matches!(&self.course, Course::Departed { plan, .. } if !plan.operation.is_stream())
            && self.is_reading()
    }
}

fn parts(cost: &Cost) -> [(&'static str, String); 5] {
    [
        ("x-litellm-response-cost", text(cost.total())),
        ("x-litellm-response-cost-input", text(cost.input)),
        ("x-litellm-response-cost-output", text(cost.output)),
        ("x-litellm-response-cost-cache-read", text(cost.cache_read)),
        (
            "x-litellm-response-cost-cache-creation",
            text(cost.cache_creation),
        ),
    ]
}

fn decimal(number: u64) -> String {
    let mut text = String::new();
    push_decimal(&mut text, number);
    text
}

fn text(amount: PicoUsd) -> String {
    let mut text = String::new();
    amount.push_to(&mut text);
    text
}
