/** Tells a chat what happens. */

import { notifier, Request } from "sluice-sdk";

export default notifier({
  settings: {
    channel: { type: "string", description: "Where to write, such as `#deploys`." },
  },
  notify(client, on, event) {
    const links = event.links.map(([label, address]) => `${label}: ${address}`);
    const text = [event.title, event.body, ...links].filter((line) => line !== "").join("\n");
    const message = { channel: on.channel, text };
    if (event.thread !== null) message.thread = event.thread;
    const request = Request.post("/api/messages")
      .on("chat")
      .bearer("chat-token")
      // Comes again with the same key after a failure: one message, not two.
      .header("idempotency-key", event.id)
      .json(message);
    const { thread } = client.ask(request).json();
    return typeof thread === "string" ? thread : null;
  },
});
