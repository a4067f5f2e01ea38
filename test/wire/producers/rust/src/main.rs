//! Reads commands as JSON lines and answers each with one; see ../../../driver.ts.
mod enqueue;

use async_nats::{HeaderMap, HeaderName, jetstream};
use serde_json::{Value, json};
use std::{error::Error, str::FromStr};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).expect("the server's address");
    let js = jetstream::new(async_nats::connect(server).await?);
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let reply = match answer(&js, &serde_json::from_str(&line)?).await {
            Ok(reply) => reply,
            Err(error) => json!({ "error": error.to_string() }),
        };
        println!("{reply}");
    }
    Ok(())
}

async fn answer(js: &jetstream::Context, command: &Value) -> Result<Value, Box<dyn Error>> {
    let text = |field: &str| command[field].as_str().unwrap_or_default().to_owned();
    let (namespace, queue) = (text("namespace"), text("queue"));
    if command["do"] == "result" {
        let record = enqueue::result(js, &namespace, &queue, &text("id")).await?;
        let mut reply = json!({ "state": record["state"], "attempts": record["attempts"] });
        if !record["output"].is_null() {
            reply["output"] = record["output"].clone();
        }
        return Ok(reply);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in command["headers"].as_object().into_iter().flatten() {
        headers.insert(HeaderName::from_str(name)?, value.as_str().unwrap_or_default());
    }
    let ack = enqueue::enqueue(js, &namespace, &queue, &command["job"], headers, &text("format")).await?;
    Ok(json!({ "stream": ack.stream, "sequence": ack.sequence, "duplicate": ack.duplicate }))
}
