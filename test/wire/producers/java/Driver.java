import io.nats.client.*;
import io.nats.client.api.*;
import io.nats.client.impl.*;
import java.io.*;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/** Reads commands as JSON lines and answers each with one; see ../../driver.ts. */
class Driver {
  public static void main(String[] args) throws Exception {
    try (Connection nc = Nats.connect(args[0])) {
      BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
      for (String line; (line = lines.readLine()) != null; ) {
        Map<String, Object> reply = new HashMap<>();
        try {
          answer(nc, Enqueue.JSON.readValue(line, Map.class), reply);
        } catch (Exception error) {
          reply.put("error", String.valueOf(error.getMessage()));
        }
        System.out.println(Enqueue.JSON.writeValueAsString(reply));
        System.out.flush();
      }
    }
  }

  static void answer(Connection nc, Map<?, ?> command, Map<String, Object> reply) throws Exception {
    String namespace = (String) command.get("namespace");
    String queue = (String) command.get("queue");
    if ("result".equals(command.get("do"))) {
      Map<?, ?> job =
          Enqueue.result(nc, namespace, queue, (String) command.get("id"), Duration.ofSeconds(30));
      for (String field : new String[] {"state", "output", "attempts"}) reply.put(field, job.get(field));
      return;
    }
    Headers headers = new Headers();
    ((Map<?, ?>) command.get("headers")).forEach((name, value) -> headers.put((String) name, (String) value));
    @SuppressWarnings("unchecked")
    Map<String, ?> job = (Map<String, ?>) command.get("job");
    PublishAck ack =
        Enqueue.enqueue(nc.jetStream(), namespace, queue, job, headers, (String) command.get("format"));
    reply.put("stream", ack.getStream());
    reply.put("sequence", ack.getSeqno());
    reply.put("duplicate", ack.isDuplicate());
  }
}
