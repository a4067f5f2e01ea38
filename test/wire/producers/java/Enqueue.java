import com.fasterxml.jackson.databind.ObjectMapper;
import io.nats.client.*;
import io.nats.client.api.*;
import io.nats.client.impl.*;
import java.time.Duration;
import java.util.Map;
import org.msgpack.jackson.dataformat.MessagePackFactory;

class Enqueue {
  static final ObjectMapper JSON = new ObjectMapper();
  static final ObjectMapper MSGPACK = new ObjectMapper(new MessagePackFactory());

  /** Publishes one job. Publishing again with the same id is safe: PublishAck.isDuplicate() says so. */
  static PublishAck enqueue(
      JetStream js, String namespace, String queue, Map<String, ?> job, Headers headers, String format)
      throws Exception {
    if (job.get("id") instanceof String id) headers.put("Nats-Msg-Id", id);
    byte[] body = (format.equals("json") ? JSON : MSGPACK).writeValueAsBytes(job);
    return js.publish(
        NatsMessage.builder().subject(namespace + ".jobs." + queue).headers(headers).data(body).build());
  }

  /** Waits until the job has ended, and returns the record of it; null when nothing came in time. */
  static Map<?, ?> result(Connection nc, String namespace, String queue, String id, Duration timeout)
      throws Exception {
    OrderedConsumerContext records =
        nc.getStreamContext(namespace + "-history")
            .createOrderedConsumer(
                new OrderedConsumerConfiguration()
                    .filterSubject(namespace + ".history." + queue + "." + id + ".*")
                    .deliverPolicy(DeliverPolicy.Last)); // the newest there is, then all that follow
    long deadline = System.nanoTime() + timeout.toNanos();
    while (true) {
      long leftMs = Math.max(10, (deadline - System.nanoTime()) / 1_000_000); // the least it takes
      Message message = records.next(leftMs);
      if (message == null && leftMs > 10) continue; // in a cluster between two leaders it ends early
      if (message == null) return null;
      Map<?, ?> job = MSGPACK.readValue(message.getData(), Map.class);
      if (!job.get("state").equals("requeued")) return job;
    }
  }
}
