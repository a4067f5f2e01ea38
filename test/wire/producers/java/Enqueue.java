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

  /** Waits until the job has ended, and returns the record of it; null when it has not in time. */
  static Map<?, ?> result(Connection nc, String namespace, String queue, String id, Duration timeout)
      throws Exception {
    String subject = namespace + ".history." + queue + "." + id + ".*";
    Subscription following = nc.subscribe(subject); // listen first, then look
    try {
      byte[] data = null;
      try {
        JetStreamManagement jsm = nc.jetStreamManagement();
        data = jsm.getLastMessage(namespace + "-history", subject).getData();
      } catch (JetStreamApiException error) {
        if (error.getApiErrorCode() != 10037) throw error; // no message found
      }
      while (true) {
        if (data != null) {
          Map<?, ?> job = MSGPACK.readValue(data, Map.class);
          if (!job.get("state").equals("requeued")) return job;
        }
        Message message = following.nextMessage(timeout);
        if (message == null) return null;
        data = message.getData();
      }
    } finally {
      following.unsubscribe();
    }
  }
}
