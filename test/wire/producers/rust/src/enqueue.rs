use async_nats::{HeaderMap, jetstream};
use futures_util::StreamExt;
use jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use jetstream::context::Context;
use jetstream::message::PublishMessage;
use jetstream::publish::PublishAck;
use serde_json::Value;
use std::{error::Error, time::Duration};

/// Publishes one job. Publishing again with the same id is safe: `duplicate` of the acknowledgement says so.
pub async fn enqueue(
    js: &Context, namespace: &str, queue: &str, job: &Value, mut headers: HeaderMap, format: &str,
) -> Result<PublishAck, Box<dyn Error>> {
    if let Some(id) = job["id"].as_str() {
        headers.insert("Nats-Msg-Id", id);
    }
    let body = if format == "json" { serde_json::to_vec(job)? } else { rmp_serde::to_vec_named(job)? };
    let publish = PublishMessage::build().payload(body.into()).headers(headers);
    Ok(js.send_publish(format!("{namespace}.jobs.{queue}"), publish).await?.await?)
}

/// Waits until the job has ended, and returns the record of it.
pub async fn result(js: &Context, namespace: &str, queue: &str, id: &str) -> Result<Value, Box<dyn Error>> {
    let records = js
        .create_consumer_on_stream(
            pull::Config {
                filter_subject: format!("{namespace}.history.{queue}.{id}.*"),
                deliver_policy: DeliverPolicy::Last, // the newest there is, then all that follow
                ack_policy: AckPolicy::None,
                inactive_threshold: Duration::from_secs(60),
                ..Default::default()
            },
            format!("{namespace}-history"),
        )
        .await?;
    let mut messages = records.messages().await?;
    while let Some(message) = messages.next().await {
        let record: Value = rmp_serde::from_slice(&message?.payload)?;
        if record["state"] != "requeued" {
            return Ok(record);
        }
    }
    Err("the subscription ended".into())
}
